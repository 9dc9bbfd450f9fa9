"""Batch normalization of the columns of x (N, D) (Ioffe & Szegedy 2015).

normalized = (x - mean) / sqrt(var + epsilon), out = gamma normalized + beta, with the biased
variance. A task owns a block of rows and columns; the blocks' sums are joined in their order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("batchnorm_forward", "batchnorm_backward")

ELEMENTS = 32768  # of one block: it stays in the second-level cache between two passes
COLUMNS = 2048  # at most so many columns of one block
CHUNKS = 256  # at most so many chunks of rows, so that their sums stay small beside x
SMALL = 65536  # elements below which a parallel region would cost more than it saves


@jit(inline=True)
def _chunks(N, D):  # type: ignore[no-untyped-def]
    """Number of chunks that the rows are cut into."""
    return pieces(N, max(ELEMENTS // min(D, COLUMNS), pieces(N, CHUNKS)))


@jit(inline=True)
def _block(task, N, D):  # type: ignore[no-untyped-def]
    """(chunk, its rows, its columns) of a task."""
    chunks, bands = _chunks(N, D), pieces(D, COLUMNS)
    chunk, band = task // bands, task % bands
    rows = slice(N * chunk // chunks, N * (chunk + 1) // chunks)
    return chunk, rows, slice(D * band // bands, D * (band + 1) // bands)


# Rows are cut out before columns everywhere: x[i][c] is known to be contiguous and its loops
# vectorise, while a row of x[:, c] has a stride known only at run time (3x slower).


@jit(apart=True)
def _block_moments(task, x, means, squares):  # type: ignore[no-untyped-def]
    """Mean and sum of squared deviations of a block's columns."""
    chunk, rows, c = _block(task, x.shape[0], x.shape[1])
    x, mean, square = x[rows], means[chunk][c], squares[chunk][c]
    N, D = x.shape[0], mean.size
    share = mean.dtype.type(1.0 / N)
    rest = np.zeros(D, mean.dtype)
    for j in range(D):
        mean[j] = 0
        square[j] = 0
    for i in range(N):
        row = x[i][c]
        for j in range(D):
            mean[j] += row[j]
    for j in range(D):
        mean[j] *= share
    for i in range(N):
        row = x[i][c]
        for j in range(D):
            deviation = row[j] - mean[j]
            rest[j] += deviation
            square[j] += deviation * deviation
    # what the first sum rounded off (Chan, Golub & LeVeque 1983): counts where |mean| >> deviation
    for j in range(D):
        square[j] -= rest[j] * rest[j] * share
        mean[j] += rest[j] * share


@jit(apart=True)
def join_moments(N, means, squares, mean, var):  # type: ignore[no-untyped-def]
    """Mean and biased variance of all rows from the chunks' moments, in the chunks' order."""
    chunks, D = means.shape
    real = mean.dtype.type
    for j in range(D):
        mean[j] = 0
        var[j] = 0
    for chunk in range(chunks):
        before, after = N * chunk // chunks, N * (chunk + 1) // chunks
        share, both = real((after - before) / after), real(before * (after - before) / after)
        own_mean, own_square = means[chunk], squares[chunk]
        for j in range(D):
            var[j] += own_square[j] + (own_mean[j] - mean[j]) * (own_mean[j] - mean[j]) * both
        for j in range(D):
            mean[j] += (own_mean[j] - mean[j]) * share
    for j in range(D):
        var[j] *= real(1.0 / N)


@jit(apart=True)
def _normalize_block(task, x, mean, inverse, gamma, beta, out, normalized):  # type: ignore[no-untyped-def]
    _, rows, c = _block(task, x.shape[0], x.shape[1])
    x, out, normalized = x[rows], out[rows], normalized[rows]
    mean, inverse, gamma, beta = mean[c], inverse[c], gamma[c], beta[c]
    for i in range(x.shape[0]):
        row, unit, result = x[i][c], normalized[i][c], out[i][c]
        for j in range(row.size):
            unit[j] = (row[j] - mean[j]) * inverse[j]
        for j in range(row.size):
            result[j] = gamma[j] * unit[j] + beta[j]


