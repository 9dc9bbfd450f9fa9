"""Embeddings and a tower, with or without a wide part and a factorization machine."""

from __future__ import annotations

from fastdl.graph import Node
from fastdl.layers.combine import Flatten
from fastdl.layers.interaction import FactorizationInteraction

from .base import CTRModel, Inputs


class DNN(CTRModel):
    """The fields' vectors and the numbers into a tower (Covington et al. 2016)."""

    def build(self, x: Inputs) -> Node:
        return x.tower(x.flat(), x.flat_width)


class WideAndDeep(CTRModel):
    """The linear part and the tower (Cheng et al. 2016)."""

    def build(self, x: Inputs) -> Node:
        return x.linear() + x.tower(x.flat(), x.flat_width)


class DeepFM(CTRModel):
    """A factorization machine and a tower on the same vectors (Guo et al. 2017)."""

    def build(self, x: Inputs) -> Node:
        e = x.fields()
        deep = x.tower(Flatten()(e), x.field_count * self.embedding_dim)
        return x.linear() + FactorizationInteraction()(e) + deep
