"""Windows of series: a context that is known, and a horizon that is forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ...kernels import series_windows as kernel
from ...kernels.backend import ops
from ...validation import check_size
from .calendar import Calendar
from .checks import check_known
from .series_set import SeriesSet

# By name: what is subtracted from the values of a window, and what they are divided by.
SCALINGS = {
    "none": (kernel.NO_SHIFT, kernel.NO_SCALE),
    "mean_abs": (kernel.NO_SHIFT, kernel.MEAN_ABS),
    "standard": (kernel.MEAN, kernel.STD),
    "last": (kernel.LAST, kernel.NO_SCALE),
    "last_standard": (kernel.LAST, kernel.STD),
}


@dataclass
class WindowBatch:
    """B windows of ``context`` + H steps; a slice or an index array in brackets gives some.

    x: (B, context + H, D), the channels being the scaled value, whether it was observed, past,
    known and calendar covariates (``WindowMaker.channels``); in the horizon the first two and the
    past ones are 0. shift, scale: (B,) float64, so that value = shift + scale * scaled. series:
    (B,) int64, the windows' series, and origin: (B,) int64, the step at which the horizon begins.
    numbers: (B, F) and codes: (B, G), the static features. ahead: (B, H, 2), the scaled values of
    the horizon (0 where one is missing) and whether they were observed, for models that are trained
    on their own past; (B, 0, 2) where nobody knows them.
    """

    x: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    series: np.ndarray
    origin: np.ndarray
    numbers: np.ndarray
    codes: np.ndarray
    ahead: np.ndarray
    context: int

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> WindowBatch:
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "context"}
        return WindowBatch(
            **{name: array[rows] for name, array in own.items()}, context=self.context
        )

    def blind(self) -> WindowBatch:
        """The same without the values ahead: what is known when a forecast is made."""
        return replace(self, ahead=self.ahead[:, :0])

    def inverse(self, scaled: np.ndarray) -> np.ndarray:
        """Values (B, ...) in the series' units."""
        shape = (-1, *(1,) * (np.ndim(scaled) - 1))
        return self.shift.reshape(shape) + self.scale.reshape(shape) * scaled


@dataclass
class WindowMaker:
    """Makes windows of any series set with the same covariates; it holds what that depends on.

    context, horizon: steps. scaling: of each window by its own context, "none", "mean_abs" (divided
    by the mean of |value|; Salinas et al. 2020, DeepAR, section 3.3, without their + 1),
    "standard" (mean and standard deviation; Kim et al. 2022, RevIN, without its weights), "last"
    (the last value is subtracted; Zeng et al. 2023, NLinear) or "last_standard". parts, encoding:
    calendar covariates as in ``calendar_features``; None: those that fit the frequency. dtype: of x
    and targets. center, factor: of past and known covariates, (P + K,), found by ``fit``.

    Raises ValueError for unknown scalings and sizes that are not positive.
    """

    context: int
    horizon: int
    scaling: str = "standard"
    parts: Sequence[str] | None = None
    encoding: str = "cyclic"
    dtype: Any = np.float32
    center: np.ndarray = field(default_factory=lambda: np.empty(0))
    factor: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        check_size(self.context, "context")
        check_size(self.horizon, "horizon")
        if self.scaling not in SCALINGS:
            raise ValueError(
                f"scaling is {self.scaling!r}; expected one of {', '.join(map(repr, SCALINGS))}."
            )

    def fit(self, series: SeriesSet) -> WindowMaker:
        """Find the mean and the standard deviation of the covariates of training series."""
        means, factors = [], []
        for array, first, length in (
            (series.past, series.first, series.length),
            (series.known, series.known_first, np.minimum(series.length, series.known_length)),
        ):
            if not array.shape[1]:
                continue
            rows = _rows(first, length)
            for column in array.T:
                own = column[rows].astype(np.float64)
                own = own[~np.isnan(own)]
                std = float(own.std()) if len(own) else 0.0
                means.append(float(own.mean()) if len(own) else 0.0)
                factors.append(1 / std if std > 0 else 1.0)
        self.center, self.factor = np.array(means), np.array(factors)
        return self

    def channels(self, series: SeriesSet) -> tuple[str, ...]:
        """The names of x's channels."""
        calendar = Calendar(series[:1], self.parts, self.encoding)
        return ("value", "observed", *series.past_names, *series.known_names, *calendar.names)

    def calendar(self, series: SeriesSet) -> Calendar:
        """The calendar of these series, as far as windows of them can reach."""
        return Calendar(series, self.parts, self.encoding, self.horizon, self.context)

    def make(
        self, series: SeriesSet, rows: np.ndarray, origins: np.ndarray,
        calendar: Calendar | None = None,
    ) -> tuple[WindowBatch, np.ndarray, np.ndarray]:  # fmt: skip
        """(windows, targets (B, H) scaled, observed (B, H) of 0 and 1) of series ``rows`` (B,).

        ``origins`` (B,) are the steps at which horizons begin; the ones before the first step of a
        series are missing in its contexts, and targets behind the last one are not observed.
        """
        rows, origins = np.asarray(rows, np.int64), np.asarray(origins, np.int64)
        calendar = self.calendar(series) if calendar is None else calendar
        if len(self.center) != series.past.shape[1] + series.known.shape[1]:
            self.fit(series)
        step = origins - self.context  # of the series at which the window begins
        places = np.stack(
            [series.first[rows] + step, series.first[rows], series.stop[rows],
             series.known_first[rows] + step, (series.known_first + series.known_length)[rows],
             calendar.row_of(series)[rows] + step], axis=1,
        )  # fmt: skip
        B, T, H = len(rows), self.context + self.horizon, self.horizon
        D = 2 + series.past.shape[1] + series.known.shape[1] + calendar.features.shape[1]
        x = np.empty((B, T, D), self.dtype)
        y, seen, stats = (
            np.empty((B, H), self.dtype),
            np.empty((B, H), self.dtype),
            np.empty((B, 2)),
        )
        ops.gather_windows(
            series.values, series.past, series.known, calendar.features, places, self.context,
            *SCALINGS[self.scaling], self.center.astype(self.dtype), self.factor.astype(self.dtype),
            x, y, seen, stats,
        )  # fmt: skip
        static = series.static[rows]
        made = WindowBatch(
            x, stats[:, 0].copy(), stats[:, 1].copy(), rows, origins, static.numbers, static.codes,
            np.stack([y, seen], axis=2), self.context,
        )  # fmt: skip
        return made, y, seen

    def last(self, series: SeriesSet) -> WindowBatch:
        """The windows that forecast what comes behind the last step of each series.

        Raises ValueError where known covariates do not reach to the horizon.
        """
        check_known(series, self.horizon)
        return self.make(series, np.arange(len(series)), series.length)[0].blind()


def _rows(first: np.ndarray, length: np.ndarray) -> np.ndarray:
    inside = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    return np.repeat(first, length) + inside
