"""Click-through-rate models, each beside its paper's name."""

from .base import CTRModel
from .deep import DNN, DeepFM, WideAndDeep
from .mlp import CTRPredictionNetwork
from .shallow import FactorizationMachine, FieldAwareFactorizationMachine, LogisticRegression

__all__ = [
    "DNN",
    "CTRModel",
    "CTRPredictionNetwork",
    "DeepFM",
    "FactorizationMachine",
    "FieldAwareFactorizationMachine",
    "LogisticRegression",
    "WideAndDeep",
]
