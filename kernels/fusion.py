"""Gates 2 sigmoid(g) x, and the bilinear form in which FinalMLP joins its two towers."""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .dense import PASS, ROWS, TILE, pieces
from .jit import jit, set_task_size
from .math import sigmoid

KERNELS = ("gate_forward", "gate_backward", "bilinear_forward", "bilinear_backward")


@jit(apart=True)
def _gates(g, gate):  # type: ignore[no-untyped-def]
    two = gate.dtype.type(2)
    for n in range(g.shape[0]):
        source, target = g[n], gate[n]
        for d in range(source.size):
            target[d] = two * sigmoid(source[d])


@jit(apart=True)
def _times_gate(gate, x, out):  # type: ignore[no-untyped-def]
    shared = gate.shape[0] == 1
    for n in range(x.shape[0]):
        own, source, target = gate[0 if shared else n], x[n], out[n]
        for d in range(source.size):
            target[d] = own[d] * source[d]


@jit(parallel=True)
def gate_forward(g, x, gate, out):  # type: ignore[no-untyped-def]
    """gate = 2 sigmoid(g), out = gate x; x, out (N, D); g, gate (N, D) or (1, D) for all rows."""
    N, shared = x.shape[0], g.shape[0] == 1
    if shared:
        _gates(g, gate)
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of gate and out
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, N))
        if shared:
            _times_gate(gate, x[own], out[own])
        else:
            _gates(g[own], gate[own])
            _times_gate(gate[own], x[own], out[own])


@jit(apart=True)
def _gate_backward(gate, x, dout, shared, dg, dx):  # type: ignore[no-untyped-def]
    one, half = dg.dtype.type(1), dg.dtype.type(0.5)
    for n in range(x.shape[0]):
        own, source, above = gate[0 if shared else n], x[n], dout[n]
        target, dgate = dx[n], dg[0 if shared else n]
        for d in range(target.size):
            target[d] = above[d] * own[d]
        if shared and n > 0:
            for d in range(target.size):
                dgate[d] += above[d] * source[d] * own[d] * (one - half * own[d])
        else:
            for d in range(target.size):
                dgate[d] = above[d] * source[d] * own[d] * (one - half * own[d])


@jit(parallel=True)
def gate_backward(gate, x, dout, dg, dx):  # type: ignore[no-untyped-def]
    """dx (N, D), and dg: (N, D), or for one gate of all rows (pieces of ROWS rows, D) to be summed.

    d 2 sigmoid(g) / dg = gate (1 - gate / 2).
    """
    N, shared = x.shape[0], gate.shape[0] == 1
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of dx, and rows or one of dg
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, N))
        row = slice(np.int64(task), np.int64(task) + 1)
        if shared:
            _gate_backward(gate, x[own], dout[own], shared, dg[row], dx[own])
        else:
            _gate_backward(gate[own], x[own], dout[own], shared, dg[own], dx[own])


@jit(apart=True)
def _bilinear(x, y, w1, w2, b, W, u, out):  # type: ignore[no-untyped-def]
    heads, left, right = W.shape
    for h in range(heads):
        gemm(x[:, h * left : (h + 1) * left], W[h], u[:, h * right : (h + 1) * right], 1.0, 0.0)
    for n in range(out.size):
        own_x, own_y, own_u = x[n], y[n], u[n]
        total = b
        for i in range(own_x.size):
            total += own_x[i] * w1[i]
        for j in range(own_y.size):
            total += (own_u[j] + w2[j]) * own_y[j]
        out[n] = total


@jit(parallel=True)
def bilinear_forward(x, y, w1, w2, b, W, u, out):  # type: ignore[no-untyped-def]
    """out = b + x w1 + y w2 + sum over h of x_h W_h y_h; keeps u, whose parts are x_h W_h.

    x (N, D1), y (N, D2), both cut into heads equal parts; w1 (D1,), w2 (D2,), b (1,);
    W (heads, D1 / heads, D2 / heads); u (N, D2); out (N,).
    """
    N = x.shape[0]
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of u and out
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, N))
        _bilinear(x[own], y[own], w1, w2, b[0], W, u[own], out[own])


@jit(apart=True)
def _rows_backward(x, y, w1, w2, W, u, dout, du, dx, dy, dw1, dw2):  # type: ignore[no-untyped-def]
    heads, left, right = W.shape
    real = dout.dtype.type
    for i in range(dw1.size):
        dw1[i] = real(0)
    for j in range(dw2.size):
        dw2[j] = real(0)
    for n in range(dout.size):
        above, own_x, own_y, own_u = dout[n], x[n], y[n], u[n]
        target_x, target_y, target_u = dx[n], dy[n], du[n]
        for i in range(own_x.size):
            target_x[i] = above * w1[i]
        for i in range(own_x.size):
            dw1[i] += above * own_x[i]
        for j in range(own_y.size):
            target_y[j] = above * (own_u[j] + w2[j])
        for j in range(own_y.size):
            target_u[j] = above * own_y[j]
        for j in range(own_y.size):
            dw2[j] += above * own_y[j]
    for h in range(heads):
        gemm(du[:, h * right : (h + 1) * right], W[h].T, dx[:, h * left : (h + 1) * left], 1.0, 1.0)


@jit(apart=True)
def _weights_backward(task, tiles, x, du, dW):  # type: ignore[no-untyped-def]
    _, left, right = dW.shape
    h, tile = task // tiles, task % tiles
    start, stop = left * tile // tiles, left * (tile + 1) // tiles
    for first in range(0, x.shape[0], PASS):
        own = slice(first, min(first + PASS, x.shape[0]))
        gemm(
            x[own, h * left + start : h * left + stop].T, du[own, h * right : (h + 1) * right],
            dW[h, start:stop], 1.0, 0.0 if first == 0 else 1.0,
        )  # fmt: skip


@jit(parallel=True)
def bilinear_backward(
    x, y, w1, w2, W, u, dout, du, dx, dy, dW, dw1, dw2
):  # type: ignore[no-untyped-def]  # fmt: skip
    """dx, dy, dW of their arrays' shapes, and parts of dw1, dw2 (pieces of ROWS rows, D) to sum.

    dout (N,); scratch du (N, D2) = dout y.
    """
    N = x.shape[0]
    for task in prange(dw1.shape[0]):  # each task owns ROWS rows of du, dx, dy, a row of dw1, dw2
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, N))
        _rows_backward(
            x[own], y[own], w1, w2, W, u[own], dout[own], du[own], dx[own], dy[own],
            dw1[task], dw2[task],
        )  # fmt: skip
    tiles = pieces(W.shape[1], TILE)
    before = set_task_size(1)
    for task in prange(W.shape[0] * tiles):  # each task owns one band of one head's dW
        _weights_backward(np.int64(task), tiles, x, du, dW)
    set_task_size(before)
