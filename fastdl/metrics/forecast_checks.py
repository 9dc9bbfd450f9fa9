"""What forecast metrics take: actual values, some of them missing, and forecasts beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def observed(actual: ArrayLike, **forecasts: ArrayLike) -> tuple[Floats, ...]:
    """(actual (n,), each forecast (n,) or (n, Q)), in float64, of the values that are not missing.

    Forecasts have the shape of ``actual``, or one dimension more. Raises ValueError for other
    shapes, where nothing is left, and for forecasts that are missing or infinite beside a value.
    """
    y = as_floats("actual", actual)
    seen = ~np.isnan(y)
    if not seen.any():
        raise ValueError("actual has no value that is not missing.")
    if np.isinf(y).any():
        raise ValueError(f"actual is infinite at {_at(np.isinf(y))}.")
    found = [y[seen]]
    for name, forecast in forecasts.items():
        f = as_floats(name, forecast)
        if f.shape[: y.ndim] != y.shape or f.ndim > y.ndim + 1:
            raise ValueError(f"{name} has shape {f.shape}; actual has {y.shape}.")
        bad = ~np.isfinite(f) & (seen if f.ndim == y.ndim else seen[..., None])
        if bad.any():
            raise ValueError(f"{name} is missing or infinite at {_at(bad)}.")
        found.append(f[seen])
    return tuple(found)


def as_floats(name: str, values: ArrayLike) -> Floats:
    """Numbers as float64; TypeError for anything else."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers.")
    return array.astype(np.float64)


def as_levels(levels: ArrayLike, count: int) -> Floats:
    """Quantile levels (Q,), rising, each in (0, 1); ValueError where they are not."""
    found = np.atleast_1d(as_floats("levels", levels))
    if found.shape != (count,):
        raise ValueError(f"levels has shape {found.shape}; the quantiles have {count} columns.")
    if not ((found > 0) & (found < 1)).all() or (np.diff(found) <= 0).any():
        raise ValueError(f"levels is {found.tolist()}; expected rising numbers between 0 and 1.")
    return found


def positive(name: str, values: ArrayLike, actual: ArrayLike) -> Floats:
    """A parameter, broadcast to the shape of ``actual``; ValueError unless it is positive."""
    array = as_floats(name, values)
    if not (array > 0).all() or not np.isfinite(array).all():
        raise ValueError(f"{name} must be positive and finite, got {array.min()} at least.")
    return np.broadcast_to(array, np.shape(actual))


def _at(bad: NDArray[np.bool_]) -> str:
    """The place of the first one, as an index."""
    place = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return str([int(i) for i in place])
