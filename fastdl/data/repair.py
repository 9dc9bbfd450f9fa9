"""Text logs with errors: blocks without any are read as ever, of others the good rows are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from . import text
from .columns import Choice, Names, is_number
from .faults import BAD_BYTES, BEYOND, NOT_A_NUMBER, NOT_A_TIME, RAGGED, UNREADABLE, unreadable
from .formats import TextFormat, header, text_format
from .places import Source
from .records import Block, Quoting, ahead, blocks, is_long, is_open
from .skipped import Skipped
from .target import Target

if TYPE_CHECKING:
    from pyarrow import Schema, Table

Bad = dict[int, tuple[str, str]]  # row: reason, detail

_PARALLEL_BYTES = 1 << 20  # what one thread of pyarrow's parses at once


@dataclass
class _Reader:
    """How one file is read, and where its errors are told."""

    source: Source
    shape: TextFormat
    names: list[str]
    needed: Names
    skipped: Skipped
    kinds: dict[str, Any] = field(default_factory=dict)

    def table(self, block: Block, kinds: Any, bad_row: Any = None) -> Table:
        """The records of a block as pyarrow reads them."""
        import pyarrow as pa
        from pyarrow import csv

        data = block.data
        if len(block):  # between two records of the block lie blank lines at most
            data = pa.py_buffer(block.data)[int(block.starts[0]) : int(block.ends[-1]) + 1]
        # only where records have several lines: pyarrow then finds records on one thread
        quoted = self.shape.names is None and block.data.count(b"\n") > len(block) + 1
        longest = int((block.ends - block.starts).max()) + 3
        read = csv.ReadOptions(
            use_threads=bad_row is None, column_names=self.names,
            block_size=len(data) + 1 if quoted or bad_row else max(_PARALLEL_BYTES, longest),
        )  # fmt: skip
        parse, convert = text.options(self.shape, kinds, self.needed, quoted, bad_row)
        return csv.read_csv(pa.BufferReader(data), read, parse, convert)

    def is_open(self, block: Block, row: int) -> bool:
        """Whether a record leaves a quote open."""
        if self.shape.names is not None:
            return False
        record = block.record(row)
        return b'"' in record and not is_long(record) and is_open(record, self.shape.delimiter)

    def whole(self, block: Block, kinds: Any = None) -> Table | None:
        """The block's table, None unless every record gives one row of the right types."""
        import pyarrow as pa

        try:
            table = self.table(block, self.kinds if kinds is None else kinds)
        except pa.ArrowException:
            return None
        return table if len(table) == len(block) else None


def tables_with_skips(
    source: Source, choice: Choice, target: Target, skipped: Skipped
) -> Iterator[tuple[Table, Source]]:
    """The good rows of a text file, block by block, with their lines; ``skipped`` counts others.

    Raises BadPart where the file is damaged, behind the last rows that could be read; ValueError
    where nothing can be read.
    """
    shape = text_format(source.path, source.format, lenient=True)
    names = list(shape.names or header(source.path, source.format, shape.delimiter))
    choice.check(names, source)
    text.check_avazu(source, names)
    label = target.find(names)
    reader = _Reader(source, shape, names, choice.needed(names, label), skipped)
    first, settled = True, False
    for block in ahead(blocks(source.path, text.BLOCK_BYTES, _quoting(reader, label))):
        if first and len(block):
            first = False
            block = block.only(slice(int(shape.names is None), None))
        if not len(block):
            continue
        if not settled:
            types = partial(_types_of, reader, block)
            reader.kinds = text.column_types(source, reader.needed, choice, types)
            settled = reader.whole(block) is not None or len(_legible(reader, block)) > 0
        # at a block's end pyarrow closes a quote by itself
        open_end = reader.is_open(block, len(block) - 1)
        table = None if open_end or block.unclosed.any() else reader.whole(block)
        if table is None:
            block, table = _salvaged(reader, block)
        if len(block):
            yield table, source.with_numbers(block.numbers)


def _quoting(reader: _Reader, label: str | None) -> Quoting | None:
    if reader.shape.names is not None:
        return None
    single = [label, "hour"] if reader.source.format == "avazu" else [label]
    places = tuple(reader.names.index(name) for name in single if name is not None)
    return Quoting(reader.shape.delimiter, len(reader.names), places)


def _legible(reader: _Reader, block: Block) -> Block:
    """The records of a block that may tell of what types its columns are."""
    bad = [*_bad_bytes(reader, block), *_unclosed(reader, block)]
    return block.only(_others(block, bad)).joined()


def _types_of(reader: _Reader, block: Block, known: Any) -> Schema:
    """The types of a block's columns as pyarrow takes them, from the legible records if any are."""
    import pyarrow as pa

    table = reader.whole(block, known)
    # bytes that are no text make a column of numbers one of bytes
    if table is not None and pa.binary() not in table.schema.types:
        return table.schema
    good = _legible(reader, block)
    if not len(good):
        return pa.schema([(name, pa.string()) for name in reader.needed])
    return reader.table(good, known, lambda row: "skip").schema


