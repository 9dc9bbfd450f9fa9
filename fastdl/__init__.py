"""Neural networks with the NumPy API on compiled CPU kernels."""

from importlib.metadata import version as _version

from . import initializers, losses, metrics, schedules
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
from .kernels.backend import get_backend, use_backend
from .kernels.jit import get_num_threads, set_num_threads
from .layers import GELU, Dense, Layer, LeakyReLU, ReLU, Sigmoid, Tanh
from .losses import (
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    SigmoidCrossEntropy,
    Softmax,
    SoftmaxCrossEntropy,
)
from .models.ctr import CTRPredictionNetwork
from .network import Network, Sequential
from .optimizers import SGD, AdaGrad, Adam, AdamW, Optimizer, RMSprop
from .trainer import DivergedError, Trainer
from .warm import warmup

__version__ = _version("fastdl")

__all__ = [
    "GELU",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "CTRPredictionNetwork",
    "Callback",
    "Checkpoint",
    "Dense",
    "DivergedError",
    "EarlyStopping",
    "History",
    "Huber",
    "Layer",
    "LeakyReLU",
    "LearningRate",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Network",
    "Optimizer",
    "ProgressBar",
    "RMSprop",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Tanh",
    "Trainer",
    "__version__",
    "get_backend",
    "get_default_dtype",
    "get_num_threads",
    "initializers",
    "load",
    "losses",
    "metrics",
    "save",
    "schedules",
    "set_default_dtype",
    "set_num_threads",
    "use_backend",
    "warmup",
]
