"""Arrays of images, in the usual layouts and ranges, as uint8 (N, H, W, C)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_CHANNELS = (1, 2, 3, 4)


def as_pixels(images: ArrayLike) -> np.ndarray:
    """uint8 (N, H, W, C) from (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or floats 0 to 1.

    uint8 images are not copied where their memory has that order. uint16 is scaled by 255 / 65535.
    Raises ValueError for other shapes and values, TypeError for other dtypes.

    >>> as_pixels(np.full((2, 3, 5, 5), 0.5)).shape
    (2, 5, 5, 3)
    """
    array = np.asarray(images)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"images has dtype {array.dtype}; expected uint8, or floats from 0 to 1.")
    if array.size == 0:
        raise ValueError(f"images has no images: shape {array.shape}.")
    array = _channels_last(array)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"images has floats from {low:g} to {high:g}; expected 0 to 1 (divide by 255), or "
                "uint8 from 0 to 255."
            )
        return np.rint(array * 255).astype(np.uint8)
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if low < 0 or high > 255:
        raise ValueError(f"images has whole numbers from {low} to {high}; expected 0 to 255.")
    return array.astype(np.uint8)


def _channels_last(array: np.ndarray) -> np.ndarray:
    """(N, H, W, C); the last dimension holds the channels where both could."""
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 4 and array.shape[3] in _CHANNELS:
        return array
    if array.ndim == 4 and array.shape[1] in _CHANNELS:
        return array.transpose(0, 2, 3, 1)
    raise ValueError(
        f"images has shape {array.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W) with "
        "1 to 4 channels C."
    )
