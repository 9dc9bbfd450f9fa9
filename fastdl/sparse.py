"""Gradients of tables: the touched rows and the sums of their entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .kernels import coalesce as sorting
from .kernels import sparse as kinds
from .kernels.backend import ops

if TYPE_CHECKING:
    from .layers.table import TableLayer


class Touched:
    """The different rows among some row numbers, and where each of them stands.

    ``unique`` (U,) rises; ``unique[u]`` stands at the positions order[starts[u] : starts[u + 1]].
    With ``tables``, the offsets and sizes (F,) of tables in this order, the row numbers are (N, F)
    and those of column f lie in table f: then each column is sorted by itself, which is faster.
    """

    def __init__(
        self, rows: np.ndarray, size: int, tables: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        n = rows.size
        self.order = np.empty(n, np.int64)
        unique, starts = np.empty(n, np.int64), np.empty(n + 1, np.int64)
        count = np.zeros(1, np.int64)
        if tables is None:
            _coalesce(rows, size, self.order, unique, starts, count)
        else:
            _coalesce_fields(rows, *tables, self.order, unique, starts, count)
        self.count = int(count[0])
        self.unique, self.starts = unique[: self.count], starts[: self.count + 1]


def _coalesce(rows: np.ndarray, size: int, *results: np.ndarray) -> None:
    work = np.empty((2, rows.size), np.uint64)
    counts = np.empty((-(-rows.size // sorting.CHUNK), 1 << sorting.DIGIT), np.int64)
    bits = max(1, int(size - 1).bit_length())
    ops.coalesce(rows, bits, work, counts, *results)


def _coalesce_fields(
    rows: np.ndarray, offsets: np.ndarray, sizes: np.ndarray, *results: np.ndarray
) -> None:
    N, F = rows.shape
    bits = int(sizes.max() - 1).bit_length() + (N - 1).bit_length()
    packed = np.empty((F, N), np.uint32 if bits <= 32 else np.uint64)
    ops.coalesce_fields(rows, offsets, sizes, packed, np.empty(F, np.int64), *results)


class SparseGradient(np.lib.mixins.NDArrayOperatorsMixin):
    """The gradient of a table (R, K) of which a batch touched some rows.

    ``rows`` (U,) are the touched rows and ``values`` (U, K) their gradients; all other rows are 0.
    NumPy's functions and operators see the dense array, so that an optimizer of your own works; it
    is as large as the table. ``penalty`` is added times the parameter: with ``whole`` for the
    whole table, else for the touched rows.
    """

    def __init__(
        self,
        layer: TableLayer,
        name: str,
        touched: Touched,
        entries: np.ndarray,
    ) -> None:
        self.layer, self.name = layer, name
        self.touched, self.entries = touched, entries
        self.table = layer.raw(name)
        self.penalty, self.whole = layer.penalty, layer.whole
        self.shape, self.dtype = self.table.shape, self.table.dtype

    @property
    def rows(self) -> np.ndarray:
        """The touched rows, (U,) int64, rising."""
        return self.touched.unique

    @property
    def values(self) -> np.ndarray:
        """Gradients of the touched rows, (U, K), without the penalty."""
        t = self.touched
        sums = np.empty((t.count, self.shape[1]), self.dtype)
        ops.segment_sums(t.unique, t.starts, t.count, t.order, self.entries, sums)
        return sums

    def squares(self) -> np.ndarray:
        """Partial sums of the squares of the touched rows' gradients, penalty included."""
        t = self.touched
        partial = np.empty(-(-t.count // kinds.ROWS))
        ops.segment_squares(
            self.penalty, self.shape[1], self.table.reshape(-1), t.unique, t.starts, t.count,
            t.order, self.entries, partial,
        )  # fmt: skip
        return partial

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        dense = np.zeros(self.shape, self.dtype)
        dense[self.rows] = self.values
        if self.penalty and self.whole:
            dense += self.dtype.type(self.penalty) * self.table
        elif self.penalty:
            dense[self.rows] += self.dtype.type(self.penalty) * self.table[self.rows]
        return dense if dtype is None else dense.astype(dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [np.asarray(x) if isinstance(x, SparseGradient) else x for x in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __repr__(self) -> str:
        return f"SparseGradient({self.touched.count} of {self.shape[0]} rows, {self.dtype})"
