"""Fully connected layer: out = x W + b, dx = dout W^T, dW = x^T dout, db = sum over rows of dout.

Work is cut into tasks by the shapes alone, so the sums are the same for any number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .jit import jit, set_task_size

KERNELS = ("dense_forward", "dense_backward")

ROWS = 128  # rows of the batch in one task: enough for gemm to reach its speed
PASS = 2048  # rows after which the sums over the batch are added up, so that scratch stays small
TILE = 128  # at most so many rows of dW in one task
SMALL = 1_000_000  # multiplications below which a parallel region would cost more than it saves


@jit(inline=True)
def pieces(n, most):  # type: ignore[no-untyped-def]
    """Number of nearly equal pieces of at most ``most`` that n falls into."""
    return (n + most - 1) // most


@jit(apart=True)
def affine(x, W, b, out):  # type: ignore[no-untyped-def]
    """out = x W + b; x (N, D), W (D, H), b (H,), out (N, H)."""
    N, H = out.shape
    gemm(x, W, out, 1.0, 0.0)
    for i in range(N):
        row = out[i]
        for j in range(H):
            row[j] += b[j]


@jit(inline=True)
def sum_rows(dout, db, first):  # type: ignore[no-untyped-def]
    """db (H,) = or += the sum of dout's (N, H) rows, in their order."""
    N, H = dout.shape
    if first:
        for j in range(H):
            db[j] = 0
    for i in range(N):
        row = dout[i]
        for j in range(H):
            db[j] += row[j]


@jit(apart=True)
def weight_tile(x, dout, dW, db, tile, tiles, first):  # type: ignore[no-untyped-def]
    """The tile-th of ``tiles`` bands of dW = x^T dout, and with the first band db."""
    D = dW.shape[0]
    start, stop = D * tile // tiles, D * (tile + 1) // tiles
    gemm(x[:, start:stop].T, dout, dW[start:stop], 1.0, 0.0 if first else 1.0)
    if tile == 0:
        sum_rows(dout, db, first)


@jit(parallel=True)
def dense_forward(x, W, b, out):  # type: ignore[no-untyped-def]
    """out = x W + b; x (N, D), W (D, H), b (H,), out (N, H)."""
    N = x.shape[0]
    tasks = pieces(N, ROWS)
    if tasks <= 1 or N * W.size < SMALL:
        for task in range(tasks):
            rows = slice(task * ROWS, min((task + 1) * ROWS, N))
            affine(x[rows], W, b, out[rows])
    else:
        for task in prange(tasks):  # each task owns ROWS rows of out
            rows = slice(task * ROWS, min((task + 1) * ROWS, N))
            affine(x[rows], W, b, out[rows])


@jit(apart=True)
def _backward_task(task, tiles, x, W, dout, dx, dW, db):  # type: ignore[no-untyped-def]
    N = x.shape[0]
    if task < tiles:
        for start in range(0, N, PASS):
            rows = slice(start, min(start + PASS, N))
            weight_tile(x[rows], dout[rows], dW, db, task, tiles, start == 0)
    else:
        rows = slice((task - tiles) * ROWS, min((task - tiles + 1) * ROWS, len(dx)))
        gemm(dout[rows], W.T, dx[rows], 1.0, 0.0)


@jit(parallel=True)
def dense_backward(x, W, dout, dx, dW, db):  # type: ignore[no-untyped-def]
    """dx = dout W^T (left out where dx has no rows), dW = x^T dout, db = sum of dout's rows.

    x (N, D), W (D, H), dout (N, H), dx (N, D) or (0, D), dW (D, H), db (H,); where dW has no rows,
    it and db are left out.
    """
    N = dout.shape[0]
    tiles = pieces(dW.shape[0], TILE)
    tasks = tiles + pieces(dx.shape[0], ROWS)
    if N * W.size < SMALL:
        for task in range(tasks):
            _backward_task(task, tiles, x, W, dout, dx, dW, db)
    else:
        before = set_task_size(1)  # bands and row blocks differ in size: hand out singly
        for task in prange(tasks):  # each task owns one band of dW or ROWS rows of dx
            _backward_task(np.int64(task), tiles, x, W, dout, dx, dW, db)
        set_task_size(before)
