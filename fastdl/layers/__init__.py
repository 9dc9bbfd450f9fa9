"""Layers, one kind a file."""

from .activation import GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .base import Layer
from .batchnorm import BatchNormalization
from .combine import Flatten
from .convolution import Conv2D
from .dense import Dense
from .dropout import Dropout
from .layernorm import LayerNorm
from .table import Embedding

__all__ = [
    "GELU",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "ReLU",
    "Sigmoid",
    "Tanh",
]
