"""Columns of a log as the package has them: float64 for numbers, strings for categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .faults import BAD_BYTES, BAD_HOUR, INFINITE, NOT_A_NUMBER, BadRows, unreadable
from .formats import OPPOSITES
from .names import declared_type, is_id, is_label
from .places import Source
from .target import Target

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Schema, Table

Names = Sequence[str]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME = ("hour_of_day", "weekday")  # what Avazu's hour becomes


class Choice:
    """Which columns the caller wants, and as what."""

    def __init__(self, wanted: Names | None, categorical: Names, numeric: Names) -> None:
        self.wanted = None if wanted is None else _names(wanted, "columns")
        self.categorical = set(_names(categorical, "categorical"))
        self.numeric = set(_names(numeric, "numeric"))
        self.times: dict[str, Any] = {}  # columns of times, and their types
        self.names: list[str] | None = None  # those of the log's first part
        both = self.categorical & self.numeric
        if both:
            raise ValueError(f"{', '.join(sorted(both))} is in categorical= and in numeric=.")

    def as_in(self, schema: Schema) -> Choice:
        """The same choice for a log's other parts: what was a number in the first one stays one."""
        numbers = [f.name for f in schema if is_number(f.type) and f.name != "label"]
        others = [f.name for f in schema
                  if not (is_number(f.type) or is_list(f.type) or is_time(f.type))]  # fmt: skip
        choice = Choice(self.wanted, others, numbers)
        choice.names = [f.name for f in schema if f.name != "label"]
        choice.times = {f.name: f.type for f in schema if is_time(f.type)}
        return choice

    def check(self, names: Names, source: Source) -> None:
        """ValueError for a name that the log does not have."""
        known = list(names)
        if source.format == "avazu":
            known = [*_TIME, *(name for name in names if name not in ("id", "hour"))]
        asked = [*(self.wanted or []), *self.categorical, *self.numeric]
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise ValueError(
                f"{source.path} has no column {', '.join(unknown)}; its columns are "
                f"{', '.join(known)}."
            )

    def needed(self, names: Names, label: str | None) -> list[str]:
        """The file's columns that have to be read, in its order."""
        if self.wanted is None:
            return list(names)
        wanted = {*self.wanted, label, *(["hour"] if set(_TIME) & set(self.wanted) else [])}
        return [name for name in names if name in wanted]

    def is_number(self, name: str, kind: Any) -> bool:
        """Whether a column of this name and pyarrow type is to be one of numbers."""
        if name in self.categorical or name in self.numeric:
            return name in self.numeric
        declared = declared_type(name)
        if is_label(name) or declared is not None:
            return declared == "float" and not is_label(name)
        return is_number(kind) and not is_id(name)


def typed(table: Table, source: Source, first_row: int, choice: Choice, target: Target) -> Table:
    """A piece of the log that begins with ``first_row``: label first, then the chosen columns."""
    import pyarrow as pa

    found: dict[str, Any] = {}
    label = target.column(table, first_row)
    if label is not None:
        found["label"] = label
    drop = {target.name, OPPOSITES.get(target.name or "")}
    if source.format == "avazu":
        drop |= {"id", "hour"}
        if "hour" in table.column_names:
            found |= _time_of(table["hour"], source, first_row)
    for name in table.column_names:
        if name in drop:
            continue
        column = _decoded(table[name])
        if is_list(column.type) or (is_time(column.type) and name not in choice.categorical):
            found[name] = column
            continue
        number = choice.is_number(name, column.type)
        found[name] = (_numbers if number else _texts)(column, name, source, first_row)
        if declared_type(name) == "token_seq":
            found[name] = elements(found[name])
    if choice.wanted is not None:
        found = {name: c for name, c in found.items() if name in ("label", *choice.wanted)}
    return pa.table(found)


def is_number(kind: Any) -> bool:
    """Whether a pyarrow type is one of numbers; booleans are categories."""
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)


def as_texts(column: ChunkedArray) -> ChunkedArray:
    """Strings, or a dictionary of strings where the column is a dictionary."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        if kind.value_type == pa.string():
            return column
        chunks = [
            pa.DictionaryArray.from_arrays(c.indices, c.dictionary.cast(pa.string()))
            for c in column.chunks
        ]
        return pa.chunked_array(chunks, pa.dictionary(kind.index_type, pa.string()))
    if pa.types.is_floating(kind):  # NaN is a missing value here too, not the text "nan"
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.string())


def is_list(kind: Any) -> bool:
    """Whether a pyarrow type is one of lists."""
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind)


def is_time(kind: Any) -> bool:
    """Whether a pyarrow type is one of dates or timestamps."""
    from pyarrow import types

    return types.is_date(kind) or types.is_timestamp(kind)


def elements(column: ChunkedArray) -> ChunkedArray:
    """Texts as lists of what stands between blanks; missing and empty ones are empty lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim(pc.fill_null(column.cast(pa.string()), ""), " ")
    lists = pc.split_pattern(texts, " ")
    return pc.if_else(pc.equal(texts, ""), pa.scalar([], pa.list_(pa.string())), lists)


