"""Observed values with their times, before they are series of one frequency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .frequency import DAY, KNOWN, Frequency, find_frequency, shown
from .series_set import SeriesSet
from .static import Static
from .times import wall_times

Place = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Observations:
    """Rows of S series, those of a series behind each other: regular or not.

    values, times: (n,), times in int64 microseconds; known: (n, K); past: (n, P) float32.
    first, length: (S,), where a series' rows begin, and how many it has. numbers: (n,), the row
    (from 0) in the table that each came from; ``place`` says of such a row what messages call it.

    ``regular`` gives the series as they are, ``resample`` makes them regular and reports how.
    """

    values: np.ndarray
    times: np.ndarray
    known: np.ndarray
    past: np.ndarray
    first: np.ndarray
    length: np.ndarray
    ids: tuple[str, ...]
    static: Static
    known_names: tuple[str, ...]
    past_names: tuple[str, ...]
    zone: str | None
    numbers: np.ndarray
    place: Place

    @classmethod
    def of(cls, series: SeriesSet) -> Observations:
        """The steps of series as observations, with the known covariates as far as the values."""
        inside = steps_within(series.length)
        rows = np.repeat(series.first, series.length) + inside
        known = np.repeat(series.known_first, series.length) + inside
        K = len(series.known_names)
        ends = np.cumsum(series.length)

        def place(row: int) -> str:
            i = int(np.searchsorted(ends, row, "right"))
            return series.place(i, row - int(ends[i] - series.length[i]))

        times = series.frequency.after(np.repeat(series.start, series.length), inside)
        return cls(
            series.values[rows], times,
            series.known[known] if K else np.empty((len(rows), 0), np.float32), series.past[rows],
            ends - series.length, series.length, series.ids, series.static, series.known_names,
            series.past_names, series.zone, np.arange(len(rows)), place,
        )  # fmt: skip

    @property
    def within(self) -> np.ndarray:
        """(n,): the number of each row in its series, from 0."""
        return steps_within(self.length)

    @property
    def codes(self) -> np.ndarray:
        """(n,): the series of each row."""
        return np.repeat(np.arange(len(self.ids)), self.length)

    def name(self, row: int) -> str:
        """A row as messages call it: its place and its series."""
        i = int(np.searchsorted(self.first, row, "right")) - 1
        return f"{self.place(int(self.numbers[row]))}: series {self.ids[i]!r}"

    def check_order(self, duplicates: bool) -> None:
        """ValueError for times that go back and, if ``duplicates``, for ones that come twice."""
        steps = np.diff(self.times)
        inner = np.ones(len(steps), bool)
        inner[self.first[1:] - 1] = False
        back, twice = inner & (steps < 0), inner & (steps == 0)
        if back.any():
            row = int(np.argmax(back)) + 1
            raise ValueError(
                f"{self.name(row)} has {self._shown(row)} behind {self._shown(row - 1)}; sort the "
                "rows by time, or pass sort=True."
            )
        if duplicates and twice.any():
            row = int(np.argmax(twice)) + 1
            raise ValueError(
                f"{self.name(row)} has the time {self._shown(row)} twice; remove one, or pass "
                "resample= (a frequency), which joins them. Several series in one file need "
                "series_id=."
            )

    def check_observed(self) -> None:
        """ValueError for series of missing values only."""
        seen = np.add.reduceat(np.isfinite(self.values).astype(np.int64), self.first)
        if (seen == 0).any():
            i = int(np.argmin(seen))
            raise ValueError(f"{self.name(int(self.first[i]))} has no value that is not missing.")

    def found_frequency(self) -> Frequency:
        """The frequency that the longest series has; ValueError where there is none."""
        i = int(np.argmax(self.length))
        times = self.times[self.first[i] : self.first[i] + self.length[i]]
        found = find_frequency(wall_times(times, self.zone))
        if self.zone is not None and (found is None or not _has_whole_days(found)):
            found = find_frequency(times)  # clocks leave hours out
        if found is None:
            raise ValueError(
                f"{self.name(int(self.first[i]))}: the frequency is not known: no distance of its "
                f"{len(times)} times is common to most. Pass frequency=, or, for irregular times, "
                f"resample=, such as {KNOWN}."
            )
        return found

    def on_clock(self, frequency: Frequency) -> Observations:
        """With wall times where steps are days or longer: days of a zone have 23 to 25 hours."""
        if self.zone is None or not _has_whole_days(frequency):
            return self
        return replace(self, times=wall_times(self.times, self.zone), zone=None)

    def regular(self, frequency: str | Frequency | None = None) -> SeriesSet:
        """The series as they are; ``frequency`` is found from the times if it is not given.

        Raises ValueError, with the series and the row, for times that are not in order, come twice
        or leave a gap, for series without a value, and where no frequency is found.
        """
        self.check_order(duplicates=True)
        self.check_observed()
        step = Frequency.of(frequency) if frequency is not None else self.found_frequency()
        own = self.on_clock(step)
        expected = step.after(np.repeat(own.times[own.first], own.length), own.within)
        wrong = own.times != expected
        if wrong.any():
            raise ValueError(own._gap(int(np.argmax(wrong)), step, int(expected[wrong][0])))
        return own._series(own.values, own.known, own.past, own.first, own.length,
                           own.times[own.first], step)  # fmt: skip

    def resample(
        self, frequency: str | Frequency, how: str = "mean", fill: str | float | None = None
    ) -> SeriesSet:
        """Series of this frequency, with the report of what was changed in ``report``.

        Every row goes to the step that its time lies in (steps begin at round times: full hours,
        midnight, Mondays, firsts of months). how: what becomes of several rows of a step, their
        "mean", "sum", or the "last" one. fill: what steps without a value get, None (they stay
        missing), "previous", "interpolate" (a line to the next value, which forecasts at that time
        could not have known), or a number. Past covariates go as the values do and stay missing in
        gaps; of known ones the last counts, and gaps have the one before.

        Raises ValueError for unknown options, times out of order, and series without a value.
        """
        from .resample import resampled

        return resampled(self, Frequency.of(frequency), how, fill)

    def _series(
        self, values: np.ndarray, known: np.ndarray, past: np.ndarray, first: np.ndarray,
        length: np.ndarray, start: np.ndarray, frequency: Frequency, report: Any = None,
    ) -> SeriesSet:  # fmt: skip
        """The set; with known covariates, rows behind the last value are steps to come."""
        steps = length
        if self.known_names:
            inside = np.where(np.isfinite(values), steps_within(length), -1)
            steps = np.maximum.reduceat(inside, first) + 1
        made = SeriesSet(
            values, first, steps, start, self.ids, frequency, self.zone, known, first, length,
            self.known_names, past, self.past_names, self.static,
            np.zeros(len(first), np.int64), report,
        )  # fmt: skip
        made.check_values()
        return made

    def _gap(self, row: int, step: Frequency, expected: int) -> str:
        time, name = int(self.times[row]), self.name(row)
        ahead = int(np.diff(step.ticks(np.array([expected, time], np.int64)))[0])
        if time > expected and step.after(expected, ahead) == time:
            return (
                f"{name} has a gap: {ahead} step{'s' * (ahead != 1)} of {str(step)!r} "
                f"{'are' if ahead != 1 else 'is'} missing between {self._shown(row - 1)} and "
                f"{self._shown(row)}. Add them with empty values, or pass resample={str(step)!r} "
                "and fill=."
            )
        return (
            f"{name} has the time {self._shown(row)} where {shown(expected, self.zone)} is the "
            f"next of frequency {str(step)!r}. Pass another frequency=, or for irregular times "
            f"resample={str(step)!r}."
        )

    def _shown(self, row: int) -> str:
        return shown(int(self.times[row]), self.zone)


def _has_whole_days(frequency: Frequency) -> bool:
    return frequency.months or frequency.size % DAY == 0


def steps_within(length: np.ndarray) -> np.ndarray:
    """0, 1 ... length - 1 for each series, behind each other.

    >>> steps_within(np.array([2, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    first = np.cumsum(length) - length
    return np.arange(int(length.sum())) - np.repeat(first, length)
