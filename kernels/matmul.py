"""Batched matrix product out = a b, and da = dout b^T, db = a^T dout.

a (A, M, K), b (B, K, N), out (max(A, B), M, N); A or B may be 1 beside more on the other side:
the one matrix then serves all, and its gradient is the sum over all.

Small matrices are dealt with several to a task, large ones in bands. A sum over the batch is cut
into chunks, whose sums are added in their order. All cuts follow from the shapes alone.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .dense import SMALL, pieces
from .jit import jit, set_task_size

KERNELS = ("matmul_forward", "matmul_backward")

BAND = 256  # at least so many rows in a band of a matrix, which keeps gemm at its speed
TASK = 250_000  # multiplications of one task, if there is enough to do
CALL = 2500  # the price of calling gemm once, in multiplications
CHUNKS = 16  # at most so many sums beside each other
NARROW = 1_000_000  # multiplications up to which OpenBLAS has kernels that do not pack


@jit(inline=True)
def _group(M, K, N):  # type: ignore[no-untyped-def]
    """Number of matrices in one task."""
    return max(1, TASK // (M * K * N + CALL))


@jit(inline=True)
def _bands(rows, width):  # type: ignore[no-untyped-def]
    """Number of bands of a result with so many rows, ``width`` multiplications for each."""
    return pieces(rows, max(BAND, TASK // width))


@jit(inline=True)
def _joined(x, join):  # type: ignore[no-untyped-def]
    """The batch's rows as one matrix, if ``join``: what a single b takes in one product."""
    batch, rows, columns = x.shape
    return x.reshape((1, batch * rows, columns) if join else (batch, rows, columns))


@jit(inline=True)
def _at(x, i):  # type: ignore[no-untyped-def]
    return x[i if x.shape[0] > 1 else 0]


@jit(inline=True)
def _times_transposed(x, y, scratch, z, beta):  # type: ignore[no-untyped-def]
    """z = x y^T + beta z; ``scratch`` of y^T's shape, or empty to leave the turning to gemm."""
    if scratch.size == 0:
        gemm(x, y.T, z, 1.0, beta)
        return
    for j in range(y.shape[1]):
        row = scratch[j]
        for k in range(y.shape[0]):
            row[k] = y[k, j]
    gemm(x, scratch, z, 1.0, beta)


@jit(inline=True)
def _scratch(rows, y):  # type: ignore[no-untyped-def]
    """Room for y^T where turning it first pays: OpenBLAS's small kernels take it at half speed."""
    K, N = y.shape
    turn = rows >= 8 and rows * K * N <= NARROW
    return np.empty((N if turn else 0, K if turn else 0), y.dtype)


@jit(apart=True)
def _products(task, group, bands, a, b, turned, out):  # type: ignore[no-untyped-def]
    """One band of rows of ``group`` matrices of out = a b, or a b^T where b is ``turned``."""
    first, band = task // bands * group, task % bands
    B, M, _ = out.shape
    start, stop = M * band // bands, M * (band + 1) // bands
    scratch = _scratch(stop - start if turned else 0, b[0])
    for i in range(first, min(first + group, B)):
        rows, own = _at(a, i)[start:stop], out[i][start:stop]
        if turned:
            _times_transposed(rows, _at(b, i), scratch, own, 0.0)
        else:
            gemm(rows, _at(b, i), own, 1.0, 0.0)


