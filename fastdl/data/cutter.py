"""How a block of a text log is cut: which columns, the label, what only pyarrow can read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..kernels.backend import ops
from ..kernels.field_values import NO_NUMBER
from ..kernels.fields import CHUNK, ESCAPED, NOT_ASCII
from .columns import Choice, Names, elements
from .cut_table import CutTable, Numbers, Texts, strings
from .formats import (
    CRITEO_COUNTS,
    MISSING,
    OPPOSITES,
    TextFormat,
    header,
    packed_texts,
    text_format,
)
from .names import declared_type
from .places import Source
from .target import Target
from .text import block_table, column_types, first_types

if TYPE_CHECKING:
    from pyarrow import Table

_ABSENT = packed_texts(MISSING)
_LABELS = 1024  # slots of the table of the label's values


class BeyondError(Exception):
    """A block is beyond the simple rules."""


class Lines(NamedTuple):
    """Whole lines of a log: bytes, and what scan_lines says of them."""

    data: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    flags: int


class Cut(NamedTuple):
    """Columns of some lines: the features, and the label's different values and every row's."""

    columns: dict[str, Any]  # Texts, Numbers, or pyarrow's
    labels: tuple[Any, np.ndarray] | None


class Cutter:
    """How one file is cut: delimiter, columns, label."""

    def __init__(self, source: Source, choice: Choice, target: Target) -> None:
        self.source, self.choice, self.target = source, choice, target
        self.shape: TextFormat = text_format(source.path, source.format)
        self.names: Names = list(
            self.shape.names or header(source.path, source.format, self.shape.delimiter)
        )
        choice.check(self.names, source)
        if source.format == "criteo" and choice.numeric - {*CRITEO_COUNTS}:
            raise BeyondError
        self.label = target.find(list(self.names))
        self.needed = choice.needed(self.names, self.label)
        look = partial(first_types, source, self.shape, self.needed)
        self.kinds = column_types(source, self.needed, choice, look)
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
            raise BeyondError
        return start + end + 1

    def lines(self, data: np.ndarray, stop: int) -> Lines:
        """Where the lines of a block are."""
        tasks = -(-stop // CHUNK)
        chunks, starts, rows = (np.empty(n, np.int64) for n in ((tasks, 4), tasks + 1, tasks + 1))
        ops.scan_lines(data, stop, self.mark, self.quoting, chunks, starts, rows)
        return Lines(data, starts, rows, int(np.bitwise_or.reduce(chunks[:, 2], initial=0)))

    def cut(self, lines: Lines) -> Cut | Table:
        """The columns of some lines; by pyarrow where they are beyond the simple rules."""
        try:
            if lines.flags & ESCAPED:
                raise BeyondError
            if lines.flags & NOT_ASCII:
                _check_utf8(lines.data[: lines.starts[-1]])
            return self._cut(*lines[:3])
        except BeyondError:
            return self._by_arrow(lines)

    def _by_arrow(self, lines: Lines) -> Table:
        data = lines.data[: lines.starts[-1]]
        return block_table(data, self.shape, self.names, self.kinds, self.needed)

    def _by_kind(self) -> tuple[list[str], list[str], list[str]]:
        """Columns of texts, of numbers, and those that pyarrow makes: times and lists."""
        kinds = {name: str(self.kinds[name]) for name in self.columns}
        lists = [name for name in self.columns if declared_type(name) == "token_seq"]
        texts = [n for n, kind in kinds.items() if kind == "string" and n not in lists]
        numeric = [n for n, kind in kinds.items() if kind in ("double", "int64")]
        return texts, numeric, [n for n in self.columns if n not in texts and n not in numeric]

    def _cut(self, data: np.ndarray, starts: np.ndarray, rows: np.ndarray) -> Cut:
        R, F = int(rows[-1]), len(self.names)
        texts, numeric, others = self._by_kind()
        T, N = len(texts), len(numeric)
        keys, numbers, bounds, present, flags = _carved(
            ((T, R), np.uint64), ((N, R), np.float64), ((R, F + 1), np.int32), ((T, R), np.bool_),
            ((N, R), np.uint8),
        )  # fmt: skip
        ragged = np.empty((len(rows) - 1, 2), np.int64)
        ops.cut_fields(data, starts, rows, self.mark, self.quoting, bounds, ragged)
        if (ragged[:, 0] >= 0).any():
            raise BeyondError
        columns: dict[str, Any] = {
            **self._texts(data, bounds, texts, keys, present),
            **self._numbers(data, bounds, numeric, numbers, flags),
            **self._others(data[: starts[-1]], others),
        }
        label = columns.pop(self.label, None) if self.label is not None else None
        return Cut(columns, None if label is None else _different(label))

    def labelled(self, cut: Cut) -> CutTable:
        """The columns in their order, the label as 0 and 1 in front."""
        import pyarrow as pa

        found: dict[str, Any] = {}
        if cut.labels is not None:
            different, codes = cut.labels
            clicks = np.asarray(self.target.column(pa.table({self.label: different}), 0))
            found["label"] = pa.chunked_array([pa.array(clicks[codes])])
        return CutTable(found | {n: cut.columns[n] for n in self.columns if n in cut.columns})

    def _others(self, data: np.ndarray, names: Names) -> dict[str, Any]:
        if not names:
            return {}
        table = block_table(data, self.shape, self.names, self.kinds, names)
        return {
            name: elements(table[name]) if declared_type(name) == "token_seq" else table[name]
            for name in names
        }

    def _fields(self, names: Names) -> np.ndarray:
        places = {name: i for i, name in enumerate(self.names)}
        return np.array([places[name] for name in names], np.int64)

    def _texts(
        self, data: np.ndarray, bounds: np.ndarray, names: Names, keys: np.ndarray,
        present: np.ndarray,
    ) -> dict[str, Texts]:  # fmt: skip
        fields = self._fields(names)
        ops.hash_fields(data, bounds, fields, self.quoting, _ABSENT, keys, present)
        return {
            name: Texts(data, bounds[:, f : f + 2], self.quoting, keys[k], present[k])
            for k, (name, f) in enumerate(zip(names, fields, strict=True))
        }

    def _numbers(
        self, data: np.ndarray, bounds: np.ndarray, names: Names, numbers: np.ndarray,
        flags: np.ndarray,
    ) -> dict[str, Numbers]:  # fmt: skip
        fields, whole = self._fields(names), self.source.format == "criteo"
        ops.parse_fields(data, bounds, fields, self.quoting, _ABSENT, whole, numbers, flags)
        for values, flag, field in zip(numbers, flags, fields, strict=True):
            rows = np.flatnonzero(flag)
            if len(rows):
                own = bounds[rows, field : field + 2]
                values[rows] = _exactly(flag[rows], strings(data, own, self.quoting))
        return {name: Numbers(values) for name, values in zip(names, numbers, strict=True)}


def _carved(*arrays: tuple[tuple[int, int], Any]) -> list[np.ndarray]:
    """Uninitialised arrays in one piece of memory: new memory's pages cost more than the work.

    The first ones have the largest elements, so that all are aligned.
    """
    sizes = [shape[0] * shape[1] * np.dtype(dtype).itemsize for shape, dtype in arrays]
    ends = np.cumsum(sizes)
    whole = np.empty(int(ends[-1]), np.uint8)
    return [
        whole[end - size : end].view(dtype).reshape(shape)
        for (shape, dtype), size, end in zip(arrays, sizes, ends, strict=True)
    ]


def _exactly(flags: np.ndarray, texts: Any) -> np.ndarray:
    """Numbers that the kernel does not read, by pyarrow's slower way."""
    import pyarrow as pa

    if (flags == NO_NUMBER).any():
        raise BeyondError
    try:
        found = np.asarray(texts.cast(pa.float64()))
    except pa.ArrowException:
        raise BeyondError from None
    if not np.isfinite(found).all():
        raise BeyondError
    return found


def _check_utf8(data: np.ndarray) -> None:
    import pyarrow as pa

    offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowException:
        raise BeyondError from None


def _different(column: Texts | Numbers) -> tuple[Any, np.ndarray]:
    """A label's different values, for the target to judge, and each row's place among them."""
    import pyarrow as pa

    if column.null_count:
        raise BeyondError
    if isinstance(column, Numbers):
        values, codes = np.unique(column.values, return_inverse=True)
        return pa.array(values), codes
    keys, counts = np.zeros(_LABELS, np.uint64), np.zeros(_LABELS, np.int64)
    fresh, state = np.empty(len(column), np.int64), np.zeros(3, np.int64)
    ops.count_keys(column.keys, column.present, keys, counts, 1, fresh, state)
    if state[0] < len(column):
        raise BeyondError  # as many values as no label has
    rows = fresh[: state[2]]
    keys[:], counts[:] = 0, 0
    ops.move_keys(column.keys[rows], np.arange(1, len(rows) + 1), keys, counts)
    found = np.empty(len(column), np.int32)
    ops.find_keys(column.keys, column.present, keys, counts, 0, 0, found)
    return column.take(rows), found - 1
