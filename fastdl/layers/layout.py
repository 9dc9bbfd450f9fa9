"""Where images lie in memory: their shape is (N, C, H, W), their memory (N, H, W, C).

Layers pass each other arrays of the first shape whose memory has the second order, so that only
what a user hands over in another order is ever copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import as_real


def channels_last(x: ArrayLike, dtype: np.dtype[Any], name: str) -> np.ndarray:
    """x (N, C, H, W) as a contiguous array (N, H, W, C) of ``dtype``, copied only if it has to be.

    Raises ValueError for another number of dimensions or an empty batch, TypeError as ``as_real``.
    """
    array = np.asarray(x)
    if array.ndim != 4:
        raise ValueError(f"{name} has shape {array.shape}; expected images (N, C, H, W).")
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}.")
    return as_real(array.transpose(0, 2, 3, 1), dtype, name)


def channels_first(x: np.ndarray) -> np.ndarray:
    """x (N, H, W, C) seen in the shape (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)
