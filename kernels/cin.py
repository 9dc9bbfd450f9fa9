"""Compressed interaction network: outer products of two sets of fields, mixed by a matrix.

out_o = sum over h, m of W[o, h M + m] xk_h x0_m, where xk (H, C) are the maps of the layer before,
x0 (M, C) the embedded fields, and the columns C = N K all numbers of all rows' vectors (Lian et
al. 2018, xDeepFM, equation 6). The products of all pairs, (H M, C), would be the largest array of
the model by far; they are made for a block of columns and a few h at a time, in the cache.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .dense import pieces
from .jit import jit

KERNELS = ("cin_forward", "cin_backward")

COLUMNS = 512  # of one block
PRODUCTS = 256  # rows of products that are made at a time, at least M


@jit(inline=True)
def maps_at_once(H, M):  # type: ignore[no-untyped-def]
    """How many h are taken together."""
    return min(H, max(1, PRODUCTS // M))


@jit(apart=True)
def _products(xk, x0, first, last, start, stop, out):  # type: ignore[no-untyped-def]
    """out[(h - first) M + m] = xk_h x0_m for the columns start ... stop."""
    M = x0.shape[0]
    for h in range(first, last):
        one = xk[h, start:stop]
        for m in range(M):
            other, target = x0[m, start:stop], out[(h - first) * M + m]
            for c in range(stop - start):
                target[c] = one[c] * other[c]


@jit(apart=True)
def _forward_task(task, xk, x0, W, out):  # type: ignore[no-untyped-def]
    H, M, C = xk.shape[0], x0.shape[0], xk.shape[1]
    step = maps_at_once(H, M)
    start, stop = task * COLUMNS, min((task + 1) * COLUMNS, C)
    products = np.empty((step * M, stop - start), xk.dtype)
    result = np.empty((W.shape[0], stop - start), xk.dtype)
    for first in range(0, H, step):
        last = min(first + step, H)
        _products(xk, x0, first, last, start, stop, products)
        count = (last - first) * M
        own = W[:, first * M : last * M]
        gemm(own, products[:count], result, 1.0, 0.0 if first == 0 else 1.0)
    for o in range(out.shape[0]):
        source, target = result[o], out[o, start:stop]
        for c in range(stop - start):
            target[c] = source[c]


@jit(parallel=True)
def cin_forward(xk, x0, W, out):  # type: ignore[no-untyped-def]
    """xk (H, C), x0 (M, C), W (O, H M), out (O, C)."""
    for task in prange(pieces(xk.shape[1], COLUMNS)):  # each task owns COLUMNS columns of out
        _forward_task(np.int64(task), xk, x0, W, out)


@jit(apart=True)
def _input_task(task, xk, x0, W, dout, dxk, dx0):  # type: ignore[no-untyped-def]
    """dxk and dx0 of a block of columns."""
    H, M, C = xk.shape[0], x0.shape[0], xk.shape[1]
    step = maps_at_once(H, M)
    start, stop = task * COLUMNS, min((task + 1) * COLUMNS, C)
    width = stop - start
    above = np.empty((W.shape[0], width), xk.dtype)
    for o in range(W.shape[0]):
        source, target = dout[o, start:stop], above[o]
        for c in range(width):
            target[c] = source[c]
    dproducts = np.empty((step * M, width), xk.dtype)
    for m in range(M):
        target = dx0[m, start:stop]
        for c in range(width):
            target[c] = xk.dtype.type(0)
    for first in range(0, H, step):
        last = min(first + step, H)
        gemm(W[:, first * M : last * M].T, above, dproducts[: (last - first) * M], 1.0, 0.0)
        for h in range(first, last):
            one, target = xk[h, start:stop], dxk[h, start:stop]
            for c in range(width):
                target[c] = xk.dtype.type(0)
            for m in range(M):
                other, gradient = x0[m, start:stop], dproducts[(h - first) * M + m]
                beside = dx0[m, start:stop]
                for c in range(width):
                    target[c] += gradient[c] * other[c]
                for c in range(width):
                    beside[c] += gradient[c] * one[c]


@jit(apart=True)
def _weight_task(task, xk, x0, dout, dW):  # type: ignore[no-untyped-def]
    """dW of some h, over all columns in order."""
    H, M, C = xk.shape[0], x0.shape[0], xk.shape[1]
    step = maps_at_once(H, M)
    first, last = task * step, min((task + 1) * step, H)
    own = dW[:, first * M : last * M]
    products = np.empty(((last - first) * M, COLUMNS), xk.dtype)
    for start in range(0, C, COLUMNS):
        stop = min(start + COLUMNS, C)
        _products(xk, x0, first, last, start, stop, products)
        gemm(
            dout[:, start:stop], products[:, : stop - start].T, own, 1.0, 0.0 if start == 0 else 1.0
        )


@jit(parallel=True)
def cin_backward(xk, x0, W, dout, dxk, dx0, dW):  # type: ignore[no-untyped-def]
    """dxk (H, C), dx0 (M, C), dW (O, H M) from dout (O, C)."""
    for task in prange(pieces(xk.shape[1], COLUMNS)):  # each task owns COLUMNS columns of dxk, dx0
        _input_task(np.int64(task), xk, x0, W, dout, dxk, dx0)
    H, M = xk.shape[0], x0.shape[0]
    for task in prange(pieces(H, maps_at_once(H, M))):  # each task owns some columns of dW
        _weight_task(np.int64(task), xk, x0, dout, dW)
