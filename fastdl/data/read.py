"""Reading logs in pieces of bounded memory: CSV, TSV, Parquet, Criteo's and Avazu's formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..validation import check_size
from .columns import Choice, Names, typed
from .cut import FORMATS as cut_formats
from .cut import cut_tables
from .cut_table import CutTable
from .formats import check_file, resolve_format
from .parts import Paths, find_parts
from .places import Source
from .target import Target
from .text import text_tables

if TYPE_CHECKING:
    from pyarrow import Schema, Table


def read_log(
    path: Paths, format: str | None = None, *, label: str | None = None,
    positive: str | bool | float | None = None, columns: Names | None = None,
    categorical: Names = (), numeric: Names = (), rows: int | None = None,
    require_label: bool = True,
) -> Table:  # fmt: skip
    """A whole log, or its first ``rows`` rows, as a pyarrow Table; options as ``iter_log``.

    >>> import tempfile
    >>> from fastdl.data import write_ad_log
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_ad_log(f"{folder}/log.tsv", 100)
    ...     read_log(f"{folder}/log.tsv", "criteo", columns=["I1", "C3"]).column_names
    ['label', 'I1', 'C3']
    """
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
    return pa.concat_tables(pieces).unify_dictionaries()


def iter_log(
    path: Paths, format: str | None = None, *, label: str | None = None,
    positive: str | bool | float | None = None, columns: Names | None = None,
    categorical: Names = (), numeric: Names = (), batch_rows: int = 65536,
    require_label: bool = True,
) -> Iterator[Table]:  # fmt: skip
    """The log as pyarrow Tables of at most ``batch_rows`` rows, in bounded memory.

    ``path`` is a file, a folder of parts, a pattern such as ``days/*.parquet``, or a list of them
    (see ``find_parts`` for their order); all parts have the first one's columns, as numbers or
    categories like there. ``format`` is criteo, avazu, csv, tsv or parquet; None goes by the file's
    name (.csv, .tsv, .txt, .parquet; text also with .gz or .zst). The result has the column
    ``label`` (int8, 1 for a click) first, unless ``require_label`` is False (for prediction), then
    float64 columns for numbers and string columns for categories; booleans and numbers in columns
    whose names end in id, code, key or hash are categories. Lists and times in Parquet stay what
    they are. ``label`` names the label column (by default label, click, clicked or clk),
    ``positive`` the value that means a click where the values are not 0 and 1 or false and true.
    ``columns`` chooses columns; ``categorical`` and ``numeric`` say what some of them are, where
    types would mislead: in csv and tsv the first 8 MB tell them. The words NULL, NaN, NA and N/A
    without quotes, and nothing, are missing values.

    Raises TypeError for options of another type, FileNotFoundError, and ValueError for a file that
    is empty, truncated, ragged or of another format, with its line number where there is one (row
    number in Parquet), for unknown columns, for infinite numbers, and for a label column that has
    not two values, which only the log's end can tell where there is one value.

    >>> import tempfile
    >>> from fastdl.data import write_ad_log
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_ad_log(f"{folder}/log.parquet", 100)
    ...     [len(table) for table in iter_log(f"{folder}/log.parquet", batch_rows=60)]
    [60, 40]
    """
    options = (label, positive, columns, categorical, numeric, batch_rows, require_label)
    return _tables(*_prepared(path, format, *options))


def iter_cut(
    path: Paths, format: str | None = None, *, label: str | None = None,
    positive: str | bool | float | None = None, columns: Names | None = None,
    categorical: Names = (), numeric: Names = (), batch_rows: int = 65536,
    require_label: bool = True,
) -> Iterator[CutTable | Table]:  # fmt: skip
    """``iter_log`` for encoders: text logs as CutTables, which have no strings, where that works.

    Options, columns, values, errors are those of ``iter_log``; ``to_arrow`` of a CutTable gives
    what ``iter_log`` does. Other formats, and blocks of text that only pyarrow can read, are
    Tables.
    """
    options = (label, positive, columns, categorical, numeric, batch_rows, require_label)
    return _tables(*_prepared(path, format, *options), cut=True)


def _prepared(
    path: Paths, format: str | None, label: str | None, positive: str | bool | float | None,
    columns: Names | None, categorical: Names, numeric: Names, batch_rows: int,
    require_label: bool,
) -> tuple[list[Source], Choice, Target, int]:  # fmt: skip
    parts = find_parts(path)
    format = resolve_format(parts[0], format)
    for part in parts:
        check_file(part, format)
    check_size(batch_rows, "batch_rows")
    choice = Choice(columns, categorical, numeric)
    sources = [Source(part, format, has_header=format not in ("parquet", "criteo"))
               for part in parts]  # fmt: skip
    return sources, choice, Target(sources[0], label, positive, require_label), batch_rows


def _tables(
    sources: list[Source], choice: Choice, target: Target, batch_rows: int, cut: bool = False
) -> Iterator[Any]:
    first, total = None, 0
    read_text: Any = text_tables
    if cut and sources[0].format in cut_formats:
        read_text = cut_tables
    for source in sources:
        target.source, rows = source, 0
        pieces = (
            _parquet(source, choice, target, batch_rows)
            if source.format == "parquet"
            else read_text(source, choice, target)
        )
        for piece in pieces:
            for start in range(0, len(piece), batch_rows):
                table = piece[start : start + batch_rows]
                found = table
                if not isinstance(table, CutTable):
                    found = typed(table, source, rows, choice, target)
                if first is None:
                    first = found.schema
                    choice = choice.as_in(first)
                yield _with_columns_of(first, found, source, sources[0])
                rows += len(table)
        total += rows
    if total == 0:
        raise ValueError(f"{sources[0].path} has no rows.")
    target.finish()


def _with_columns_of(first: Schema, table: Any, source: Source, where: Source) -> Any:
    """The table, its columns in the order of the log's first part; ValueError where one lacks."""
    missing = [name for name in first.names if name not in table.column_names]
    extra = [name for name in table.column_names if name not in first.names]
    if missing or extra:
        words = [f"lacks the column {', '.join(missing)}"] if missing else []
        words += [f"has the column {', '.join(extra)} more"] if extra else []
        raise ValueError(f"{source.path} {' and '.join(words)} than {where.path}.")
    table = table.select(first.names)
    return table if table.schema.equals(first) else table.cast(first)  # other dictionaries


def _parquet(source: Source, choice: Choice, target: Target, batch_rows: int) -> Iterator[Table]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(source.path)
        # Parquet mostly holds text as dictionaries: their texts need no copies
        texts = [f.name for f in metadata.schema.to_arrow_schema() if f.type == pa.string()]
        with parquet.ParquetFile(source.path, metadata=metadata, read_dictionary=texts) as file:
            names = file.schema_arrow.names
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(
                    f"{source.path} has more than one column named {', '.join(sorted(twice))}."
                )
            choice.check(names, source)
            needed = choice.needed(names, target.find(names))
            for batch in file.iter_batches(batch_rows, columns=needed):
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{source.path} is truncated or damaged: {error}") from None
