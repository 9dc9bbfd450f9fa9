"""NumPy twins of the gate and bilinear kernels."""

from __future__ import annotations

import numpy as np

from ..dense import ROWS


def gate_forward(g, x, gate, out):  # type: ignore[no-untyped-def]
    """gate = 2 sigmoid(g), out = gate x; x, out (N, D); g, gate (N, D) or (1, D) for all rows."""
    gate[...] = 1 + np.tanh(g / 2)
    out[...] = gate * x


def gate_backward(gate, x, dout, dg, dx):  # type: ignore[no-untyped-def]
    """dx (N, D), and dg: (N, D), or for one gate of all rows (pieces of ROWS rows, D) to be summed.

    d 2 sigmoid(g) / dg = gate (1 - gate / 2).
    """
    dx[...] = dout * gate
    slope = dx * x * (1 - gate / 2)
    dg[...] = np.add.reduceat(slope, np.arange(0, len(x), ROWS)) if len(gate) == 1 else slope


def bilinear_forward(x, y, w1, w2, b, W, u, out):  # type: ignore[no-untyped-def]
    """out = b + x w1 + y w2 + sum over h of x_h W_h y_h; keeps u, whose parts are x_h W_h."""
    for part, matrix, product in _heads(x, W, u):
        product[...] = part @ matrix
    out[...] = b + x @ w1 + np.sum((u + w2) * y, axis=1)


def bilinear_backward(
    x, y, w1, w2, W, u, dout, du, dx, dy, dW, dw1, dw2
):  # type: ignore[no-untyped-def]  # fmt: skip
    """dx, dy, dW of their arrays' shapes, and parts of dw1, dw2 (pieces of ROWS rows, D) to sum."""
    above, starts = dout[:, None], np.arange(0, len(x), ROWS)
    dy[...] = above * (u + w2)
    du[...] = above * y
    for part, matrix, product in _heads(dx, W, du):
        part[...] = product @ matrix.T
    for part, matrix, product in _heads(x, dW, du):
        matrix[...] = part.T @ product
    dx += above * w1
    dw1[...] = np.add.reduceat(above * x, starts)
    dw2[...] = np.add.reduceat(above * y, starts)


def _heads(x, W, u):  # type: ignore[no-untyped-def]
    """For each head its columns of x, its matrix and its columns of u."""
    heads = len(W)
    return zip(np.split(x, heads, axis=1), W, np.split(u, heads, axis=1), strict=True)
