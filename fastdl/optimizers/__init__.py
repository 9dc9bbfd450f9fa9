"""Optimizers: ``update(params, grads)`` changes the parameter arrays in place."""

from .base import KernelOptimizer, Optimizer
from .rules import FTRL, SGD, AdaGrad, Adam, AdamW, RMSprop, RowWiseAdaGrad, registry

__all__ = [
    "FTRL",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "KernelOptimizer",
    "Optimizer",
    "RMSprop",
    "RowWiseAdaGrad",
    "registry",
]
