"""What the heads of forecasters say: quantiles, means and random draws of each step.

Their outputs (..., P) are those that the losses of ``fastdl.forecast_losses`` take: locations and
deviations in units of a window's scale, of the negative binomial head means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..forecast_losses import (
    ForecastLoss,
    GaussianLikelihood,
    NegativeBinomialLikelihood,
    QuantileLoss,
    StudentTLikelihood,
)
from ..kernels.likelihood import LEAST
from .distributions import gaussian_quantiles, negative_binomial_quantiles, student_t_quantiles


def head_quantiles(
    loss: ForecastLoss, out: np.ndarray, levels: ArrayLike, scale: np.ndarray | float = 1.0
) -> np.ndarray:  # fmt: skip
    """(..., Q): quantiles at levels (Q,) of out (..., P); of counts in counts, scale being (...).

    Between the levels of a quantile head they are interpolated. Raises ValueError for levels
    outside of them.

    >>> head_quantiles(QuantileLoss([0.1, 0.9]), np.array([[-1.0, 3.0]]), [0.1, 0.5])
    array([[-1.,  1.]])
    """
    q = np.asarray(levels, np.float64)
    if isinstance(loss, QuantileLoss):
        return _interpolated(loss, np.sort(out, axis=-1), q)
    if isinstance(loss, NegativeBinomialLikelihood):
        mean, spread = _counts(out, scale)
        return negative_binomial_quantiles(mean, 1 / spread, q)
    deviation = _softplus(out[..., 1]) + LEAST
    if isinstance(loss, GaussianLikelihood):
        return gaussian_quantiles(out[..., 0], deviation, q)
    if isinstance(loss, StudentTLikelihood):
        return student_t_quantiles(out[..., 0], deviation, 2 + _softplus(out[..., 2]), q)
    raise TypeError(f"{loss!r} is no loss of forecasts.")


def head_point(
    loss: ForecastLoss, out: np.ndarray, scale: np.ndarray | float = 1.0
) -> np.ndarray:  # fmt: skip
    """(...): the mean; of a quantile head the median, which is known."""
    if isinstance(loss, QuantileLoss):
        return head_quantiles(loss, out, [0.5])[..., 0]
    if isinstance(loss, NegativeBinomialLikelihood):
        return _counts(out, scale)[0]
    return out[..., 0]


def draw(
    loss: ForecastLoss, out: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> np.ndarray:  # fmt: skip
    """(N,): one random value of each row's distribution, out (N, P); of counts a count."""
    out = out.astype(np.float64)
    if isinstance(loss, NegativeBinomialLikelihood):
        mean, spread = _counts(out, scale)
        return rng.poisson(np.minimum(rng.gamma(1 / spread, spread * mean), 1e15)).astype(float)
    if isinstance(loss, QuantileLoss):
        raise TypeError("Nothing can be drawn from quantiles; use a head that is a distribution.")
    deviation = _softplus(out[:, 1]) + LEAST
    if isinstance(loss, GaussianLikelihood):
        return out[:, 0] + deviation * rng.standard_normal(len(out))
    return out[:, 0] + deviation * rng.standard_t(2 + _softplus(out[:, 2]))


def _interpolated(loss: QuantileLoss, out: np.ndarray, q: np.ndarray) -> np.ndarray:
    known = loss.levels
    if q.min() < known[0] - 1e-9 or q.max() > known[-1] + 1e-9:
        raise ValueError(
            f"The levels {q.tolist()} are asked for, but the model learnt quantiles from "
            f"{known[0]:g} to {known[-1]:g}; train it with those that you need."
        )
    high = np.clip(np.searchsorted(known, q - 1e-9), 1, len(known) - 1) if len(known) > 1 else 0 * q
    if len(known) == 1:
        return np.repeat(out, len(q), axis=-1)
    share = (q - known[high - 1]) / (known[high] - known[high - 1])
    return np.asarray(out[..., high - 1] * (1 - share) + out[..., high] * share)


def _counts(out: np.ndarray, scale: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """(mean m, a) of negative binomials with variance m + a m^2."""
    return np.asarray(scale * (_softplus(out[..., 0]) + LEAST)), _softplus(out[..., 1]) + LEAST


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.logaddexp(0, x))
