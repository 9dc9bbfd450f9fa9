"""Baselines without parameters to learn."""

from __future__ import annotations

import numpy as np

from ..data.series.series_set import SeriesSet
from ..validation import check_size
from .baseline import Baseline


def last_seen(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the last value (S,) that is not missing, its column (S,)); NaN and 0 where there is none."""
    fine = ~np.isnan(y)
    column = np.where(fine.any(axis=1), y.shape[1] - 1 - np.argmax(fine[:, ::-1], axis=1), 0)
    return y[np.arange(len(y)), column], column


class Naive(Baseline):
    """The last value that was observed, for every step.

    Hyndman and Athanasopoulos 2021, Forecasting: principles and practice, section 5.2.

    >>> series = SeriesSet.from_arrays([[3.0, 1.0, 2.0]])
    >>> Naive().predict(series, 2).point
    array([[2., 2.]])
    """

    name = "naive"

    def point(self, y: np.ndarray, horizon: int, season: int) -> np.ndarray:
        return np.repeat(last_seen(y)[0][:, None], horizon, axis=1)


class SeasonalNaive(Baseline):
    """The value of the same step one season ago, or of an earlier season where it is missing.

    season: steps; by default the frequency's. Hyndman and Athanasopoulos 2021, section 5.2. Where
    no season has the step, the last value counts.

    >>> series = SeriesSet.from_arrays([[3.0, 1.0, 2.0]])
    >>> SeasonalNaive(season=2).predict(series, 3).point
    array([[1., 2., 1.]])
    """

    name = "seasonal naive"

    def __init__(self, season: int | None = None) -> None:
        self.season = None if season is None else check_size(season, "season")

    def season_of(self, series: SeriesSet) -> int:
        return series.frequency.season if self.season is None else self.season

    def point(self, y: np.ndarray, horizon: int, season: int) -> np.ndarray:
        S, L = y.shape
        seasons = -(-L // season)
        padded = np.full((S, seasons * season), np.nan)
        padded[:, seasons * season - L :] = y
        found = np.full((S, season), np.nan)
        for own in padded.reshape(S, seasons, season).transpose(1, 0, 2)[::-1]:  # the latest first
            gone = np.isnan(found)
            if not gone.any():
                break
            found[gone] = own[gone]
        found = np.where(np.isnan(found), last_seen(y)[0][:, None], found)
        return found[:, np.arange(horizon) % season]


class MovingAverage(Baseline):
    """The mean of the last ``window`` steps (by default a season), for every step.

    Where all of them are missing, the last value counts.

    >>> series = SeriesSet.from_arrays([[3.0, 1.0, 2.0]])
    >>> MovingAverage(window=2).predict(series, 1).point
    array([[1.5]])
    """

    name = "moving average"

    def __init__(self, window: int | None = None) -> None:
        self.window = None if window is None else check_size(window, "window")

    def point(self, y: np.ndarray, horizon: int, season: int) -> np.ndarray:
        own = y[:, -(self.window or season) :]
        fine = ~np.isnan(own)
        count = fine.sum(axis=1)
        mean = np.where(fine, own, 0).sum(axis=1) / np.maximum(count, 1)
        mean = np.where(count > 0, mean, last_seen(y)[0])
        return np.repeat(mean[:, None], horizon, axis=1)


class Drift(Baseline):
    """The last value plus h times the mean step between the first and the last one.

    Hyndman and Athanasopoulos 2021, section 5.2.

    >>> series = SeriesSet.from_arrays([[1.0, 5.0, 3.0]])
    >>> Drift().predict(series, 2).point
    array([[4., 5.]])
    """

    name = "drift"

    def point(self, y: np.ndarray, horizon: int, season: int) -> np.ndarray:
        last, at = last_seen(y)
        first, behind = last_seen(y[:, ::-1])
        steps = at - (y.shape[1] - 1 - behind)
        slope = np.where(steps > 0, (last - first) / np.maximum(steps, 1), 0.0)
        return last[:, None] + slope[:, None] * np.arange(1, horizon + 1)
