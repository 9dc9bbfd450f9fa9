"""Models in which fields attend to or gate each other."""

from __future__ import annotations

from typing import Any, ClassVar

from fastdl.graph import Node
from fastdl.layers import LayerNorm, ReLU
from fastdl.layers.attention import FieldAttention
from fastdl.layers.combine import Concat, Flatten, Reshape

from .base import CTRModel, Inputs


class AutoInt(CTRModel):
    """Layers of self-attention between the fields, and a tower beside them (Song et al. 2019).

    The paper's AutoInt+; without ``hidden`` its AutoInt. ``attention_layers`` (3), ``heads`` (2),
    ``head_dim`` (16); ``scaled`` (False) divides scores by sqrt(head_dim).
    """

    options: ClassVar[dict[str, Any]] = {
        "attention_layers": 3, "heads": 2, "head_dim": 16, "scaled": False,
    }  # fmt: skip

    attention_layers: int
    heads: int
    head_dim: int
    scaled: bool

    def build(self, x: Inputs) -> Node:
        e = x.fields()
        attended, dim = e, self.embedding_dim
        for _ in range(self.attention_layers):
            layer = x.make(FieldAttention, dim, self.heads, self.head_dim, scaled=self.scaled)
            attended, dim = layer(attended), self.heads * self.head_dim
        logit = x.dense(Flatten()(attended), x.field_count * dim, 1)
        if not self.hidden:
            return logit
        return logit + x.tower(Flatten()(e), x.field_count * self.embedding_dim)


class MaskNet(CTRModel):
    """Blocks whose inputs are multiplied by masks made from all features (Wang et al. 2021).

    ``blocks`` (3) mask blocks of ``block_width`` (64) side by side on the normalised embeddings,
    then the tower; with ``parallel`` False one behind the other, without a tower. ``reduction``
    (1.0): width of a mask's hidden layer over that of the embeddings.
    """

    options: ClassVar[dict[str, Any]] = {
        "blocks": 3, "block_width": 64, "reduction": 1.0, "parallel": True,
    }  # fmt: skip

    blocks: int
    block_width: int
    reduction: float
    parallel: bool

    def build(self, x: Inputs) -> Node:
        e = x.fields()
        K, F = self.embedding_dim, x.field_count
        flat = Flatten()(e)
        each = LayerNorm(K, dtype=self.dtype)(Reshape((K,), rows=True)(e))
        normal = Reshape((F * K,), rows=True)(each)
        if self.parallel:
            made = [self._block(x, flat, F * K, normal, F * K) for _ in range(self.blocks)]
            joined = Concat()(*made) if len(made) > 1 else made[0]
            return x.tower(joined, self.blocks * self.block_width)
        out, width = normal, F * K
        for _ in range(self.blocks):
            out, width = self._block(x, flat, F * K, out, width), self.block_width
        return x.dense(out, width, 1)

    def _block(self, x: Inputs, flat: Node, inputs: int, hidden: Node, width: int) -> Node:
        """ReLU(LayerNorm(W (mask * hidden))), the mask from all embeddings (equations 4, 6, 7)."""
        wide = max(1, int(inputs * self.reduction))
        mask = x.dense(ReLU()(x.dense(flat, inputs, wide)), wide, width)
        out = x.dense(mask * hidden, width, self.block_width)
        return ReLU()(LayerNorm(self.block_width, dtype=self.dtype)(out))
