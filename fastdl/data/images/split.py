"""Training, validation and test images, with the same share of every class in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .image_set import ImageSet


def split_images(
    images: ImageSet, shares: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> list[ImageSet]:
    """Parts of these shares, drawn at random for every class by itself.

    Raises ValueError where a class has fewer images than there are parts.
    """
    rows = stratified_rows(images.labels, shares, seed, images.classes)
    return [images[part] for part in rows]


def stratified_rows(
    labels: np.ndarray, shares: Sequence[float], seed: int = 0, classes: Sequence[str] = ()
) -> list[np.ndarray]:
    """Rows of each part, in their order; every class has one row or more in every part."""
    raise NotImplementedError
