"""What ``SeriesSet.from_arrays`` takes, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def as_flat(values: Any, name: str, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """(values of all series behind each other, the steps (S,) of each).

    A matrix of floats is flattened without a copy. Raises TypeError for values that are no numbers,
    ValueError for other shapes, with the series.
    """
    if isinstance(values, np.ndarray) and values.ndim == ndim + 1 and values.dtype.kind in "fiub":
        lengths = np.full(len(values), values.shape[1], np.int64)
        _check_some(lengths, name)
        flat = _floats(values).reshape(-1, *values.shape[2:])
        return np.require(flat, requirements=["C", "A", "W"]), lengths
    if not isinstance(values, Sequence | np.ndarray):
        raise TypeError(f"{name} is {type(values).__name__}; expected an array for each series.")
    parts = []
    for i, part in enumerate(values):
        array = np.asarray(part)
        if array.ndim != ndim or array.dtype.kind not in "fiub":
            wanted = "(steps,)" if ndim == 1 else "(steps, covariates)"
            raise ValueError(
                f"{name} of series {i} has shape {array.shape} and dtype {array.dtype}; expected "
                f"numbers of shape {wanted}."
            )
        parts.append(_floats(array))
    lengths = np.array([len(part) for part in parts], np.int64)
    _check_some(lengths, name)
    if len({part.shape[1:] for part in parts}) > 1:
        raise ValueError(f"{name} has {sorted({p.shape[1] for p in parts})} columns; expected one.")
    return np.concatenate(parts), lengths


def _floats(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def _check_some(lengths: np.ndarray, name: str) -> None:
    if not len(lengths):
        raise ValueError(f"{name} has no series.")
    if not lengths.all():
        raise ValueError(f"{name}: series {int(np.argmin(lengths))} has no steps.")


def as_ids(ids: Sequence[Any] | None, count: int) -> tuple[str, ...]:
    """Distinct names of the series."""
    names = tuple(map(str, range(count) if ids is None else ids))
    if len(names) != count:
        raise ValueError(f"ids has {len(names)} names for {count} series.")
    if len(set(names)) < count:
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"ids has the name {twice!r} more than once.")
    return names


def as_start(start: Any, count: int) -> np.ndarray:
    """The first times as int64 microseconds (S,)."""
    try:
        times = np.asarray(start, "datetime64[us]").astype(np.int64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"start is {start!r}; expected a time such as '2024-01-31'.") from error
    if times.ndim and times.shape != (count,):
        raise ValueError(f"start has shape {times.shape}; expected a time or ({count},).")
    return np.broadcast_to(times, (count,)).copy()


def column_names(names: Sequence[str] | None, count: int, kind: str) -> tuple[str, ...]:
    """Names of covariates, by default known_0, known_1 ..."""
    found = tuple(f"{kind}_{i}" for i in range(count)) if names is None else tuple(map(str, names))
    if len(found) != count:
        raise ValueError(f"{kind}_names has {len(found)} names for {count} covariates.")
    return found


def as_instant(time: Any, name: str) -> int:
    """One time as int64 microseconds.

    >>> as_instant("1970-01-01 00:00:01", "start")
    1000000
    """
    return int(as_start(time, 1)[0]) if not isinstance(time, int) else time
