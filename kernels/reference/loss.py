"""NumPy twins of the loss kernels."""

from __future__ import annotations

import numpy as np

from ..loss import (
    ABSOLUTE_ERROR,
    SIGMOID_CROSS_ENTROPY,
    SOFTMAX,
    SOFTMAX_CROSS_ENTROPY,
    SQUARED_ERROR,
)


def loss_forward(kind, delta, x, t, y, row_loss):  # type: ignore[no-untyped-def]
    """x, t, y (N, C); row_loss (N,) float64."""
    if kind in (SOFTMAX, SOFTMAX_CROSS_ENTROPY):
        shifted = x - x.max(axis=1, keepdims=True)
        mass = np.exp(shifted).sum(axis=1, keepdims=True)
        y[...] = np.exp(shifted) / mass
        log_y = np.log(y + x.dtype.type(1e-7)) if kind == SOFTMAX else shifted - np.log(mass)
        row_loss[...] = -np.sum(t * log_y, axis=1, dtype=np.float64)
        return
    if kind == SIGMOID_CROSS_ENTROPY:
        e = np.exp(-np.abs(x))
        y[...] = np.where(x >= 0, 1, e) / (1 + e)
        loss = np.maximum(x, 0) + np.log1p(e) - t * x
    else:
        y[...] = x - t
        size = np.abs(y)
        if kind == SQUARED_ERROR:
            loss = size**2
        elif kind == ABSOLUTE_ERROR:
            loss = size
        else:
            loss = np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))
    row_loss[...] = loss.mean(axis=1, dtype=np.float64)


def loss_backward(kind, delta, y, t, row_scale, dx):  # type: ignore[no-untyped-def]
    """y, t, dx (N, C); row_scale (N,) float64: upstream gradient times the row's weight."""
    scale = row_scale[:, None]
    if kind == SOFTMAX:
        dx[...] = (y - t) * scale
        return
    if kind == SOFTMAX_CROSS_ENTROPY:
        dx[...] = (y * t.sum(axis=1, keepdims=True) - t) * scale
        return
    if kind == SIGMOID_CROSS_ENTROPY:
        slope = y - t
    elif kind == SQUARED_ERROR:
        slope = 2 * y
    elif kind == ABSOLUTE_ERROR:
        slope = np.sign(y)
    else:
        slope = np.clip(y, -delta, delta)
    dx[...] = slope * (scale / y.shape[1])
