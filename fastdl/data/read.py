"""Reading logs in pieces of bounded memory: CSV, TSV, Parquet, Criteo's and Avazu's formats."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..validation import check_size
from .columns import Choice, Names, typed
from .count import lost_part
from .cut import FORMATS as CUT_FORMATS
from .cut import cut_tables
from .cut_table import CutTable
from .faults import BadPart, BadRows
from .formats import check_file, resolve_format
from .parts import Paths, find_parts
from .places import Source
from .repair import tables_with_skips
from .skipped import Skipped
from .sparse import SPARSE, sparse_tables
from .target import Target
from .text import text_tables

if TYPE_CHECKING:
    from pathlib import Path

    from pyarrow import Schema, Table


def read_log(
    path: Paths, format: str | None = None, *, label: str | None = None,
    positive: str | bool | float | None = None, columns: Names | None = None,
    categorical: Names = (), numeric: Names = (), rows: int | None = None,
    require_label: bool = True, on_error: str = "stop", report: Skipped | None = None,
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
        numeric=numeric, require_label=require_label, on_error=on_error, report=report,
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
    require_label: bool = True, on_error: str = "stop", report: Skipped | None = None,
) -> Iterator[Table]:  # fmt: skip
    """The log as pyarrow Tables of at most ``batch_rows`` rows, in bounded memory.

    ``path`` is a file, a folder of parts, a pattern such as ``days/*.parquet``, or a list of them
    (see ``find_parts`` for their order); all parts have the first one's columns, as numbers or
    categories like there. ``format`` is criteo, avazu, csv, tsv, parquet, libsvm or libffm; None
    goes by the file's name (.csv, .tsv, .txt, .parquet, .libsvm, .svm, .libffm, .ffm; text also
    with .gz or .zst) and, for Criteo's and Avazu's, its first line. The result has the column
    ``label`` (int8, 1 for a click) first, unless ``require_label`` is False (for prediction), then
    float64 columns for numbers and string columns for categories; booleans and numbers in columns
    whose names end in id, code, key or hash are categories. Lists and times of Parquet stay what
    they are, and times in csv and tsv as ISO 8601 writes them become such. Types behind a name, as
    in user_id:token and price:float, are believed. Columns of libsvm and libffm are told in
    ``fastdl.data.libsvm`` and ``fastdl.data.libffm``.

    ``label`` names the label column (by default label, click, clicked or clk), ``positive`` the
    value that means a click where the values are not 0 and 1 or false and true (in libsvm and
    libffm, -1 and 1), or of numbers a bound, such as ">=4". ``columns`` chooses columns;
    ``categorical`` and ``numeric`` say what some of them are, where types would mislead: in text
    the first 8 MB tell them. The words NULL, NaN, NA and N/A without quotes, and nothing, are
    missing values.

    ``on_error="skip"`` leaves out rows that cannot be used: ragged ones, texts in columns of
    numbers, infinite numbers, bytes that are not UTF-8, missing labels and labels that are none of
    the log's two, Avazu's hours that are none; and files, or their rest, that are damaged or have
    other columns than the first. ``report``, a ``Skipped``, counts all of them by file and reason
    (without one, a warning does): rows that came and rows that it counts are the file's rows.

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
    skipped = check_on_error(on_error, report)
    tables = _checked_tables(
        path, format, (label, positive, require_label), (columns, categorical, numeric),
        batch_rows, skipped, False,
    )  # fmt: skip
    return tables if skipped is None or report is not None else _warned(tables, skipped)


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
    return _checked_tables(
        path, format, (label, positive, require_label), (columns, categorical, numeric),
        batch_rows, None, True,
    )  # fmt: skip


def _checked_tables(
    path: Paths, format: str | None, label: tuple[Any, Any, bool], typing: tuple[Any, Any, Any],
    batch_rows: int, skipped: Skipped | None, cut: bool,
) -> Iterator[Any]:  # fmt: skip
    parts = find_parts(path)
    format = resolve_format(parts[0], format)
    for part in parts:
        if skipped is None or not part.exists():
            check_file(part, format)
    check_size(batch_rows, "batch_rows")
    choice = Choice(*typing)
    sources = sources_of(parts, format)
    target = Target(sources[0], *label, skips=skipped is not None)
    return tables_of(sources, choice, target, batch_rows, skipped, cut)


def sources_of(parts: list[Path], format: str) -> list[Source]:
    """The files of a log with what messages need to know of them."""
    has_header = format in ("avazu", "csv", "tsv")
    return [Source(part, format, has_header) for part in parts]


def check_on_error(on_error: str, report: Skipped | None) -> Skipped | None:
    """The report of what is skipped, None where nothing is; ValueError or TypeError."""
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error is {on_error!r}; expected 'stop' or 'skip'.")
    if report is not None and not isinstance(report, Skipped):
        raise TypeError(f"report is {type(report).__name__}; expected a fastdl.data.Skipped.")
    return None if on_error == "stop" else Skipped() if report is None else report


def _warned(tables: Iterator[Table], skipped: Skipped) -> Iterator[Table]:
    """Nobody asked for the report: a warning tells of what was left out."""
    try:
        yield from tables
    finally:
        if skipped:
            warnings.warn(skipped.summary(), stacklevel=2)


def tables_of(
    sources: list[Source], choice: Choice, target: Target, batch_rows: int,
    skipped: Skipped | None, cut: bool = False, first_row: int = 0,
) -> Iterator[Any]:  # fmt: skip
    """``iter_log`` or ``iter_cut`` with everything checked; bad rows are counted in ``skipped``.

    Rows before ``first_row`` may be passed over: their number comes in the place of a table.
    """
    first, total = None, 0
    for source in sources:
        rows, before = 0, skipped.rows_of(source.path) if skipped is not None else 0
        try:
            if skipped is not None and source.table is None:
                check_file(source.path, source.format, lenient=True)
            unwanted = first_row - total
            for table in _typed_tables(source, choice, target, batch_rows, skipped, cut, unwanted):
                if isinstance(table, int):
                    yield table
                    rows += table
                    continue
                if first is None:
                    first = table.schema
                    choice = choice.as_in(first)
                table = _with_columns_of(first, table, source, sources[0])
                yield table
                rows += len(table)
        except ValueError as error:
            # before there are any rows, only damage may be the file's fault and not the caller's
            if skipped is None or (first is None and not isinstance(error, BadPart)):
                raise
            rest = rows + skipped.rows_of(source.path) - before
            lost_part(error, source, rest).count_in(skipped, source)
        total += rows
    if total == 0:
        raise ValueError(f"{sources[0].path} has no rows{_all_skipped(skipped)}.")
    if first_row <= 0:  # else not all labels were seen
        target.finish()


def _all_skipped(skipped: Skipped | None) -> str:
    return f" that can be used. {skipped.summary()[:-1]}" if skipped else ""


def _typed_tables(
    source: Source, choice: Choice, target: Target, batch_rows: int, skipped: Skipped | None,
    cut: bool, unwanted: int,
) -> Iterator[Any]:  # fmt: skip
    """The tables of a file, typed; BadRows in them are counted if there is a report."""
    first_row = 0
    for piece, where in _pieces(source, choice, target, batch_rows, skipped, cut, unwanted):
        if isinstance(piece, int):
            yield piece
            first_row += piece
            continue
        for start in range(0, len(piece), batch_rows):
            table = piece[start : start + batch_rows]
            if isinstance(table, CutTable):
                yield table
            elif skipped is None and where is None:
                target.source = source
                yield typed(table, source, first_row, choice, target)
            else:
                own = (source if where is None else where).rows_from(
                    start if where is not None else first_row, len(table)
                )
                found = _typed_rows(table, own, choice, target, skipped)
                if len(found):
                    yield found
            first_row += len(table)


def _typed_rows(
    table: Table, source: Source, choice: Choice, target: Target, skipped: Skipped | None
) -> Table:
    import pyarrow as pa

    while True:
        target.source = source
        try:
            return typed(table, source, 0, choice, target)
        except BadRows as error:
            if skipped is None:
                raise
            error.count_in(skipped)
            table = table.filter(pa.array(~error.bad))
            source = source.where(~error.bad)


def _pieces(
    source: Source, choice: Choice, target: Target, batch_rows: int, skipped: Skipped | None,
    cut: bool, unwanted: int,
) -> Iterator[tuple[Any, Source | None]]:  # fmt: skip
    """Pieces of a file as they are read, with the rows' places where the reader knows them.

    Behind the first piece, a number stands for so many of the ``unwanted`` first rows.
    """
    target.source = source
    if source.table is not None:
        yield source.table.select(_needed(source, source.table.column_names, choice, target)), None
    elif source.format == "parquet":
        for table in _parquet(source, choice, target, batch_rows, unwanted):
            yield table, None
    elif source.format in SPARSE:
        yield from sparse_tables(source, choice, target, skipped)
    elif skipped is not None:
        yield from tables_with_skips(source, choice, target, skipped)
    else:
        tables: Iterator[Any] = (
            cut_tables(source, choice, target, unwanted)
            if cut and source.format in CUT_FORMATS
            else text_tables(source, choice, target)
        )
        for table in tables:
            yield table, None


def _with_columns_of(first: Schema, table: Any, source: Source, where: Source) -> Any:
    """The table, its columns in the order of the log's first part; ValueError where one lacks."""
    missing = [name for name in first.names if name not in table.column_names]
    extra = [name for name in table.column_names if name not in first.names]
    if missing or extra:
        words = [f"lacks the column {', '.join(missing)}"] if missing else []
        words += [f"has the column {', '.join(extra)} more"] if extra else []
        raise ValueError(f"{source.path} {' and '.join(words)} than {where.path}.")
    table = table.select(first.names)
    if table.schema.equals(first):
        return table
    if isinstance(table, CutTable):
        table = table.to_arrow()
    return table.cast(first)  # other dictionaries


def _needed(source: Source, names: list[str], choice: Choice, target: Target) -> list[str]:
    """The columns that have to be read; ValueError for names that do not fit."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(
            f"{source.path} has more than one column named {', '.join(sorted(twice))}."
        )
    choice.check(names, source)
    return choice.needed(names, target.find(names))


def _parquet(
    source: Source, choice: Choice, target: Target, batch_rows: int, unwanted: int
) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(source.path)
        # Parquet mostly holds text as dictionaries: their texts need no copies
        texts = [f.name for f in metadata.schema.to_arrow_schema() if f.type == pa.string()]
        with parquet.ParquetFile(
            source.path, metadata=metadata, read_dictionary=texts, page_checksum_verification=True
        ) as file:
            needed = _needed(source, file.schema_arrow.names, choice, target)
            for groups in _row_groups(metadata, unwanted):
                if isinstance(groups, int):
                    yield groups
                    continue
                for batch in file.iter_batches(batch_rows, columns=needed, row_groups=groups):
                    yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise BadPart(f"{source.path} is truncated or damaged: {error}") from None


def _row_groups(metadata: Any, unwanted: int) -> Iterator[list[int] | int]:
    """The row groups that are read together, and between them numbers of rows passed over."""
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    wanted = sum(end <= unwanted for end in itertools.accumulate(sizes))
    if wanted <= 1:
        yield list(range(len(sizes)))
        return
    yield [0]  # its types are the log's
    yield sum(sizes[1:wanted])
    if wanted < len(sizes):
        yield list(range(wanted, len(sizes)))
