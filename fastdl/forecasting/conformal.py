"""Conformal intervals: what errors on held-out data promise of the next one, step by step.

Errors are of calibration forecasts that the model was not trained on: (n, H), actual - point; NaN
is left out. Where errors are exchangeable, an interval covers with its nominal probability or more
(Vovk, Gammerman and Shafer 2005, Algorithmic learning in a random world); those of a time series
are so nearly, and ``AdaptiveConformal`` corrects what they are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..metrics.forecast_checks import as_floats
from ..validation import check_number

Interval = tuple[np.ndarray, np.ndarray]


def conformal_quantile(scores: ArrayLike, coverage: float) -> np.ndarray:
    """The ceil((n + 1) coverage)-th smallest of n scores (n, ...), for each column by itself.

    It is infinite where n is too small for the coverage, -infinite for a coverage of 0.

    >>> float(conformal_quantile([3.0, 1.0, 2.0, 4.0], 0.5)), float(conformal_quantile([3.0], 0.8))
    (3.0, inf)
    """
    coverage = check_number(coverage, "coverage", high=1.0)
    ordered = np.sort(as_floats("scores", scores), axis=0)
    n = (~np.isnan(ordered)).sum(axis=0)
    rank = np.ceil((n + 1) * coverage - 1e-9).astype(int)
    place = np.clip(rank - 1, 0, len(ordered) - 1)
    found = np.take_along_axis(ordered, place[None], 0)[0] if len(ordered) else n + np.inf
    return np.where(rank > n, np.inf, np.where(rank < 1, -np.inf, found))


def split_conformal(point: ArrayLike, errors: ArrayLike, coverage: float = 0.8) -> Interval:
    """(lower, upper) = point -+ the conformal quantile of |error|, for each step of the horizon.

    point: (..., H). errors: (n, H). Lei et al. 2018, Distribution-free predictive inference for
    regression, algorithm 2. Divide errors by the scales of their series, and multiply the margin by
    that of the forecast, where series are of different sizes.

    >>> lower, upper = split_conformal([[10.0]], [[1.0], [-2.0], [3.0], [-4.0]], 0.8)
    >>> lower, upper
    (array([[6.]]), array([[14.]]))
    """
    f = as_floats("point", point)
    margin = conformal_quantile(np.abs(_errors(errors, f.shape[-1])), coverage)
    return f - margin, f + margin


def conformal_levels(point: ArrayLike, errors: ArrayLike, levels: ArrayLike) -> np.ndarray:
    """(..., H, Q): the point plus the quantile of signed errors (n, H) at each level.

    Above 1/2 it is the ceil((n + 1) q)-th smallest error, below the one that as many are below of
    as are above that of 1 - q: the quantiles of a conformal predictive distribution (Vovk et al.
    2019, Nonparametric predictive distributions based on conformal prediction). Infinite where n is
    too small.

    >>> conformal_levels([[10.0]], [[1.0], [-2.0], [3.0], [-4.0]], [0.25, 0.75])
    array([[[ 6., 13.]]])
    """
    f = as_floats("point", point)
    own = _errors(errors, f.shape[-1])
    columns = [
        conformal_quantile(own, float(q)) if q > 0.5 else
        -conformal_quantile(-own, float(1 - q)) if q < 0.5 else np.nanmedian(own, axis=0)
        for q in as_floats("levels", levels)
    ]  # fmt: skip
    return f[..., None] + np.stack(columns, axis=-1)


def conformalized(
    lower: ArrayLike, upper: ArrayLike, actual: ArrayLike, calibration: tuple[ArrayLike, ArrayLike],
    coverage: float = 0.8,
) -> Interval:  # fmt: skip
    """An interval of forecast quantiles, moved out (or in) to cover, for each step.

    actual: (n, H) of calibration windows, and ``calibration`` their (lower, upper). The margin is
    the conformal quantile of max(lower - y, y - upper) (Romano, Patterson and Candes 2019,
    Conformalized quantile regression, equation 7).

    >>> low, high = conformalized([[0.0]], [[2.0]], [[3.0], [1.0]], ([[0.0]] * 2, [[2.0]] * 2), 0.6)
    >>> low, high
    (array([[-1.]]), array([[3.]]))
    """
    y = as_floats("actual", actual)
    low, high = (as_floats("calibration", bound) for bound in calibration)
    margin = conformal_quantile(np.maximum(low - y, y - high), coverage)
    low, high = as_floats("lower", lower) - margin, as_floats("upper", upper) + margin
    middle = (low + high) / 2  # where a margin is negative and wider than the interval
    return np.minimum(low, middle), np.maximum(high, middle)


def autocorrelation_time(x: ArrayLike) -> float:
    """1 + 2 sum of the autocorrelations of x (T, H) up to the first that is below 0.05; at least 1.

    T values that follow each other say as much of their mean as T / that many independent ones
    (Sokal 1997, Monte Carlo methods in statistical mechanics, section 3). Columns have a mean
    together; NaN is left out.

    >>> autocorrelation_time(np.zeros((9, 1)))
    1.0
    >>> round(autocorrelation_time(np.repeat([[1.0], [0.0]], 8, axis=0)), 3)
    6.087
    """
    values = as_floats("x", x)
    there = ~np.isnan(values)
    if not there.any():
        return 1.0
    rest = np.where(there, values - values[there].mean(), 0.0)
    variance = float((rest * rest).sum() / there.sum())
    total = 1.0
    for k in range(1, len(rest) // 2 if variance > 0 else 0):
        pairs = int((there[k:] & there[:-k]).sum())
        r = float((rest[k:] * rest[:-k]).sum()) / max(pairs, 1) / variance
        if r < 0.05:
            break
        total += 2 * r
    return total


def level_margin(scores: list[np.ndarray], level: float) -> float:
    """What a quantile is moved by: the quantile of its scores at a level for few, dependent ones.

    scores: of each series (T, H), actual less quantile, of windows that follow each other; NaN is
    left out. The level above 1/2 is level (1 + 2 / n), at most 0.4 of the way to 1, with n the sum
    of T / autocorrelation time of whether values lie above the quantile: windows that overlap, and
    errors that persist, say less than their number. (1 + 1 / n is what n independent scores ask
    for, as in ``conformal_quantile``. Errors of series change with time: with 2 and 0.4, 80 %
    intervals of the NAB ad exchange series covered 79 to 83 % in backtests of 5 to 28 days, with 1
    and no bound 75 to 81 %, at a worse CRPS.) A level below 1/2 is treated as 1 - level is of
    -scores. 0 at 1/2, and where there are no scores.
    """
    if level == 0.5:
        return 0.0
    if level < 0.5:
        return -level_margin([-own for own in scores], 1 - level)
    pooled = np.concatenate([own.reshape(-1) for own in scores] or [np.empty(0)])
    pooled = pooled[~np.isnan(pooled)]
    if not len(pooled):
        return 0.0
    n = 0.0
    for own in scores:
        n += len(own) / autocorrelation_time(np.where(np.isnan(own), np.nan, own > 0))
    return float(np.quantile(pooled, min(level * (1 + 2 / n), level + 0.4 * (1 - level))))


class AdaptiveConformal:
    """A level that moves until the intervals cover, however errors change with time.

    alpha <- alpha + rate (1 - coverage - missed), with missed = 1 where the last interval did not
    cover (Gibbs and Candes 2021, Adaptive conformal inference under distribution shift, equation
    2). The share of misses over T steps is then within (1 + rate) / (rate T) of 1 - coverage
    (their proposition 4.1), whatever happens. steps: how many levels are held, one for each step
    of a horizon.

    >>> adaptive = AdaptiveConformal(coverage=0.9, rate=0.1)
    >>> adaptive.update([True]).coverage.round(3)
    array([0.99])
    """

    def __init__(self, coverage: float = 0.8, rate: float = 0.01, steps: int = 1) -> None:
        self.nominal = check_number(coverage, "coverage", high=1.0, open_low=True, open_high=True)
        self.rate = check_number(rate, "rate")
        self.alpha = np.full(steps, 1 - self.nominal)

    @property
    def coverage(self) -> np.ndarray:
        """(steps,): the coverage to take now, from 0 to 1; of 1 the interval is infinite."""
        return np.clip(1 - self.alpha, 0.0, 1.0)

    def update(self, missed: ArrayLike) -> AdaptiveConformal:
        """Learn whether the last intervals missed, (steps,); NaN where nobody knows."""
        found = np.asarray(missed, np.float64)
        move = self.rate * (1 - self.nominal - found)
        self.alpha = self.alpha + np.where(np.isnan(move), 0.0, move)
        return self

    def margin(self, scores: ArrayLike) -> np.ndarray:
        """(steps,): the conformal quantile of scores (n, steps) at the coverage of now.

        A coverage of 1 has an infinite margin, one of 0 -infinity: then no value is inside.
        """
        own = _errors(scores, len(self.alpha))
        return np.array([
            conformal_quantile(own[:, h], c) if 0 < c < 1 else np.inf if c >= 1 else -np.inf
            for h, c in enumerate(self.coverage)
        ])  # fmt: skip


def adaptive_conformal(
    actual: ArrayLike, point: ArrayLike, errors: ArrayLike, coverage: float = 0.8,
    rate: float = 0.01, memory: int | None = None,
) -> Interval:  # fmt: skip
    """(lower, upper) of forecasts that follow each other in time, each adapted to those before.

    actual, point: (T, H), row t being known before row t + 1 is forecast. errors: (n, H) from
    before. memory: how many of the latest errors count, by default all. |error| is the score.

    >>> low, high = adaptive_conformal(np.ones((50, 1)), np.zeros((50, 1)), np.ones((20, 1)))
    >>> bool((low <= 1).all() and (high >= 1).all())
    True
    """
    y, f = as_floats("actual", actual), as_floats("point", point)
    T, H = f.shape
    scores = [np.abs(_errors(errors, H)), np.abs(y - f)]
    known, n = np.concatenate(scores), len(scores[0])
    state = AdaptiveConformal(coverage, rate, H)
    lower, upper = np.empty((T, H)), np.empty((T, H))
    for t in range(T):
        first = 0 if memory is None else max(0, n + t - memory)
        margin = state.margin(known[first : n + t])
        lower[t], upper[t] = f[t] - margin, f[t] + margin
        missed = np.where(np.isnan(y[t]), np.nan, np.abs(y[t] - f[t]) > margin)
        state.update(missed)
    empty = lower > upper
    return np.where(empty, f, lower), np.where(empty, f, upper)


def _errors(errors: ArrayLike, steps: int) -> np.ndarray:
    own = as_floats("errors", errors)
    if own.ndim != 2 or own.shape[1] != steps:
        raise ValueError(f"errors has shape {own.shape}; expected (n, {steps}).")
    return own
