"""Labels of any two values as 0 and 1."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .conventions import exception, is_missing


def checked_labels(y: Any, rows: int) -> np.ndarray:
    """y as an array (rows,) of whole numbers, booleans or text.

    A column (rows, 1) is taken with a warning. Raises ValueError for another shape, for missing and
    infinite values, and for numbers that are not whole.
    """
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Use y.ravel().",
            exception("DataConversionWarning"),
            stacklevel=2,
        )
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"y should be a 1d array, but has shape {array.shape}.")
    if len(array) != rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {rows}, y has "
            f"{len(array)}."
        )
    if array.dtype.kind == "O":
        array = _plain(array)
    if array.dtype.kind == "f":
        _check_whole(array)
    elif array.dtype.kind not in "iubUSO":
        raise ValueError(f"Unknown label type: y has dtype {array.dtype}.")
    return array


def two_classes(y: np.ndarray, positive: Any = None) -> np.ndarray:
    """The two different values of y, sorted, or with ``positive`` as the second one.

    Raises ValueError where there are not two, or ``positive`` is none of them.

    >>> two_classes(np.array(["yes", "no"]), "no").tolist()
    ['yes', 'no']
    """
    classes = np.unique(y)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass: "
            f"it has the {len(classes)} values {_listed(classes)}."
        )
    if len(classes) < 2:
        raise ValueError(
            f"The labels have only one class, {_listed(classes)}; expected two classes."
        )
    if positive is None:
        return classes
    second = [i for i, value in enumerate(classes.tolist()) if value == positive]
    if not second:
        raise ValueError(f"positive is {positive!r}, but the classes are {_listed(classes)}.")
    return classes if second[0] == 1 else classes[::-1].copy()


def codes(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """float32 (N,), 1 for ``classes[1]``, 0 for ``classes[0]``; ValueError for other values."""
    second = y == classes[1]
    known = second | (y == classes[0])
    if not np.all(known):
        raise ValueError(
            f"y has the values {_listed(np.unique(y[~known]))}, which are none of the classes "
            f"{_listed(classes)}."
        )
    return second.astype(np.float32)


def _plain(array: np.ndarray) -> np.ndarray:
    """Objects as what they all are, text as objects still."""
    items = array.tolist()
    if any(map(is_missing, items)):
        raise ValueError("Input y contains NaN or None; labels must not be missing.")
    if all(isinstance(item, str) for item in items):
        return array
    if not all(isinstance(item, bool | int | float | np.generic) for item in items):
        kinds = ", ".join(sorted({type(item).__name__ for item in items}))
        raise ValueError(f"Unknown label type: y holds values of the types {kinds}.")
    return np.array(items)


def _check_whole(array: np.ndarray) -> None:
    if np.isnan(array).any():
        raise ValueError("Input y contains NaN; labels must not be missing.")
    if np.isinf(array).any():
        raise ValueError("Input y contains infinity; labels must be finite.")
    if (array != np.floor(array)).any():
        first = array[array != np.floor(array)][0]
        raise ValueError(
            f"Unknown label type: y is continuous (it has {first}); a classifier expects classes."
        )


def _listed(values: np.ndarray) -> str:
    shown = ", ".join(repr(value) for value in values[:5].tolist())
    return shown + (" ..." if len(values) > 5 else "")
