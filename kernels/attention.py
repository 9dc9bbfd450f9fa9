"""Self-attention between the fields of a row, in several heads, with a residual and ReLU.

x (N, F, 4 W) holds q, k, v and r side by side, each of W = heads * A columns. In each head
p = softmax over g of scale <q_f, k_g>; out_f = max(0, sum over g of p[f, g] v_g + r_f), heads side
by side (Vaswani et al. 2017; Song et al. 2019, AutoInt, with scale 1).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .dense import pieces
from .jit import jit
from .math import exp

KERNELS = ("attention_forward", "attention_backward")

ROWS = 64  # of the batch in one task


@jit(inline=True)
def _part(x, part, W, head, A):  # type: ignore[no-untyped-def]
    """One head of q, k, v or r, which are parts 0 to 3 of x (F, 4 W): (F, A)."""
    first = part * W + head * A
    return x[:, first : first + A]


@jit(apart=True)
def _softmax_rows(scores, scale):  # type: ignore[no-untyped-def]
    real = scores.dtype.type
    factor = real(scale)
    for f in range(scores.shape[0]):
        row = scores[f]
        highest = row[0]
        for g in range(1, row.size):
            highest = max(highest, row[g])
        for g in range(row.size):
            row[g] = factor * (row[g] - highest)
    flat = scores.reshape(-1)
    for i in range(flat.size):  # all rows at once: one alone is too short to vectorise well
        flat[i] = exp(flat[i])
    for f in range(scores.shape[0]):
        row = scores[f]
        mass = real(0)
        for g in range(row.size):
            mass += row[g]
        share = real(1) / mass
        for g in range(row.size):
            row[g] *= share


@jit(apart=True)
def _softmax_rows_backward(shares, scale, d):  # type: ignore[no-untyped-def]
    """Derivatives by the scores in place of those by the shares, both (F, F)."""
    real = d.dtype.type
    factor = real(scale)
    for f in range(d.shape[0]):
        row, share = d[f], shares[f]
        mean = real(0)
        for g in range(row.size):
            mean += row[g] * share[g]
        for g in range(row.size):
            row[g] = factor * share[g] * (row[g] - mean)


@jit(apart=True)
def _forward_task(start, stop, heads, scale, x, p, out):  # type: ignore[no-untyped-def]
    W = out.shape[2]
    A, zero = W // heads, out.dtype.type(0)
    for n in range(start, stop):
        own, into = x[n], out[n]
        for head in range(heads):
            scores = p[n, head]
            gemm(_part(own, 0, W, head, A), _part(own, 1, W, head, A).T, scores, 1.0, 0.0)
            _softmax_rows(scores, scale)
            gemm(scores, _part(own, 2, W, head, A), _part(into, 0, W, head, A), 1.0, 0.0)
        for f in range(into.shape[0]):
            target, residual = into[f], own[f, 3 * W :]
            for i in range(W):
                target[i] = max(target[i] + residual[i], zero)


@jit(parallel=True)
def attention_forward(heads, scale, x, p, out):  # type: ignore[no-untyped-def]
    """x (N, F, 4 W); p (N, heads, F, F), which backward needs; out (N, F, W). scale > 0."""
    N = x.shape[0]
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of p and out
        start = np.int64(task) * ROWS
        _forward_task(start, min(start + ROWS, N), heads, scale, x, p, out)


@jit(apart=True)
def _backward_task(start, stop, heads, scale, x, p, out, dout, dx):  # type: ignore[no-untyped-def]
    F, W = out.shape[1], out.shape[2]
    A, zero = W // heads, out.dtype.type(0)
    d = np.empty((F, F), x.dtype)
    for n in range(start, stop):
        own, into = x[n], dx[n]
        for f in range(F):
            target, above, seen = into[f, 3 * W :], dout[n, f], out[n, f]
            for i in range(W):
                target[i] = above[i] if seen[i] > zero else zero
        for head in range(heads):
            shares, above = p[n, head], _part(into, 3, W, head, A)
            gemm(shares.T, above, _part(into, 2, W, head, A), 1.0, 0.0)
            gemm(above, _part(own, 2, W, head, A).T, d, 1.0, 0.0)
            _softmax_rows_backward(shares, scale, d)
            gemm(d, _part(own, 1, W, head, A), _part(into, 0, W, head, A), 1.0, 0.0)
            gemm(d.T, _part(own, 0, W, head, A), _part(into, 1, W, head, A), 1.0, 0.0)


@jit(parallel=True)
def attention_backward(heads, scale, x, p, out, dout, dx):  # type: ignore[no-untyped-def]
    """dx (N, F, 4 W) from dout (N, F, W), with x, p and out of the forward pass."""
    N = x.shape[0]
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of dx
        start = np.int64(task) * ROWS
        _backward_task(start, min(start + ROWS, N), heads, scale, x, p, out, dout, dx)
