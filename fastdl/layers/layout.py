"""Where images lie in memory: their shape is (N, C, H, W), their memory (N, H, W, C).

Layers pass each other arrays of the first shape whose memory has the second order, so that only
what a user hands over in another order is ever copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import as_real, check_batch


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


def is_channels_last(x: np.ndarray) -> bool:
    """Whether x has the shape (N, C, H, W) and contiguous memory (N, H, W, C), and only that."""
    if x.ndim != 4 or x.flags.c_contiguous:
        return False
    return bool(x.transpose(0, 2, 3, 1).flags.c_contiguous)


def as_real_in_order(values: ArrayLike, dtype: np.dtype[Any], name: str) -> np.ndarray:
    """``as_real``, but images with channels-last memory keep it, without a copy."""
    if isinstance(values, np.ndarray) and is_channels_last(values):
        return channels_first(as_real(values.transpose(0, 2, 3, 1), dtype, name))
    return as_real(values, dtype, name)


def as_real_like(
    values: ArrayLike, dtype: np.dtype[Any], name: str, kept: np.ndarray
) -> np.ndarray:
    """``as_real``, in kept's memory order where the shapes are equal."""
    if is_channels_last(kept) and np.shape(values) == kept.shape:
        return channels_first(channels_last(values, dtype, name))
    return as_real(values, dtype, name)


def in_order_of(kept: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x, in channels-last memory where kept of x's shape has it."""
    if is_channels_last(kept) and not is_channels_last(x):
        return channels_first(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    return x


def flat(x: np.ndarray) -> np.ndarray:
    """All elements of x (n,) in the order of its memory: a view of what the above return."""
    return x.transpose(0, 2, 3, 1).reshape(-1) if is_channels_last(x) else x.reshape(-1)


def as_pixels(
    values: ArrayLike, dtype: np.dtype[Any], name: str
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Images (N, C, H, W) as their pixels (M, C), or rows (N, D) as they are; and the shape.

    Raises as ``channels_last``, and ValueError for other numbers of dimensions.
    """
    array = values if isinstance(values, np.ndarray) else as_real(values, dtype, name)
    if array.ndim == 4:
        last = channels_last(array, dtype, name)
        return last.reshape(-1, last.shape[3]), array.shape
    rows = as_real(array, dtype, name)
    check_batch(rows, name, 2)
    return rows, rows.shape


def from_pixels(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels (M, C) in the shape (N, C, H, W) of the images that they are; rows as they are."""
    if len(shape) == 2:
        return pixels
    N, C, H, W = shape
    return channels_first(pixels.reshape(N, H, W, C))
