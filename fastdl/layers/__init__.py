"""Layers, one kind a file."""

from .activation import GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .base import Layer
from .batchnorm import BatchNormalization
from .class_batchnorm import ConditionalBatchNormalization
from .class_projection import ClassProjection
from .combine import Flatten, Unflatten
from .convolution import Conv2D
from .convolution1d import Conv1D
from .convolution_transpose import ConvTranspose2D
from .dense import Dense
from .dropout import Dropout, Dropout2D
from .layernorm import LayerNorm
from .minibatch import MinibatchStdDev
from .pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from .recurrent import GRU, LSTM, RNN
from .recurrent_torch import from_torch, to_torch
from .spectral import SpectralNormalization
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
    "ClassProjection",
    "ConditionalBatchNormalization",
    "Conv1D",
    "Conv2D",
    "ConvTranspose2D",
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
    "MinibatchStdDev",
    "ReLU",
    "ScaledDotProductAttention",
    "Sigmoid",
    "SpectralNormalization",
    "Tanh",
    "TimeDistributed",
    "Unflatten",
    "Upsample2D",
    "from_torch",
    "get_winograd",
    "set_winograd",
    "to_torch",
]
