"""Text logs read without making strings: blocks of bytes, cut and hashed in place.

A block that is beyond the kernels' simple rules (escaped quotes, numbers such as 0x10, a line with
too many fields, bytes that are not UTF-8) is pyarrow's to read, by itself if that works; else the
file is read anew by pyarrow, which also says what is wrong in which line. Either way the columns
are those of ``text_tables``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.backend import ops
from ..kernels.field_values import NO_NUMBER
from ..kernels.fields import CHUNK, ESCAPED, NOT_ASCII, ODD, PAD
from .columns import Choice, Names
from .cut_table import CutTable, Numbers, Texts, strings
from .formats import (
    CRITEO_COUNTS,
    MISSING,
    OPPOSITES,
    TextFormat,
    header,
    open_bytes,
    packed_texts,
    text_format,
)
from .places import Source
from .target import Target
from .text import block_table, column_kinds, text_tables

if TYPE_CHECKING:
    from pyarrow import Table

FORMATS = ("csv", "tsv", "criteo")  # that are cut; the others are pyarrow's
BLOCK_BYTES = 16 << 20
_LONGEST_LINE = 8 << 20  # as pyarrow's: a longer one has a quote that is not closed
_ABSENT = packed_texts(MISSING)
_NEWLINE = ord("\n")
_LABELS = 1024  # slots of the table of the label's values


class _BeyondError(Exception):
    """A block is beyond the simple rules."""


def cut_tables(source: Source, choice: Choice, target: Target) -> Iterator[CutTable | Table]:
    """The log's pieces: typed CutTables, and Tables that ``typed`` still has to see."""
    import pyarrow as pa

    rows = 0
    try:
        for piece in _pieces(_Cutter(source, choice, target)):
            yield piece
            rows += len(piece)
        return
    except (_BeyondError, pa.ArrowException, OSError, EOFError, zlib.error):
        pass  # the other reader copes, or tells the user
    for table in text_tables(source, choice, target):
        if len(table) > rows:
            yield table[rows:]
        rows = max(0, rows - len(table))


def _pieces(cutter: _Cutter) -> Iterator[CutTable | Table]:
    """Block by block; a block's unfinished line begins the next one."""
    with open_bytes(cutter.source.path) as file:
        rest, start, ended = b"", None, False
        while not ended:
            data = np.empty(len(rest) + BLOCK_BYTES + 1 + PAD, np.uint8)
            data[: len(rest)] = np.frombuffer(rest, np.uint8)
            stop = _filled(file, data, len(rest), len(rest) + BLOCK_BYTES)
            ended = stop < len(rest) + BLOCK_BYTES
            if ended and stop and data[stop - 1] != _NEWLINE:
                data[stop] = _NEWLINE
                stop += 1
            data[stop : stop + PAD] = _NEWLINE
            start = cutter.content(data, stop) if start is None else 0
            piece, end = cutter.piece(data[start:], stop - start)
            rest = data[start + end : stop].tobytes()
            if len(rest) > _LONGEST_LINE or (ended and rest):
                raise _BeyondError
            if len(piece):
                yield piece


def _filled(file: Any, data: np.ndarray, start: int, stop: int) -> int:
    """Read into data[start:stop]; where the file ended."""
    view = memoryview(data)
    while start < stop:
        size = file.readinto(view[start:stop])
        if not size:
            break
        start += size
    return start


