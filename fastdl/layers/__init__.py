"""Layers, one a file."""

from .activation import GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from .base import Layer
from .dense import Dense

__all__ = ["GELU", "Dense", "Layer", "LeakyReLU", "ReLU", "Sigmoid", "Tanh"]
