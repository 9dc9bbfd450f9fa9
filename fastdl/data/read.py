"""Reading logs in pieces of bounded memory: CSV, TSV, Parquet, Criteo's and Avazu's formats."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..validation import check_size
from .formats import (
    CRITEO_CATEGORIES,
    CRITEO_COUNTS,
    LABELS,
    MISSING,
    TextFormat,
    check_file,
    first_line,
    resolve_format,
    text_format,
)
from .target import Target

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

_BLOCK_BYTES = 8 << 20
Names = Sequence[str]


def read_log(
    path: str | os.PathLike[str], format: str | None = None, *, label: str | None = None,
    positive: str | None = None, columns: Names | None = None, categorical: Names = (),
    numeric: Names = (), rows: int | None = None, require_label: bool = True,
) -> Table:  # fmt: skip
    """A whole log, or its first ``rows`` rows, as a pyarrow Table; options as ``iter_log``."""
    import pyarrow as pa

    left = None if rows is None else check_size(rows, "rows")
    pieces = []
    for table in iter_log(
        path, format, label=label, positive=positive, columns=columns, categorical=categorical,
        numeric=numeric, require_label=require_label,
    ):  # fmt: skip
        pieces.append(table if left is None else table[:left])
        if left is not None:
            left -= len(pieces[-1])
            if left == 0:
                break
    table = pa.concat_tables(pieces).unify_dictionaries()
    if require_label and rows is None and len(table["label"].unique()) != 2:
        raise ValueError(
            f"The label column of {path} has only the value {table['label'][0].as_py()}; expected "
            "clicks and rows without a click."
        )
    return table


def iter_log(
    path: str | os.PathLike[str], format: str | None = None, *, label: str | None = None,
    positive: str | None = None, columns: Names | None = None, categorical: Names = (),
    numeric: Names = (), batch_rows: int = 65536, require_label: bool = True,
) -> Iterator[Table]:  # fmt: skip
    """The log as pyarrow Tables of at most ``batch_rows`` rows, in bounded memory.

    ``format`` is criteo, avazu, csv, tsv or parquet; None goes by the file's name. The result has
    the column ``label`` (int8, 1 for a click) first, unless ``require_label`` is False (for
    prediction), then float64 columns for numbers and string columns for categories. ``label``
    names the label column (by default label, click, clicked or clk), ``positive`` the value that
    means a click where the values are not 0 and 1. ``columns`` chooses columns; ``categorical`` and
    ``numeric`` say what some of them are, where types would mislead.

    Raises FileNotFoundError; ValueError for a file that is empty, truncated, ragged or of another
    format, with its line number where there is one, for unknown columns, for infinite numbers, and
    for a label column that has not two values.
    """
    path = Path(path)
    format = resolve_format(path, format)
    check_file(path, format)
    check_size(batch_rows, "batch_rows")
    chosen = _Columns(columns, tuple(categorical), tuple(numeric))
    if format == "parquet":
        source = _parquet(path, chosen, batch_rows)
    else:
        source = _text(path, format, chosen)
    target = Target(path, label, positive, require_label)
    return _finished(source, path, format, chosen, target, batch_rows)


class _Columns:
    """Which columns the caller wants, and as what."""

    def __init__(self, wanted: Names | None, categorical: Names, numeric: Names) -> None:
        self.wanted = None if wanted is None else list(wanted)
        self.categorical, self.numeric = set(categorical), set(numeric)

    def check(self, known: Names, path: Path) -> None:
        """ValueError for a name that the file does not have."""
        asked = [*(self.wanted or []), *self.categorical, *self.numeric]
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise ValueError(
                f"{path} has no column {', '.join(unknown)}; its columns are {', '.join(known)}."
            )


def _finished(
    source: Iterator[Table], path: Path, format: str, chosen: _Columns, target: Target,
    batch_rows: int,
) -> Iterator[Table]:  # fmt: skip
    line = 1 if format == "parquet" else 1 + int(format != "criteo")
    rows = 0
    for piece in source:
        for start in range(0, len(piece), batch_rows):
            table = piece[start : start + batch_rows]
            yield _typed(table, path, line + rows, format, chosen, target)
            rows += len(table)
    if rows == 0:
        raise ValueError(f"{path} has no rows.")
    target.finish()


def _typed(
    table: Table, path: Path, first: int, format: str, chosen: _Columns, target: Target
) -> Table:
    """Label first, then float64 and string columns."""
    import pyarrow as pa

    found: dict[str, Any] = {}
    label = target.column(table, first)
    if label is not None:
        found["label"] = label
    drop = {target.name, *(("id", "hour") if format == "avazu" else ())}
    if format == "avazu" and "hour" in table.column_names:
        found |= _time_of(table["hour"], path, first)
    for name in table.column_names:
        if name in drop or (chosen.wanted is not None and name not in chosen.wanted):
            continue
        column = table[name]
        if _is_number(column.type) and name not in chosen.categorical:
            found[name] = _finite(column.cast(pa.float64()), name, path, first)
        else:
            found[name] = (
                column if pa.types.is_dictionary(column.type) else column.cast(pa.string())
            )
    return pa.table(found)


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)


def _finite(column: ChunkedArray, name: str, path: Path, first: int) -> ChunkedArray:
    """NaN becomes missing; infinity is an error."""
    import pyarrow.compute as pc

    infinite = pc.is_inf(column).fill_null(False)
    if pc.any(infinite).as_py():
        row = first + infinite.to_numpy().argmax()
        raise ValueError(f"{path}, line {row}: column {name} is infinite; remove such values.")
    return pc.if_else(pc.is_nan(column), None, column)


def _time_of(hours: ChunkedArray, path: Path, first: int) -> dict[str, Any]:
    """Avazu's YYMMDDHH as the categories hour_of_day and weekday."""
    import pyarrow as pa

    texts = hours.to_pylist()
    bad = next((i for i, h in enumerate(texts) if not re.fullmatch(r"\d{8}", h or "")), None)
    if bad is not None:
        raise ValueError(
            f"{path}, line {first + bad}: hour is {texts[bad]!r}; expected digits YYMMDDHH."
        )
    try:
        days = np.array([f"20{h[:2]}-{h[2:4]}-{h[4:6]}" for h in texts], "datetime64[D]")
    except ValueError as error:
        raise ValueError(f"{path}: a date in the column hour is impossible: {error}.") from None
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return {
        "hour_of_day": pa.array([h[6:] for h in texts]),
        "weekday": pa.array(np.array(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])[weekday]),
    }


