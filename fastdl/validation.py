"""Checks of what users hand over, made before any compiled code runs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .kernels.backend import ops
from .kernels.gather import NOT_ONE_HOT


def as_real(values: ArrayLike, dtype: np.dtype[Any], name: str) -> np.ndarray:
    """``values`` as an array of ``dtype`` that kernels take: contiguous, aligned, writable.

    A copy is made only where one of these is missing; the caller's array is never written to.
    Raises TypeError for objects, strings and complex numbers, ValueError for ragged sequences.
    """
    if type(values) is np.ndarray and values.dtype == dtype:
        flags = values.flags
        if flags.c_contiguous and flags.writeable and flags.aligned:
            return values
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is not a regular array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected real numbers (float, int or bool)."
        )
    # numba types a read-only array differently and would compile every kernel once more
    return np.require(array, dtype=dtype, requirements=["C", "A", "W"])


def check_batch(x: np.ndarray, name: str, ndim: int | None = None) -> None:
    """Raise ValueError unless x has rows and, if given, ``ndim`` dimensions."""
    if ndim is not None and x.ndim != ndim:
        raise ValueError(f"{name} has shape {x.shape}; expected {ndim} dimensions.")
    if x.size == 0:
        raise ValueError(f"{name} is empty: shape {x.shape}.")


def check_finite(x: np.ndarray, name: str, one_hot: bool = False) -> None:
    """Raise ValueError for NaN or infinity, with ``one_hot`` also for rows that are not one-hot."""
    if x.dtype not in (np.float32, np.float64):  # integers are finite, and few
        x = x.astype(np.float64)
    if x.ndim == 4 and not x.flags.c_contiguous:  # images in channels-last memory: not copied
        x = x.transpose(0, 2, 3, 1)
    rows = np.ascontiguousarray(x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(1, -1))
    problem = np.empty(2, np.int64)
    ops.check_rows(rows, one_hot, problem)
    if problem[0]:
        raise ValueError(row_problem(name, int(problem[0]), int(problem[1])))


def check_values(x: np.ndarray, t: np.ndarray, one_hot: bool) -> None:
    """``check_finite`` of inputs x (N, D) and targets t (N, C) in one call."""
    problem = np.empty(4, np.int64)
    ops.check_batch(x, t, one_hot, problem)
    of_x, row_x, of_t, row_t = problem.tolist()
    if of_x or of_t:
        raise ValueError(row_problem("x", of_x, row_x) if of_x else row_problem("t", of_t, row_t))


def row_problem(name: str, problem: int, row: int) -> str:
    """Message for a row that a kernel found wanting."""
    if problem == NOT_ONE_HOT:
        return (
            f"{name} is not one-hot in row {row}: expected a single 1 among zeros. For class "
            "indices or probabilities use the loss SoftmaxCrossEntropy."
        )
    return f"{name} has NaN or infinity in row {row}; remove or impute such values first."


def check_number(
    value: Any, name: str, *, low: float = 0.0, high: float = math.inf, open_low: bool = False,
    open_high: bool = False,
) -> float:  # fmt: skip
    """``value`` as a finite float within the bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} is {value!r}; expected a number.")
    fits = low < value if open_low else low <= value
    fits = fits and (value < high if open_high else value <= high)
    if not math.isfinite(value) or not fits:
        left, right = "(" if open_low else "[", ")" if open_high or math.isinf(high) else "]"
        raise ValueError(f"{name} is {value}; expected a number in {left}{low}, {high}{right}.")
    return float(value)


def check_size(value: Any, name: str) -> int:
    """``value`` as a positive int."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; expected a positive int.")
    if value < 1:
        raise ValueError(f"{name} is {value}; expected a positive int.")
    return int(value)


def check_pair(value: Any, name: str, low: int = 1) -> tuple[int, int]:
    """``value``, an int or a pair of ints of at least ``low``, as a pair (height, width)."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    wanted = "positive ints" if low == 1 else f"ints of at least {low}"
    whole = [isinstance(v, int | np.integer) and not isinstance(v, bool) for v in pair]
    if len(pair) != 2 or not all(whole):
        raise TypeError(f"{name} is {value!r}; expected an int or a pair of {wanted}.")
    if min(pair) < low:
        raise ValueError(f"{name} is {value!r}; expected an int or a pair of {wanted}.")
    return int(pair[0]), int(pair[1])


def check_sample_weight(weight: ArrayLike | None, rows: int) -> np.ndarray | None:
    """Row weights as float64 (rows,), or None."""
    if weight is None:
        return None
    array = as_real(weight, np.dtype(np.float64), "sample_weight")
    if array.shape != (rows,):
        raise ValueError(f"sample_weight has shape {array.shape}; expected ({rows},).")
    if not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        raise ValueError("sample_weight must be finite and not negative, with a positive sum.")
    return array
