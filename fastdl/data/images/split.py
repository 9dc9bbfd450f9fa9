"""Training, validation and test images, with the same share of every class in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...validation import check_number
from .image_set import ImageSet


def split_images(
    images: ImageSet, shares: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> list[ImageSet]:
    """Parts of these shares, drawn at random for every class by itself.

    Raises ValueError where a class has fewer images than there are parts.

    >>> images = ImageSet.from_arrays(np.zeros((20, 8, 8)), ["bag", "shoe"] * 10)
    >>> [part.counts() for part in split_images(images, (0.7, 0.3))]
    [{'bag': 7, 'shoe': 7}, {'bag': 3, 'shoe': 3}]
    """
    rows = stratified_rows(images.labels, shares, seed, images.classes)
    return [images[part] for part in rows]


def stratified_rows(
    labels: np.ndarray, shares: Sequence[float], seed: int = 0, classes: Sequence[str] = ()
) -> list[np.ndarray]:
    """Rows of each part, in their order; every class has one row or more in every part.

    Raises ValueError where that is not possible, or shares do not add up to 1.
    """
    for i, share in enumerate(shares):
        check_number(share, f"shares[{i}]", open_low=True, high=1.0)
    if not shares or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares {tuple(shares)} add up to {sum(shares):g}; expected 1.")
    parts: list[list[np.ndarray]] = [[] for _ in shares]
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) < len(shares):
            name = classes[label] if 0 <= label < len(classes) else label
            raise ValueError(
                f"The class {name!r} has {len(own)} image{'s' * (len(own) > 1)}; to be in each of "
                f"{len(shares)} parts it needs {len(shares)} or more."
            )
        own = np.random.default_rng([seed, int(label) + 1]).permutation(own)
        ends = np.cumsum(_counts(len(own), shares))[:-1]
        for part, rows in zip(parts, np.split(own, ends), strict=True):
            part.append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]


def _counts(rows: int, shares: Sequence[float]) -> np.ndarray:
    """Whole numbers that add up to rows, each as near to its share as 1 or more allows."""
    wanted = rows * np.asarray(shares, np.float64)
    counts = np.maximum(1, np.floor(wanted + 1e-9)).astype(np.int64)
    while counts.sum() < rows:
        counts[np.argmax(wanted - counts)] += 1
    while counts.sum() > rows:
        counts[np.argmax(np.where(counts > 1, counts - wanted, -np.inf))] -= 1
    return counts
