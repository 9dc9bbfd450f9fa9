"""Models that multiply features explicitly, layer by layer."""

from __future__ import annotations

from typing import Any, ClassVar

from fastdl.graph import Node
from fastdl.layers.cin import CompressedInteraction, FieldsFirst, SumPooling
from fastdl.layers.combine import Concat, Flatten
from fastdl.layers.cross import CrossMatrix, CrossVector

from .base import CTRModel, Inputs


class _CrossNetwork(CTRModel):
    options: ClassVar[dict[str, Any]] = {"cross_layers": 3}

    def _crossed(self, x: Inputs, kind: type[CrossVector] | type[CrossMatrix]) -> Node:
        """Cross network and tower side by side, and one output over both."""
        width = x.flat_width
        x0 = crossed = x.flat()
        for _ in range(self.cross_layers):  # type: ignore[attr-defined]
            crossed = x.make(kind, width)(x0, crossed)
        if not self.hidden:
            return x.dense(crossed, width, 1)
        both = Concat()(crossed, x.hidden(x0, width, self.hidden))
        return x.dense(both, width + self.hidden[-1], 1)


class DCN(_CrossNetwork):
    """Cross network x0 <x, w> + b + x and a tower, side by side (Wang et al. 2017).

    ``cross_layers`` (3): number of cross layers.
    """

    def build(self, x: Inputs) -> Node:
        return self._crossed(x, CrossVector)


class DCNv2(_CrossNetwork):
    """Cross network x0 (x W + b) + x and a tower, side by side (Wang et al. 2021).

    ``cross_layers`` (3): number of cross layers.
    """

    def build(self, x: Inputs) -> Node:
        return self._crossed(x, CrossMatrix)


class xDeepFM(CTRModel):
    """The linear part, a compressed interaction network, and a tower (Lian et al. 2018).

    ``maps`` ((100, 100)): feature maps of each layer of the interaction network.
    """

    options: ClassVar[dict[str, Any]] = {"maps": (100, 100)}

    def build(self, x: Inputs) -> Node:
        e = x.fields()
        x0 = maps = FieldsFirst()(e)
        before, pooled = x.field_count, []
        for count in self.maps:  # type: ignore[attr-defined]
            maps = x.make(CompressedInteraction, before, x.field_count, count)(maps, x0)
            pooled.append(SumPooling()(maps))
            before = count
        joined = Concat()(*pooled) if len(pooled) > 1 else pooled[0]
        interactions = x.dense(joined, sum(self.maps), 1)  # type: ignore[attr-defined]
        return x.linear() + interactions + x.tower(Flatten()(e), x.field_count * self.embedding_dim)
