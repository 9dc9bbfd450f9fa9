"""Metrics of forecasts: of points, of quantiles and of intervals; those of distributions are CRPS.

``actual`` has any shape, mostly (series, horizon); NaN is a missing value, which is left out.
Forecasts have the same shape, quantiles (..., Q). Everything is added up in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_size
from .crps import (
    crps_gaussian,
    crps_negative_binomial,
    crps_quantiles,
    crps_samples,
    crps_student_t,
)
from .forecast_checks import Floats, as_floats, as_levels, observed

__all__ = [
    "crps_gaussian",
    "crps_negative_binomial",
    "crps_quantiles",
    "crps_samples",
    "crps_student_t",
    "evaluate_forecast",
    "interval_coverage",
    "interval_of",
    "interval_score",
    "interval_width",
    "mae",
    "mase",
    "pinball_loss",
    "rmse",
    "seasonal_scale",
    "skill_score",
    "smape",
]


def mae(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Mean absolute error, mean |y - f|; the median is the best forecast.

    Hyndman and Koehler 2006, Another look at measures of forecast accuracy, section 2.

    >>> mae([1.0, 2.0, np.nan], [2.0, 4.0, 0.0])
    1.5
    """
    y, f = observed(actual, forecast=forecast)
    return float(np.mean(np.abs(y - f)))


