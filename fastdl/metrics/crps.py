"""The continuous ranked probability score: of quantiles, of samples, and of known distributions.

CRPS(F, y) = integral of (F(x) - 1{x >= y})^2 dx = E|X - y| - E|X - X'| / 2, in the unit of y; for
a point it is the absolute error (Gneiting and Raftery 2007, Strictly proper scoring rules, section
4.2). Lower is better. Arguments are as in ``fastdl.metrics.forecast``; every function is a mean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..special import beta_cdf, log_beta, normal_cdf, normal_pdf
from .forecast_checks import Floats, as_levels, observed, positive

_ROWS = 4096  # of the quadrature at a time


def crps_quantiles(actual: ArrayLike, quantiles: ArrayLike, levels: ArrayLike) -> float:
    """From quantiles (..., Q) at levels (Q,): twice the integral of the pinball loss over levels.

    Gneiting and Ranjan 2011, Comparing density forecasts, equation 11. The integral is the sum of
    the losses, each times the part of 0 to 1 that is nearest to its level: the plain mean where
    levels are evenly spread, as 0.05, 0.15 ... 0.95.

    >>> crps_quantiles([3.0], [[1.0]], [0.5])
    2.0
    """
    y, f = observed(actual, quantiles=quantiles)
    q = as_levels(levels, f.shape[-1])
    edges = np.concatenate([[0.0], (q[1:] + q[:-1]) / 2, [1.0]])
    error = y[:, None] - f
    loss = np.maximum(q * error, (q - 1) * error)
    return float(2 * np.mean(loss @ np.diff(edges)))


def crps_samples(actual: ArrayLike, samples: ArrayLike, fair: bool = False) -> float:
    """From samples (..., M): mean |x_i - y| - sum over i, j of |x_i - x_j| / (2 M^2).

    Gneiting and Raftery 2007, equation 21. With ``fair`` the sum is divided by 2 M (M - 1), which
    makes the estimate unbiased (Ferro 2014, Fair scores for ensemble forecasts).

    >>> crps_samples([0.0], [[-1.0, 1.0]]), crps_samples([0.0], [[-1.0, 1.0]], fair=True)
    (0.5, 0.0)
    """
    y, x = observed(actual, samples=samples)
    M = x.shape[-1]
    if fair and M < 2:
        raise ValueError("fair needs two samples or more.")
    ordered = np.sort(x, axis=-1)
    # the sum of all |x_i - x_j| is twice the sum of (2 i - M + 1) x_(i), i from 0
    pairs = 2 * ordered @ (2 * np.arange(M) - M + 1.0)
    spread = pairs / (2 * M * (M - 1 if fair else M))
    return float(np.mean(np.mean(np.abs(x - y[:, None]), axis=-1) - spread))


def crps_gaussian(actual: ArrayLike, mean: ArrayLike, std: ArrayLike) -> float:
    """Of normal distributions: std (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)).

    z = (y - mean) / std; Phi and phi are the standard distribution function and density.

    Gneiting, Raftery, Westveld and Goldman 2005, Calibrated probabilistic forecasting, equation 5.

    >>> round(crps_gaussian([0.0], [0.0], [1.0]), 6)
    0.233695
    """
    y, mu, sigma = observed(actual, mean=_shaped(mean, actual), std=positive("std", std, actual))
    z = (y - mu) / sigma
    score = z * (2 * normal_cdf(z) - 1) + 2 * normal_pdf(z) - 1 / math.sqrt(math.pi)
    return float(np.mean(sigma * score))


def crps_student_t(
    actual: ArrayLike, mean: ArrayLike, scale: ArrayLike, degrees: ArrayLike
) -> float:
    """Of Student's t, moved by mean and stretched by scale, with degrees (above 1) of freedom v.

    With z = (y - mean) / scale, F and f of the standard t: scale (z (2 F(z) - 1) +
    2 f(z) (v + z^2) / (v - 1) - 2 sqrt(v) / (v - 1) B(1/2, v - 1/2) / B(1/2, v/2)^2).
    Jordan, Krueger and Lerch 2019, Evaluating forecasts with scoringRules, appendix A.

    >>> round(crps_student_t([0.0], [0.0], [1.0], [5.0]), 6)
    0.257025
    """
    y, mu, sigma, v = observed(
        actual, mean=_shaped(mean, actual), scale=positive("scale", scale, actual),
        degrees=positive("degrees", degrees, actual),
    )  # fmt: skip
    if not (v > 1).all():
        raise ValueError(f"degrees is {v.min()}; CRPS needs more than 1 degree of freedom.")
    z = (y - mu) / sigma
    squares = v + z * z
    density = np.exp(-log_beta(0.5, v / 2) - (v + 1) / 2 * np.log1p(z * z / v)) / np.sqrt(v)
    inner = np.exp(log_beta(0.5, v - 0.5) - 2 * log_beta(0.5, v / 2))
    score = (
        z * (2 * student_t_cdf(z, v) - 1) + 2 * density * squares / (v - 1)
        - 2 * np.sqrt(v) / (v - 1) * inner
    )  # fmt: skip
    return float(np.mean(sigma * score))


def student_t_cdf(z: ArrayLike, degrees: ArrayLike) -> Floats:
    """Distribution function of Student's t: 1 - I_(v / (v + z^2))(v / 2, 1 / 2) / 2 for z > 0."""
    z, v = np.asarray(z, np.float64), np.asarray(degrees, np.float64)
    upper = beta_cdf(v / (v + z * z), v / 2, 0.5) / 2
    return np.where(z > 0, 1 - upper, upper)


