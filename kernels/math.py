"""Temporary."""
import math
import numpy as np
from .jit import jit
@jit(inline=True)
def exp(x):
    return x.dtype.type(np.exp(x)) if False else np.exp(x)
@jit(inline=True)
def log(x):
    return np.log(x)
@jit(inline=True)
def tanh(x):
    return np.tanh(x)
@jit(inline=True)
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
@jit(inline=True)
def softplus(x):
    return np.log(1 + np.exp(x))
@jit(inline=True)
def erf(x):
    return math.erf(x)
