"""Which images a run shows: most wrong and surely right ones, each class, filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..data.images import ImageSet, ImageStream
from ..layers import Conv2D
from ..saliency import grad_cam
from .pictures import LARGEST, filter_sheet, heated, write_png
from .trained import TrainedImageModel

PICTURES = "pictures"
_OF_A_CLASS = 4  # images that are shown of each class
_CLASSES = 20  # at most so many classes are shown
_AUGMENTED = 12
_SHEET = 800  # pixels of a sheet of filters


class Shown:
    """Writes pictures into a folder and keeps what they are of."""

    def __init__(self, folder: Path, model: TrainedImageModel) -> None:
        self.folder, self.model = folder / PICTURES, model
        self.folder.mkdir(exist_ok=True)
        self.groups: dict[str, list[dict[str, Any]]] = {}

    def add(self, group: str, pixels: list[np.ndarray], **told: Any) -> None:
        """Pictures that belong together, and what is told of them."""
        known = self.groups.setdefault(group, [])
        files = []
        for part, own in enumerate(pixels):
            files.append(f"{group}-{len(known):02d}-{part}.png")
            write_png(self.folder / files[-1], own, _SHEET if group == "filters" else LARGEST)
        known.append({"files": files, **told})

    def decided(
        self, group: str, images: ImageSet, rows: np.ndarray, probability: np.ndarray
    ) -> None:
        """Creatives with heat maps of the class that was said and, if it is not that, their own."""
        classes = self.model.preparation.classes
        for row in rows:
            x = self.model.preparation.load(images, [row])
            pixels = self._pixels(images, [row])[0]
            said, own = int(probability[row].argmax()), int(images.labels[row])
            parts = [pixels]
            for wanted in dict.fromkeys((said, own)):
                heat = grad_cam(self.model.network, x, wanted)[0]
                parts.append(heated(pixels, heat))
            self.add(
                group, parts, name=images[[row]].names[0], label=classes[own], said=classes[said],
                sure=round(float(probability[row, said]), 4),
                own=round(float(probability[row, own]), 4),
            )  # fmt: skip

    def of_classes(self, images: ImageSet) -> None:
        """Some images of each class."""
        for label, name in enumerate(self.model.preparation.classes[:_CLASSES]):
            rows = np.flatnonzero(images.labels == label)[:_OF_A_CLASS]
            if len(rows):
                self.add("classes", list(self._pixels(images, rows)), label=name)

    def augmented(self, stream: ImageStream, seed: int) -> None:
        """Images as the first batch of training has them."""
        count = min(_AUGMENTED, stream.rows)
        windows = stream.windows(0, seed, count)
        rows = next(windows).take(0, count)
        windows.close()
        mean, std = (np.reshape(part, (-1, 1, 1)) for part in (stream.mean, stream.std))
        x = (np.asarray(rows.x) * std + mean) * 255
        pixels = x.round().clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        self.add("augmented", list(pixels))

    def filters(self) -> None:
        """Those of the first convolution."""
        layers = self.model.network.layers
        first = next((layer for layer in layers if isinstance(layer, Conv2D)), None)
        if first is not None:
            K, C, KH, KW = first.W.shape
            self.add("filters", [filter_sheet(first.W)], count=K, channels=C, height=KH, width=KW)

    def _pixels(self, images: ImageSet, rows: Any) -> np.ndarray:
        """(n, H, W, C) as the network sees them, before they are normalised."""
        known = self.model.preparation
        return images.load(rows, known.size, known.channels, fit=known.fit).transpose(0, 2, 3, 1)


def most_wrong(label: np.ndarray, probability: np.ndarray, most: int) -> np.ndarray:
    """Rows whose class is not predicted, those that gave it the least probability first.

    >>> most_wrong(np.array([0, 1, 1]), np.array([[0.1, 0.9], [0.6, 0.4], [0.3, 0.7]]), 5).tolist()
    [0, 1]
    """
    own = probability[np.arange(len(label)), label]
    wrong = np.flatnonzero(probability.argmax(axis=1) != label)
    found: np.ndarray = wrong[np.argsort(own[wrong], kind="stable")][:most]
    return found


def surely_right(label: np.ndarray, probability: np.ndarray, most: int) -> np.ndarray:
    """Rows that are predicted rightly, the surest of each class in turn."""
    own = probability[np.arange(len(label)), label]
    right = np.flatnonzero(probability.argmax(axis=1) == label)
    right = right[np.argsort(-own[right], kind="stable")]
    seen: dict[int, int] = {}
    turn = [seen.setdefault(int(c), 0) for c in label[right]]
    for place, c in enumerate(label[right].tolist()):
        turn[place] = seen[c]
        seen[c] += 1
    found: np.ndarray = right[np.lexsort((label[right], turn))][:most]
    return found
