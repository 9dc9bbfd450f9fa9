"""Self-attention between the fields of a row, in several heads.

q, k, v (N, F, heads * A): in each head p = softmax over g of scale <q_f, k_g>, out_f = sum of
p[f, g] v_g (Vaswani et al. 2017; Song et al. 2019, AutoInt, with scale 1).
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
def _take(x, n, head, A, out):  # type: ignore[no-untyped-def]
    """One head's columns of row n, (F, A), copied to lie together."""
    for f in range(out.shape[0]):
        source, target = x[n, f, head * A : (head + 1) * A], out[f]
        for a in range(A):
            target[a] = source[a]


@jit(inline=True)
def _put(values, n, head, A, out):  # type: ignore[no-untyped-def]
    for f in range(values.shape[0]):
        source, target = values[f], out[n, f, head * A : (head + 1) * A]
        for a in range(A):
            target[a] = source[a]


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
            row[g] = exp(factor * (row[g] - highest))
        mass = real(0)
        for g in range(row.size):
            mass += row[g]
        share = real(1) / mass
        for g in range(row.size):
            row[g] *= share


@jit(apart=True)
def _forward_task(start, stop, heads, scale, q, k, v, p, out):  # type: ignore[no-untyped-def]
    F, A = q.shape[1], q.shape[2] // heads
    one, two, three = (np.empty((F, A), q.dtype), np.empty((F, A), q.dtype),
                       np.empty((F, A), q.dtype))  # fmt: skip
    for n in range(start, stop):
        for head in range(heads):
            _take(q, n, head, A, one)
            _take(k, n, head, A, two)
            _take(v, n, head, A, three)
            scores = p[n, head]
            gemm(one, two.T, scores, 1.0, 0.0)
            _softmax_rows(scores, scale)
            gemm(scores, three, one, 1.0, 0.0)
            _put(one, n, head, A, out)


@jit(parallel=True)
def attention_forward(heads, scale, q, k, v, p, out):  # type: ignore[no-untyped-def]
    """q, k, v, out (N, F, heads * A); p (N, heads, F, F), which backward needs. scale > 0."""
    N = q.shape[0]
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of p and out
        start = np.int64(task) * ROWS
        _forward_task(start, min(start + ROWS, N), heads, scale, q, k, v, p, out)


@jit(apart=True)
def _backward_task(start, stop, heads, scale, q, k, v, p, dout, dq, dk, dv):  # type: ignore[no-untyped-def]
    F, A = q.shape[1], q.shape[2] // heads
    one, two = np.empty((F, A), q.dtype), np.empty((F, A), q.dtype)
    dp = np.empty((F, F), q.dtype)
    factor = q.dtype.type(scale)
    for n in range(start, stop):
        for head in range(heads):
            shares = p[n, head]
            _take(dout, n, head, A, one)
            gemm(shares.T, one, two, 1.0, 0.0)
            _put(two, n, head, A, dv)
            _take(v, n, head, A, two)
            gemm(one, two.T, dp, 1.0, 0.0)
            for f in range(F):
                row, share = dp[f], shares[f]
                mean = q.dtype.type(0)
                for g in range(F):
                    mean += row[g] * share[g]
                for g in range(F):
                    row[g] = factor * share[g] * (row[g] - mean)
            _take(k, n, head, A, one)
            gemm(dp, one, two, 1.0, 0.0)
            _put(two, n, head, A, dq)
            _take(q, n, head, A, one)
            gemm(dp.T, one, two, 1.0, 0.0)
            _put(two, n, head, A, dk)


@jit(parallel=True)
def attention_backward(heads, scale, q, k, v, p, dout, dq, dk, dv):  # type: ignore[no-untyped-def]
    """dq, dk, dv from dout, all (N, F, heads * A)."""
    N = q.shape[0]
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of dq, dk and dv
        start = np.int64(task) * ROWS
        stop = min(start + ROWS, N)
        _backward_task(start, stop, heads, scale, q, k, v, p, dout, dq, dk, dv)
