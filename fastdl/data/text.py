"""Text logs as pyarrow tables, with errors that name the line and the column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import Choice, Names, is_time
from .formats import (
    CRITEO_CATEGORIES,
    CRITEO_COUNTS,
    MISSING,
    TextFormat,
    header,
    text_format,
)
from .names import declared_type, is_label
from .places import Source
from .target import Target

if TYPE_CHECKING:
    from pyarrow import Schema, Table

BLOCK_BYTES = 8 << 20


def text_tables(source: Source, choice: Choice, target: Target) -> Iterator[Table]:
    """The file block by block; ValueError where it cannot be read."""
    import pyarrow as pa

    shape = text_format(source.path, source.format)
    names = list(shape.names or header(source.path, source.format, shape.delimiter))
    choice.check(names, source)
    check_avazu(source, names)
    needed = choice.needed(names, target.find(names))
    kinds: dict[str, Any] = {}
    try:
        kinds = column_types(source, needed, choice, partial(first_types, source, shape, needed))
        with _open(source, shape, kinds, needed, threads=True) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError, EOFError) as error:
        message = _message_with_row(source, shape, kinds, needed) or str(error)
        raise ValueError(_explained(source, names, message)) from None


def check_avazu(source: Source, names: Names) -> None:
    """ValueError unless a file in Avazu's format has its columns."""
    if source.format == "avazu" and not {"id", "hour"} <= set(names):
        raise ValueError(
            f"{source.path} is not in Avazu's format: it lacks the columns id and hour."
        )


def block_table(
    data: np.ndarray, shape: TextFormat, names: Names, kinds: Any, needed: Names
) -> Table:
    """Whole lines of a text log, uint8 (n,), read by pyarrow; ArrowInvalid where it cannot."""
    import pyarrow as pa
    from pyarrow import csv

    read = csv.ReadOptions(block_size=max(1, len(data)), column_names=names)
    parse, convert = options(shape, kinds, needed, newlines=shape.names is None)
    return csv.read_csv(pa.BufferReader(pa.py_buffer(data)), read, parse, convert)


def _message_with_row(source: Source, shape: TextFormat, kinds: Any, needed: Names) -> str:
    """pyarrow's error once more, on one thread: only then does it name the row."""
    import pyarrow as pa

    try:
        with _open(source, shape, kinds, needed) as reader:
            for _ in reader:
                pass
    except (pa.ArrowException, OSError, EOFError) as error:
        return str(error)
    return ""


def _open(
    source: Source, shape: TextFormat, kinds: Any, needed: Names, threads: bool = False,
    bad_row: Any = None,
) -> Any:  # fmt: skip
    from pyarrow import csv

    read = csv.ReadOptions(use_threads=threads, block_size=BLOCK_BYTES, column_names=shape.names)
    # without newlines_in_values, a quoted line break at a block's border is an error
    parse, convert = options(shape, kinds, needed, shape.names is None, bad_row)
    return csv.open_csv(source.path, read, parse, convert)


def options(
    shape: TextFormat, kinds: Any, needed: Names, newlines: bool, bad_row: Any = None
) -> tuple[Any, Any]:
    """pyarrow's options for parsing and converting a text format."""
    from pyarrow import csv

    parse = csv.ParseOptions(
        delimiter=shape.delimiter, newlines_in_values=newlines, invalid_row_handler=bad_row,
        quote_char='"' if shape.names is None else False,
    )  # fmt: skip
    convert = csv.ConvertOptions(
        null_values=MISSING, strings_can_be_null=True, quoted_strings_can_be_null=False,
        column_types=kinds, include_columns=list(needed),
    )  # fmt: skip
    return parse, convert


def first_types(
    source: Source, shape: TextFormat, needed: Names, known: Any, *, ragged: bool = False
) -> Schema:
    """What the first block tells of the columns' types, ``known`` ones being as they are said.

    ``ragged``: rows of other lengths are passed over; whoever reads them later tells of them.
    """
    bad_row = (lambda row: "skip") if ragged else None
    with _open(source, shape, known, needed, bad_row=bad_row) as reader:
        return reader.schema


def column_types(
    source: Source, needed: Names, choice: Choice, first_types: Callable[[Any], Schema]
) -> dict[str, Any]:
    """A pyarrow type for every column.

    Those of csv and tsv are told from the first block: ``first_types`` gives its schema, columns
    whose types are known already having those.
    """
    import pyarrow as pa

    if source.format == "criteo":
        kinds = {"label": pa.string(), **dict.fromkeys(CRITEO_COUNTS, pa.int64()),
                 **dict.fromkeys(CRITEO_CATEGORIES, pa.string())}  # fmt: skip
        kinds |= dict.fromkeys(choice.categorical, pa.string())
        return {name: kinds[name] for name in needed}
    if source.format == "avazu":
        return {n: pa.float64() if n in choice.numeric else pa.string() for n in needed}
    known = {**dict.fromkeys(choice.categorical, pa.string()), **choice.times}
    said = {**known, **dict.fromkeys(choice.numeric, pa.float64())}
    said |= {name: pa.string() for name in needed if is_label(name)}
    if said.keys() >= set(needed):
        return {name: said[name] for name in needed}
    return {
        field.name: _column_type(field.name, field.type, choice) for field in first_types(known)
    }


def _column_type(name: str, found: Any, choice: Choice) -> Any:
    import pyarrow as pa

    if choice.is_number(name, found):
        return pa.float64()
    if not is_time(found) or is_label(name) or declared_type(name) is not None:
        return pa.string()
    # whole seconds in the first block say nothing of those in others
    seconds = pa.types.is_timestamp(found) and found.unit == "s"
    return pa.timestamp("us", found.tz) if seconds else found


def _explained(source: Source, names: Names, message: str) -> str:
    """pyarrow's message with the file, the line and the column's name."""
    row = re.search(r"Row #(\d+)", message)
    where = source.record(int(row[1])) if row else str(source.path)
    ragged = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if ragged:
        return f"{where}: expected {ragged[1]} columns, got {ragged[2]}."
    value = re.search(
        r"In CSV column #(\d+).* error to (\w+).*?: "
        r"(?:invalid value|expected (?:a|no) zone offset in) ('.*?')(?:\. If these .*)?$",
        message, re.S,
    )  # fmt: skip
    if value:
        return f"{where}: {wrong_value(names[int(value[1])], value[3], value[2])}"
    if "UTF8" in message or "utf8" in message:
        return f"{where} is not UTF-8 text: {message}"
    if "Empty CSV" in message:
        return f"{source.path} has no rows."
    if "straddling" in message:
        return f"{where} has a line of more than {BLOCK_BYTES >> 20} MB; is a quote not closed?"
    return f"{where} is truncated or damaged: {message}"


def is_beyond(value: str, kind: Any) -> bool:
    """Whether a value (as shown) of a column of integers is one, but beyond int64."""
    return str(kind) == "int64" and re.fullmatch(r"' *[+-]?[0-9]{19,} *'", value) is not None


def wrong_value(name: str, value: str, kind: Any) -> str:
    """What is wrong with a value (as shown) that is not of a column's type."""
    what = "not an integer" if str(kind) == "int64" else "not a number"
    if str(kind).startswith(("timestamp", "date")):
        what = "not a time like those in the first 8 MB"
    if is_beyond(value, kind):
        what = "beyond int64"
    return (
        f"column {name} has {value}, which is {what}. If the column is a category, pass "
        f"categorical=['{name}']."
    )
