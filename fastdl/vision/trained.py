"""A trained image model with what it needs to look at further images, in a run folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoint import load
from ..data.images import ImageSet, normalized
from ..files import read_described, write_described
from ..memory import rows_at_once
from ..models.image import ImageModel, fold
from ..runs import IMAGES, MODEL, require_complete


@dataclass(frozen=True)
class Preparation:
    """How images become a network's input: decoded to ``size``, (value / 255 - mean) / std."""

    classes: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: str

    def load(self, images: ImageSet, rows: Any = None) -> np.ndarray:
        """Images as the network takes them, float32 (n, C, H, W) with channels-last memory."""
        pixels = images.load(rows, self.size, self.channels, fit=self.fit)
        return normalized(pixels, self.mean, self.std)

    def blocks(self, images: ImageSet) -> Iterator[np.ndarray]:
        """All images in their order, in pieces of bounded memory."""
        rows = rows_at_once(self.size[0] * self.size[1] * self.channels)
        for start in range(0, len(images), rows):
            yield self.load(images, slice(start, start + rows))

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON holds them."""
        return dict(json.loads(json.dumps(vars(self))))

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Preparation:
        """What ``to_dict`` told; KeyError, TypeError and ValueError for anything else."""
        size, channels = tuple(map(int, known["size"])), int(known["channels"])
        mean, std = (tuple(map(float, known[name])) for name in ("mean", "std"))
        classes = tuple(map(str, known["classes"]))
        if len(size) != 2 or channels not in (1, 3) or len(classes) < 2:
            raise ValueError(f"size {size}, {channels} channels, {len(classes)} classes")
        if not len(mean) == len(std) == channels or min(std) <= 0:
            raise ValueError(f"mean {mean} and std {std} for {channels} channels")
        return cls(classes, size, channels, mean, std, str(known["fit"]))

    def save(self, folder: Path) -> None:
        """Write images.json into a run folder."""
        write_described(folder / IMAGES, self.to_dict())

    @classmethod
    def read(cls, folder: Path) -> Preparation:
        """That of a run folder; ValueError where it is damaged."""
        return read_described(folder / IMAGES, cls.from_dict, "; train again.")


class TrainedImageModel:
    """A network, and how images become its input.

    network: the trained one; folded: the same for inference, with batch normalization folded into
    the convolutions.
    """

    def __init__(self, network: ImageModel, preparation: Preparation) -> None:
        if network.classes != len(preparation.classes):
            raise ValueError(
                f"The network has {network.classes} outputs for {len(preparation.classes)} classes."
            )
        self.network, self.preparation = network, preparation
        self.folded = fold(network)

    def predict_proba(self, images: ImageSet) -> np.ndarray:
        """Probabilities float32 (N, classes) of a set's images, in pieces of bounded memory."""
        found = [self.folded.predict_proba(x) for x in self.preparation.blocks(images)]
        return np.concatenate(found)


def is_image_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a training on images, finished or not."""
    return (Path(folder) / IMAGES).is_file()


def load_trained(folder: str | os.PathLike[str]) -> TrainedImageModel:
    """The model of a run folder.

    Raises FileNotFoundError where files are missing, ValueError for those that are damaged or do
    not belong together.
    """
    folder = Path(folder)
    require_complete(folder, IMAGES)
    network = load(folder / MODEL)
    if not isinstance(network, ImageModel):
        raise ValueError(f"{folder / MODEL} holds a {type(network).__name__}, no image model.")
    try:
        return TrainedImageModel(network, Preparation.read(folder))
    except ValueError as error:
        raise ValueError(f"In {folder} files are damaged or do not fit: {error}") from None
