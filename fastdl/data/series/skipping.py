"""Rows and series that cannot be used, left out and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..faults import NOT_A_TIME
from ..skipped import EXAMPLES, Skipped
from .frequency import shown
from .observations import Observations
from .table import SeriesTable, place_of
from .times import bad_times

NO_ID, TWICE, UNOBSERVED = "missing series id", "time comes twice", "series without a value"


def readable(found: SeriesTable, time_format: str | None, report: Skipped) -> SeriesTable:
    """The rows that have a time and a series; ``report`` gets the others, and the log's own.

    Raises ValueError where none is left.
    """
    for entry in found.log.skipped.entries():
        report.add(entry["file"], entry["reason"], entry["rows"], entry["examples"])
        for _ in range(entry["lost"]):
            report.lose(entry["file"], entry["reason"], "")
    bad = bad_times(found.table[found.time], time_format)
    _count(found, bad, NOT_A_TIME, found.time, report)
    unnamed = np.zeros(len(bad), bool)
    for name in found.ids:
        unnamed |= found.table[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    _count(found, unnamed & ~bad, NO_ID, ", ".join(found.ids), report)
    kept = np.flatnonzero(~(bad | unnamed))
    if not len(kept):
        raise ValueError(f"{found.log._sources()[0].path}: no row is left. {report.summary()}")
    if len(kept) == len(bad):
        return found
    return replace(found, table=found.table.take(kept), rows=kept)


def _count(found: SeriesTable, bad: np.ndarray, reason: str, column: str, report: Skipped) -> None:
    rows = np.flatnonzero(bad)
    if not len(rows):
        return
    place = place_of(found)
    examples = [
        f"{place(int(row))}: column {column} has "
        + ", ".join(repr(found.table[name][int(row)].as_py()) for name in column.split(", "))
        for row in rows[:EXAMPLES]
    ]
    report.add(found.log._sources()[0].path, reason, len(rows), examples)


def once(rows: Observations, report: Skipped) -> Observations:
    """The first row of each time of a series. Raises ValueError for times that go back."""
    rows.check_order(duplicates=False)
    again = np.zeros(len(rows.times), bool)
    again[1:] = np.diff(rows.times) == 0
    again[rows.first] = False
    found = np.flatnonzero(again)
    if not len(found):
        return rows
    examples = [
        f"{rows.name(int(row))} has {shown(int(rows.times[row]), rows.zone)} again"
        for row in found[:EXAMPLES]
    ]
    report.add("series", TWICE, len(found), examples)
    return _kept(rows, ~again)


def observed(rows: Observations, report: Skipped) -> Observations:
    """The series that have a value. Raises ValueError where none has."""
    seen = np.add.reduceat(np.isfinite(rows.values).astype(np.int64), rows.first)
    empty = np.flatnonzero(seen == 0)
    if not len(empty) or len(empty) == len(rows.ids):
        return rows  # without any the caller raises
    examples = [f"{rows.name(int(rows.first[i]))} has no value" for i in empty[:EXAMPLES]]
    report.add("series", UNOBSERVED, int(rows.length[empty].sum()), examples)
    return _kept(rows, (seen > 0)[rows.codes])


def _kept(rows: Observations, kept: np.ndarray) -> Observations:
    length = np.add.reduceat(kept.astype(np.int64), rows.first)
    some = np.flatnonzero(length)
    own: dict[str, Any] = {
        name: getattr(rows, name)[kept] for name in ("values", "times", "known", "past", "numbers")
    }
    length = length[some]
    return replace(
        rows, **own, first=np.cumsum(length) - length, length=length,
        ids=tuple(rows.ids[i] for i in some), static=rows.static[some],
    )  # fmt: skip
