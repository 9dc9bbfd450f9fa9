"""Neural networks with the NumPy API on compiled CPU kernels."""

from importlib.metadata import version as _version

from . import calibration, initializers, losses, metrics, schedules
from .callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    History,
    LearningRate,
    ProgressBar,
)
from .checkpoint import load, save
from .config import get_default_dtype, set_default_dtype
from .estimators import AdImageClassifier, CTRClassifier
from .features import Batch, FeatureSpec, Field, SequenceField
from .kernels.backend import get_backend, use_backend
from .kernels.jit import get_num_threads, set_num_threads
from .layers import (
    GELU,
    AvgPool2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)
from .losses import (
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidCrossEntropy,
    Softmax,
    SoftmaxCrossEntropy,
)
from .matmul import matmul, matmul_backward
from .models.ctr import (
    DCN,
    DLRM,
    DNN,
    AutoInt,
    CTRModel,
    CTRPredictionNetwork,
    DCNv2,
    DeepFM,
    FactorizationMachine,
    FieldAwareFactorizationMachine,
    FinalMLP,
    LogisticRegression,
    MaskNet,
    WideAndDeep,
    xDeepFM,
)
from .models.image import AdImageCNN, ImageModel, MobileNet, ResNet, fold
from .network import Network, Sequential
from .optimizers import FTRL, SGD, AdaGrad, Adam, AdamW, Optimizer, RMSprop, RowWiseAdaGrad
from .saliency import grad_cam
from .trainer import DivergedError, Trainer
from .warm import warmup

__version__ = _version("fastdl")

__all__ = [
    "DCN",
    "DLRM",
    "DNN",
    "FTRL",
    "GELU",
    "SGD",
    "AdImageCNN",
    "AdImageClassifier",
    "AdaGrad",
    "Adam",
    "AdamW",
    "AutoInt",
    "AvgPool2D",
    "Batch",
    "BatchNormalization",
    "CTRClassifier",
    "CTRModel",
    "CTRPredictionNetwork",
    "Callback",
    "Checkpoint",
    "Conv2D",
    "DCNv2",
    "DeepFM",
    "Dense",
    "DivergedError",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "FactorizationMachine",
    "FeatureSpec",
    "Field",
    "FieldAwareFactorizationMachine",
    "FinalMLP",
    "Flatten",
    "GlobalAvgPool2D",
    "History",
    "Huber",
    "ImageModel",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LearningRate",
    "LogisticRegression",
    "MaskNet",
    "MaxPool2D",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "MobileNet",
    "Network",
    "Optimizer",
    "ProgressBar",
    "RMSprop",
    "ReLU",
    "ResNet",
    "RowWiseAdaGrad",
    "SequenceField",
    "Sequential",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Tanh",
    "Trainer",
    "WideAndDeep",
    "__version__",
    "calibration",
    "fold",
    "get_backend",
    "get_default_dtype",
    "get_num_threads",
    "grad_cam",
    "initializers",
    "load",
    "losses",
    "matmul",
    "matmul_backward",
    "metrics",
    "save",
    "schedules",
    "set_default_dtype",
    "set_num_threads",
    "use_backend",
    "warmup",
    "xDeepFM",
]
