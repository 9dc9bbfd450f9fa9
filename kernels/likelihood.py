"""Losses of forecasts by target: the quantile loss and negative log likelihoods, with gradients.

A row has a target t (one number; NaN: missing, loss and gradient are 0), the network's raw outputs
x (P,) for it and the window's scale s, in whose units the network works.

| kind              | P | parameters from x                     | row loss                    |
| ----------------- | - | ------------------------------------- | --------------------------- |
| QUANTILES         | Q | q = x                                 | mean of max(p r, (p - 1) r) |
| GAUSSIAN          | 2 | mu = x0, sigma = softplus(x1) + LEAST | -log density of r           |
| STUDENT_T         | 3 | the same, nu = 2 + softplus(x2)       | -log density of r           |
| NEGATIVE_BINOMIAL | 2 | m = s softplus(x0), a = softplus(x1)  | -log probability of t       |

with r = t / s - q or t / s - mu; the densities are those of t / s. The count has the mean m and the
variance m + a m^2 (Cameron & Trivedi's NB2; Salinas et al. 2020). Everything is computed in
float64: there are few rows, and lgamma cancels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("likelihood_losses",)

QUANTILES, GAUSSIAN, STUDENT_T, NEGATIVE_BINOMIAL = range(4)
LEAST = 1e-4  # of sigma, a and m / s: constant series would reach 0
ROWS = 256  # of one task


@jit(inline=True)
def softplus64(x):  # type: ignore[no-untyped-def]
    """log(1 + e^x) in float64."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@jit(inline=True)
def sigmoid64(x):  # type: ignore[no-untyped-def]
    """The derivative of ``softplus64``."""
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


@jit(apart=True)
def digamma(x):  # type: ignore[no-untyped-def]
    """d lgamma / dx for x > 0, to 1e-12: the recurrence up to 10, then the asymptotic series.

    Abramowitz & Stegun 6.3.5 and 6.3.18.
    """
    total = 0.0
    while x < 10.0:
        total -= 1.0 / x
        x += 1.0
    u = 1.0 / (x * x)
    series = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u * (1 / 132)))))
    return total + math.log(x) - 0.5 / x - series


@jit(apart=True)
def _quantiles(x, target, levels, slope):  # type: ignore[no-untyped-def]
    Q = levels.size
    total = 0.0
    for q in range(Q):
        level, rest = np.float64(levels[q]), target - np.float64(x[q])
        total += max(level * rest, (level - 1.0) * rest)
        slope[q] = (0.0 if rest == 0 else -level if rest > 0 else 1.0 - level) / Q
    return total / Q


@jit(apart=True)
def _gaussian(x, target, slope):  # type: ignore[no-untyped-def]
    sigma = softplus64(np.float64(x[1])) + LEAST
    z = (target - np.float64(x[0])) / sigma
    slope[0] = -z / sigma
    slope[1] = (1.0 - z * z) / sigma * sigmoid64(np.float64(x[1]))
    return 0.5 * math.log(2.0 * math.pi) + math.log(sigma) + 0.5 * z * z


@jit(apart=True)
def _student_t(x, target, slope):  # type: ignore[no-untyped-def]
    sigma, nu = softplus64(np.float64(x[1])) + LEAST, 2.0 + softplus64(np.float64(x[2]))
    z = (target - np.float64(x[0])) / sigma
    square, grown = z * z, math.log1p(z * z / nu)
    slope[0] = -(nu + 1.0) * z / (sigma * (nu + square))
    slope[1] = (1.0 - (nu + 1.0) * square / (nu + square)) / sigma * sigmoid64(np.float64(x[1]))
    of_nu = digamma(0.5 * nu) - digamma(0.5 * (nu + 1.0)) + 1.0 / nu + grown
    of_nu -= (nu + 1.0) * square / (nu * (nu + square))
    slope[2] = 0.5 * of_nu * sigmoid64(np.float64(x[2]))
    mass = math.lgamma(0.5 * nu) - math.lgamma(0.5 * (nu + 1.0)) + 0.5 * math.log(nu * math.pi)
    return mass + math.log(sigma) + 0.5 * (nu + 1.0) * grown


@jit(apart=True)
def _negative_binomial(x, count, scale, slope):  # type: ignore[no-untyped-def]
    mean = scale * (softplus64(np.float64(x[0])) + LEAST)
    spread = softplus64(np.float64(x[1])) + LEAST
    r = 1.0 / spread
    slope[0] = (mean - count) / (mean * (1.0 + spread * mean)) * scale * sigmoid64(np.float64(x[0]))
    of_r = digamma(count + r) - digamma(r) - math.log1p(mean / r) + (mean - count) / (r + mean)
    slope[1] = of_r * r * r * sigmoid64(np.float64(x[1]))
    mass = math.lgamma(count + 1.0) + math.lgamma(r) - math.lgamma(count + r)
    return mass + r * math.log1p(mean / r) - count * (math.log(mean) - math.log(r + mean))


@jit(apart=True)
def _rows(kind, first, last, x, t, scale, levels, slope, row_loss):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        own, target = slope[i], np.float64(t[i])
        if np.isnan(target):
            own[:] = 0.0
            row_loss[i] = 0.0
        elif kind == NEGATIVE_BINOMIAL:
            row_loss[i] = _negative_binomial(x[i], target, np.float64(scale[i]), own)
        else:
            target /= np.float64(scale[i])
            if kind == QUANTILES:
                row_loss[i] = _quantiles(x[i], target, levels, own)
            elif kind == GAUSSIAN:
                row_loss[i] = _gaussian(x[i], target, own)
            else:
                row_loss[i] = _student_t(x[i], target, own)


@jit(parallel=True)
def likelihood_losses(kind, x, t, scale, levels, slope, row_loss):  # type: ignore[no-untyped-def]
    """slope (N, P) = d row loss / dx and row_loss (N,), float64, from x (N, P), t and scale (N,).

    levels (Q,): those of QUANTILES.
    """
    N, _ = x.shape
    tasks = pieces(N, ROWS)
    if tasks <= 1:
        _rows(kind, np.int64(0), N, x, t, scale, levels, slope, row_loss)
    else:
        for task in prange(tasks):  # each task owns ROWS rows of slope and row_loss
            first = np.int64(task) * ROWS
            _rows(kind, first, min(first + ROWS, N), x, t, scale, levels, slope, row_loss)
