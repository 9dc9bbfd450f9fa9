"""Two-dimensional arrays as tables, which is what encoders read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .conventions import is_missing

if TYPE_CHECKING:
    from pyarrow import Array, Table


def positions(columns: int) -> list[str]:
    """The names x0, x1 ... of columns that have none."""
    return [f"x{i}" for i in range(columns)]


def array_table(X: Any, who: str) -> Table:
    """X (N, D) as a table with the columns x0, x1 ...; NaN and None are missing values.

    Numbers and booleans become float64, times stay times. A column of objects is text if all of it
    is, else numbers. ``who`` is the estimator's name for messages. Raises ValueError for another
    shape, complex numbers and infinity, TypeError for other values.

    >>> array_table([[1, 2.5], [3, None]], "The model").to_pydict()
    {'x0': [1.0, 3.0], 'x1': [2.5, None]}
    """
    import pyarrow as pa

    array = np.asarray(X)
    _check_array(array, who)
    if array.dtype.kind in "fiub":
        array = array.astype(np.float64)
        _check_finite(array)
    columns = [_column(array[:, i], i) for i in range(array.shape[1])]
    return pa.table(columns, positions(len(columns)))


def check_shape(shape: tuple[int, ...], who: str) -> None:
    """ValueError unless there are rows and columns."""
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if size == 0:
            raise ValueError(
                f"X has 0 {what}(s) (shape={tuple(shape)}) while a minimum of 1 is required by "
                f"{who}."
            )


def _check_array(array: np.ndarray, who: str) -> None:
    if array.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {'scalar' if array.ndim == 0 else '1D'} array instead: X has "
            f"shape {array.shape}. Reshape your data: X.reshape(-1, 1) if it is one feature, "
            "X.reshape(1, -1) if it is one row."
        )
    if array.ndim > 2:
        raise ValueError(f"X has shape {array.shape}; {who} expected 2 dimensions.")
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X has dtype {array.dtype}.")
    if array.dtype.kind not in "fiubOUSM":
        raise TypeError(f"X has dtype {array.dtype}; expected numbers, text or times.")
    check_shape(array.shape, who)


def _column(values: np.ndarray, place: int) -> Array:
    import pyarrow as pa

    if values.dtype.kind != "O":
        return pa.array(np.ascontiguousarray(values), from_pandas=True)
    items = [None if is_missing(item) else item for item in values.tolist()]
    if any(isinstance(item, str) for item in items):
        odd = next((item for item in items if not isinstance(item, str | None)), None)
        if odd is not None:
            raise TypeError(
                f"Column {place} of X holds text, and {odd!r}: expected one type in a column. Use "
                "X.astype(str) for categories."
            )
        return pa.array(items, pa.string())
    # float's own TypeError says "argument must be a string or a real number"
    numbers = np.array([np.nan if item is None else float(item) for item in items])
    _check_finite(numbers)
    return pa.array(numbers, from_pandas=True)


def _check_finite(numbers: np.ndarray) -> None:
    infinite = np.isinf(numbers.reshape(len(numbers), -1))
    if infinite.any():
        raise ValueError(
            f"Input X contains infinity in row {int(infinite.any(axis=1).argmax())}; remove such "
            "values. NaN is taken for a missing value."
        )