class _Cutter:
    """How one file is cut: delimiter, columns, label."""

    def __init__(self, source: Source, choice: Choice, target: Target) -> None:
        self.source, self.choice, self.target = source, choice, target
        self.shape: TextFormat = text_format(source.path, source.format)
        self.names: Names = list(
            self.shape.names or header(source.path, source.format, self.shape.delimiter)
        )
        choice.check(self.names, source)
        if source.format == "criteo" and choice.numeric - {*CRITEO_COUNTS}:
            raise _BeyondError
        self.label = target.find(list(self.names))
        self.needed = choice.needed(self.names, self.label)
        self.kinds = column_kinds(source, self.shape, self.names, self.needed, choice)
        self.quoting = source.format != "criteo"
        self.mark = np.uint8(ord(self.shape.delimiter))
        self.columns = self._columns()

    def _columns(self) -> list[str]:
        drop = {OPPOSITES.get(self.label or "")}
        if not self.target.required:
            drop.add(self.label)
        wanted = self.choice.wanted
        return [n for n in self.needed
                if n not in drop and (wanted is None or n in (self.label, *wanted))]  # fmt: skip

    def content(self, data: np.ndarray, stop: int) -> int:
        """Where the first line of values begins."""
        start = 3 if data[:3].tobytes() == b"\xef\xbb\xbf" else 0
        if not self.source.has_header:
            return start
        head = data[start:stop].tobytes()[: 1 << 20]
        at = 0
        while head[at : at + 1] == b"\n" or head[at : at + 2] == b"\r\n":
            at = head.index(b"\n", at) + 1
        end = head.find(b"\n", at)
        line = head[at:end]
        if end < 0 or line.count(b'"') % 2 or b"\r" in line[:-1]:
            raise _BeyondError
        return start + end + 1

    def piece(self, data: np.ndarray, stop: int) -> tuple[CutTable | Table, int]:
        """The whole lines of a block, and where they end."""
        tasks = -(-stop // CHUNK)
        chunks, starts, rows = (np.empty(n, np.int64) for n in ((tasks, 4), tasks + 1, tasks + 1))
        ops.scan_lines(data, stop, self.mark, self.quoting, chunks, starts, rows)
        end, flags = int(starts[-1]), np.bitwise_or.reduce(chunks[:, 2], initial=0)
        if flags & ODD:
            raise _BeyondError  # where lines end is not sure
        try:
            if flags & ESCAPED:
                raise _BeyondError
            if flags & NOT_ASCII:
                _check_utf8(data[:end])
            return self._cut(data, starts, rows), end
        except _BeyondError:
            return block_table(data[:end], self.shape, self.names, self.kinds, self.needed), end

    def _cut(self, data: np.ndarray, starts: np.ndarray, rows: np.ndarray) -> CutTable:
        bounds = np.empty((int(rows[-1]), len(self.names) + 1), np.int32)
        ragged = np.empty((len(rows) - 1, 2), np.int64)
        ops.cut_fields(data, starts, rows, self.mark, self.quoting, bounds, ragged)
        if (ragged[:, 0] >= 0).any():
            raise _BeyondError
        numeric = [n for n in self.columns if str(self.kinds[n]) != "string"]
        columns = {
            **self._texts(data, bounds, [n for n in self.columns if n not in numeric]),
            **self._numbers(data, bounds, numeric),
        }
        found: dict[str, Any] = {}
        if self.label is not None and self.label in columns:
            found["label"] = _labels(columns.pop(self.label), self.label, self.target)
        return CutTable(found | {n: columns[n] for n in self.columns if n in columns})

    def _fields(self, names: Names) -> np.ndarray:
        places = {name: i for i, name in enumerate(self.names)}
        return np.array([places[name] for name in names], np.int64)

    def _texts(self, data: np.ndarray, bounds: np.ndarray, names: Names) -> dict[str, Texts]:
        fields = self._fields(names)
        keys = np.empty((len(names), len(bounds)), np.uint64)
        present = np.empty(keys.shape, bool)
        ops.hash_fields(data, bounds, fields, self.quoting, _ABSENT, keys, present)
        return {
            name: Texts(data, bounds[:, f : f + 2], self.quoting, keys[k], present[k])
            for k, (name, f) in enumerate(zip(names, fields, strict=True))
        }

    def _numbers(self, data: np.ndarray, bounds: np.ndarray, names: Names) -> dict[str, Numbers]:
        fields, whole = self._fields(names), self.source.format == "criteo"
        numbers = np.empty((len(names), len(bounds)))
        flags = np.empty(numbers.shape, np.uint8)
        ops.parse_fields(data, bounds, fields, self.quoting, _ABSENT, whole, numbers, flags)
        for values, flag, field in zip(numbers, flags, fields, strict=True):
            rows = np.flatnonzero(flag)
            if len(rows):
                own = bounds[rows, field : field + 2]
                values[rows] = _exactly(flag[rows], strings(data, own, self.quoting))
        return {name: Numbers(values) for name, values in zip(names, numbers, strict=True)}


def _exactly(flags: np.ndarray, texts: Any) -> np.ndarray:
    """Numbers that the kernel does not read, by pyarrow's slower way."""
    import pyarrow as pa

    if (flags == NO_NUMBER).any():
        raise _BeyondError
    try:
        found = np.asarray(texts.cast(pa.float64()))
    except pa.ArrowException:
        raise _BeyondError from None
    if not np.isfinite(found).all():
        raise _BeyondError
    return found


def _check_utf8(data: np.ndarray) -> None:
    import pyarrow as pa

    offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowException:
        raise _BeyondError from None


def _labels(column: Texts | Numbers, name: str, target: Target) -> Any:
    """The label as 0 and 1: the target is asked for the different values only."""
    import pyarrow as pa

    if column.null_count:
        raise _BeyondError
    different, codes = (_texts_codes if isinstance(column, Texts) else _number_codes)(column)
    clicks = np.asarray(target.column(pa.table({name: different}), 0))
    return pa.chunked_array([pa.array(clicks[codes])])


def _texts_codes(column: Texts) -> tuple[Any, np.ndarray]:
    keys, counts = np.zeros(_LABELS, np.uint64), np.zeros(_LABELS, np.int64)
    fresh, state = np.empty(len(column), np.int64), np.zeros(3, np.int64)
    ops.count_keys(column.keys, column.present, keys, counts, 1, fresh, state)
    if state[0] < len(column):
        raise _BeyondError  # as many values as no label has
    rows = fresh[: state[2]]
    keys[:], counts[:] = 0, 0
    ops.move_keys(column.keys[rows], np.arange(1, len(rows) + 1), keys, counts)
    codes = np.empty(len(column), np.int64)
    ops.find_keys(column.keys, column.present, keys, counts, 0, 0, codes)
    return column.take(rows), codes - 1


def _number_codes(column: Numbers) -> tuple[Any, np.ndarray]:
    import pyarrow as pa

    different, codes = np.unique(column.values, return_inverse=True)
    return pa.array(different), codes
