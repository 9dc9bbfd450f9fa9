"""What fits into memory, asked before anything is allocated; and memory that steps take again."""

from __future__ import annotations

import ctypes
import functools
import math
import os
from typing import Any

import numpy as np

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # mallopt(3)
# Of the images or series that a network takes at a time where it does not train. What layers make
# of them is far larger, and a few hundred small images already keep all threads busy.
INPUT_BYTES = 1 << 20
_LARGEST_OF_HEAP = (32 << 20) - (1 << 16)  # glibc's upper bound of what it may learn from, nearly


def rows_at_once(values: int) -> int:
    """How many rows of so many values, as float32, a network takes at a time; at least one.

    >>> rows_at_once(3 * 32 * 32)
    85
    """
    return max(1, INPUT_BYTES // (4 * max(1, values)))


def keep_step_memory() -> None:
    """Let the arrays that a training step frees be there for the next step.

    glibc gives the end of its heap back to the system when more than twice as much is free as the
    largest array that was freed so far (mallopt(3), M_TRIM_THRESHOLD), and a step of a wide network
    then waits for thousands of pages again. It learns from this array, whose pages are not touched,
    to keep 64 MB. Other systems take it for an array like any other.
    """
    np.empty(_LARGEST_OF_HEAP, np.uint8)


@functools.cache
def _keep_large_arrays() -> None:
    """Let glibc take arrays of 32 MB and more from its heap, and keep up to 2 GB of it when free.

    They would come from the system at every step, page by page: a tenth of a MobileNet's step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def step_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of a training step, not filled: its memory is the step's before, where it can be."""
    if math.prod(shape) * dtype.itemsize >= _LARGEST_OF_HEAP:
        _keep_large_arrays()
    return np.empty(shape, dtype)


def available_memory() -> int | None:
    """Bytes that can be allocated without swapping, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def require_memory(size: int, what: str) -> None:
    """Raise MemoryError where ``what`` needs more bytes than there are."""
    free = available_memory()
    if free is not None and size > free:
        raise MemoryError(
            f"{what[0].upper()}{what[1:]} need {size / 1e9:,.1f} GB; {free / 1e9:,.1f} GB are "
            "available. Use fewer rows (hash the ids), a smaller embedding_dim, or an optimizer "
            "with smaller states (RowWiseAdaGrad, SGD)."
        )
