"""Anomaly scores: how improbable a value is under the quantiles that were forecast for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics.forecast_checks import Floats, as_floats, as_levels
from ..validation import check_number
from .backtest import Backtest

if TYPE_CHECKING:
    from pyarrow import Table

THRESHOLD = 3.0  # a value as extreme as one in a thousand
HIGHEST = 16.0  # no score is larger: quantiles say nothing about smaller probabilities


def predictive_cdf(
    value: ArrayLike, quantiles: ArrayLike, levels: ArrayLike
) -> tuple[Floats, Floats]:
    """(P(Y < y), P(Y <= y)) of values (...) under quantiles (..., Q) of the levels (Q,).

    Between two quantiles the distribution function is a line. Below the lowest quantile x_1 of
    level q_1 it is q_1 exp((y - x_1) / s) with s = (x_2 - x_1) / ln(q_2 / q_1), the exponential
    tail through the two outer quantiles; above the highest one 1 - F the same, mirrored. Values of
    exponential or Laplace distribution so have their exact probability there, and normal ones a
    larger one, which raises fewer false alarms. Where several quantiles are equal, as at 0 of
    counts, the distribution has a mass there and the two probabilities differ; where all are, the
    tails are 0. NaN stays NaN.

    >>> below, upto = predictive_cdf([1.0, 0.0, 5.0], [[0.0, 2.0, 3.0]] * 3, [0.1, 0.5, 0.9])
    >>> upto.round(3)
    array([0.3  , 0.1  , 0.996])
    """
    y, x = as_floats("value", value), as_floats("quantiles", quantiles)
    q = as_levels(levels, x.shape[-1])
    if x.shape[:-1] != y.shape:
        raise ValueError(f"quantiles has shape {x.shape}; expected {(*y.shape, len(q))}.")
    flat, rows = y.reshape(-1), x.reshape(-1, len(q))
    below = _upto(-flat, -rows[:, ::-1], 1 - q[::-1])  # P(Y >= y)
    upto = _upto(flat, rows, q)
    return (1 - below).reshape(y.shape), upto.reshape(y.shape)


def _upto(y: Floats, x: Floats, q: Floats) -> Floats:
    """P(Y <= y) for values (n,) under quantiles (n, Q) that rise with their levels."""
    n, Q = x.shape
    rows = np.arange(n)
    at = (x <= y[:, None]).sum(axis=1)  # quantiles that are not above y
    left, right = np.clip(at - 1, 0, Q - 1), np.clip(at, 0, Q - 1)
    width = x[rows, right] - x[rows, left]
    share = np.divide(y - x[rows, left], width, out=np.zeros(n), where=width > 0)
    inner = q[left] + share * (q[right] - q[left])
    low = q[0] * _tail(x[:, 0] - y, *_outer(x, q))
    high = 1 - (1 - q[-1]) * _tail(y - x[:, -1], *_outer(-x[:, ::-1], 1 - q[::-1]))
    found = np.where(at == 0, low, np.where(at == Q, high, inner))
    return np.where(np.isnan(y) | np.isnan(x).any(axis=1), np.nan, found)


def _outer(x: Floats, q: Floats) -> tuple[Floats, Floats]:
    """(distance, ln(level ratio)) from the lowest quantile to the first one that is not equal."""
    other = (x > x[:, :1]).argmax(axis=1)
    return x[np.arange(len(x)), other] - x[:, 0], np.log(q[other] / q[0])


def _tail(beyond: Floats, distance: Floats, ratio: Floats) -> Floats:
    """exp(-beyond / s) with s = distance / ratio; 0 beyond quantiles that are all equal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(distance > 0, ratio / distance, np.inf)
        power = np.where(beyond > 0, beyond * rate, 0.0)
    return np.asarray(np.exp(-np.nan_to_num(power, nan=0.0, posinf=np.inf)))


