"""Losses by row and their gradients with respect to the network's output.

``loss_forward`` writes each row's loss in float64 and keeps in ``y`` what backward needs;
``loss_backward`` writes dx = row_scale (d row loss / dx).

| kind                  | row loss                                   | y               |
|-----------------------|--------------------------------------------|-----------------|
| SOFTMAX               | -sum t log(y + 1e-7), the course's form    | softmax(x)      |
| SOFTMAX_CROSS_ENTROPY | sum t (log sum exp x - x)                  | softmax(x)      |
| SIGMOID_CROSS_ENTROPY | mean of softplus(x) - t x                  | sigmoid(x)      |
| SQUARED_ERROR         | mean of (x - t)^2                          | x - t           |
| ABSOLUTE_ERROR        | mean of abs(x - t)                         | x - t           |
| HUBER                 | mean of r^2/2, beyond delta: delta(r-d/2)  | x - t           |
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .math import exp, log, sigmoid, softplus

KERNELS = ("loss_forward", "loss_backward")

SOFTMAX, SOFTMAX_CROSS_ENTROPY, SIGMOID_CROSS_ENTROPY = 0, 1, 2
SQUARED_ERROR, ABSOLUTE_ERROR, HUBER = 3, 4, 5

ELEMENTS = 16384  # of one task


@jit(inline=True)
def _softmax_losses(kind, x, t, y, row_loss):  # type: ignore[no-untyped-def]
    N, C = x.shape
    real = y.dtype.type
    floor, one = real(1e-7), real(1)
    for i in range(N):
        row, target, out = x[i], t[i], y[i]
        highest = row[0]
        for c in range(1, C):
            highest = max(highest, row[c])
        mass = real(0)
        for c in range(C):
            out[c] = exp(row[c] - highest)
            mass += out[c]
        share = one / mass
        for c in range(C):
            out[c] *= share
        total = 0.0
        if kind == SOFTMAX:
            for c in range(C):
                if target[c] != 0:
                    total -= np.float64(target[c] * log(out[c] + floor))
        else:
            log_mass = np.log(np.float64(mass))
            for c in range(C):
                if target[c] != 0:
                    total += np.float64(target[c]) * (log_mass - np.float64(row[c] - highest))
        row_loss[i] = total


@jit(apart=True)
def loss_rows(kind, delta, x, t, y, row_loss):  # type: ignore[no-untyped-def]
    """Row losses and ``y`` of a block of rows; ``y`` must not be ``x``."""
    N, C = x.shape
    real = y.dtype.type
    if kind == SOFTMAX or kind == SOFTMAX_CROSS_ENTROPY:
        _softmax_losses(kind, x, t, y, row_loss)
        return
    limit, half = real(delta), real(0.5)
    for i in range(N):
        row, target, out = x[i], t[i], y[i]
        total = 0.0
        if kind == SIGMOID_CROSS_ENTROPY:
            for c in range(C):
                out[c] = sigmoid(row[c])
                total += np.float64(softplus(row[c]) - target[c] * row[c])
        elif kind == SQUARED_ERROR:
            for c in range(C):
                out[c] = row[c] - target[c]
                total += np.float64(out[c] * out[c])
        elif kind == ABSOLUTE_ERROR:
            for c in range(C):
                out[c] = row[c] - target[c]
                total += np.float64(abs(out[c]))
        else:
            for c in range(C):
                out[c] = row[c] - target[c]
                size = abs(out[c])
                inner = half * size * size
                total += np.float64(inner if size <= limit else limit * (size - half * limit))
        row_loss[i] = total / C


@jit(apart=True)
def loss_gradient_rows(kind, delta, y, t, row_scale, dx):  # type: ignore[no-untyped-def]
    """dx of a block of rows; ``dx`` may be ``y`` itself."""
    N, C = y.shape
    real = dx.dtype.type
    limit, zero, one = real(delta), real(0), real(1)
    for i in range(N):
        out, target, gradient = y[i], t[i], dx[i]
        if kind == SOFTMAX or kind == SOFTMAX_CROSS_ENTROPY:
            scale = real(row_scale[i])
            if kind == SOFTMAX_CROSS_ENTROPY:  # targets may sum to other than one
                mass = zero
                for c in range(C):
                    mass += target[c]
            else:
                mass = one
            for c in range(C):
                gradient[c] = (out[c] * mass - target[c]) * scale
            continue
        scale = real(row_scale[i] / C)
        if kind == SIGMOID_CROSS_ENTROPY:
            for c in range(C):
                gradient[c] = (out[c] - target[c]) * scale
        elif kind == SQUARED_ERROR:
            for c in range(C):
                gradient[c] = (out[c] + out[c]) * scale
        elif kind == ABSOLUTE_ERROR:
            for c in range(C):
                sign = one if out[c] > zero else (-one if out[c] < zero else out[c])
                gradient[c] = sign * scale
        else:
            for c in range(C):
                gradient[c] = min(max(out[c], -limit), limit) * scale


@jit(parallel=True)
def loss_forward(kind, delta, x, t, y, row_loss):  # type: ignore[no-untyped-def]
    """x, t, y (N, C); row_loss (N,) float64."""
    N, C = x.shape
    rows = max(1, ELEMENTS // C)
    tasks = pieces(N, rows)
    if tasks <= 1:
        loss_rows(kind, delta, x, t, y, row_loss)
    else:
        for task in prange(tasks):  # each task owns some rows of y and row_loss
            own = slice(task * rows, min((task + 1) * rows, N))
            loss_rows(kind, delta, x[own], t[own], y[own], row_loss[own])


@jit(parallel=True)
def loss_backward(kind, delta, y, t, row_scale, dx):  # type: ignore[no-untyped-def]
    """y, t, dx (N, C); row_scale (N,) float64: upstream gradient times the row's weight."""
    N, C = y.shape
    rows = max(1, ELEMENTS // C)
    tasks = pieces(N, rows)
    if tasks <= 1:
        loss_gradient_rows(kind, delta, y, t, row_scale, dx)
    else:
        for task in prange(tasks):  # each task owns some rows of dx
            own = slice(task * rows, min((task + 1) * rows, N))
            loss_gradient_rows(kind, delta, y[own], t[own], row_scale[own], dx[own])
