"""Images as batches for the Trainer: decoded, augmented and normalised in background threads."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from ...stream import Rows, RowStream, Window
from .augmentation import Augmentation
from .image_set import ImageSet


class ImageStream(RowStream):
    """Labelled images as float32 batches for ``Trainer.train``, in the place of arrays.

    images: the set. size: (H, W) or one number for both, None where all have one shape.
    channels: 1 or 3. mean, std: of each channel, of values from 0 to 1 (one number for all, or
    (C,)); found by ``channel_statistics`` if not given. augmentation: an ``Augmentation``, a
    preset's name, or None. class_weight: "balanced", a dict of class name to weight, or None; they
    are the rows' weights. fit: as in ``ImageSet.load``. keep: where decoded images are kept for
    later epochs, "memory" (if they fit into memory_bytes, else nowhere), "disk" (a temporary file)
    or "nowhere".

    A batch has x (rows, C, H, W) float32 with channels-last memory, (value / 255 - mean) / std,
    and t (rows, classes) float32, a distribution for ``SoftmaxCrossEntropy``. ``blocks`` gives
    rows in their order, without augmentation, for validation and predictions. Batches follow from
    epoch and seed alone. ``settings()`` is what a saved model needs to prepare images again.

    Raises ValueError or TypeError for arguments that do not fit.
    """

    def __init__(
        self, images: ImageSet, size: int | tuple[int, int] | None = None, *, channels: int = 3,
        mean: Any = None, std: Any = None,
        augmentation: Augmentation | str | dict[str, Any] | None = None,
        class_weight: Any = None, fit: str = "crop", keep: str = "memory",
        memory_bytes: int = 1 << 30,
    ) -> None:  # fmt: skip
        raise NotImplementedError

    mean: np.ndarray  # (C,) float32
    std: np.ndarray
    size: tuple[int, int]  # H, W

    def settings(self) -> dict[str, Any]:
        """size, channels, mean, std and fit, as JSON can hold them."""
        raise NotImplementedError

    def evaluating(self, images: ImageSet) -> ImageStream:
        """A stream of other images with this one's settings, without augmentation and weights."""
        raise NotImplementedError

    def blocks(self) -> Iterator[Rows]:
        raise NotImplementedError

    def windows(
        self, epoch: int, seed: int, batch_size: int, first_row: int = 0
    ) -> Generator[Window, None, None]:
        raise NotImplementedError


def class_weights(labels: np.ndarray, classes: tuple[str, ...], weight: Any) -> np.ndarray | None:
    """The weight of each class: "balanced" is N / (classes count), or from a dict by name."""
    raise NotImplementedError
