"""Mean and standard deviation of images, and images normalised by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...kernels.backend import ops
from ...layers.layout import channels_first, channels_last
from .image_set import ImageSet

MOST = 4096  # images that statistics are taken of
_PIECE_BYTES = 16 << 20  # of pixels at a time
_LEAST = 1 / 255  # standard deviation of a channel that is constant
GREY = np.array([19595, 38470, 7471]) / 65536  # the channels' weights in grey


def channel_statistics(
    images: ImageSet, size: int | tuple[int, int] | None = None, channels: int = 3, *,
    fit: str = "crop", most: int = MOST, seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(mean, std), float32 (C,) each, of values from 0 to 1, of at most ``most`` of the images.

    Where there are more, ``most`` of them are drawn by the seed. A std is at least 1 / 255.

    >>> images = ImageSet.from_arrays(np.full((3, 4, 4), 51, np.uint8))
    >>> channel_statistics(images, channels=1)
    (array([0.2], dtype=float32), array([0.00392157], dtype=float32))
    """
    wanted = images.size(size)

    def load(rows: np.ndarray) -> np.ndarray:
        return images.load(rows, wanted, channels, fit=fit)

    return statistics_of(load, len(images), (*wanted, channels), most, seed)


def statistics_of(
    load: Callable[[np.ndarray], np.ndarray], count: int, shape: tuple[int, int, int],
    most: int = MOST, seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The same of what load(rows) gives, uint8 (n, C, H, W), in pieces of bounded size."""
    H, W, C = shape
    rows = np.arange(count)
    if count > most:
        rows = np.sort(np.random.default_rng([seed, count]).choice(count, most, replace=False))
    piece = max(1, _PIECE_BYTES // (H * W * C))
    found = np.zeros((C, 256), np.int64)
    for start in range(0, len(rows), piece):
        pixels = load(rows[start : start + piece])
        for c in range(C):
            found[c] += np.bincount(pixels[:, c].reshape(-1), minlength=256)
    share = found / found.sum(axis=1, keepdims=True)
    values = np.arange(256) / 255
    mean = share @ values
    std = np.sqrt(np.sum(share * (values - mean[:, None]) ** 2, axis=1))
    return mean.astype(np.float32), np.maximum(std, _LEAST).astype(np.float32)


def grey_weights(channels: int) -> np.ndarray:
    """Each channel's weight in grey, float32 (C,)."""
    return np.ones(1, np.float32) if channels == 1 else GREY.astype(np.float32)


def normalized(images: np.ndarray, mean: Any, std: Any) -> np.ndarray:
    """(images / 255 - mean) / std, float32, of uint8 (N, C, H, W), in channels-last memory.

    >>> normalized(np.full((1, 1, 1, 2), 255, np.uint8), 0.5, 0.25)[0, 0].round(3)
    array([[2., 2.]], dtype=float32)
    """
    pixels = channels_last(images, np.dtype(np.uint8), "images")
    N, _, _, C = pixels.shape
    out = np.empty(pixels.shape, np.float32)
    matrix = np.tile(np.array([1, 0, 0, 0, 1, 0], np.float32), (N, 1))
    ops.augment_images(
        pixels, np.arange(N), matrix, np.ones((N, 3), np.float32), np.zeros((N, 4), np.int64), True,
        per_channel(mean, C, "mean"), per_channel(std, C, "std"), grey_weights(C), out,
    )  # fmt: skip
    return channels_first(out)


def per_channel(value: Any, channels: int, name: str) -> np.ndarray:
    """``value`` as float32 (C,), from one number for all channels or one for each."""
    array = np.asarray(value, np.float32)
    if array.shape not in ((), (1,), (channels,)):
        raise ValueError(f"{name} has shape {array.shape}; expected ({channels},) or one number.")
    if not np.isfinite(array).all() or (name == "std" and (array <= 0).any()):
        more = " above 0" if name == "std" else ""
        raise ValueError(f"{name} is {value!r}; expected finite numbers{more}.")
    # a copy: numba compiles a kernel anew for arrays that cannot be written to
    return np.broadcast_to(array, (channels,)).copy()
