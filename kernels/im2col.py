"""Images as a matrix of their patches, and back.

A task is some channels of one image. They lie in cache with the padding around them, where every
number of a patch is at a constant distance from the patch's first.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("im2col", "col2im")

SMALL = 50_000  # numbers of patches below which a parallel region would cost more than it saves
CHANNELS = 32  # at most so many in a task, so that one image has work for several threads


@jit(inline=True)
def _distances(channels, rows, columns, kernel):  # type: ignore[no-untyped-def]
    """Of a patch's numbers (channels FH FW,) from its first, in (channels, rows, columns)."""
    FH, FW = kernel
    found = np.empty(channels * FH * FW, np.int64)
    for j in range(found.size):
        c, fh, fw = j // (FH * FW), j // FW % FH, j % FW
        found[j] = (c * rows + fh) * columns + fw
    return found


@jit(apart=True)
def _im2col_task(task, x, shape, strides, kernel, stride, padding, col):  # type: ignore[no-untyped-def]
    _, C, H, W = shape
    parts = pieces(C, CHANNELS)
    n, first = task // parts, task % parts * CHANNELS
    channels, rows, columns = min(CHANNELS, C - first), H + 2 * padding[0], W + 2 * padding[1]
    held = np.zeros(channels * rows * columns, x.dtype)
    for c in range(channels):
        for h in range(H):
            target = (c * rows + h + padding[0]) * columns + padding[1]
            source = n * strides[0] + (first + c) * strides[1] + h * strides[2]
            for w in range(W):
                held[target + w] = x[source + w * strides[3]]
    distances = _distances(channels, rows, columns, kernel)
    OH, OW = (rows - kernel[0]) // stride[0] + 1, (columns - kernel[1]) // stride[1] + 1
    for i in range(OH * OW):
        place = i // OW * stride[0] * columns + i % OW * stride[1]
        row = col[n * OH * OW + i, first * kernel[0] * kernel[1] :]
        for j in range(distances.size):
            row[j] = held[place + distances[j]]


@jit(parallel=True)
def im2col(x, shape, strides, kernel, stride, padding, col):  # type: ignore[no-untyped-def]
    """col (N OH OW, C FH FW) of x (N C H W,), whose axes lie ``strides`` numbers apart."""
    tasks = shape[0] * pieces(shape[1], CHANNELS)
    if col.size < SMALL:
        for task in range(tasks):
            _im2col_task(task, x, shape, strides, kernel, stride, padding, col)
    else:
        for task in prange(tasks):  # each task owns an image's columns of some channels
            _im2col_task(np.int64(task), x, shape, strides, kernel, stride, padding, col)


@jit(apart=True)
def _col2im_task(task, col, kernel, stride, padding, x):  # type: ignore[no-untyped-def]
    _, C, H, W = x.shape
    parts = pieces(C, CHANNELS)
    n, first = task // parts, task % parts * CHANNELS
    channels, rows, columns = min(CHANNELS, C - first), H + 2 * padding[0], W + 2 * padding[1]
    held = np.zeros(channels * rows * columns, x.dtype)
    distances = _distances(channels, rows, columns, kernel)
    OH, OW = (rows - kernel[0]) // stride[0] + 1, (columns - kernel[1]) // stride[1] + 1
    for i in range(OH * OW):
        place = i // OW * stride[0] * columns + i % OW * stride[1]
        row = col[n * OH * OW + i, first * kernel[0] * kernel[1] :]
        for j in range(distances.size):
            held[place + distances[j]] += row[j]
    for c in range(channels):
        for h in range(H):
            source = (c * rows + h + padding[0]) * columns + padding[1]
            line = x[n, first + c, h]
            for w in range(W):
                line[w] = held[source + w]


@jit(parallel=True)
def col2im(col, kernel, stride, padding, x):  # type: ignore[no-untyped-def]
    """x (N, C, H, W) = the sums of col (N OH OW, C FH FW) where im2col takes it from."""
    N, C, _, _ = x.shape
    tasks = N * pieces(C, CHANNELS)
    if col.size < SMALL:
        for task in range(tasks):
            _col2im_task(task, col, kernel, stride, padding, x)
    else:
        for task in prange(tasks):  # each task owns some channels of an image
            _col2im_task(np.int64(task), col, kernel, stride, padding, x)
