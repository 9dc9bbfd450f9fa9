"""Training, validation and test parts of series by time, without a look ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...validation import check_number, check_size
from .arrays import as_instant
from .frequency import shown
from .series_set import SeriesSet


def split_series(
    series: SeriesSet, *, shares: Sequence[float] | None = None, at: Sequence[Any] | None = None,
    steps: Sequence[int] | None = None,
) -> list[SeriesSet]:  # fmt: skip
    """Parts that follow each other in time, the cuts being the same for all series.

    One of: shares, the parts' shares of the time from the first step of all series to the last,
    such as (0.7, 0.1, 0.2); at, the times at which parts begin, behind the first; steps, the steps
    of each part, counted from the first step of all series (what is behind them is left out).

    Targets of a part's windows lie in it; the steps before are its history (``target_from``), and
    the ones behind are not in it. Series without a step in a part are left out of it.

    Raises ValueError where parts are empty or cuts are not in order.

    >>> series = SeriesSet.from_arrays([np.arange(10.0)])
    >>> train, test = split_series(series, shares=(0.8, 0.2))
    >>> train.length.tolist(), test.length.tolist(), test.target_from.tolist()
    ([8], [10], [8])
    """
    if sum(option is not None for option in (shares, at, steps)) != 1:
        raise ValueError("Pass one of shares=, at= and steps=.")
    ticks, frequency = series.ticks, series.frequency
    begin, end = int(ticks.min()), int((ticks + series.length).max())
    if shares is not None:
        for i, share in enumerate(shares):
            check_number(share, f"shares[{i}]", open_low=True, high=1.0)
        if abs(sum(shares) - 1) > 1e-9:
            raise ValueError(f"shares {tuple(shares)} add up to {sum(shares):g}; expected 1.")
        inner = np.round(np.cumsum(shares)[:-1] * (end - begin)).astype(int)
        cuts = [begin, *(begin + inner).tolist(), end]
    elif at is not None:
        times = np.array([as_instant(time, "at") for time in at], np.int64)
        cuts = [begin, *_first_ticks(series, times).tolist(), end]
    else:
        for i, count in enumerate(steps or ()):
            check_size(count, f"steps[{i}]")
        cuts = [begin, *(begin + np.cumsum(steps or ())).tolist()]
    if (np.diff(cuts) <= 0).any() or cuts[-1] > end:
        words = ", ".join(shown(int(t), series.zone) for t in frequency.begin(np.array(cuts)))
        raise ValueError(
            f"The parts begin and end at {words}, while the series have steps from "
            f"{shown(int(frequency.begin(np.array(begin))))} to "
            f"{shown(int(frequency.begin(np.array(end - 1))))}: a part would be empty."
        )
    return [between(series, a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


def between(series: SeriesSet, begin: int, stop: int) -> SeriesSet:
    """All up to the tick ``stop``, with targets from the tick ``begin`` on."""
    own = series.ticks
    cut = series.cut(stop - own, 0, np.maximum(begin - own, 0))
    return cut[cut.target_from < cut.length]


def until(series: SeriesSet, stop: Any) -> SeriesSet:
    """The steps before a time: what somebody knew then."""
    tick = int(_first_ticks(series, np.array([as_instant(stop, "stop")]))[0])
    return series.cut(tick - series.ticks)


def _first_ticks(series: SeriesSet, times: np.ndarray) -> np.ndarray:
    """The first step that does not begin before each time."""
    ticks = series.frequency.ticks(times)
    return ticks + (series.frequency.begin(ticks) < times)


@dataclass(frozen=True)
class Fold:
    """One origin of a backtest.

    origin: the first step that is forecast, a tick (``Frequency.ticks``). history: all steps before
    it, of the series that have any, and one to forecast. actual: (S, horizon), NaN where a value is
    missing or the series has ended.
    """

    number: int
    origin: int
    history: SeriesSet
    actual: np.ndarray

    @property
    def time(self) -> np.datetime64:
        """The time at which the origin's step begins."""
        begin = self.history.frequency.begin(np.array(self.origin))
        return np.datetime64(int(begin), "us")


@dataclass(frozen=True)
class BacktestFolds:
    """A moving origin: ``folds`` of them, ``step`` steps apart, the last ``horizon`` from the end.

    The origins are the same times for all series, so that no series tells of another one's future
    (Tashman 2000, Out-of-sample tests of forecasting accuracy). step: by default the horizon.
    Raises TypeError or ValueError for numbers that are not positive.

    >>> series = SeriesSet.from_arrays([np.arange(10.0)])
    >>> for fold in BacktestFolds(horizon=2, step=1, folds=2).of(series):
    ...     print(fold.history.length, fold.actual)
    [7] [[7. 8.]]
    [8] [[8. 9.]]
    """

    horizon: int
    step: int | None = None
    folds: int = 1

    def __post_init__(self) -> None:
        check_size(self.horizon, "horizon")
        check_size(self.folds, "folds")
        if self.step is not None:
            check_size(self.step, "step")

    def origins(self, series: SeriesSet) -> list[int]:
        """The ticks of the origins; ValueError where the first one has no step before it."""
        ticks = series.ticks
        begin, end = int(ticks.min()), int((ticks + series.length).max())
        step = self.horizon if self.step is None else self.step
        first = end - self.horizon - (self.folds - 1) * step
        if first <= begin:
            raise ValueError(
                f"{self.folds} folds of horizon {self.horizon} and step {step} need "
                f"{end - first + 1} steps; the series have {end - begin}."
            )
        return [first + i * step for i in range(self.folds)]

    def of(self, series: SeriesSet) -> Iterator[Fold]:
        """The folds, the earliest first."""
        for number, origin in enumerate(self.origins(series)):
            stop = origin - series.ticks
            fits = (stop > 0) & (stop < series.length)
            own, stop = series[fits], stop[fits]
            if not len(own):
                raise ValueError(
                    f"Fold {number} has no series with steps before and behind its origin."
                )
            history = own.cut(stop)
            yield Fold(number, origin, history, steps_from(own, stop, self.horizon))

    def before(self, series: SeriesSet) -> SeriesSet:
        """What was known before the first origin: to fit a model once for all folds."""
        return series.cut(self.origins(series)[0] - series.ticks)


def steps_from(series: SeriesSet, step: np.ndarray, horizon: int) -> np.ndarray:
    """Values (S, horizon) from a step (S,) of each series on; NaN behind its last one."""
    inside = step[:, None] + np.arange(horizon)
    rows = np.minimum(series.first[:, None] + inside, len(series.values) - 1)
    return np.where(inside < series.length[:, None], series.values[rows], np.nan)
