"""Labels of a log as the arrays that losses and metrics take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ..validation import check_size

if TYPE_CHECKING:
    from pyarrow import Table


def labels(table: Table) -> np.ndarray:
    """The column ``label`` as float32 (rows,), 1 for a click.

    Raises ValueError where it is absent, has gaps, or has other values than 0 and 1.

    >>> import pyarrow as pa
    >>> labels(pa.table({"label": [1, 0]}))
    array([1., 0.], dtype=float32)
    """
    if "label" not in table.column_names:
        raise ValueError(f"The log has no column label; it has {', '.join(table.column_names)}.")
    found = np.asarray(table["label"].to_numpy())
    if found.dtype.kind not in "fiub" or not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"The column label ({table['label'].type}) has missing values or others than 0 and 1; "
            "read_log makes such labels."
        )
    return found.astype(np.float32)


def counted(tables: Iterable[Any], counts: list[float], most: int | None = None) -> Iterator[Any]:
    """The tables up to ``most`` rows; in passing rows and clicks are added to counts, [0, 0]."""
    for table in tables:
        if most is not None:
            table = table[: most - int(counts[0])]
            if not len(table):
                return
        counts[0] += len(table)
        counts[1] += float(labels(table).sum(dtype=np.float64))
        yield table


def one_hot(labels: np.ndarray, classes: int = 2, dtype: DTypeLike = np.float32) -> np.ndarray:
    """Class indices (rows,) as one-hot rows (rows, classes).

    Raises ValueError for another shape and for values that are no class.

    >>> one_hot(np.array([0, 1]))
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    indices = np.asarray(labels)
    check_size(classes, "classes")
    if indices.ndim != 1 or indices.dtype.kind not in "fiub":
        raise ValueError(
            f"labels have shape {indices.shape}, dtype {indices.dtype}; expected (N,)."
        )
    if not np.isin(indices, np.arange(classes)).all():
        raise ValueError(f"labels have other values than the classes 0 to {classes - 1}.")
    out = np.zeros((len(indices), classes), dtype)
    out[np.arange(len(indices)), indices.astype(np.intp)] = 1
    return out
