"""Process-wide defaults: the dtype of new layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

_default_dtype: np.dtype[Any] = np.dtype(np.float32)


def checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64 as a NumPy dtype; TypeError for anything else."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype is {dtype!r}; fastdl computes in float32 or float64.")
    return found


def set_default_dtype(dtype: DTypeLike) -> None:
    """Make ``dtype`` (float32 or float64) the dtype of layers created from now on.

    Raises TypeError for another dtype.

    >>> import fastdl, numpy as np
    >>> fastdl.set_default_dtype(np.float64)
    >>> fastdl.Dense(2, 3).W.dtype
    dtype('float64')
    >>> fastdl.set_default_dtype("float32")
    """
    global _default_dtype
    _default_dtype = checked_dtype(dtype)


def get_default_dtype() -> np.dtype[Any]:
    """The dtype of layers that are created without one."""
    return _default_dtype


def resolve_dtype(dtype: DTypeLike | None) -> np.dtype[Any]:
    """``dtype``, or the default one for None."""
    return _default_dtype if dtype is None else checked_dtype(dtype)