@jit(apart=True)
def _sum_of_products(chunk, chunks, dout, b, sums):  # type: ignore[no-untyped-def]
    """sums[chunk] = the sum of dout[i] b[i]^T over the chunk-th part of the batch."""
    B, M, _ = dout.shape
    first = B * chunk // chunks
    scratch = _scratch(M, b[0])
    for i in range(first, B * (chunk + 1) // chunks):
        _times_transposed(dout[i], b[i], scratch, sums[chunk], 0.0 if i == first else 1.0)


@jit(apart=True)
def _transposed_products(task, group, bands, chunks, a, dout, db):  # type: ignore[no-untyped-def]
    """One band of rows of ``group`` matrices of db = a^T dout; a chunk has some of the sum's rows.

    db (chunks, K, N) where there is one matrix, (B, K, N) and one chunk where there are several.
    """
    first, band, chunk = task // (bands * chunks) * group, task % bands, task // bands % chunks
    B, M, _ = dout.shape
    K = a.shape[2]
    start, stop = K * band // bands, K * (band + 1) // bands
    rows = slice(M * chunk // chunks, M * (chunk + 1) // chunks)
    for i in range(first, min(first + group, B)):
        own = db[i if chunks == 1 else chunk][start:stop]
        gemm(_at(a, i)[rows][:, start:stop].T, dout[i][rows], own, 1.0, 0.0)


@jit(apart=True)
def _add_up(sums, total):  # type: ignore[no-untyped-def]
    """total = the sum of the matrices ``sums``, in their order."""
    flat = total.reshape(-1)
    for chunk in range(sums.shape[0]):
        own = sums[chunk].reshape(-1)
        for j in range(flat.size):
            flat[j] = own[j] if chunk == 0 else flat[j] + own[j]


@jit(parallel=True)
def matmul_forward(a, b, out):  # type: ignore[no-untyped-def]
    """out (max(A, B), M, N) = a (A, M, K) b (B, K, N)."""
    join = b.shape[0] == 1
    x, y = _joined(a, join), _joined(out, join)
    B, M, N = y.shape
    K = x.shape[2]
    group, bands = _group(M, K, N), _bands(M, K * N)
    tasks = pieces(B, group) * bands
    if tasks <= 1 or B * (M * K * N + CALL) < SMALL:
        for task in range(tasks):
            _products(task, group, bands, x, b, False, y)
    else:
        for task in prange(tasks):  # each task owns one band of rows of some matrices of out
            _products(np.int64(task), group, bands, x, b, False, y)


@jit(apart=True)
def _backward_task(task, tasks_a, cut_a, cut_b, a, b, dout, da, db):  # type: ignore[no-untyped-def]
    (group, bands, chunks), shared = cut_a, a.shape[0] < dout.shape[0]
    if task >= tasks_a:
        group, bands, chunks = cut_b
        _transposed_products(task - tasks_a, group, bands, chunks, a, dout, db)
    elif shared:
        _sum_of_products(task, chunks, dout, b, da)
    else:
        _products(task, group, bands, dout, b, True, da)


@jit(parallel=True)
def matmul_backward(a, b, dout, da, db):  # type: ignore[no-untyped-def]
    """da = dout b^T and db = a^T dout, of the shapes of a and b."""
    join = b.shape[0] == 1
    x, d, dx = _joined(a, join), _joined(dout, join), _joined(da, join)
    B, M, N = d.shape
    K = x.shape[2]
    work = B * (M * K * N + CALL)
    group = _group(M, K, N)
    shared = x.shape[0] < B
    # a chunk sums at least four times as much as its sum takes, so that the sums stay small
    chunks_a = max(1, min(CHUNKS, work // TASK, B * N // (4 * M))) if shared else 1
    chunks_b = max(1, min(CHUNKS, work // TASK, M // (4 * N))) if B == 1 else 1
    bands_a, bands_b = _bands(M, K * N), _bands(K, M * N)
    tasks_a = chunks_a if shared else pieces(B, group) * bands_a
    tasks = tasks_a + pieces(B, group) * bands_b * chunks_b
    sums_a = dx if chunks_a == 1 else np.empty((chunks_a, M, K), a.dtype)
    sums_b = db if chunks_b == 1 else np.empty((chunks_b, K, N), a.dtype)
    cut_a, cut_b = (group, bands_a, chunks_a), (group, bands_b, chunks_b)
    if work < SMALL:
        for task in range(tasks):
            _backward_task(task, tasks_a, cut_a, cut_b, x, b, d, sums_a, sums_b)
    else:
        before = set_task_size(1)  # tasks differ in size: hand out singly
        for task in prange(tasks):  # each task owns a band of some matrices, or one chunk's sum
            _backward_task(np.int64(task), tasks_a, cut_a, cut_b, x, b, d, sums_a, sums_b)
        set_task_size(before)
    if chunks_a > 1:
        _add_up(sums_a, dx[0])
    if chunks_b > 1:
        _add_up(sums_b, db[0])