# ------------------------------------------------------------------------------- sources
def _parquet(path: Path, chosen: _Columns, batch_rows: int) -> Iterator[Table]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            chosen.check(file.schema_arrow.names, path)
            for batch in file.iter_batches(batch_rows):
                yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}") from None


def _text(path: Path, format: str, chosen: _Columns) -> Iterator[Table]:
    import pyarrow as pa

    shape = text_format(path, format)
    names = list(shape.names or _header(path, shape))
    chosen.check(names, path)
    if format == "avazu" and not {"id", "hour"} <= set(names):
        raise ValueError(f"{path} is not in Avazu's format: it lacks the columns id and hour.")
    kinds = _kinds(path, format, shape, names, chosen)
    try:
        with _open(path, shape, kinds, names) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, EOFError) as error:
        raise ValueError(_explained(path, names, str(error))) from None


def _header(path: Path, shape: TextFormat) -> list[str]:
    import csv

    line = first_line(path).removeprefix("\ufeff")
    names = next(csv.reader([line], delimiter=shape.delimiter), [])
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{path} has more than one column named {', '.join(sorted(twice))}.")
    return names


def _open(path: Path, shape: TextFormat, kinds: dict[str, Any] | None, names: Names) -> Any:
    from pyarrow import csv

    # one thread: only then does pyarrow name the line of an error
    read = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    if shape.names is not None:
        read.column_names = list(shape.names)
    parse = csv.ParseOptions(delimiter=shape.delimiter)
    if shape.names is not None:
        parse.quote_char = False
    convert = csv.ConvertOptions(
        null_values=MISSING, strings_can_be_null=True, quoted_strings_can_be_null=False,
        column_types=kinds,
    )  # fmt: skip
    return csv.open_csv(path, read, parse, convert)


def _kinds(
    path: Path, format: str, shape: TextFormat, names: Names, chosen: _Columns
) -> dict[str, Any]:
    """A type for every column; csv and tsv are told from the first block."""
    import pyarrow as pa

    if format == "criteo":
        kinds = {"label": pa.string(), **dict.fromkeys(CRITEO_COUNTS, pa.int64()),
                 **dict.fromkeys(CRITEO_CATEGORIES, pa.string())}  # fmt: skip
        return {name: kinds[name] for name in names}
    if format == "avazu":
        return dict.fromkeys(names, pa.string())
    try:
        with _open(path, shape, None, names) as reader:
            schema = reader.schema
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise ValueError(_explained(path, names, str(error))) from None
    kinds = {}
    for field in schema:
        number = (_is_number(field.type) or field.name in chosen.numeric) and (
            field.name not in chosen.categorical and field.name not in LABELS
        )
        kinds[field.name] = pa.float64() if number else pa.string()
    return kinds


def _explained(path: Path, names: Names, message: str) -> str:
    """pyarrow's message with the file, the line and the column's name."""
    line = re.search(r"Row #(\d+)", message)
    where = f"{path}, line {line[1]}" if line else str(path)
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
        return f"{path} is empty."
    return f"{where} is truncated or damaged: {message}"
