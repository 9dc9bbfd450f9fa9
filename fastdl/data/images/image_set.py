"""Labelled images that are loaded when they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...layers.layout import channels_first
from ..skipped import Skipped
from .arrays import as_pixels
from .decode import BadImage
from .faults import kept
from .labelled import class_indices
from .resize import check_channels, check_fit, check_image_size
from .sources import ArraySource, Source
from .threads import in_threads


class ImageSet:
    """N images with labels; a slice or an index array in brackets gives a subset of them.

    labels: (N,) int64, indices into ``classes``, or -1 where images have no labels.
    classes: the classes' names, sorted (whole numbers by their value) unless they were given; ()
    without labels.
    skipped: what was left out by ``on_error="skip"``; its ``rows`` counts the images.

    >>> images = ImageSet.from_arrays(np.zeros((4, 8, 8, 3), np.uint8), ["shoe", "bag"] * 2)
    >>> images
    ImageSet(4 images of 2 classes, 3 x 8 x 8)
    >>> images[1:].load([0], size=4).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self, source: Source, rows: np.ndarray, labels: np.ndarray, classes: tuple[str, ...],
        skipped: Skipped | None = None,
    ) -> None:  # fmt: skip
        self.source, self.rows = source, rows  # rows (N,): the source's numbers of the images
        self.labels, self.classes = labels, classes
        self.skipped = Skipped() if skipped is None else skipped

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
        pixels = as_pixels(images)
        if names is not None and len(names) != len(pixels):
            raise ValueError(f"names has {len(names)} entries for {len(pixels)} images.")
        source = ArraySource(pixels, None if names is None else [str(name) for name in names])
        return cls.of(source, len(pixels), labels, classes)

    @classmethod
    def from_files(
        cls, paths: Sequence[str | Path], labels: ArrayLike | None = None, *,
        classes: Sequence[str] | None = None, on_error: str = "stop",
    ) -> ImageSet:  # fmt: skip
        """Image files, with labels as in ``from_arrays``, and errors as in ``read_images``."""
        from .files import files_set

        return files_set([Path(path) for path in paths], labels, classes, on_error)

    @classmethod
    def of(
        cls, source: Source, count: int, labels: ArrayLike | None, classes: Sequence[str] | None
    ) -> ImageSet:
        """All ``count`` images of a source."""
        if labels is None:
            found, names = np.full(count, -1, np.int64), tuple(classes or ())
        else:
            found, names = class_indices(labels, count, classes, source.name)
        return cls(source, np.arange(count), found, names)

    @property
    def names(self) -> list[str]:
        """Of each image the path, or "image 17"."""
        return [self.source.name(int(row)) for row in self.rows]

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(C, H, W) that all images have, C being 1 or 3; None where files differ in size."""
        return self.source.shape(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> ImageSet:
        own = self._chosen(rows)
        return ImageSet(self.source, self.rows[own], self.labels[own], self.classes, self.skipped)

    def __repr__(self) -> str:
        shape = (
            "of several sizes"
            if self.image_shape is None
            else " x ".join(map(str, self.image_shape))
        )
        return f"ImageSet({len(self):,} images of {len(self.classes)} classes, {shape})"

    def counts(self) -> dict[str, int]:
        """How many images each class has."""
        found = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return dict(zip(self.classes, found.tolist(), strict=True))

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
        own = self._chosen(slice(None) if rows is None else rows)
        out = np.empty((len(own), *self.size(size), check_channels(channels)), np.uint8)
        self.source.load(self.rows[own], out, check_fit(fit))
        return channels_first(out)

    def size(self, size: int | tuple[int, int] | None = None) -> tuple[int, int]:
        """``size`` as (H, W), or the images' own for None; ValueError where they have several."""
        if size is not None:
            return check_image_size(size)
        if self.image_shape is None:
            raise ValueError("The images have several sizes: say to which size to bring them.")
        return self.image_shape[1:]

    def verify(self, on_error: str = "stop") -> ImageSet:
        """Decode every image once, in threads; the set of those that could be decoded.

        With "stop" a damaged file raises ValueError, with "skip" it is left out and counted in
        ``skipped``.
        """
        problems = in_threads(self._problem, range(len(self)))
        return self[kept(problems, self.labels, self.classes, on_error, self.skipped)]

    def _problem(self, row: int) -> Exception | None:
        try:
            self.source.check(int(self.rows[row]))
        except (BadImage, OSError) as error:
            return error
        return None

    def _chosen(self, rows: Any) -> np.ndarray:
        """``rows`` as an array of indices."""
        if isinstance(rows, int | np.integer):
            rows = [rows]
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            if rows.size == 0:
                rows = rows.astype(np.int64)
            if rows.ndim != 1 or rows.dtype.kind not in "iub":
                raise TypeError(
                    f"Images are chosen by a slice or by indices (n,); got shape {rows.shape} of "
                    f"{rows.dtype}."
                )
        try:
            return np.arange(len(self))[rows]
        except IndexError as error:
            raise IndexError(f"The set has {len(self)} images: {error}.") from None
