"""Labelled images that are loaded when they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..skipped import Skipped


class ImageSet:
    """N images with labels; a slice or an index array in brackets gives a subset of them.

    labels: (N,) int64, indices into ``classes``, or -1 where images have no labels.
    classes: the classes' names, sorted (whole numbers by their value); () without labels.
    names: of each image the path, or "image 17".
    shape: (C, H, W) that all images have, or None where files may differ.
    skipped: what was left out by ``on_error="skip"``; its ``rows`` counts the images.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    skipped: Skipped

    @classmethod
    def from_arrays(
        cls, images: ArrayLike, labels: ArrayLike | None = None, *,
        classes: Sequence[str] | None = None, names: Sequence[str] | None = None,
    ) -> ImageSet:  # fmt: skip
        """Images (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or floats from 0 to 1.

        C is 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha). labels (N,): with
        ``classes`` indices into them or their names, else anything that sorts, whose distinct
        values are the classes.

        Raises ValueError or TypeError for images and labels that do not fit.
        """
        raise NotImplementedError

    @classmethod
    def from_files(
        cls, paths: Sequence[str | Path], labels: ArrayLike | None = None, *,
        classes: Sequence[str] | None = None, on_error: str = "stop",
    ) -> ImageSet:  # fmt: skip
        """Image files, with labels as in ``from_arrays``."""
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, int, int] | None:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Any) -> ImageSet:
        raise NotImplementedError

    def counts(self) -> dict[str, int]:
        """How many images each class has."""
        raise NotImplementedError

    def load(
        self, rows: Any = None, size: int | tuple[int, int] | None = None, channels: int = 3, *,
        fit: str = "crop",
    ) -> np.ndarray:  # fmt: skip
        """Decoded images uint8 (n, channels, H, W) with channels-last memory.

        rows: a slice, indices, one index (n = 1), or None for all. size: (H, W), or one number for
        both; None where all have one shape. channels: 1 or 3. fit: where the aspect ratio differs,
        "crop" what is beyond the middle, "pad" with white, or "stretch".

        Raises ValueError for damaged files and for arguments that do not fit, OSError for files
        that cannot be read.
        """
        raise NotImplementedError

    def verify(self, on_error: str = "stop") -> ImageSet:
        """Decode every image once, in threads; the set of those that could be decoded.

        With "stop" a damaged file raises ValueError, with "skip" it is left out and counted in
        ``skipped``.
        """
        raise NotImplementedError
