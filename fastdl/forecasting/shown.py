"""What a forecast's page shows: some series with their forecasts, and the residuals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.series import SeriesSet
from ..data.series.frequency import DAY, HOUR
from ..data.series.times import wall_times
from .anomaly import anomaly_scores, flag
from .backtest import Backtest
from .forecast import Forecast

MOST = 12  # series that are shown
_POINTS = 360  # forecast steps of a series' picture, about
_BANDS = (0.9, 0.8, 0.5)
_BINS = 40


def shown_series(tested: Backtest, seed: int) -> dict[str, str]:
    """Names of up to 12 series and why each is shown: the largest, the worst, random ones.

    The worst have the largest mean absolute error in units of their seasonal scale.
    """
    level, error = _levels(tested)
    names = list(level)
    if len(names) <= MOST:
        return dict.fromkeys(names, "")
    found: dict[str, str] = {}
    third = MOST // 3
    for name in sorted(names, key=lambda n: -level[n])[:third]:
        found[name] = "one of the largest"
    rest = [name for name in sorted(names, key=lambda n: -error[n]) if name not in found]
    for name in rest[:third]:
        found[name] = "one of the worst forecast"
    rest = [name for name in names if name not in found]
    for i in np.random.default_rng(seed).permutation(len(rest))[: MOST - len(found)]:
        found[rest[i]] = "a random one"
    return found


def _levels(tested: Backtest) -> tuple[dict[str, float], dict[str, float]]:
    """Mean |value| of each series, and its mean |error| / scale; 0 where there is none."""
    sums: dict[str, np.ndarray] = {}
    for fold, forecast, scale in zip(tested.folds, tested.forecasts, tested.scale, strict=True):
        error = np.abs(fold.actual - forecast.point)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(scale[:, None] > 0, error / scale[:, None], np.nan)
        for i, name in enumerate(forecast.ids):
            own = sums.setdefault(name, np.zeros(4))
            own += [np.nansum(np.abs(fold.actual[i])), (~np.isnan(fold.actual[i])).sum(),
                    np.nansum(scaled[i]), (~np.isnan(scaled[i])).sum()]  # fmt: skip
    level = {name: float(own[0] / max(own[1], 1)) for name, own in sums.items()}
    return level, {name: float(own[2] / max(own[3], 1)) for name, own in sums.items()}


def series_pictures(
    series: SeriesSet, tested: Backtest, ahead: Forecast, chosen: dict[str, str], threshold: float
) -> list[dict[str, Any]]:
    """Of each chosen series what its picture is drawn from, as JSON can hold it.

    "history": times and values before the first fold that is shown; "folds" and "ahead": forecasts
    as {"time", "actual" (None ahead), "point", "bands": {"0.8": [lower, upper]}}; "flagged":
    places in a fold's lists.
    """
    stride = -(-tested.forecasts[0].horizon // _step(tested))  # folds that do not overlap
    numbers = list(range(len(tested.folds) - 1, -1, -stride))
    numbers = numbers[: max(1, _POINTS // tested.forecasts[0].horizon)][::-1]
    places = {name: i for i, name in enumerate(series.ids)}
    return [
        _picture(series, places[name], tested, ahead, numbers, threshold) | {"why": why}
        for name, why in chosen.items()
    ]


def _step(tested: Backtest) -> int:
    origins = [fold.origin for fold in tested.folds]
    return min(np.diff(origins).tolist(), default=tested.forecasts[0].horizon)


def _picture(
    series: SeriesSet, i: int, tested: Backtest, ahead: Forecast, numbers: list[int],
    threshold: float,
) -> dict[str, Any]:  # fmt: skip
    name, folds = series.ids[i], []
    for number in numbers:
        forecast, fold = tested.forecasts[number], tested.folds[number]
        if name not in forecast.ids:
            continue
        at = forecast.ids.index(name)
        actual = fold.actual[at]
        scores = anomaly_scores(actual, forecast.quantiles[at], forecast.levels)
        folds.append(_drawn(forecast, at) | {
            "actual": _listed(actual), "flagged": np.flatnonzero(flag(scores, threshold)).tolist(),
        })  # fmt: skip
    times = series.times_of(i)
    first = np.datetime64(folds[0]["time"][0]) if folds else times[-1] + np.timedelta64(1, "us")
    covered = sum(len(fold["time"]) for fold in folds)
    end = int((times < first).sum())
    begin = max(0, end - max(2 * series.frequency.season, covered // 3, 3))
    return {
        "id": name, "zone": series.zone, "folds": folds,
        "history": {"time": _texts(times[begin:end]),
                    "value": _listed(series.values_of(i)[begin:end])},
        "ahead": _drawn(ahead, ahead.ids.index(name)) if name in ahead.ids else None,
    }  # fmt: skip


def _drawn(forecast: Forecast, i: int) -> dict[str, Any]:
    bands = {}
    for coverage in _BANDS:
        lower, upper = forecast.interval(coverage)
        bands[f"{coverage:g}"] = [_listed(lower[i]), _listed(upper[i])]
    median = forecast.at(0.5)[i]
    return {"time": _texts(forecast.times_of(i)), "median": _listed(median), "bands": bands}


def residuals(tested: Backtest) -> dict[str, Any]:
    """actual - point of the backtest: by time, in bins, by hour of day and day of week.

    In the series' units where there is one series, else each in units of its seasonal scale.
    Quantiles 0.1, 0.25, 0.5, 0.75 and 0.9 of each group.
    """
    single = len({name for forecast in tested.forecasts for name in forecast.ids}) == 1
    errors, times = [], []
    for fold, forecast, scale in zip(tested.folds, tested.forecasts, tested.scale, strict=True):
        own = fold.actual - forecast.point
        if not single:
            with np.errstate(divide="ignore", invalid="ignore"):
                own = np.where(scale[:, None] > 0, own / scale[:, None], np.nan)
        errors.append(own.reshape(-1))
        times += [forecast.times_of(i) for i in range(len(forecast))]
    error, time = np.concatenate(errors), np.concatenate(times).astype(np.int64)
    seen = ~np.isnan(error)
    error, time = error[seen], time[seen]
    if not len(error):
        return {}
    frequency, zone = tested.forecasts[0].frequency, tested.forecasts[0].zone
    found = {
        "unit": "the series' units" if single else "seasonal scales",
        "values": len(error), "mean": _number(error.mean()), "std": _number(error.std()),
        "histogram": _histogram(error), "time": _by_time(error, time),
    }  # fmt: skip
    clock = wall_times(time, zone)
    if not frequency.months and frequency.size < DAY:
        found["hour"] = _groups(error, clock // HOUR % 24)
    if not frequency.months and frequency.size <= DAY:
        found["weekday"] = _groups(error, (clock // DAY + 3) % 7)
    return found


def _histogram(error: np.ndarray) -> dict[str, Any]:
    """Counts of bins of equal width between the quantiles 0.005 and 0.995; others in the outer."""
    low, high = np.quantile(error, [0.005, 0.995])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    counts = np.histogram(np.clip(error, low, high), edges)[0]
    return {"edges": _listed(edges), "count": counts.tolist()}


def _by_time(error: np.ndarray, time: np.ndarray) -> dict[str, Any]:
    moments = np.unique(time)
    blocks = min(len(moments), _POINTS)
    place = np.searchsorted(moments, time) * blocks // len(moments)
    found = _groups(error, place)
    first = moments[-(-np.arange(blocks) * len(moments) // blocks)]
    return {"time": _texts(first[found["group"]].astype("datetime64[us]")),
            "quantiles": found["quantiles"]}  # fmt: skip


def _groups(error: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    groups = np.unique(group)
    quantiles = [
        _listed(np.quantile(error[group == own], [0.1, 0.25, 0.5, 0.75, 0.9])) for own in groups
    ]
    return {"group": groups.tolist(), "quantiles": quantiles}


def _number(value: Any) -> float:
    return float(f"{value:.6g}")


def _listed(values: np.ndarray) -> list[float | None]:
    return [_number(value) if np.isfinite(value) else None for value in values]


def _texts(times: np.ndarray) -> list[str]:
    """Times as ISO texts of as few letters as they need."""
    return np.datetime_as_string(times.astype("datetime64[s]")).tolist()
