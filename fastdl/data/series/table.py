"""The columns of a table of series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..columns import is_number, is_time
from ..count import count_rows
from ..log import Log

if TYPE_CHECKING:
    from pyarrow import Table

TIMES = ("time", "timestamp", "date", "datetime", "ds", "day", "hour")
_NO_LABEL = "\0"  # a log may do without a label: this names none


@dataclass(frozen=True)
class SeriesTable:
    """A table in memory, the log that it came from, and what its columns are."""

    table: Table
    log: Log
    time: str
    values: tuple[str, ...]
    ids: tuple[str, ...]
    known: tuple[str, ...]
    past: tuple[str, ...]
    static: tuple[str, ...]
    wide: bool
    rows: np.ndarray | None = None  # where each came from, if some were left out


def read_table(
    data: Any, format: str | None, time: str | None, value: Any, series_id: Any, known: Any,
    past: Any, static: Any, on_error: str = "stop",
) -> SeriesTable:  # fmt: skip
    """Read the columns that are named; options as ``read_observations``.

    Raises ValueError for columns that do not exist or are named twice.
    """
    import pyarrow as pa

    data, time = _with_index(data, time)
    schema = _schema(data, format)
    names = schema.names
    time = _time_column(names, time)
    ids, known, past, static = (
        _listed(given, option) for given, option in
        ((series_id, "series_id"), (known, "known"), (past, "past"), (static, "static"))
    )  # fmt: skip
    values = _value_columns(schema, value, (time, *ids, *known, *past, *static), bool(ids))
    wide = value is None if not ids else False
    wide = wide or (value is not None and not isinstance(value, str))
    if wide and (ids or static):
        raise ValueError(
            "A wide table has a series in each column of value=; series_id= and static= are for "
            "long ones, with one column of values."
        )
    columns = (time, *ids, *values, *known, *past, *static)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f"The column {', '.join(twice)} is named for more than one purpose.")
    texts = [*ids] if is_time(schema.field(time).type) else [time, *ids]
    texts += [name for name in static if not is_number(schema.field(name).type)]
    log = Log(
        data, format, label=_NO_LABEL, columns=list(columns), categorical=texts,
        numeric=[*values, *known, *past, *(n for n in static if n not in texts)],
        require_label=False, on_error=on_error,
    )  # fmt: skip
    pieces = pa.concat_tables(log.tables()).unify_dictionaries()
    return SeriesTable(pieces, log, time, values, ids, known, past, static, wide)


def place_of(found: SeriesTable) -> Callable[[int], str]:
    """What messages call a row (from 0) of the table: the file, and its line or row.

    Where the log itself left rows out nobody knows the lines: then it is the row among those left.
    """

    def place(row: int) -> str:
        sources = found.log._sources()
        row = row if found.rows is None else int(found.rows[row])
        if found.log.skipped:
            return f"{sources[0].path}, row {row + 1} of those that are not skipped"
        for source in sources[:-1]:
            own = len(source.table) if source.table is not None else count_rows(source)
            if row < own:
                return source.row(row)
            row -= own
        return sources[-1].row(row)

    return place


def _schema(data: Any, format: str | None) -> Any:
    """The table's columns, with the types that are known before reading; of text files strings."""
    import pyarrow as pa
    from pyarrow import parquet

    from ..formats import header, text_format
    from ..text import first_types

    log = Log(data, format, label=_NO_LABEL, require_label=False)
    source = log._sources()[0]
    if source.table is not None:
        return source.table.schema
    if source.format == "parquet":
        return parquet.read_schema(source.path)
    if source.format not in ("csv", "tsv", "avazu"):
        raise ValueError(f"{source.path} is a {source.format} file; expected csv, tsv or parquet.")
    shape = text_format(source.path, source.format)
    names = list(shape.names or header(source.path, source.format, shape.delimiter))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{source.path} has more than one column named {', '.join(twice)}.")
    found = first_types(source, shape, names, {}, ragged=True)
    # times are read as text: pyarrow would turn those of several zones silently into UTC
    return pa.schema([
        pa.field(f.name, f.type if is_number(f.type) else pa.string()) for f in found
    ])  # fmt: skip


def _with_index(data: Any, time: str | None) -> tuple[Any, str | None]:
    """A pandas frame whose index is the time, with the index as a column; and that one's name."""
    if not hasattr(data, "iloc") or not hasattr(data, "reset_index"):
        return data, time
    index, columns = data.index, [str(name) for name in data.columns]
    if time in columns or (time is not None and index.name != time):
        return data, time
    dated = type(index).__name__ == "DatetimeIndex"
    if time is None and (not dated or set(TIMES) & {name.lower() for name in columns}):
        return data, time
    name = str(index.name or "time")
    return data.rename_axis(name).reset_index(), name


def _time_column(names: Sequence[str], time: str | None) -> str:
    if time is not None:
        if time not in names:
            raise ValueError(f"There is no time column {time}; columns are {', '.join(names)}.")
        return time
    for known in TIMES:
        for name in names:
            if name.lower() == known:
                return name
    raise ValueError(
        f"Which column has the times? None of {', '.join(names)} is called {', '.join(TIMES)}; "
        "pass time=."
    )


def _listed(names: Any, option: str) -> tuple[str, ...]:
    if names is None:
        return ()
    found = (names,) if isinstance(names, str) else tuple(names)
    if not all(isinstance(name, str) for name in found):
        raise TypeError(f"{option} is {names!r}; expected a column's name, or a list of names.")
    return found


def _value_columns(
    schema: Any, value: Any, others: tuple[str, ...], has_ids: bool
) -> tuple[str, ...]:
    """The columns of values; without ``value``, those that nothing else is."""
    names = schema.names
    values = _listed(value, "value")
    unknown = [name for name in (*values, *others) if name not in names]
    if unknown:
        raise ValueError(
            f"There is no column {', '.join(unknown)}; columns are {', '.join(names)}."
        )
    if values:
        return values
    if value is not None:
        raise ValueError("value is an empty list; expected the name of a column of values.")
    rest = tuple(n for n in names if n not in others and is_number(schema.field(n).type))
    if not rest:
        raise ValueError(
            f"None of the columns {', '.join(names)} has numbers to forecast; pass value=."
        )
    if has_ids and len(rest) > 1:
        raise ValueError(f"Which column has the values? Pass value=, one of {', '.join(rest)}.")
    return rest
