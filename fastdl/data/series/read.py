"""Series from tables: CSV, TSV and Parquet files, pandas and polars frames, pyarrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..skipped import Skipped
from .frequency import Frequency
from .observations import Observations
from .series_set import SeriesSet
from .skipping import observed, once, readable
from .static import Static
from .table import SeriesTable, place_of, read_table
from .times import as_times, localised

if TYPE_CHECKING:
    from pyarrow import Table

Names = str | Sequence[str]


def read_series(
    data: Any, *, time: str | None = None, value: Names | None = None,
    series_id: Names | None = None, known: Names = (), past: Names = (), static: Names = (),
    frequency: str | Frequency | None = None, resample: str | Frequency | None = None,
    how: str = "mean", fill: str | float | None = None, time_format: str | None = None,
    time_zone: str | None = None, sort: bool = False, format: str | None = None,
    on_error: str = "stop", report: Skipped | None = None,
) -> SeriesSet:  # fmt: skip
    """Series of a table: a long one with a row for each time and series, or a wide one.

    data: as ``read_observations``, with its other options. frequency: found from the times if it is
    not given. resample: a frequency, for irregular times and gaps; how and fill say how, as in
    ``Observations.resample``, and the result's ``report`` what was changed.

    on_error: "stop", or "skip" to leave out rows that cannot be used (values and times that are
    none, infinite values, times that come twice, unless ``resample`` joins them) and series without
    a value; ``report``, a ``Skipped``, counts them by reason. Gaps that they leave become missing
    values, by resampling if need be.

    Raises ValueError as ``read_observations``, ``Observations.regular`` and ``.resample``.

    >>> table = {"day": ["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-02"],
    ...          "ad": ["a", "a", "b", "b"], "clicks": [3, 4, 0, 1]}
    >>> read_series(table, time="day", value="clicks", series_id="ad")
    SeriesSet(2 series of 2 steps, 'D')
    """
    if frequency is not None and resample is not None:
        raise ValueError("Both frequency= and resample= are given; expected one of them.")
    rows = read_observations(
        data, time=time, value=value, series_id=series_id, known=known, past=past, static=static,
        time_format=time_format, time_zone=time_zone, sort=sort, format=format,
        on_error=on_error, report=(report := Skipped() if report is None else report),
    )  # fmt: skip
    if on_error == "skip":
        rows = observed(rows if resample is not None else once(rows, report), report)
    if resample is not None:
        return rows.resample(resample, how, fill)
    if not report:
        return rows.regular(frequency)
    try:
        return rows.regular(frequency)
    except ValueError:  # a row that is left out may leave a gap
        return rows.resample(frequency or rows.found_frequency(), "last")


def read_observations(
    data: Any, *, time: str | None = None, value: Names | None = None,
    series_id: Names | None = None, known: Names = (), past: Names = (), static: Names = (),
    time_format: str | None = None, time_zone: str | None = None, sort: bool = False,
    format: str | None = None, on_error: str = "stop", report: Skipped | None = None,
) -> Observations:  # fmt: skip
    """The rows of a table as observations of series, regular or not.

    data: a path, or several, of CSV, TSV (also with .gz or .zst) or Parquet files, as ``read_log``
    takes them, a pandas or polars frame, a pyarrow table, or a dict of columns. time: the column of
    times (by default time, timestamp, date, datetime, ds, day or hour). value: the column of
    values; several names are a wide table with a series in each column, and without value= and
    series_id= all columns but the others are series. series_id: the column, or columns, that tell
    series of a long table apart. known, past: columns of covariates; with known ones, rows without
    values behind the last value are steps to come. static: columns that are the same in all rows of
    a series: numbers, or categories.

    time_format: as strptime takes it, or "s", "ms", "us" since 1970; by default ISO 8601. Times
    with a zone become UTC ones. time_zone: the zone of wall times, whose hours that come twice or
    never are then resolved, or whose clock counts where times have several offsets. sort: whether
    rows that are not in the order of time are brought into it. on_error: "skip" leaves out rows
    whose values, times or series cannot be read, which ``report`` counts.

    Raises FileNotFoundError, TypeError, and ValueError with the row, and the series where there is
    one, for columns that do not exist, values that are no numbers or infinite, times that are none
    or of mixed zones, and static features that change.
    """
    found = read_table(data, format, time, value, series_id, known, past, static, on_error)
    if on_error == "skip":
        found = readable(found, time_format, Skipped() if report is None else report)
    table, place = found.table, place_of(found)
    times, zone = as_times(table[found.time], found.time, place, time_format, time_zone)
    codes, ids = _codes(found)
    if zone is None and time_zone is not None:
        times, zone = localised(times, codes, time_zone, place), time_zone
    if found.wide:
        return _wide(found, times, zone, sort)
    grouped = len(codes) < 2 or bool((np.diff(codes) >= 0).all())
    order = np.lexsort((times, codes)) if sort else np.argsort(codes, kind="stable")
    if grouped and not sort:
        order = np.arange(len(codes))
    length = np.bincount(codes, minlength=len(ids))
    first = np.cumsum(length) - length
    rows = Observations(
        _numbers(table, found.values)[order, 0], times[order],
        _numbers(table, found.known, np.float32)[order],
        _numbers(table, found.past, np.float32)[order], first, length, ids,
        Static.of(None, ids), found.known, found.past, zone, order, place,
    )  # fmt: skip
    columns = {name: _constant(table[name], name, rows) for name in found.static}
    object.__setattr__(rows, "static", Static.of(columns, ids))
    return rows


def _codes(found: SeriesTable) -> tuple[np.ndarray, tuple[str, ...]]:
    """(the series (rows,) of each row, names of series in the order in which they come)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = found.table
    if not found.ids:
        return np.zeros(len(table), np.int64), (() if found.wide else found.values)
    texts = [table[name].cast(pa.string()) for name in found.ids]
    for name, column in zip(found.ids, texts, strict=True):
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            raise ValueError(f"{place_of(found)(row)}: the series id in column {name} is missing.")
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "/")
    coded = joined.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    return coded.indices.to_numpy().astype(np.int64), tuple(coded.dictionary.to_pylist())


