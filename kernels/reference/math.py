"""NumPy twins of the elementwise kernels in kernels/math.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def erf(x: Any) -> Any:
    """Error function of an array; NumPy has none."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def exp_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = exp(x) for x, out (n,) of one type."""
    with np.errstate(over="ignore"):
        np.exp(x, out=out)


def log_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = log(x)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        np.log(x, out=out)


def tanh_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = tanh(x)."""
    np.tanh(x, out=out)


def sigmoid_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = 1 / (1 + exp(-x)), in a form that does not overflow."""
    e = np.exp(-np.abs(x))
    np.divide(np.where(x < 0, e, 1), 1 + e, out=out)


def softplus_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = log(1 + exp(x)), in a form that does not overflow."""
    np.add(np.maximum(x, 0), np.log1p(np.exp(-np.abs(x))), out=out)


def erf_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = erf(x)."""
    out[...] = erf(x)
