"""What metrics of generated rows take: features or points, a row each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .checks import Floats


def features_of(name: str, values: ArrayLike, least: int = 1, why: str = "") -> Floats:
    """Rows (N, F) as contiguous float64, N at least ``least``; ValueError and TypeError else.

    why: what the rows are needed for, the end of the message.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers.")
    if array.ndim != 2 or array.shape[1] == 0:
        hint = " Images are rows after x.reshape(len(x), -1)." if array.ndim > 2 else ""
        raise ValueError(f"{name} has shape {array.shape}; expected rows (N, F).{hint}")
    if len(array) < least:
        reason = f" {why}" if why else ""
        raise ValueError(f"{name} has {len(array)} rows; expected {least} or more.{reason}")
    rows = np.ascontiguousarray(array, np.float64)
    good = np.isfinite(rows).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"{name} has NaN or infinity in row {row} (counted from 0).")
    return rows


def require_same_width(name: str, rows: Floats, other_name: str, other: Floats) -> None:
    """ValueError where two sets of rows have other numbers of columns."""
    if rows.shape[1] != other.shape[1]:
        raise ValueError(
            f"{name} has {rows.shape[1]} columns, {other_name} {other.shape[1]}; both must be of "
            "the same features."
        )
