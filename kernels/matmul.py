"""Batched matrix product out = a b, and da = dout b^T, db = a^T dout.

a (A, M, K), b (B, K, N), out (max(A, B), M, N); A or B may be 1 beside more on the other side:
the one matrix then serves all, and its gradient is the sum over all, in their order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .dense import PASS, ROWS, SMALL, TILE, pieces
from .jit import jit, set_task_size

KERNELS = ("matmul_forward", "matmul_backward")


@jit(apart=True)
def _product_rows(task, bands, a, b, out):  # type: ignore[no-untyped-def]
    """ROWS rows of one matrix of out."""
    i, band = task // bands, task % bands
    rows = slice(band * ROWS, min((band + 1) * ROWS, a.shape[1]))
    gemm(a[i if a.shape[0] > 1 else 0][rows], b[i if b.shape[0] > 1 else 0], out[i, rows], 1.0, 0.0)


@jit(apart=True)
def _da_rows(task, bands, dout, b, da):  # type: ignore[no-untyped-def]
    """ROWS rows of one matrix of da, summed over the batch where a was one matrix for all."""
    i, band = task // bands, task % bands
    rows = slice(band * ROWS, min((band + 1) * ROWS, da.shape[1]))
    several = da.shape[0] == 1 and dout.shape[0] > 1
    for k in range(dout.shape[0] if several else 1):
        d, matrix = (k, k) if several else (i, i)
        if b.shape[0] == 1:
            matrix = 0
        gemm(dout[d][rows], b[matrix].T, da[i, rows], 1.0, 0.0 if k == 0 else 1.0)


@jit(apart=True)
def _db_rows(task, bands, a, dout, db):  # type: ignore[no-untyped-def]
    """One band of rows of a matrix of db, summed over the batch where b was one matrix for all."""
    i, band = task // bands, task % bands
    K, M = db.shape[1], a.shape[1]
    start, stop = K * band // bands, K * (band + 1) // bands
    several = db.shape[0] == 1 and dout.shape[0] > 1
    for k in range(dout.shape[0] if several else 1):
        d, matrix = (k, k) if several else (i, i)
        if a.shape[0] == 1:
            matrix = 0
        for first in range(0, M, PASS):
            rows = slice(first, min(first + PASS, M))
            part = a[matrix][rows]
            beta = 0.0 if k == 0 and first == 0 else 1.0
            gemm(part[:, start:stop].T, dout[d][rows], db[i, start:stop], 1.0, beta)


@jit(parallel=True)
def matmul_forward(a, b, out):  # type: ignore[no-untyped-def]
    """out (max(A, B), M, N) = a (A, M, K) b (B, K, N)."""
    bands = pieces(a.shape[1], ROWS)
    tasks = out.shape[0] * bands
    if tasks <= 1 or out.size * a.shape[2] < SMALL:
        for task in range(tasks):
            _product_rows(task, bands, a, b, out)
    else:
        for task in prange(tasks):  # each task owns ROWS rows of one matrix of out
            _product_rows(np.int64(task), bands, a, b, out)


@jit(parallel=True)
def matmul_backward(a, b, dout, da, db):  # type: ignore[no-untyped-def]
    """da = dout b^T and db = a^T dout, of the shapes of a and b."""
    bands_a, bands_b = pieces(da.shape[1], ROWS), pieces(db.shape[1], TILE)
    tasks_a, tasks_b = da.shape[0] * bands_a, db.shape[0] * bands_b
    if dout.size * a.shape[2] < SMALL:
        for task in range(tasks_a):
            _da_rows(task, bands_a, dout, b, da)
        for task in range(tasks_b):
            _db_rows(task, bands_b, a, dout, db)
    else:
        before = set_task_size(1)
        for i in prange(tasks_a + tasks_b):  # each task owns rows of one matrix of da or db
            task = np.int64(i)
            if task < tasks_a:
                _da_rows(task, bands_a, dout, b, da)
            else:
                _db_rows(task - tasks_a, bands_b, a, dout, db)
        set_task_size(before)
