"""Estimators that hold a network: pickling them, and forgetting what an earlier fit learned."""

from __future__ import annotations

from typing import Any, Self

from ..checkpoint import describe, network_arrays, restore
from .conventions import Estimator


class HoldsModel(Estimator):
    """Base of estimators whose network is ``model_``; ``_online`` is the state of partial_fit."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "_online"}
        if "model_" in state:  # networks hold views of one array, which pickle would tear apart
            state["model_"] = describe(self.model_), network_arrays(self.model_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "model_" in state:
            description, arrays = state["model_"]
            model: Any = restore(description, arrays, "The pickled classifier")
            self.model_ = model

    @classmethod
    def _with(cls, attributes: dict[str, Any]) -> Self:
        """An estimator with these parameters and learned attributes."""
        found = cls()
        for name, value in attributes.items():
            setattr(found, name, value)
        return found

    def _forget(self) -> None:
        for name in [n for n in vars(self) if n.endswith("_") or n == "_online"]:
            delattr(self, name)
