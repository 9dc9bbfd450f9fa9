"""Labels as class indices, and the classes' names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def class_indices(
    labels: ArrayLike, rows: int, classes: Sequence[str] | None, where: Callable[[int], str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(int64 indices (rows,), the classes' names) from indices, names, or any distinct values.

    where(row) names a row in messages. Whole numbers among ``classes``-less labels are sorted by
    value. Raises ValueError for missing labels, those that are no class, and for one class only.

    >>> class_indices(["shoe", "bag", "shoe"], 3, None, str)
    (array([1, 0, 1]), ('bag', 'shoe'))
    >>> class_indices([10, 9], 2, None, str)
    (array([1, 0]), ('9', '10'))
    """
    values = _values(labels, rows, where)
    if classes is not None:
        names = tuple(str(name) for name in classes)
        if len(set(names)) != len(names):
            raise ValueError(f"classes has a name twice: {list(names)}.")
        return _known(values, names, where), names
    distinct, indices = np.unique(values, return_inverse=True)
    if distinct.dtype.kind == "U" and all(_is_whole(text) for text in distinct):
        by_value = np.argsort([int(text) for text in distinct], kind="stable")
        distinct, indices = distinct[by_value], np.argsort(by_value)[indices]
    check_several(len(distinct), rows, str(distinct[0]))
    return indices.astype(np.int64), tuple(str(value) for value in distinct)


def check_several(classes: int, rows: int, name: str) -> None:
    """ValueError for one class only."""
    if classes < 2:
        raise ValueError(
            f"All {rows:,} images are of one class, {name!r}; to tell classes apart takes two or "
            "more."
        )


def _values(labels: ArrayLike, rows: int, where: Callable[[int], str]) -> np.ndarray:
    """Labels as an array (rows,) of int64 or strings."""
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (rows,):
        raise ValueError(f"labels has shape {array.shape}; expected ({rows},), one an image.")
    if array.dtype.kind in "iub":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        bad = ~(np.isfinite(array) & (array == np.rint(array)))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"{where(row)} has the label {array[row]}; expected whole numbers.")
        return array.astype(np.int64)
    if array.dtype.kind not in "UTO":
        raise TypeError(f"labels has dtype {array.dtype}; expected whole numbers or strings.")
    for row, value in enumerate(array.tolist()):
        if not isinstance(value, str | int | np.integer) or value == "":
            raise ValueError(f"{where(row)} has no label: {value!r}.")
    return array.astype(str)


def _known(values: np.ndarray, names: tuple[str, ...], where: Callable[[int], str]) -> np.ndarray:
    if values.dtype.kind != "U":
        bad = (values < 0) | (values >= len(names))
        found = values
    else:
        place: dict[Any, int] = {name: i for i, name in enumerate(names)}
        found = np.array([place.get(value, -1) for value in values.tolist()], np.int64)
        bad = found < 0
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{where(row)} has the label {values[row].item()!r}; expected one of the "
            f"{len(names)} classes {_listed(names)}, or its index from 0 to {len(names) - 1}."
        )
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()
