"""Cross layers: every output is the first input x0 times something of the last one, plus the last.

| kernel        | output                                                                         |
|---------------|--------------------------------------------------------------------------------|
| cross         | x0 <x, w> + b + x: one weight vector a layer (Wang et al. 2017, DCN)           |
| multiply_add  | x0 u + x elementwise, where u = x W + b (Wang et al. 2021, DCN-V2)             |
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("cross_forward", "cross_backward", "multiply_add", "multiply_add_backward")

ROWS = 128  # of the batch in one task
ELEMENTS = 32768  # of one task


@jit(apart=True)
def _forward(x0, x, w, b, s, out):  # type: ignore[no-untyped-def]
    N, D = x.shape
    for n in range(N):
        first, own, target = x0[n], x[n], out[n]
        total = x.dtype.type(0)
        for d in range(D):
            total += own[d] * w[d]
        s[n] = total
        for d in range(D):
            target[d] = first[d] * total + b[d] + own[d]


@jit(parallel=True)
def cross_forward(x0, x, w, b, s, out):  # type: ignore[no-untyped-def]
    """x0, x, out (N, D); w, b (D,); s (N,) = <x, w>, which backward needs."""
    N = x.shape[0]
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS rows of s and out
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, N))
        _forward(x0[own], x[own], w, b, s[own], out[own])


@jit(apart=True)
def _backward(x0, x, w, s, dout, dx0, dx, dw, db):  # type: ignore[no-untyped-def]
    N, D = x.shape
    zero = x.dtype.type(0)
    for d in range(D):
        dw[d] = zero
        db[d] = zero
    for n in range(N):
        first, own, above, scale = x0[n], x[n], dout[n], s[n]
        ds = zero
        for d in range(D):
            ds += above[d] * first[d]
        target = dx0[n]
        for d in range(D):
            target[d] = above[d] * scale
        target = dx[n]
        for d in range(D):
            target[d] = above[d] + ds * w[d]
        for d in range(D):
            dw[d] += ds * own[d]
        for d in range(D):
            db[d] += above[d]


@jit(parallel=True)
def cross_backward(x0, x, w, s, dout, dx0, dx, dw, db):  # type: ignore[no-untyped-def]
    """dx0, dx (N, D), and dw, db (pieces of ROWS rows, D) whose sums over the pieces they are."""
    N = x.shape[0]
    for task in prange(dw.shape[0]):  # each task owns ROWS rows of dx0 and dx and a row of dw, db
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, N))
        _backward(x0[own], x[own], w, s[own], dout[own], dx0[own], dx[own], dw[task], db[task])


@jit(apart=True)
def _multiply_add(x0, u, x, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = x0[i] * u[i] + x[i]


@jit(parallel=True)
def multiply_add(x0, u, x, out):  # type: ignore[no-untyped-def]
    """out = x0 u + x, all (n,)."""
    n = out.size
    for task in prange(pieces(n, ELEMENTS)):  # each task owns ELEMENTS elements of out
        own = slice(np.int64(task) * ELEMENTS, min((np.int64(task) + 1) * ELEMENTS, n))
        _multiply_add(x0[own], u[own], x[own], out[own])


@jit(apart=True)
def _multiply_add_backward(x0, u, dout, dx0, du):  # type: ignore[no-untyped-def]
    for i in range(dout.size):
        dx0[i] = dout[i] * u[i]
    for i in range(dout.size):
        du[i] = dout[i] * x0[i]


@jit(parallel=True)
def multiply_add_backward(x0, u, dout, dx0, du):  # type: ignore[no-untyped-def]
    """dx0 = dout u and du = dout x0, all (n,); dx is dout itself."""
    n = dout.size
    for task in prange(pieces(n, ELEMENTS)):  # each task owns ELEMENTS elements of dx0 and du
        own = slice(np.int64(task) * ELEMENTS, min((np.int64(task) + 1) * ELEMENTS, n))
        _multiply_add_backward(x0[own], u[own], dout[own], dx0[own], du[own])
