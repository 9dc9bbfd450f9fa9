"""Click-through-rate models, each beside its paper's name."""

from .attention import AutoInt, MaskNet
from .base import CTRModel
from .cross import DCN, DCNv2, xDeepFM
from .deep import DNN, DeepFM, WideAndDeep
from .mlp import CTRPredictionNetwork
from .shallow import FactorizationMachine, FieldAwareFactorizationMachine, LogisticRegression
from .streams import DLRM, FinalMLP

__all__ = [
    "DCN",
    "DLRM",
    "DNN",
    "AutoInt",
    "CTRModel",
    "CTRPredictionNetwork",
    "DCNv2",
    "DeepFM",
    "FactorizationMachine",
    "FieldAwareFactorizationMachine",
    "FinalMLP",
    "LogisticRegression",
    "MaskNet",
    "WideAndDeep",
    "xDeepFM",
]

# the models with embeddings by their names in lower case, as commands and files give them
BY_NAME = {name.lower(): kind for name in __all__ if issubclass(kind := globals()[name], CTRModel)
           and kind is not CTRModel}  # fmt: skip