def _wide(found: SeriesTable, times: np.ndarray, zone: str | None, sort: bool) -> Observations:
    """A series for each column of values; they share times and covariates."""
    S, n = len(found.values), len(times)
    order = np.argsort(times, kind="stable") if sort else np.arange(n)
    values = _numbers(found.table, found.values)[order].T.reshape(-1)

    def shared(names: tuple[str, ...]) -> np.ndarray:
        return np.tile(_numbers(found.table, names, np.float32)[order], (S, 1))

    return Observations(
        values, np.tile(times[order], S), shared(found.known), shared(found.past),
        np.arange(S) * n, np.full(S, n), found.values, Static.of(None, found.values), found.known,
        found.past, zone, np.tile(order, S), place_of(found),
    )  # fmt: skip


def _numbers(table: Table, names: tuple[str, ...], dtype: Any = np.float64) -> np.ndarray:
    """Columns (rows, columns), NaN where a value is missing."""
    out = np.empty((len(table), len(names)), dtype)
    for j, name in enumerate(names):
        out[:, j] = table[name].to_numpy()
    return out


def _constant(column: Any, name: str, rows: Observations) -> Any:
    """The value of each series; ValueError where it changes."""
    import pyarrow as pa

    texts = column.cast(pa.string()).combine_chunks().dictionary_encode()
    codes = texts.indices.fill_null(-1).to_numpy()[rows.numbers]
    changed = codes != np.repeat(codes[rows.first], rows.length)
    if changed.any():
        row = int(np.argmax(changed))
        raise ValueError(
            f"{rows.name(row)} has another value of the static feature {name} than in its first "
            "row; if it changes with time, pass it in past= or known=."
        )
    own = column.take(pa.array(rows.numbers[rows.first]))
    return own.to_numpy() if pa.types.is_floating(own.type) else np.array(own.to_pylist(), object)