def _names(names: Names, option: str) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{option} is {names!r}; expected a list of column names.")
    return list(names)


def _decoded(column: ChunkedArray) -> ChunkedArray:
    """Dictionaries stay where they are of strings, which encoders take as they are."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or column.type.value_type == pa.string():
        return column
    return column.cast(column.type.value_type)


def _numbers(column: ChunkedArray, name: str, source: Source, first_row: int) -> ChunkedArray:
    """float64; NaN becomes missing, infinity is an error."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # not safe: integers beyond 2**53 are rounded, as in any other reader of floats
        numbers = column.cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        _check_readable(column, pa.float64(), name, source, first_row)
        raise ValueError(
            f"{source.path}: column {name} has the type {column.type} and cannot be read as "
            f"numbers: {error}. If it is a category, pass categorical=['{name}']."
        ) from None
    column = numbers
    infinite = pc.is_inf(column)
    if pc.any(infinite).as_py():
        bad = pc.fill_null(infinite, False).to_numpy()
        words = f"column {name} is infinite; remove such values."
        raise BadRows(source, first_row, bad, INFINITE, words)
    return pc.if_else(pc.is_nan(column), None, column)


def _texts(column: ChunkedArray, name: str, source: Source, first_row: int) -> ChunkedArray:
    """Strings, or the dictionary of strings that the column is."""
    import pyarrow as pa

    try:
        return as_texts(column)
    except pa.ArrowException as error:
        _check_readable(column, pa.string(), name, source, first_row)
        raise ValueError(
            f"{source.path}: column {name} has the type {column.type}, which is neither numbers "
            f"nor text: {error}. Choose other columns by columns=."
        ) from None


def _check_readable(
    column: ChunkedArray, kind: Any, name: str, source: Source, first_row: int
) -> None:
    """BadRows where some texts of the column, not most, are no numbers, or some bytes no text."""
    import pyarrow as pa

    types, as_number = pa.types, kind == pa.float64()
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (types.is_string(column.type) if as_number else types.is_binary(column.type)):
        return
    bad = unreadable(column.combine_chunks(), kind)
    if not 0 < bad.sum() <= len(bad) // 2:
        return

    def detail(row: int) -> str:
        value = column[row].as_py()
        if as_number:
            return (
                f"column {name} has {value!r}, which is not a number. If the column is a category, "
                f"pass categorical=['{name}']."
            )
        return f"column {name} has the type {column.type}, and {value[:20]!r} is not UTF-8 text."

    raise BadRows(source, first_row, bad, NOT_A_NUMBER if as_number else BAD_BYTES, detail)


def _time_of(hours: ChunkedArray, source: Source, first_row: int) -> dict[str, Any]:
    """Avazu's YYMMDDHH as the categories hour_of_day and weekday."""
    import pyarrow as pa
    import pyarrow.compute as pc

    distinct = hours.unique()  # a day has 24
    texts = distinct.to_pylist()
    days = [_day(text) for text in texts]
    strange = [text for text, day in zip(texts, days, strict=True) if day is None]
    if strange:
        bad = pc.is_in(hours, pa.array(strange, hours.type)).to_numpy()

        def detail(row: int) -> str:
            return f"hour is {hours[row].as_py()!r}; expected digits YYMMDDHH."

        raise BadRows(source, first_row, bad, BAD_HOUR, detail)
    weekday = [
        DAYS[(day + 3) % 7] for day in days if day is not None
    ]  # day 0, 1970-01-01, was a Thursday
    places = pc.index_in(hours, distinct)
    return {
        "hour_of_day": pa.array([text[6:] for text in texts], pa.string()).take(places),
        "weekday": pa.array(weekday, pa.string()).take(places),
    }


def _day(text: str | None) -> int | None:
    """Days from 1970-01-01 to the day of YYMMDDHH, None where it is none."""
    if text is None or not re.fullmatch(r"[0-9]{6}([01][0-9]|2[0-3])", text):
        return None
    try:
        return int(np.datetime64(f"20{text[:2]}-{text[2:4]}-{text[4:6]}", "D").astype(int))
    except ValueError:
        return None
