"""Irregular observations as series of one frequency, with a report of what was changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...validation import check_number
from .frequency import Frequency
from .observations import Observations, steps_within

if TYPE_CHECKING:
    from .series_set import SeriesSet

HOW = ("mean", "sum", "last")


@dataclass(frozen=True, eq=False)
class Resampling:
    """What resampling did, for each series (S,).

    rows: observations that came. steps: of the result. joined: rows that shared a step with an
    earlier one. gaps: steps without a row; longest_gap: most of them in a run. moved: rows whose
    time was not a step's begin, by largest_shift microseconds at most. filled: values that ``fill``
    made; missing: values that are missing still.
    """

    frequency: str
    how: str
    fill: str | float | None
    ids: tuple[str, ...]
    rows: np.ndarray
    steps: np.ndarray
    joined: np.ndarray
    gaps: np.ndarray
    longest_gap: np.ndarray
    moved: np.ndarray
    largest_shift: np.ndarray
    filled: np.ndarray
    missing: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Everything by series, as JSON can hold it."""
        counts = ("rows", "steps", "joined", "gaps", "longest_gap", "moved", "filled", "missing")
        return {
            "frequency": self.frequency, "how": self.how, "fill": self.fill,
            "series": [
                {"id": name, **{count: int(getattr(self, count)[i]) for count in counts},
                 "largest_shift_seconds": float(self.largest_shift[i]) / 1e6}
                for i, name in enumerate(self.ids)
            ],
        }  # fmt: skip

    def summary(self) -> str:
        """One or two sentences on all series together."""

        def total(name: str) -> str:
            return f"{int(getattr(self, name).sum()):,}"

        longest = int(self.longest_gap.max())
        at = f" (the longest, of {longest}, in {self.ids[int(self.longest_gap.argmax())]!r})"
        return (
            f"Resampled {total('rows')} rows of {len(self.ids)} series to {total('steps')} steps "
            f"of {self.frequency!r} by {self.how}: {total('joined')} rows joined, "
            f"{total('gaps')} steps without a row{at if longest else ''}, {total('moved')} times "
            f"moved by up to {self.largest_shift.max() / 1e6:g} s. Fill {self.fill!r} made "
            f"{total('filled')} values; {total('missing')} are missing."
        )


def resampled(
    rows: Observations, frequency: Frequency, how: str, fill: str | float | None
) -> SeriesSet:
    """``Observations.resample``."""
    if how not in HOW:
        raise ValueError(f"how is {how!r}; expected one of {', '.join(map(repr, HOW))}.")
    if fill is not None and fill not in ("previous", "interpolate"):
        if isinstance(fill, str):
            raise ValueError(
                f"fill is {fill!r}; expected None, 'previous', 'interpolate' or a number."
            )
        fill = check_number(fill, "fill", low=-np.inf)
    rows = rows.on_clock(frequency)
    rows.check_order(duplicates=False)
    rows.check_observed()
    ticks = frequency.ticks(rows.times)
    begin = ticks[rows.first]
    steps = ticks[rows.first + rows.length - 1] - begin + 1
    first = np.cumsum(steps) - steps
    bins = np.repeat(first - begin, rows.length) + ticks
    values = _joined(rows.values, bins, int(steps.sum()), how)
    past = [_joined(column, bins, len(values), how) for column in rows.past.T]
    known = [_joined(column, bins, len(values), "last") for column in rows.known.T]
    known = [_interpolated(_previous(c, first, steps), first, steps, nearest=True) for c in known]
    gone = np.isnan(values)
    if fill == "previous":
        values = _previous(values, first, steps)
    elif fill == "interpolate":
        values = _interpolated(values, first, steps)
    elif fill is not None:
        values = np.where(gone, values.dtype.type(fill), values)
    if rows.known_names:  # steps to come are not filled
        ahead = _behind_last(gone, first, steps)
        values = np.where(ahead, np.nan, values).astype(values.dtype, copy=False)
    report = _report(rows, frequency, how, fill, bins, ticks, first, steps, gone, values)

    def columns(parts: list[np.ndarray]) -> np.ndarray:
        if not parts:
            return np.empty((len(values), 0), np.float32)
        return np.stack(parts, axis=1).astype(np.float32)

    return rows._series(values, columns(known), columns(past), first, steps,
                        frequency.begin(begin), frequency, report)  # fmt: skip


def _joined(values: np.ndarray, bins: np.ndarray, n: int, how: str) -> np.ndarray:
    """One value for each of n steps; NaN where there is none."""
    fine = ~np.isnan(values)
    out = np.full(n, np.nan, values.dtype)
    if how == "last":
        out[bins[fine]] = values[fine]  # the last of equal places wins
        return out
    counts = np.bincount(bins[fine], minlength=n)
    sums = np.bincount(bins[fine], values[fine], n)
    some = counts > 0
    out[some] = sums[some] / counts[some] if how == "mean" else sums[some]
    return out


def _previous(values: np.ndarray, first: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Missing values as the last one before them in the series."""
    places = np.where(np.isnan(values), -1, np.arange(len(values)))
    before = np.maximum.accumulate(places)
    own = before >= np.repeat(first, steps)
    return np.where(own, values[np.maximum(before, 0)], values)


def _interpolated(
    values: np.ndarray, first: np.ndarray, steps: np.ndarray, nearest: bool = False
) -> np.ndarray:
    """Missing values on the line between their neighbours; ``nearest``: as the next one."""
    n, fine = len(values), ~np.isnan(values)
    at = np.arange(n)
    before = np.maximum.accumulate(np.where(fine, at, -1))
    after = np.minimum.accumulate(np.where(fine, at, n)[::-1])[::-1]
    right = after < np.repeat(first + steps, steps)
    left = before >= np.repeat(first, steps)
    a, b = values[np.maximum(before, 0)], values[np.minimum(after, n - 1)]
    if nearest:
        return np.where(~fine & right, b, values)
    share = (at - before) / np.maximum(after - before, 1)
    return np.where(~fine & left & right, a + (b - a) * share, values).astype(values.dtype)


def _behind_last(gone: np.ndarray, first: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Which steps lie behind the last value of their series."""
    inside = steps_within(steps)
    last = np.maximum.reduceat(np.where(gone, -1, inside), first)
    return inside > np.repeat(last, steps)


def _report(
    rows: Observations, frequency: Frequency, how: str, fill: Any, bins: np.ndarray,
    ticks: np.ndarray, first: np.ndarray, steps: np.ndarray, gone: np.ndarray, values: np.ndarray,
) -> Resampling:  # fmt: skip
    taken = np.zeros(len(values), bool)
    taken[bins] = True
    occupied = np.add.reduceat(taken.astype(np.int64), first)
    distance = np.diff(bins, prepend=bins[:1])
    distance[rows.first] = 1
    shift = rows.times - frequency.begin(ticks)
    missing = np.isnan(values)
    if rows.known_names:
        missing &= ~_behind_last(gone, first, steps)

    def count(marks: np.ndarray) -> np.ndarray:
        return np.add.reduceat(marks.astype(np.int64), first)

    return Resampling(
        str(frequency), how, fill, rows.ids, rows.length, steps, rows.length - occupied,
        steps - occupied, np.maximum.reduceat(np.maximum(distance - 1, 0), rows.first),
        np.add.reduceat((shift != 0).astype(np.int64), rows.first),
        np.maximum.reduceat(shift, rows.first), count(gone & ~np.isnan(values)), count(missing),
    )  # fmt: skip
