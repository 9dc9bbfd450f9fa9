"""A piece of a text log as encoders take it: keys of texts and numbers, and no strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..kernels.backend import ops

if TYPE_CHECKING:
    from pyarrow import Array, ChunkedArray, Schema, Table

_QUOTE = ord('"')


class Texts:
    """A column of texts that stay where they are in the file's bytes.

    data uint8; bounds (rows, 2) int32: where a field begins, and one behind its end; ``quoting``:
    whether quotes around a field are none of it. ``keys`` (rows,) uint64 are the texts' XXH64,
    ``present`` (rows,) bool says where there is one.
    """

    def __init__(
        self, data: np.ndarray, bounds: np.ndarray, quoting: bool, keys: np.ndarray,
        present: np.ndarray,
    ) -> None:  # fmt: skip
        self.data, self.bounds, self.quoting = data, bounds, quoting
        self.keys, self.present = keys, present

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: slice | np.ndarray) -> Texts:
        own = (self.bounds[rows], self.quoting, self.keys[rows], self.present[rows])
        return Texts(self.data, *own)

    @property
    def type(self) -> Any:
        """pyarrow's type of the column."""
        import pyarrow as pa

        return pa.string()

    @property
    def null_count(self) -> int:
        """How many rows have no value."""
        return len(self) - int(np.count_nonzero(self.present))

    def take(self, rows: np.ndarray) -> Array:
        """The texts of some rows (n,), which have to have one, as a pyarrow Array."""
        return strings(self.data, self.bounds[rows], self.quoting)

    def to_arrow(self) -> ChunkedArray:
        """The column as pyarrow has it."""
        import pyarrow as pa

        return pa.chunked_array([strings(self.data, self.bounds, self.quoting, self.present)])

    def cast(self, kind: Any) -> ChunkedArray:
        """The column as another type of pyarrow's."""
        return self.to_arrow().cast(kind)


def strings(
    data: np.ndarray, bounds: np.ndarray, quoting: bool, present: np.ndarray | None = None
) -> Array:
    """The texts within bounds (n, 2), as in ``Texts``, as a pyarrow Array; null where absent."""
    import pyarrow as pa

    starts = bounds[:, 0].astype(np.int64)
    lengths = bounds[:, 1] - 1 - starts
    if quoting:
        quoted = (lengths > 0) & (data[starts] == _QUOTE)
        starts, lengths = starts + quoted, lengths - 2 * quoted
    nulls = None
    if present is not None:
        lengths = np.where(present, lengths, 0)
        nulls = pa.py_buffer(np.packbits(present, bitorder="little"))
    offsets = np.zeros(len(starts) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    ops.copy_fields(data, starts, offsets, out)
    buffers = (pa.py_buffer(offsets), pa.py_buffer(out), nulls)
    return pa.StringArray.from_buffers(len(starts), *buffers)


class Numbers:
    """A column of numbers, float64 (rows,), NaN where missing."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | np.ndarray) -> Numbers:
        return Numbers(self.values[rows])

    @property
    def type(self) -> Any:
        """pyarrow's type of the column."""
        import pyarrow as pa

        return pa.float64()

    @property
    def null_count(self) -> int:
        """How many rows have no value."""
        return int(np.count_nonzero(np.isnan(self.values)))

    def to_numpy(self) -> np.ndarray:
        """The values, NaN where missing; not a copy."""
        return self.values

    def to_arrow(self) -> ChunkedArray:
        """The column as pyarrow has it."""
        import pyarrow as pa

        return pa.chunked_array([pa.array(self.values, mask=np.isnan(self.values))])

    def cast(self, kind: Any) -> ChunkedArray:
        """The column as another type of pyarrow's."""
        return self.to_arrow().cast(kind)


class CutTable:
    """Columns of equally many rows by name: Texts, Numbers, or pyarrow's; sliced as Tables are.

    >>> table = CutTable({"price": Numbers(np.array([1.5, np.nan]))})
    >>> len(table), table.column_names, table[:1].to_arrow().to_pydict()
    (2, ['price'], {'price': [1.5]})
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()))) if self._columns else 0

    @overload
    def __getitem__(self, key: str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> CutTable: ...
    def __getitem__(self, key: str | slice) -> Any:
        """A column, or the rows of a slice."""
        if isinstance(key, str):
            return self._columns[key]
        return CutTable({name: column[key] for name, column in self._columns.items()})

    @property
    def column_names(self) -> list[str]:
        """The columns' names in their order."""
        return list(self._columns)

    @property
    def schema(self) -> Schema:
        """Names and pyarrow's types."""
        import pyarrow as pa

        return pa.schema([(name, column.type) for name, column in self._columns.items()])

    def select(self, names: Sequence[str]) -> CutTable:
        """Some of the columns in another order."""
        return CutTable({name: self._columns[name] for name in names})

    def filter(self, chosen: np.ndarray) -> CutTable:
        """The rows where ``chosen`` (rows,) is True."""
        import pyarrow as pa

        mask = pa.array(chosen)
        return CutTable({
            name: column[chosen] if isinstance(column, Texts | Numbers) else column.filter(mask)
            for name, column in self._columns.items()
        })  # fmt: skip

    def to_arrow(self) -> Table:
        """The same as a pyarrow Table."""
        import pyarrow as pa

        return pa.table({name: as_arrow(column) for name, column in self._columns.items()})


def as_arrow(column: Any) -> Any:
    """A column as pyarrow has it, whichever it is."""
    return column.to_arrow() if isinstance(column, Texts | Numbers) else column
