"""Rows by class: which one each has, and sums over those of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .base import ops


def class_rows(layer: Any, classes: ArrayLike, rows: int, known: int) -> np.ndarray:
    """classes as int64 (rows,), checked to be from 0 to ``known`` - 1."""
    found = np.asarray(classes)
    if found.shape != (rows,) or found.dtype.kind not in "iu":
        raise ValueError(
            f"{layer} got classes of shape {found.shape} and dtype {found.dtype}; expected whole "
            f"numbers ({rows},)."
        )
    if rows and (found.min() < 0 or found.max() >= known):
        raise ValueError(
            f"{layer} got classes from {found.min()} to {found.max()}; expected 0 to {known - 1}."
        )
    return found.astype(np.int64)


def sums_by_class(classes: np.ndarray, known: int, values: np.ndarray) -> np.ndarray:
    """(known, D): the sums of the rows of values (N, D) of each class, in their order."""
    out = np.empty((known, values.shape[1]), values.dtype)
    one_hot = np.zeros((len(classes), known), values.dtype)
    one_hot[np.arange(len(classes)), classes] = 1
    beside = np.empty(values.shape[1], values.dtype)
    ops.dense_backward(one_hot, out, values, one_hot[:0], out, beside)  # out = one_hot^T values
    return out
