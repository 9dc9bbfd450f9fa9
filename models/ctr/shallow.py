"""Models without hidden layers."""

from __future__ import annotations

from fastdl.graph import Node
from fastdl.layers.interaction import FactorizationInteraction, FieldAwareInteraction

from .base import CTRModel, Inputs


class LogisticRegression(CTRModel):
    """logit = b + sum of one weight for each id + sum of v_d x_d (Richardson et al. 2007).

    Richardson, Dominowska, Ragno: Predicting clicks: estimating the click-through rate for new ads.
    """

    def build(self, x: Inputs) -> Node:
        return x.linear()


class FactorizationMachine(CTRModel):
    """The linear part, and <v_f, v_g> for every pair of features (Rendle 2010)."""

    def build(self, x: Inputs) -> Node:
        return x.linear() + FactorizationInteraction()(x.fields())


class FieldAwareFactorizationMachine(CTRModel):
    """The linear part, and for every pair of features the vectors that each keeps for the other's
    field (Juan et al. 2016).

    A table has number of features * embedding_dim columns: an embedding_dim of 4 is usual.
    """

    def build(self, x: Inputs) -> Node:
        e = x.fields(x.field_count * self.embedding_dim)
        return x.linear() + FieldAwareInteraction()(e)