def tail_probability(value: ArrayLike, quantiles: ArrayLike, levels: ArrayLike) -> Floats:
    """p = 2 min(P(Y <= y), P(Y >= y)), at most 1: how often a value is as extreme on its side.

    Shapes as ``predictive_cdf``, which says how probabilities follow from quantiles.

    >>> tail_probability([2.0, 0.0], [[0.0, 2.0, 3.0]] * 2, [0.1, 0.5, 0.9])
    array([1. , 0.2])
    """
    below, upto = predictive_cdf(value, quantiles, levels)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(upto, 1 - below)))


def anomaly_scores(value: ArrayLike, quantiles: ArrayLike, levels: ArrayLike) -> Floats:
    """-log10 of the tail probability: 0 to 16; 3 is one in a thousand. NaN of missing values.

    >>> anomaly_scores([2.0, 0.0, 9.0], [[0.0, 2.0, 3.0]] * 3, [0.1, 0.5, 0.9]).round(2)
    array([0.  , 0.7 , 4.89])
    """
    p = tail_probability(value, quantiles, levels)
    return np.asarray(np.abs(np.log10(np.maximum(p, 10.0**-HIGHEST))))


def flag(scores: ArrayLike, threshold: float = THRESHOLD) -> np.ndarray:
    """Which scores reach the threshold; missing ones never do.

    >>> flag([0.5, 3.2, np.nan]).tolist()
    [False, True, False]
    """
    check_number(threshold, "threshold", open_low=True)
    own = as_floats("scores", scores)
    return np.asarray(np.nan_to_num(own, nan=-1.0) >= threshold)


def anomaly_columns(
    tested: Backtest, threshold: float = THRESHOLD, coverage: float = 0.8
) -> dict[str, Any]:
    """A backtest's values, a row for each fold, series and step, with scores: columns by name.

    series, time (datetime64[us]), fold, step (from 1), actual, point, lower and upper of the
    central interval of this coverage, score and flagged.
    """
    names = ("series", "time", "fold", "step", "actual", "point", "lower", "upper", "score")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for fold, forecast in zip(tested.folds, tested.forecasts, strict=True):
        S, H = forecast.point.shape
        lower, upper = forecast.interval(coverage)
        columns["series"].append(np.repeat(np.array(forecast.ids, object), H))
        columns["time"].append(np.concatenate([forecast.times_of(i) for i in range(S)]))
        columns["fold"].append(np.full(S * H, fold.number + 1))
        columns["step"].append(np.tile(np.arange(1, H + 1), S))
        score = anomaly_scores(fold.actual, forecast.quantiles, forecast.levels)
        for name, array in (("actual", fold.actual), ("point", forecast.point), ("lower", lower),
                            ("upper", upper), ("score", score)):  # fmt: skip
            columns[name].append(np.asarray(array, np.float64).reshape(-1))
    found = {name: np.concatenate(parts) for name, parts in columns.items()}
    return found | {"flagged": flag(found["score"], threshold)}


def anomaly_table(
    tested: Backtest, threshold: float = THRESHOLD, coverage: float = 0.8,
    only: Sequence[str] | None = None,
) -> Table:  # fmt: skip
    """``anomaly_columns`` as a pyarrow Table; ``only``: some of the columns.

    Missing values are null, and so are their scores, and they are never flagged.
    """
    found = anomaly_columns(tested, threshold, coverage)
    return columns_table(found, tested.forecasts[0].zone, only)


def columns_table(
    found: dict[str, Any], zone: str | None, only: Sequence[str] | None = None
) -> Table:
    """A Table of ``anomaly_columns`` of series of this zone."""
    import pyarrow as pa

    columns = {
        name: pa.array(array, pa.timestamp("us", zone)) if name == "time"
        else pa.array(array.tolist(), pa.string()) if name == "series"
        else pa.array(array, from_pandas=True)
        for name, array in found.items()
    }  # fmt: skip
    return pa.table(columns if only is None else {name: columns[name] for name in only})