def _others(block: Block, rows: Iterable[int]) -> np.ndarray:
    return np.isin(np.arange(len(block)), list(rows), invert=True)


def _salvaged(reader: _Reader, block: Block) -> tuple[Block, Any]:
    """The records that can be read and their table (None without any); the others are counted.

    A bad record of several lines may be a quote too many: its lines are tried one by one.
    """
    steps = [_unclosed, _bad_bytes, _ragged, _wrong_values]
    while steps and len(block):
        bad = steps[0](reader, block)
        long = [row for row in bad if reader.shape.names is None and is_long(block.record(row))]
        if long:
            block = block.apart(long, reader.shape.delimiter)
            steps = [_unclosed, _bad_bytes, _ragged, _wrong_values]
            continue
        _count(reader, block, bad)
        block = block.only(_others(block, bad)).joined() if bad else block
        steps = steps[1:]
    if not len(block):
        return block, None
    table = reader.whole(block)
    return (block, table) if table is not None else _by_halves(reader, block)


def _unclosed(reader: _Reader, block: Block) -> Bad:
    if reader.shape.names is not None or b'"' not in block.data:
        return {}
    rows = [row for row in range(len(block)) if reader.is_open(block, row)]
    return dict.fromkeys(rows, (UNREADABLE, "a quote is not closed"))


def _count(reader: _Reader, block: Block, bad: Bad) -> None:
    by_reason: dict[str, list[str]] = {}
    for row in sorted(bad):
        reason, detail = bad[row]
        by_reason.setdefault(reason, []).append(f"line {block.numbers[row]}: {detail}")
    for reason, examples in by_reason.items():
        reader.skipped.add(reader.source.path, reason, len(examples), examples)


def _bad_bytes(reader: _Reader, block: Block) -> Bad:
    bad: Bad = {}
    with suppress(UnicodeDecodeError):
        block.data.decode("utf-8")
        return bad
    for i in range(len(block)):
        try:
            block.record(i).decode("utf-8")
        except UnicodeDecodeError as error:
            wrong = block.record(i)[error.start : error.start + 4]
            bad[i] = (
                BAD_BYTES,
                f"byte {error.start + 1} begins {wrong!r}, which is not UTF-8 text",
            )
    return bad


def _as_texts(reader: _Reader, block: Block, bad_row: Any) -> Table | None:
    import pyarrow as pa

    try:
        return reader.table(block, dict.fromkeys(reader.needed, pa.string()), bad_row)
    except pa.ArrowException:
        return None


def _ragged(reader: _Reader, block: Block) -> Bad:
    bad: Bad = {}

    def bad_row(row: Any) -> str:  # called on one thread, which is the only way to learn numbers
        words = f"expected {row.expected_columns} columns, got {row.actual_columns}"
        bad[row.number - 1] = (RAGGED, words)
        return "skip"

    table = _as_texts(reader, block, bad_row)
    if table is None or len(table) + len(bad) != len(block):
        return {}  # pyarrow cuts these records elsewhere: halves will tell
    return bad


def _wrong_values(reader: _Reader, block: Block) -> Bad:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = _as_texts(reader, block, None)
    if table is None or len(table) != len(block):
        return {}
    bad: Bad = {}
    for name, kind in reader.kinds.items():
        if kind == pa.string():
            continue
        coded = table[name].combine_chunks().dictionary_encode()
        wrong = unreadable(pc.utf8_trim(coded.dictionary, " \t"), kind)
        if not wrong.any():
            continue
        for row in np.flatnonzero(np.append(wrong, False)[coded.indices.fill_null(-1)]).tolist():
            value = repr(coded[row].as_py())
            reason = NOT_A_NUMBER if is_number(kind) else NOT_A_TIME
            reason = BEYOND if text.is_beyond(value, kind) else reason
            bad.setdefault(row, (reason, text.wrong_value(name, value, kind)))
    return bad


def _by_halves(reader: _Reader, block: Block) -> tuple[Block, Any]:
    """Halves of the block until each can be read or not: pyarrow cuts its records elsewhere."""
    import pyarrow as pa

    good: list[int] = []
    tables: list[Table] = []
    waiting = [(0, len(block))]
    while waiting:
        start, stop = waiting.pop()
        table = reader.whole(block.only(slice(start, stop)).joined())
        if table is not None:
            tables.append(table)
            good.extend(range(start, stop))
        elif stop - start > 1:
            middle = (start + stop) // 2
            waiting += [(middle, stop), (start, middle)]
        else:
            words = f"{block.record(start)[:60].decode()!r} cannot be read as one row"
            _count(reader, block, {start: (UNREADABLE, words)})
    return block.only(np.array(good, np.int64)), pa.concat_tables(tables) if tables else None
