"""Text logs as pyarrow tables, with errors that name the line and the column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import Choice, Names
from .formats import CRITEO_CATEGORIES, CRITEO_COUNTS, MISSING, TextFormat, header, text_format
from .places import Source
from .target import Target

if TYPE_CHECKING:
    from pyarrow import Table

_BLOCK_BYTES = 8 << 20


def text_tables(source: Source, choice: Choice, target: Target) -> Iterator[Table]:
    """The file block by block; ValueError where it cannot be read."""
    import pyarrow as pa

    shape = text_format(source.path, source.format)
    names = list(shape.names or header(source.path, source.format, shape.delimiter))
    choice.check(names, source)
    if source.format == "avazu" and not {"id", "hour"} <= set(names):
        raise ValueError(
            f"{source.path} is not in Avazu's format: it lacks the columns id and hour."
        )
    needed = choice.needed(names, target.find(names))
    kinds: dict[str, Any] = {}
    try:
        kinds = column_kinds(source, shape, names, needed, choice)
        with _open(source, shape, kinds, needed, threads=True) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError, EOFError) as error:
        message = _message_with_row(source, shape, kinds, needed) or str(error)
        raise ValueError(_explained(source, names, message)) from None


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


def block_table(
    data: np.ndarray, shape: TextFormat, names: Names, kinds: Any, needed: Names
) -> Table:
    """Whole lines of a text log, uint8 (n,), read by pyarrow; ArrowInvalid where it cannot."""
    import pyarrow as pa
    from pyarrow import csv

    read = csv.ReadOptions(block_size=max(1, len(data)), column_names=names)
    options = _parsing(shape, kinds, needed)
    return csv.read_csv(pa.BufferReader(pa.py_buffer(data)), read, *options)


def _open(
    source: Source, shape: TextFormat, kinds: Any, needed: Names, threads: bool = False
) -> Any:
    from pyarrow import csv

    read = csv.ReadOptions(use_threads=threads, block_size=_BLOCK_BYTES, column_names=shape.names)
    return csv.open_csv(source.path, read, *_parsing(shape, kinds, needed))


def _parsing(shape: TextFormat, kinds: Any, needed: Names) -> tuple[Any, Any]:
    """pyarrow's options for parsing and for the columns' types."""
    from pyarrow import csv

    # without newlines_in_values, a quoted line break at a block's border is an error
    parse = csv.ParseOptions(
        delimiter=shape.delimiter, newlines_in_values=shape.names is None,
        quote_char='"' if shape.names is None else False,
    )  # fmt: skip
    convert = csv.ConvertOptions(
        null_values=MISSING, strings_can_be_null=True, quoted_strings_can_be_null=False,
        column_types=kinds, include_columns=needed,
    )  # fmt: skip
    return parse, convert


def column_kinds(
    source: Source, shape: TextFormat, names: Names, needed: Names, choice: Choice
) -> dict[str, Any]:
    """A type for every column; those of csv and tsv are told from the first block."""
    import pyarrow as pa

    if source.format == "criteo":
        kinds = {"label": pa.string(), **dict.fromkeys(CRITEO_COUNTS, pa.int64()),
                 **dict.fromkeys(CRITEO_CATEGORIES, pa.string())}  # fmt: skip
        kinds |= dict.fromkeys(choice.categorical, pa.string())
        return {name: kinds[name] for name in needed}
    if source.format == "avazu":
        return {n: pa.float64() if n in choice.numeric else pa.string() for n in needed}
    known = dict.fromkeys(choice.categorical, pa.string())
    said = {n: choice.is_number(n, pa.float64()) for n in needed
            if n in choice.numeric or not choice.is_number(n, pa.float64())}  # fmt: skip
    if len(said) == len(needed):
        return {name: pa.float64() if number else pa.string() for name, number in said.items()}
    with _open(source, shape, known, needed) as reader:
        return {
            field.name: pa.float64() if choice.is_number(field.name, field.type) else pa.string()
            for field in reader.schema
        }


def _explained(source: Source, names: Names, message: str) -> str:
    """pyarrow's message with the file, the line and the column's name."""
    row = re.search(r"Row #(\d+)", message)
    where = source.record(int(row[1])) if row else str(source.path)
    ragged = re.search(r"Expected (\d+) columns, got (\d+)", message)
    if ragged:
        return f"{where}: expected {ragged[1]} columns, got {ragged[2]}."
    value = re.search(r"In CSV column #(\d+).* error to (\w+): invalid value (.*)", message, re.S)
    if value:
        name = names[int(value[1])]
        kind = "an integer" if value[2] == "int64" else "a number"
        return (
            f"{where}: column {name} has {value[3].strip()}, which is not {kind}. If the column is "
            f"a category, pass categorical=['{name}']."
        )
    if "UTF8" in message or "utf8" in message:
        return f"{where} is not UTF-8 text: {message}"
    if "Empty CSV" in message:
        return f"{source.path} has no rows."
    if "straddling" in message:
        return f"{where} has a line of more than {_BLOCK_BYTES >> 20} MB; is a quote not closed?"
    return f"{where} is truncated or damaged: {message}"
