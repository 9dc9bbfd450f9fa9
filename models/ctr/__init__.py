"""Click-through-rate models."""

from .mlp import CTRPredictionNetwork

__all__ = ["CTRPredictionNetwork"]
