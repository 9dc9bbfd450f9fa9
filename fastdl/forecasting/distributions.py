"""Quantiles of the distributions that forecasters have at their ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..metrics.crps import negative_binomial_cdf, student_t_cdf
from ..special import Floats, log_beta, normal_quantile

_NEWTON = 12


def gaussian_quantiles(mean: ArrayLike, std: ArrayLike, levels: ArrayLike) -> Floats:
    """(..., Q): mean + std normal_quantile(levels), of mean and std (...) and levels (Q,).

    >>> gaussian_quantiles([1.0], [2.0], [0.5])
    array([[1.]])
    """
    mean, std = np.asarray(mean, np.float64)[..., None], np.asarray(std, np.float64)[..., None]
    return np.asarray(mean + std * normal_quantile(levels))


def student_t_quantiles(
    mean: ArrayLike, scale: ArrayLike, degrees: ArrayLike, levels: ArrayLike
) -> Floats:
    """(..., Q): mean + scale times the quantiles of Student's t with these degrees of freedom.

    By Newton's method on log P(T > t) against log t, along which heavy tails are straight lines,
    from the expansion of Cornish and Fisher (Abramowitz and Stegun 1964, 26.7.5).

    >>> student_t_quantiles(0.0, 1.0, 4.0, [0.975]).round(6)
    array([2.776445])
    """
    levels = np.asarray(levels, np.float64)
    v = np.asarray(degrees, np.float64)[..., None]
    upper = np.maximum(levels, 1 - levels)
    z = normal_quantile(upper)
    t = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v * v)
    v = np.broadcast_to(v, t.shape)
    t = np.maximum(t, 1e-9)
    near, survival = np.broadcast_to(upper < 0.75, t.shape), 1 - upper
    for _ in range(_NEWTON):
        density = np.exp(-log_beta(0.5, v / 2) - (v + 1) / 2 * np.log1p(t * t / v)) / np.sqrt(v)
        beyond = student_t_cdf(-t, v)
        plain = t + (beyond - survival) / density
        slope = t * density / beyond
        logs = t * np.exp(np.clip(np.log(beyond / survival) / slope, -1.5, 1.5))
        new = np.maximum(np.where(near, plain, logs), 0.0)
        done = np.abs(new - t) <= 1e-12 * (1 + new)
        t = np.where(new > 0, new, 0.0) + (new == 0) * 1e-300
        if done.all():
            break
    t = np.where(upper == 0.5, 0.0, t)
    signed = np.where(levels < 0.5, -t, t)
    out = (
        np.asarray(mean, np.float64)[..., None] + np.asarray(scale, np.float64)[..., None] * signed
    )
    return np.asarray(out)


def negative_binomial_quantiles(mean: ArrayLike, shape: ArrayLike, levels: ArrayLike) -> Floats:
    """(..., Q): the least count with P(X <= count) >= level; variance mean + mean^2 / shape.

    From the expansion of Cornish and Fisher (1938) with the skewness, then by bisection.

    >>> negative_binomial_quantiles([2.0], [1.0], [0.1, 0.5, 0.9])
    array([[0., 1., 5.]])
    """
    levels = np.asarray(levels, np.float64)
    m, r = np.broadcast_arrays(np.asarray(mean, np.float64)[..., None],
                               np.asarray(shape, np.float64)[..., None])  # fmt: skip
    z = normal_quantile(levels)
    deviation = np.sqrt(m + m * m / r)
    skew = (1 + 2 * m / r) / deviation
    guess = np.floor(np.maximum(m + deviation * (z + skew * (z * z - 1) / 6), 0))
    m, r, target = (np.broadcast_to(a, guess.shape) for a in (m, r, levels))
    # counts with P(X <= low) < level <= P(X <= high); -1 has the probability 0
    step = np.maximum(1.0, np.ceil(deviation / 8)) + np.zeros_like(guess)
    below = negative_binomial_cdf(guess, m, r) < target
    low, high = np.where(below, guess, -1.0), np.where(below, np.inf, guess)
    while True:
        open_high, open_low = np.isinf(high), (low < 0) & (high > 0)
        trial = np.where(open_high, low + step, np.maximum(high - step, 0))
        active = open_high | (open_low & (trial < high))
        if not active.any():
            break
        short = np.zeros_like(active)
        short[active] = negative_binomial_cdf(trial[active], m[active], r[active]) < target[active]
        low = np.where(active & short, trial, low)
        high = np.where(active & ~short, trial, high)
        step *= 2
    while (wide := high - low > 1).any():
        middle = np.floor((low + high) / 2)
        short = np.zeros_like(wide)
        short[wide] = negative_binomial_cdf(middle[wide], m[wide], r[wide]) < target[wide]
        low, high = np.where(wide & short, middle, low), np.where(wide & ~short, middle, high)
    return high
