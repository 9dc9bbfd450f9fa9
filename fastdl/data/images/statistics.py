"""Mean and standard deviation of images."""

from __future__ import annotations

import numpy as np

from .image_set import ImageSet


def channel_statistics(
    images: ImageSet, size: int | tuple[int, int] | None = None, channels: int = 3, *,
    fit: str = "crop", most: int = 4096, seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(mean, std), float32 (C,) each, of values from 0 to 1, of at most ``most`` of the images."""
    raise NotImplementedError


def normalized(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """(images / 255 - mean) / std, float32, of uint8 (N, C, H, W), channels-last memory."""
    raise NotImplementedError
