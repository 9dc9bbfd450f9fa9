"""Covariates that the clock and the calendar give: known for all time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .frequency import DAY, HOUR, WEEK, Frequency, begin_of_months, months_of
from .series_set import SeriesSet
from .times import wall_times

# Name: (number of values, the value of a time). Days of the week begin with Monday.
PARTS: dict[str, tuple[int, Any]] = {
    "minute_of_hour": (60, lambda t: t // (60 * 1_000_000) % 60),
    "hour_of_day": (24, lambda t: t // HOUR % 24),
    "day_of_week": (7, lambda t: (t // DAY + 3) % 7),
    "day_of_month": (31, lambda t: (t - begin_of_months(months_of(t))) // DAY),
    "month": (12, lambda t: months_of(t) % 12),
}


def calendar_parts(frequency: str | Frequency) -> tuple[str, ...]:
    """The parts of a time that differ between steps of this frequency.

    >>> calendar_parts("h")
    ('hour_of_day', 'day_of_week', 'day_of_month', 'month')
    >>> calendar_parts("W"), calendar_parts("YS")
    (('day_of_month', 'month'), ())
    """
    step = Frequency.of(frequency)
    if step.months:
        return ("month",) if step.size % 12 else ()
    finest = {"minute_of_hour": HOUR, "hour_of_day": DAY, "day_of_week": WEEK}
    found = [name for name, limit in finest.items() if step.size % limit]
    return (*found, "day_of_month", "month")


def calendar_features(
    times: Any, parts: Sequence[str], encoding: str = "cyclic"
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(features (rows, K) float32, their names) of times, as datetime64 or int64 microseconds.

    encoding: "cyclic", the sine and the cosine of 2 pi value / number of values for each part, or
    "one_hot", a column for each value. Raises ValueError for unknown parts and encodings.

    >>> calendar_features(np.array(["2024-01-01T06"], "M8[us]"), ["hour_of_day"])[0].round(6)
    array([[1., 0.]], dtype=float32)
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"parts has {unknown}; expected some of {', '.join(PARTS)}.")
    if encoding not in ("cyclic", "one_hot"):
        raise ValueError(f"encoding is {encoding!r}; expected 'cyclic' or 'one_hot'.")
    array = np.asarray(times)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]").astype(np.int64)
    columns, names = [], []
    for part in parts:
        count, value_of = PARTS[part]
        value = value_of(array)
        if encoding == "one_hot":
            columns += list(np.eye(count, dtype=np.float32)[value].T)
            names += [f"{part}_{i}" for i in range(count)]
        else:
            angle = 2 * np.pi * value / count
            columns += [np.sin(angle), np.cos(angle)]
            names += [f"{part}_sin", f"{part}_cos"]
    if not columns:
        return np.empty((len(array), 0), np.float32), ()
    return np.stack(columns, axis=1).astype(np.float32), tuple(names)


class Calendar:
    """Calendar features of all steps from the first to the last of a set, once for all series.

    features: (A, K) float32, a row for each step; ``row_of(series)`` (S,) is the row of each
    series' first step. ``ahead`` steps follow the last one, ``before`` go before the first.
    """

    def __init__(
        self, series: SeriesSet, parts: Sequence[str] | None = None, encoding: str = "cyclic",
        ahead: int = 0, before: int = 0,
    ) -> None:  # fmt: skip
        step = series.frequency
        self.parts = calendar_parts(step) if parts is None else tuple(parts)
        self.encoding = encoding
        ticks = series.ticks
        self.first = int(ticks.min()) - before
        rows = int((ticks + series.length).max()) + ahead - self.first
        # the begin of steps, moved as the first series is: months may begin on a 15th
        offset = int(series.start[0] - step.begin(ticks[:1])[0])
        times = step.begin(self.first + np.arange(rows)) + offset
        clock = wall_times(times, series.zone)
        self.features, self.names = calendar_features(clock, self.parts, encoding)

    def row_of(self, series: SeriesSet) -> np.ndarray:
        """(S,) int64: the row of ``features`` of each series' first step."""
        return series.ticks - self.first
