"""What baselines have in common: quantiles from the errors that they made in the past."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..data.series.series_set import SeriesSet
from ..validation import check_size
from .forecast import LEVELS, Forecast

_BLOCK = 1 << 21  # values of a block of series
ORIGINS = 100  # of the past forecasts whose errors are taken


class Forecaster(Protocol):
    """What backtests take: ``fit`` on series, then ``predict`` what comes behind others."""

    @property
    def name(self) -> str:
        """How reports call it."""

    def fit(self, series: SeriesSet, /) -> Any:
        """Learn from series; returns itself."""

    def predict(
        self, series: SeriesSet, horizon: int, quantiles: Sequence[float] = LEVELS, /
    ) -> Forecast:
        """``horizon`` steps behind the last one of each series, from its steps alone."""


class Baseline(ABC):
    """A rule that forecasts from the last values alone; there is nothing to learn.

    Its quantiles of step h are the forecast plus quantiles of the errors that the same rule made at
    step h, from the series' last 100 origins, or fewer, evenly spread (Hyndman and Athanasopoulos
    2021, Forecasting: principles and practice, section 5.5, with quantiles in the place of the
    normal distribution). Where no such error is known, those of the step before count, without any
    the point alone.
    """

    def fit(self, series: SeriesSet) -> Baseline:
        return self

    def predict(
        self, series: SeriesSet, horizon: int, quantiles: Sequence[float] = LEVELS
    ) -> Forecast:
        H, levels = check_size(horizon, "horizon"), np.asarray(quantiles, np.float64)
        S, longest = len(series), int(series.length.max())
        point, bands = np.empty((S, H)), np.empty((S, H, len(levels)))
        size = max(1, _BLOCK // max(longest, ORIGINS * H))
        for start in range(0, S, size):
            own = slice(start, start + size)
            y = last_values(series[own], longest)
            season = self.season_of(series)
            point[own] = self.point(y, H, season)
            errors = self.errors(y, H, season)
            bands[own] = point[own][..., None] + error_quantiles(errors, levels)
        return Forecast.of(series, point, bands, quantiles)

    def season_of(self, series: SeriesSet) -> int:
        """Steps of a season."""
        return series.frequency.season

    @abstractmethod
    def point(self, y: np.ndarray, horizon: int, season: int) -> np.ndarray:
        """(S, H) from y (S, L), whose last column is the latest step; NaN is missing."""

    def errors(self, y: np.ndarray, horizon: int, season: int) -> np.ndarray:
        """(R, S, H): actual - forecast from R origins in the past; NaN where one is missing."""
        L = y.shape[1]
        origins = np.unique(np.linspace(min(max(1, L // 4), L), L - 1, ORIGINS).astype(int))
        origins = origins[origins > 0]
        found = np.full((len(origins), len(y), horizon), np.nan)
        for r, origin in enumerate(origins):
            steps = min(horizon, L - origin)
            past = self.point(y[:, :origin], horizon, season)
            found[r, :, :steps] = y[:, origin : origin + steps] - past[:, :steps]
        return found


def last_values(series: SeriesSet, length: int) -> np.ndarray:
    """(S, length) float64: the last steps of each series; NaN before its first one."""
    steps = series.length[:, None] - length + np.arange(length)
    rows = np.maximum(series.first[:, None] + steps, 0)
    return np.where(steps >= 0, series.values[rows], np.nan).astype(np.float64)


def error_quantiles(errors: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(S, H, Q): quantiles of errors (R, S, H) that are not NaN, by linear interpolation."""
    ordered = np.sort(errors, axis=0)  # NaN goes to the end
    count = (~np.isnan(errors)).sum(axis=0)  # (S, H)
    place = levels * np.maximum(count - 1, 0)[..., None]
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0)[..., None])
    a, b = (np.take_along_axis(ordered, np.moveaxis(i, -1, 0), 0) for i in (low, high))
    found = np.moveaxis(a, 0, -1) + (place - low) * np.moveaxis(b - a, 0, -1)
    for h in range(1, found.shape[1]):
        gone = count[:, h] == 0
        found[gone, h] = found[gone, h - 1]
    return np.nan_to_num(found, nan=0.0)
