"""Models of two streams: dense and sparse features, or two towers."""

from __future__ import annotations

from typing import Any, ClassVar

from fastdl.graph import Node
from fastdl.layers import ReLU
from fastdl.layers.combine import Concat, Flatten, Reshape
from fastdl.layers.fusion import BilinearFusion, Constant, Gate, SelectFields
from fastdl.layers.interaction import DotInteraction

from .base import CTRModel, Inputs


class DLRM(CTRModel):
    """Products of all pairs of vectors, numbers through a tower of their own (Naumov et al. 2019).

    ``bottom`` ((64,)): widths of the numbers' tower, which ends in embedding_dim numbers that join
    the fields' vectors; hidden: widths of the top tower.
    """

    options: ClassVar[dict[str, Any]] = {"bottom": (64,)}

    bottom: tuple[int, ...]

    def build(self, x: Inputs) -> Node:
        e, K, F = x.embeddings(), self.embedding_dim, len(self.spec.columns)
        if not self.spec.numeric:
            return x.tower(DotInteraction()(e), F * (F - 1) // 2)
        D = len(self.spec.numeric)  # type: ignore[arg-type]
        dense = x.hidden(x.numeric(), D, [*self.bottom, K])
        vectors = Concat()(Reshape((1, K))(dense), e)
        pairs = DotInteraction()(vectors)
        return x.tower(Concat()(dense, pairs), K + F * (F + 1) // 2)


class FinalMLP(CTRModel):
    """Two towers on differently gated features, joined by a bilinear form (Mao et al. 2023).

    ``hidden2`` (None: as hidden): widths of the second tower. ``heads`` (1) of the fusion.
    ``gates`` (True): whether the features are gated; ``gate_hidden`` ((64,)): widths of the gates'
    towers; ``context1`` and ``context2`` (()): names of the fields that make the gates, a learned
    constant where there are none.
    """

    options: ClassVar[dict[str, Any]] = {
        "hidden2": None, "heads": 1, "gates": True, "gate_hidden": (64,), "context1": (),
        "context2": (),
    }  # fmt: skip

    hidden2: tuple[int, ...] | None
    heads: int
    gates: bool
    gate_hidden: tuple[int, ...]
    context1: tuple[str, ...]
    context2: tuple[str, ...]

    def build(self, x: Inputs) -> Node:
        e = x.fields()
        flat, width = Flatten()(e), x.field_count * self.embedding_dim
        one, two = self.hidden, self.hidden if self.hidden2 is None else tuple(self.hidden2)
        if not one or not two:
            raise ValueError("FinalMLP needs at least one hidden layer in each of its towers.")
        left, right = flat, flat
        if self.gates:
            left = Gate()(self._gate(x, e, flat, self.context1, width), flat)
            right = Gate()(self._gate(x, e, flat, self.context2, width), flat)
        left, right = x.hidden(left, width, one), x.hidden(right, width, two)
        return x.make(BilinearFusion, one[-1], two[-1], self.heads)(left, right)

    def _gate(self, x: Inputs, e: Node, flat: Node, names: tuple[str, ...], width: int) -> Node:
        K = self.embedding_dim
        if names:
            places = [x.vector_names.index(name) for name in names]
            context, inputs = Flatten()(SelectFields(places)(e)), len(places) * K
        else:
            context, inputs = x.make(Constant, K)(flat), K
        for hidden in self.gate_hidden:
            context, inputs = ReLU()(x.dense(context, inputs, hidden)), hidden
        return x.dense(context, inputs, width)
