"""Layer normalization of the rows of x (N, D) (Ba, Kiros & Hinton 2016).

normalized = (x - mean) / sqrt(var + epsilon) by row, out = gamma normalized + beta.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("layernorm_forward", "layernorm_backward")

ELEMENTS = 32768  # of one task
ROWS = 16  # at least, of one task, so that the tasks' sums of dgamma and dbeta stay small beside x
GROUPS = 64  # at most so many tasks that have sums of their own


@jit(apart=True)
def _forward_rows(x, gamma, beta, epsilon, out, normalized, inverse):  # type: ignore[no-untyped-def]
    N, D = x.shape
    real = out.dtype.type
    share, small, one = real(1.0 / D), real(epsilon), real(1)
    for i in range(N):
        row, unit, result = x[i], normalized[i], out[i]
        mean = real(0)
        for j in range(D):
            mean += row[j]
        mean *= share
        var = real(0)
        for j in range(D):
            var += (row[j] - mean) * (row[j] - mean)
        scale = one / np.sqrt(var * share + small)
        inverse[i] = scale
        for j in range(D):
            unit[j] = (row[j] - mean) * scale
        for j in range(D):
            result[j] = gamma[j] * unit[j] + beta[j]


@jit(apart=True)
def _backward_rows(normalized, inverse, gamma, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    N, D = dout.shape
    real = dx.dtype.type
    share = real(1.0 / D)
    for j in range(D):
        dgamma[j] = 0
        dbeta[j] = 0
    for i in range(N):
        unit, d, result = normalized[i], dout[i], dx[i]
        for j in range(D):
            dgamma[j] += d[j] * unit[j]
        for j in range(D):
            dbeta[j] += d[j]
        mean = real(0)
        along = real(0)
        for j in range(D):
            mean += gamma[j] * d[j]
            along += gamma[j] * d[j] * unit[j]
        mean *= share
        along *= share
        for j in range(D):
            result[j] = inverse[i] * (gamma[j] * d[j] - mean - unit[j] * along)


@jit(parallel=True)
def layernorm_forward(x, gamma, beta, epsilon, out, normalized, inverse):  # type: ignore[no-untyped-def]
    """x, out, normalized (N, D); gamma, beta (D,); inverse (N,) = 1 / sqrt(var + epsilon)."""
    N, D = x.shape
    rows = max(1, ELEMENTS // D)
    tasks = pieces(N, rows)
    if tasks <= 1:
        _forward_rows(x, gamma, beta, epsilon, out, normalized, inverse)
    else:
        for task in prange(tasks):  # each task owns some rows
            o = slice(task * rows, min((task + 1) * rows, N))
            _forward_rows(x[o], gamma, beta, epsilon, out[o], normalized[o], inverse[o])


@jit(parallel=True)
def layernorm_backward(normalized, inverse, gamma, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    """normalized, dout, dx (N, D); inverse (N,); gamma, dgamma, dbeta (D,)."""
    N, D = dout.shape
    rows = max(ROWS, ELEMENTS // D, pieces(N, GROUPS))
    tasks = pieces(N, rows)
    if tasks <= 1:
        _backward_rows(normalized, inverse, gamma, dout, dx, dgamma, dbeta)
        return
    sums = np.empty((2, tasks, D), dx.dtype)
    for task in prange(tasks):  # each task owns some rows and one row of each sum
        o = slice(task * rows, min((task + 1) * rows, N))
        _backward_rows(
            normalized[o], inverse[o], gamma, dout[o], dx[o], sums[0, task], sums[1, task]
        )
    for j in range(D):
        dgamma[j] = 0
        dbeta[j] = 0
    for task in range(tasks):  # in a fixed order
        for j in range(D):
            dgamma[j] += sums[0, task, j]
        for j in range(D):
            dbeta[j] += sums[1, task, j]
