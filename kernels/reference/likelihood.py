"""NumPy twin of the losses of forecasts."""

from __future__ import annotations

import math

import numpy as np

from ..likelihood import GAUSSIAN, LEAST, NEGATIVE_BINOMIAL, QUANTILES

_lgamma = np.vectorize(math.lgamma, otypes=[np.float64])


def _digamma(x: np.ndarray) -> np.ndarray:
    """By the recurrence up to 1000, where log(x) - 1/2x - 1/12x^2 is exact."""
    total = np.zeros_like(x)
    for _ in range(1000):
        total -= 1 / x
        x = x + 1
    return total + np.log(x) - 0.5 / x - 1 / (12 * x**2)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def likelihood_losses(kind, x, t, scale, levels, slope, row_loss):  # type: ignore[no-untyped-def]
    """slope (N, P) = d row loss / dx and row_loss (N,), float64, from x (N, P), t and scale (N,).

    levels (Q,): those of QUANTILES.
    """
    there = ~np.isnan(t)
    slope[...], row_loss[...] = 0, 0
    x, t, scale = (array[there].astype(np.float64) for array in (x, t, scale))
    found, loss = np.empty_like(x), np.empty_like(t)
    if kind == QUANTILES:
        rest = (t / scale)[:, None] - x
        loss[...] = np.maximum(levels * rest, (levels - 1) * rest).mean(axis=1)
        found[...] = np.where(rest == 0, 0, np.where(rest > 0, -levels, 1 - levels)) / len(levels)
    elif kind == NEGATIVE_BINOMIAL:
        m, a = scale * (_softplus(x[:, 0]) + LEAST), _softplus(x[:, 1]) + LEAST
        r, p = 1 / a, a * m / (1 + a * m)
        loss[...] = _lgamma(t + 1) + _lgamma(r) - _lgamma(t + r) - r * np.log1p(-p) - t * np.log(p)
        found[:, 0] = (m - t) / (m + a * m**2) * scale * _sigmoid(x[:, 0])
        of_r = _digamma(t + r) - _digamma(r) + np.log1p(-p) + (m - t) / (r + m)
        found[:, 1] = of_r * r**2 * _sigmoid(x[:, 1])
    else:
        sigma = _softplus(x[:, 1]) + LEAST
        z = (t / scale - x[:, 0]) / sigma
        if kind == GAUSSIAN:
            loss[...] = 0.5 * np.log(2 * np.pi) + np.log(sigma) + z**2 / 2
            pull = z
        else:
            nu = 2 + _softplus(x[:, 2])
            half = (nu + 1) / 2
            loss[...] = _lgamma(nu / 2) - _lgamma(half) + 0.5 * np.log(nu * np.pi) + np.log(sigma)
            loss += half * np.log1p(z**2 / nu)
            pull = (nu + 1) * z / (nu + z**2)
            of_nu = _digamma(nu / 2) - _digamma(half) + 1 / nu + np.log1p(z**2 / nu) - pull * z / nu
            found[:, 2] = of_nu / 2 * _sigmoid(x[:, 2])
        found[:, 0] = -pull / sigma
        found[:, 1] = (1 - pull * z) / sigma * _sigmoid(x[:, 1])
    slope[there], row_loss[there] = found, loss
