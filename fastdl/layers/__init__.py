"""Layers, one kind a file."""

from .activation import GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .base import Layer
from .batchnorm import BatchNormalization
from .combine import Flatten
from .convolution import Conv2D
from .convolution1d import Conv1D
from .dense import Dense
from .dropout import Dropout, Dropout2D
from .layernorm import LayerNorm
from .pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from .recurrent import GRU, LSTM, RNN
from .recurrent_torch import from_torch, to_torch
from .table import Embedding
from .time_attention import AdditiveAttention, ScaledDotProductAttention
from .time_distributed import TimeDistributed
from .upsample import Upsample2D
from .winograd import get_winograd, set_winograd

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "AvgPool2D",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Dense",
    "Dropout",
    "Dropout2D",
    "Embedding",
    "Flatten",
    "GlobalAvgPool2D",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MaxPool2D",
    "ReLU",
    "ScaledDotProductAttention",
    "Sigmoid",
    "Tanh",
    "TimeDistributed",
    "Upsample2D",
    "from_torch",
    "get_winograd",
    "set_winograd",
    "to_torch",
]
