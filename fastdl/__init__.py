"""Neural networks with the NumPy API on compiled CPU kernels."""

from importlib.metadata import version as _version

from . import initializers, losses, metrics, schedules
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

__version__ = _version("fastdl")
from .checkpoint import load, save
from .trainer import DivergedError, Trainer
