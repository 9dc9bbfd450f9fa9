"""Steps of time series: hours, days, weeks, months and multiples of them.

Times are int64 microseconds since 1970-01-01, of the wall clock or of UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

SECOND = 1_000_000
HOUR, DAY, WEEK = 3600 * SECOND, 86400 * SECOND, 7 * 86400 * SECOND
_MONDAY = 3 * DAY  # 1970-01-01 was a Thursday: weeks are counted from the Monday before

_FIXED = {"s": SECOND, "min": 60 * SECOND, "h": HOUR, "D": DAY, "W": WEEK}
_MONTHS = {"MS": 1, "QS": 3, "YS": 12}
_OTHER_NAMES = {
    "S": "s", "sec": "s", "T": "min", "m": "min", "H": "h", "hourly": "h", "d": "D", "daily": "D",
    "w": "W", "W-MON": "W", "weekly": "W", "M": "MS", "monthly": "MS", "Q": "QS", "Y": "YS",
}  # fmt: skip
KNOWN = "'s', 'min', '15min', 'h', 'D', 'W', 'MS' (months), 'QS' (quarters), 'YS' (years)"


@dataclass(frozen=True)
class Frequency:
    """The step of a series: ``size`` microseconds, or ``size`` months where ``months`` is true.

    ``str`` of it is its name, pandas' own where that has one: "h", "15min", "D", "W", "MS".

    >>> Frequency.of("15min").season, Frequency.of("h").season, str(Frequency.of("60min"))
    (96, 24, 'h')
    """

    size: int
    months: bool = False

    @classmethod
    def of(cls, name: str | Frequency) -> Frequency:
        """The frequency of this name; ValueError for an unknown one.

        Weeks begin on Mondays; months, quarters and years on their first day.
        """
        if isinstance(name, Frequency):
            return name
        if not isinstance(name, str):
            raise TypeError(f"The frequency is {name!r}; expected a name such as {KNOWN}.")
        found = re.fullmatch(r"\s*(\d*)\s*([A-Za-z-]+)\s*", name)
        unit = _OTHER_NAMES.get(found[2], found[2]) if found else ""
        count = int(found[1] or 1) if found else 0
        if not count or (unit not in _FIXED and unit not in _MONTHS):
            raise ValueError(f"The frequency {name!r} is not known; expected one such as {KNOWN}.")
        if unit in _MONTHS:
            return cls(count * _MONTHS[unit], True)
        return cls(count * _FIXED[unit])

    def __str__(self) -> str:
        units = _MONTHS if self.months else _FIXED
        unit = max((u for u in units if self.size % units[u] == 0), key=units.__getitem__,
                   default="")  # fmt: skip
        count = self.size // units[unit] if unit else 0
        return f"{count if count != 1 else ''}{unit}" if unit else f"{self.size}us"

    @property
    def season(self) -> int:
        """Steps of the usual season: a day below days, else a week, a year; 1 where there is none.

        Hourly series have 24, daily ones 7, weekly ones 52, monthly ones 12.
        """
        if self.months:
            return max(1, 12 // self.size)
        if self.size >= WEEK:
            return max(1, round(52 * WEEK / self.size))
        return DAY // self.size if self.size < DAY else max(1, WEEK // self.size)

    def ticks(self, times: np.ndarray) -> np.ndarray:
        """The number of the step that each time lies in; steps begin at round times."""
        if not self.months:
            offset = _MONDAY if self.size % WEEK == 0 else 0
            return (times + offset) // self.size
        return months_of(times) // self.size

    def begin(self, ticks: np.ndarray) -> np.ndarray:
        """The time at which each of these steps begins."""
        if not self.months:
            offset = _MONDAY if self.size % WEEK == 0 else 0
            return ticks * self.size - offset
        return begin_of_months(ticks * self.size)

    def after(self, start: int | np.ndarray, steps: np.ndarray | int) -> np.ndarray:
        """The time so many steps after ``start``, in whose months the day stays the same."""
        start = np.asarray(start, np.int64)
        if not self.months:
            return np.asarray(start + np.asarray(steps) * self.size)
        month = months_of(start)
        return np.asarray(
            begin_of_months(month + np.asarray(steps) * self.size) + start - begin_of_months(month)
        )


def months_of(times: np.ndarray) -> np.ndarray:
    """Months from 1970-01 to the month of each time."""
    return np.asarray(times).astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def begin_of_months(months: np.ndarray) -> np.ndarray:
    """The first microsecond of each month, months counted from 1970-01."""
    as_months = np.asarray(months, np.int64).astype("datetime64[M]")
    return as_months.astype("datetime64[us]").astype(np.int64)


def find_frequency(times: np.ndarray) -> Frequency | None:
    """The frequency of times of one series, in their order; None where none is common enough.

    It is the most frequent distance of neighbours, if more than half of all are equal to it; of
    times on the same day of each month (at most the 28th) the distance in months.
    """
    distances = np.diff(times)
    distances = distances[distances > 0]
    if not len(distances):
        return None
    inside = np.asarray(times) - begin_of_months(months_of(times))
    if distances.min() > 27 * DAY and (inside == inside[0]).all() and inside[0] < 28 * DAY:
        return Frequency(_usual(np.diff(months_of(times))) or 1, True)
    size = _usual(distances)
    return None if size is None else Frequency(size)


def _usual(distances: np.ndarray) -> int | None:
    values, counts = np.unique(distances, return_counts=True)
    most = int(np.argmax(counts))
    return int(values[most]) if 2 * counts[most] > len(distances) else None


def shown(time: int | np.integer, zone: str | None = None) -> str:
    """A time as messages write it.

    >>> shown(0), shown(1_500_000)
    ('1970-01-01 00:00:00', '1970-01-01 00:00:01.500000')
    """
    text = str(np.datetime64(int(time), "us")).replace("T", " ")
    return text.removesuffix(".000000") + (" UTC" if zone else "")