def crps_negative_binomial(actual: ArrayLike, mean: ArrayLike, shape: ArrayLike) -> float:
    """Of counts with this mean and the variance mean + mean^2 / shape.

    E|X - y| - E|X - X'| / 2 with p = shape / (shape + mean), n = shape, F(.; n) the distribution
    function: y (2 F(y; n) - 1) - mean (2 F(y - 1; n + 1) - 1) - mean / p 2F1(n + 1, 1/2; 2;
    -4 (1 - p) / p^2), 2F1 being Gauss' function (Wei and Held 2014, Calibration tests for count
    data, section 2; Jordan et al. 2019, appendix A).

    >>> round(crps_negative_binomial([3], [2.0], [1.0]), 6)
    0.985185
    """
    y, mu, n = observed(
        actual, mean=positive("mean", mean, actual), shape=positive("shape", shape, actual)
    )
    if (y < 0).any() or (y != np.floor(y)).any():
        raise ValueError(f"actual must be counts, got {y[(y < 0) | (y != np.floor(y))][0]:g}.")
    p = n / (n + mu)
    beyond = y * (2 * _nb_cdf(y, p, n) - 1) - mu * (2 * _nb_cdf(y - 1, p, n + 1) - 1)
    return float(np.mean(beyond - mu / p * _gauss(n, 4 * mu * (n + mu) / (n * n))))


def negative_binomial_cdf(count: ArrayLike, mean: ArrayLike, shape: ArrayLike) -> Floats:
    """P(X <= count) of counts with the variance mean + mean^2 / shape: I_p(shape, count + 1)."""
    mean, shape = np.asarray(mean, np.float64), np.asarray(shape, np.float64)
    return _nb_cdf(np.floor(np.asarray(count, np.float64)), shape / (shape + mean), shape)


def _nb_cdf(count: Floats, p: Floats, n: Floats) -> Floats:
    return np.where(count < 0, 0.0, beta_cdf(p, n, np.maximum(count, 0) + 1))


def _gauss(n: Floats, w: Floats) -> Floats:
    """2F1(n + 1, 1/2; 2; -w) = 4 / pi integral over (0, pi / 2) of cos^2 (1 + w sin^2)^-(n + 1).

    Euler's integral with t = sin^2, by the tanh-sinh rule, whose nodes crowd at 0 where the
    integrand has its peak (Takahasi and Mori 1974).
    """
    u = np.linspace(-4.5, 4.5, 401)
    e = np.exp(-math.pi * np.sinh(u))
    theta = math.pi / 2 / (1 + e)  # pi / 4 (1 + tanh(pi / 2 sinh u)), without rounding at 0
    weight = math.pi / 2 * math.pi * np.cosh(u) * e / (1 + e) ** 2 * (u[1] - u[0])
    sine = np.sin(theta) ** 2
    out = np.empty_like(n)
    for start in range(0, len(n), _ROWS):
        own = slice(start, start + _ROWS)
        power = np.exp(-(n[own, None] + 1) * np.log1p(w[own, None] * sine))
        out[own] = 4 / math.pi * (power @ (weight * np.cos(theta) ** 2))
    return out


def _shaped(values: ArrayLike, actual: ArrayLike) -> np.ndarray:
    return np.broadcast_to(np.asarray(values), np.shape(actual))
