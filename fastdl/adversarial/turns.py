"""A task for images without classes: which of four quarter turns was an image turned by."""

from __future__ import annotations

import numpy as np

from ..data.images import ImageSet

TURNS = ("0", "90", "180", "270")  # degrees, to the left


class TurnedSource:
    """Every image of a set in four turns: number 4 i + q is image i turned by q quarters.

    Gidaris et al. 2018, Unsupervised representation learning by predicting image rotations.
    """

    def __init__(self, images: ImageSet) -> None:
        self.images = images

    def name(self, row: int) -> str:
        image, turn = divmod(row, 4)
        return f"{self.images.source.name(int(self.images.rows[image]))} turned by {TURNS[turn]}"

    def shape(self, rows: np.ndarray) -> tuple[int, int, int] | None:
        return self.images.image_shape

    def load(self, rows: np.ndarray, out: np.ndarray, fit: str) -> None:
        self.images.source.load(self.images.rows[rows // 4], out, fit)
        for turn in range(1, 4):
            own = np.flatnonzero(rows % 4 == turn)
            if len(own):
                out[own] = np.rot90(out[own], turn, axes=(1, 2))

    def check(self, row: int) -> None:
        self.images.source.check(int(self.images.rows[row // 4]))


def turned(images: ImageSet) -> ImageSet:
    """Four times as many images, whose classes are the turns."""
    count = 4 * len(images)
    return ImageSet(TurnedSource(images), np.arange(count), np.arange(count) % 4, TURNS)
