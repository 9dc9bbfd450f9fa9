"""Batch normalization of the columns of x (N, D) (Ioffe & Szegedy 2015).

normalized = (x - mean) / sqrt(var + epsilon), out = gamma normalized + beta, with the biased
variance. A task owns a band of columns, so every sum runs over the rows in their order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("batchnorm_forward", "batchnorm_backward")

COLUMNS = 64  # of one task
SMALL = 65536  # elements below which a parallel region would cost more than it saves


@jit(inline=True)
def _band(task, D):  # type: ignore[no-untyped-def]
    return slice(task * COLUMNS, min((task + 1) * COLUMNS, D))


@jit(inline=True)
def _statistics(x, mean, var):  # type: ignore[no-untyped-def]
    """Mean and biased variance of the columns, in two passes."""
    N, D = x.shape
    share = mean.dtype.type(1.0 / N)
    for j in range(D):
        mean[j] = 0
        var[j] = 0
    for i in range(N):
        row = x[i]
        for j in range(D):
            mean[j] += row[j]
    for j in range(D):
        mean[j] *= share
    for i in range(N):
        row = x[i]
        for j in range(D):
            var[j] += (row[j] - mean[j]) * (row[j] - mean[j])
    for j in range(D):
        var[j] *= share


@jit(apart=True)
def _forward_band(task, training, x, gamma, beta, epsilon, mean, var, out, normalized):  # type: ignore[no-untyped-def]
    c = _band(task, x.shape[1])
    x, out, normalized = x[:, c], out[:, c], normalized[:, c]
    gamma, beta, mean, var = gamma[c], beta[c], mean[c], var[c]
    N, D = x.shape
    if training:
        _statistics(x, mean, var)
    small, one = var.dtype.type(epsilon), var.dtype.type(1)
    inverse = np.empty(D, var.dtype)
    for j in range(D):
        inverse[j] = one / np.sqrt(var[j] + small)
    for i in range(N):
        row, unit, result = x[i], normalized[i], out[i]
        for j in range(D):
            unit[j] = (row[j] - mean[j]) * inverse[j]
        for j in range(D):
            result[j] = gamma[j] * unit[j] + beta[j]


@jit(apart=True)
def _backward_band(task, training, normalized, gamma, var, epsilon, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    c = _band(task, dout.shape[1])
    normalized, dout, dx = normalized[:, c], dout[:, c], dx[:, c]
    gamma, var, dgamma, dbeta = gamma[c], var[c], dgamma[c], dbeta[c]
    N, D = dout.shape
    real = dgamma.dtype.type
    for j in range(D):
        dgamma[j] = 0
        dbeta[j] = 0
    for i in range(N):
        unit, d = normalized[i], dout[i]
        for j in range(D):
            dgamma[j] += d[j] * unit[j]
        for j in range(D):
            dbeta[j] += d[j]
    share = real(1.0 / N) if training else real(0)  # given statistics pass no gradient on
    factor, small = np.empty(D, dgamma.dtype), real(epsilon)
    for j in range(D):
        factor[j] = gamma[j] / np.sqrt(var[j] + small)
    for i in range(N):
        unit, d, result = normalized[i], dout[i], dx[i]
        for j in range(D):
            result[j] = factor[j] * (d[j] - share * (dbeta[j] + unit[j] * dgamma[j]))


@jit(parallel=True)
def batchnorm_forward(training, x, gamma, beta, epsilon, mean, var, out, normalized):  # type: ignore[no-untyped-def]
    """x, out, normalized (N, D), the others (D,); training writes mean and var, else reads them."""
    tasks = pieces(x.shape[1], COLUMNS)
    if x.size < SMALL:
        for task in range(tasks):
            _forward_band(task, training, x, gamma, beta, epsilon, mean, var, out, normalized)
    else:
        for i in prange(tasks):  # each task owns a band of columns
            task = np.int64(i)
            _forward_band(task, training, x, gamma, beta, epsilon, mean, var, out, normalized)


@jit(parallel=True)
def batchnorm_backward(training, normalized, gamma, var, epsilon, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    """normalized, dout, dx (N, D), the others (D,); training goes through mean and variance."""
    tasks = pieces(dout.shape[1], COLUMNS)
    if dout.size < SMALL:
        for task in range(tasks):
            _backward_band(task, training, normalized, gamma, var, epsilon, dout, dx, dgamma, dbeta)
    else:
        for i in prange(tasks):  # each task owns a band of columns
            task = np.int64(i)
            _backward_band(task, training, normalized, gamma, var, epsilon, dout, dx, dgamma, dbeta)