def rmse(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Root mean squared error, sqrt(mean (y - f)^2); the mean is the best forecast.

    Hyndman and Koehler 2006, section 2.

    >>> rmse([1.0, 2.0], [2.0, 9.0])
    5.0
    """
    y, f = observed(actual, forecast=forecast)
    return math.sqrt(float(np.mean((y - f) ** 2)))


def smape(actual: ArrayLike, forecast: ArrayLike) -> float:
    """Symmetric mean absolute percentage error, 100 mean 2 |y - f| / (|y| + |f|), from 0 to 200.

    Makridakis, Spiliotis and Assimakopoulos 2020, The M4 competition, section 2. A value of 0 that
    is forecast as 0 has the error 0.

    >>> smape([1.0, 0.0], [3.0, 0.0])
    50.0
    """
    y, f = observed(actual, forecast=forecast)
    total = np.abs(y) + np.abs(f)
    error = np.divide(2 * np.abs(y - f), total, out=np.zeros_like(y), where=total > 0)
    return float(100 * np.mean(error))


def seasonal_scale(history: ArrayLike | Sequence[ArrayLike], season: int = 1) -> Floats:
    """(S,): the mean |y_t - y_(t - season)| of each history, by which MASE divides.

    history: (T,) of one series, a matrix (S, T), or S arrays of any lengths. It is NaN where no
    pair of values is a season apart.

    >>> seasonal_scale([[1.0, 2.0, 4.0], [0.0, 3.0]])
    array([1.5, 3. ])
    """
    m = check_size(season, "season")
    first = history[0] if len(history) else 0.0  # type: ignore[arg-type, index]
    rows: Any = [history] if np.ndim(first) == 0 else history
    found = np.full(len(rows), np.nan)
    for i, row in enumerate(rows):
        y = as_floats("history", row)
        steps = np.abs(y[m:] - y[:-m])
        steps = steps[~np.isnan(steps)]
        if len(steps):
            found[i] = steps.mean()
    return found


def mase(actual: ArrayLike, forecast: ArrayLike, scale: ArrayLike) -> float:
    """Mean absolute scaled error, mean |y - f| / scale; below 1 is better than the naive one.

    scale: of each series, (S,) beside actual (S, H), or one number: ``seasonal_scale`` of what was
    known before the forecast (Hyndman and Koehler 2006, section 3; with a season as in the M4
    competition). Each series' scale is its own, all values count the same.

    Raises ValueError for a scale that is 0 or missing: the series' history is constant or short.

    >>> mase([[3.0, 5.0]], [[4.0, 7.0]], scale=[1.5])
    1.0
    """
    y = as_floats("actual", actual)
    own = as_floats("scale", scale).reshape(-1)
    if len(own) > 1 and len(own) != len(y):
        raise ValueError(f"scale has {len(own)} entries; actual has {len(y)} series.")
    if not ((own > 0) & np.isfinite(own)).all():
        row = int(np.argmin((own > 0) & np.isfinite(own)))
        raise ValueError(
            f"The scale of series {row} is {own[row]}; MASE needs a history that is not constant "
            "and longer than a season."
        )
    factor = own.reshape(-1, *(1,) * (y.ndim - 1)) if y.ndim else own[0]
    return mae(y / factor, as_floats("forecast", forecast) / factor)


def pinball_loss(actual: ArrayLike, quantiles: ArrayLike, levels: ArrayLike) -> Floats:
    """(Q,): the mean of q (y - f) where y >= f, and (1 - q) (f - y) elsewhere, for each level q.

    Koenker and Bassett 1978, Regression quantiles, equation 1.5; the q-quantile is the best
    forecast. quantiles: (..., Q); levels: (Q,).

    >>> pinball_loss([10.0], [[8.0, 11.0]], [0.5, 0.9]).round(3)
    array([1. , 0.1])
    """
    y, f = observed(actual, quantiles=quantiles)
    q = as_levels(levels, f.shape[-1])
    error = y[:, None] - f
    return np.asarray(np.mean(np.maximum(q * error, (q - 1) * error), axis=0))


def interval_coverage(actual: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """The share of values with lower <= y <= upper.

    An interval between the quantiles 0.1 and 0.9 should cover 0.8 (Gneiting, Balabdaoui and Raftery
    2007, Probabilistic forecasts, calibration and sharpness).

    >>> interval_coverage([1.0, 5.0], [0.0, 0.0], [2.0, 2.0])
    0.5
    """
    y, low, high = observed(actual, lower=lower, upper=upper)
    return float(np.mean((low <= y) & (y <= high)))


def interval_width(actual: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Mean upper - lower, where there is a value: of intervals that cover alike, narrow is better.

    >>> interval_width([1.0, np.nan], [0.0, 0.0], [2.0, 7.0])
    2.0
    """
    _, low, high = observed(actual, lower=lower, upper=upper)
    return float(np.mean(high - low))


def interval_score(
    actual: ArrayLike, lower: ArrayLike, upper: ArrayLike, coverage: float = 0.8
) -> float:
    """Mean width + 2 / alpha times the distance by which a value is outside; alpha = 1 - coverage.

    Gneiting and Raftery 2007, Strictly proper scoring rules, equation 43 (Winkler 1972).

    >>> interval_score([3.0], [0.0], [2.0], coverage=0.5)
    6.0
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage}; expected a number between 0 and 1.")
    y, low, high = observed(actual, lower=lower, upper=upper)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.mean(high - low + 2 / (1 - coverage) * outside))


def skill_score(score: float, baseline: float) -> float:
    """1 - score / baseline: 1 is perfect, 0 no better than the baseline, below 0 worse.

    Murphy 1988, Skill scores based on the mean square error, equation 3, for any score that is
    better when lower and 0 at best. ValueError where the baseline's score is not positive.

    >>> skill_score(0.75, 1.0)
    0.25
    """
    if not baseline > 0 or not math.isfinite(baseline):
        raise ValueError(f"The baseline's score is {baseline}; expected a positive number.")
    return 1 - score / baseline


def evaluate_forecast(
    actual: ArrayLike, point: ArrayLike, quantiles: ArrayLike | None = None,
    levels: ArrayLike | None = None, scale: ArrayLike | None = None,
) -> dict[str, Any]:  # fmt: skip
    """All metrics as a dict that can be written as JSON.

    mase is None without a scale that is defined for every series; crps, pinball, and coverage and
    width of the intervals between levels q and 1 - q come with quantiles.

    >>> found = evaluate_forecast([[1.0, 3.0]], [[2.0, 3.0]], [[[0, 4], [1, 2]]], [0.1, 0.9])
    >>> found["mae"], found["intervals"]
    (0.5, [{'coverage': 0.8, 'covered': 0.5, 'width': 2.5}])
    """
    y = as_floats("actual", actual)
    own = np.full(1, np.nan) if scale is None else as_floats("scale", scale).reshape(-1)
    defined = bool(((own > 0) & np.isfinite(own)).all())
    found: dict[str, Any] = {
        "values": int((~np.isnan(y)).sum()), "mae": mae(y, point), "rmse": rmse(y, point),
        "smape": smape(y, point), "mase": mase(y, point, own) if defined else None,
    }  # fmt: skip
    if quantiles is None or levels is None:
        return found
    f = as_floats("quantiles", quantiles)
    q = as_levels(levels, f.shape[-1])
    found["crps"] = crps_quantiles(y, f, q)
    found["pinball"] = dict(zip(map(str, q.tolist()), pinball_loss(y, f, q).tolist(), strict=True))
    found["intervals"] = []
    for i, level in enumerate(q):
        j = int(np.argmin(np.abs(q - (1 - level))))
        if level < 0.5 and abs(q[j] - (1 - level)) < 1e-9:
            low, high = f[..., i], f[..., j]
            found["intervals"].append({
                "coverage": round(float(q[j] - level), 12),
                "covered": interval_coverage(y, low, high), "width": interval_width(y, low, high),
            })  # fmt: skip
    return found


def interval_of(metrics: Mapping[str, Any], coverage: float = 0.8) -> dict[str, Any]:
    """Coverage and width of one of the intervals of ``evaluate_forecast``; empty without it."""
    fitting = (i for i in metrics["intervals"] if abs(i["coverage"] - coverage) < 1e-9)
    return dict(next(fitting, {}))
