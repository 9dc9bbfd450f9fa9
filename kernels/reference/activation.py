"""NumPy twins of the activation kernels."""

from __future__ import annotations

import numpy as np

from ..activation import GELU, LEAKY_RELU, RELU, SIGMOID, TANH
from .math import erf


def activation_forward(kind, slope, x, out):  # type: ignore[no-untyped-def]
    """out = f(x); x, out (n,)."""
    if kind == RELU:
        out[...] = np.where(x <= 0, 0, x)
    elif kind == LEAKY_RELU:
        out[...] = np.where(x <= 0, x * x.dtype.type(slope), x)
    elif kind == SIGMOID:
        e = np.exp(-np.abs(x))
        out[...] = np.where(x >= 0, 1, e) / (1 + e)
    elif kind == TANH:
        np.tanh(x, out=out)
    elif kind == GELU:
        out[...] = 0.5 * x * (1 + erf(x / np.sqrt(x.dtype.type(2))))


def activation_backward(kind, slope, saved, dout, dx):  # type: ignore[no-untyped-def]
    """dx = dout f'(x); saved, dout, dx (n,)."""
    if kind == RELU:
        dx[...] = np.where(saved <= 0, 0, dout)
    elif kind == LEAKY_RELU:
        dx[...] = np.where(saved <= 0, dout * dout.dtype.type(slope), dout)
    elif kind == SIGMOID:
        dx[...] = dout * saved * (1 - saved)
    elif kind == TANH:
        dx[...] = dout * (1 - saved**2)
    elif kind == GELU:
        x = saved
        below = 0.5 * (1 + erf(x / np.sqrt(x.dtype.type(2))))
        density = np.exp(-0.5 * np.minimum(np.abs(x), 40) ** 2) / np.sqrt(x.dtype.type(2 * np.pi))
        dx[...] = dout * (below + x * density)