@jit(parallel=True)
def batchnorm_forward(training, x, gamma, beta, epsilon, mean, var, out, normalized):  # type: ignore[no-untyped-def]
    """x, out, normalized (N, D), the others (D,); training writes mean and var, else reads them."""
    N, D = x.shape
    chunks = _chunks(N, D)
    tasks = chunks * pieces(D, COLUMNS)
    sums = np.empty((2, chunks if training else 0, D), var.dtype)
    inverse = np.empty(D, var.dtype)
    if training:
        if x.size < SMALL:
            for task in range(tasks):
                _block_moments(task, x, sums[0], sums[1])
        else:
            for task in prange(tasks):  # each task owns a block's place in the sums
                _block_moments(np.int64(task), x, sums[0], sums[1])
        join_moments(N, sums[0], sums[1], mean, var)
    small, one = var.dtype.type(epsilon), var.dtype.type(1)
    for j in range(D):
        inverse[j] = one / np.sqrt(var[j] + small)
    if x.size < SMALL:
        for task in range(tasks):
            _normalize_block(task, x, mean, inverse, gamma, beta, out, normalized)
    else:
        for task in prange(tasks):  # each task owns a block of out and normalized
            _normalize_block(np.int64(task), x, mean, inverse, gamma, beta, out, normalized)


@jit(apart=True)
def _block_sums(task, normalized, dout, dgammas, dbetas):  # type: ignore[no-untyped-def]
    chunk, rows, c = _block(task, dout.shape[0], dout.shape[1])
    normalized, dout = normalized[rows], dout[rows]
    dgamma, dbeta = dgammas[chunk][c], dbetas[chunk][c]
    D = dgamma.size
    for j in range(D):
        dgamma[j] = 0
        dbeta[j] = 0
    for i in range(dout.shape[0]):
        unit, d = normalized[i][c], dout[i][c]
        for j in range(D):
            dgamma[j] += d[j] * unit[j]
        for j in range(D):
            dbeta[j] += d[j]


@jit(apart=True)
def join_sums(sums, total):  # type: ignore[no-untyped-def]
    """total (D,) = the sum of the rows of sums, in their order."""
    for j in range(total.size):
        total[j] = 0
    for i in range(sums.shape[0]):
        row = sums[i]
        for j in range(total.size):
            total[j] += row[j]


@jit(apart=True)
def _dx_block(task, training, normalized, factor, dgamma, dbeta, dout, dx):  # type: ignore[no-untyped-def]
    N, D = dout.shape
    _, rows, c = _block(task, N, D)
    normalized, dout, dx = normalized[rows], dout[rows], dx[rows]
    factor, dgamma, dbeta = factor[c], dgamma[c], dbeta[c]
    share = factor.dtype.type(1.0 / N)
    for i in range(dout.shape[0]):
        unit, d, result = normalized[i][c], dout[i][c], dx[i][c]
        if training:
            for j in range(d.size):
                result[j] = factor[j] * (d[j] - share * (dbeta[j] + unit[j] * dgamma[j]))
        else:  # given statistics pass no gradient on
            for j in range(d.size):
                result[j] = factor[j] * d[j]


@jit(parallel=True)
def batchnorm_backward(training, normalized, gamma, var, epsilon, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    """normalized, dout, dx (N, D), the others (D,); training goes through mean and variance."""
    N, D = dout.shape
    chunks = _chunks(N, D)
    tasks = chunks * pieces(D, COLUMNS)
    sums, factor = np.empty((2, chunks, D), var.dtype), np.empty(D, var.dtype)
    if dout.size < SMALL:
        for task in range(tasks):
            _block_sums(task, normalized, dout, sums[0], sums[1])
    else:
        for task in prange(tasks):  # each task owns a block's place in the sums
            _block_sums(np.int64(task), normalized, dout, sums[0], sums[1])
    join_sums(sums[0], dgamma)
    join_sums(sums[1], dbeta)
    small = var.dtype.type(epsilon)
    for j in range(D):
        factor[j] = gamma[j] / np.sqrt(var[j] + small)
    if dout.size < SMALL:
        for task in range(tasks):
            _dx_block(task, training, normalized, factor, dgamma, dbeta, dout, dx)
    else:
        for task in prange(tasks):  # each task owns a block of dx
            _dx_block(np.int64(task), training, normalized, factor, dgamma, dbeta, dout, dx)
