"""What a GAN's run shows: grids, how they came to be, interpolations, nearest training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.images import ImageStream
from ..memory import rows_at_once
from ..metrics.neighbours import nearest_in_parts
from ..vision.pictures import write_png
from .pictures import (
    animation_name,
    columns_of,
    grid,
    neighbours,
    write_animation,
    write_grid,
)
from .trained import Pixels, TrainedGAN

PICTURES = "pictures"
_CLASSES, _OF_A_CLASS = 20, 8  # of a grid with a row for each class, at most and at least
_STRIPS, _OF_A_STRIP = 8, 10  # epochs that the page shows, and images of each
_ARCS, _STEPS = 5, 9  # interpolations, and images of each
_SAMPLES, _NEAREST = 8, 4  # of the comparison with training images
_NEAREST_MOST = 20_000  # training images that pictures are compared with


class Fixed:
    """Fixed z and classes, whose images are shown after every epoch.

    With classes, a row for each (of the first 20), else a square grid of ``count``.
    """

    def __init__(self, trained: TrainedGAN, count: int, rng: np.random.Generator) -> None:
        self.trained = trained
        rows = min(len(trained.kind.classes), _CLASSES)
        self.classes: NDArray[np.int64] | None = None
        self.columns = columns_of(count)
        if rows:
            self.columns = max(_OF_A_CLASS, count // rows)
            self.classes = np.repeat(np.arange(rows, dtype=np.int64), self.columns)
            count = len(self.classes)
        self.z = trained.gan.draw(count, rng)

    def images(self) -> Pixels:
        """What the generator now makes of them."""
        return self.trained.generate(self.z, self.classes)

    def some(self) -> NDArray[np.int64]:
        """Places of a few, of classes in turn, that stand for all."""
        count = len(self.z)
        if self.classes is None:
            return np.arange(min(_OF_A_STRIP, count))
        rows = count // self.columns
        picked = np.arange(_OF_A_STRIP)
        return picked % rows * self.columns + picked // rows


class Shown:
    """Writes pictures into a run's folder and keeps what they are of."""

    def __init__(self, folder: Path, fixed: Fixed) -> None:
        self.folder, self.fixed = folder / PICTURES, fixed
        self.folder.mkdir(exist_ok=True)
        self.groups: dict[str, list[dict[str, Any]]] = {}

    def add(self, group: str, file: str, **told: Any) -> Path:
        """A picture and what is told of it; where it is to be written."""
        self.groups.setdefault(group, []).append({"files": [file], **told})
        return self.folder / file

    def epochs(self) -> None:
        """The last grid, all grids as an animation, and a strip of some of them."""
        frames = sorted(self.folder.glob("epoch-*.png"))
        fixed = self.fixed
        pixels = fixed.images()
        classes = fixed.trained.kind.classes
        rows = (
            [classes[i] for i in fixed.classes[:: fixed.columns]]
            if fixed.classes is not None
            else []
        )
        write_grid(self.add("samples", "samples.png", rows=rows), pixels, fixed.columns)
        if not frames:
            return
        write_animation(self.add("animation", animation_name(), epochs=len(frames) - 1), frames)
        chosen = np.unique(np.linspace(0, len(frames) - 1, _STRIPS).round().astype(np.int64))
        for i in chosen:
            epoch = int(frames[i].stem.removeprefix("epoch-"))
            strip = _cut(frames[i], pixels, fixed.columns, fixed.some())
            path = self.add("strips", f"strip-{epoch:04d}.png", epoch=epoch)
            write_png(path, strip, largest=None)

    def interpolations(self, rng: np.random.Generator) -> None:
        """Rows of images from one to another, along arcs between their z."""
        trained = self.fixed.trained
        rows, names = [], []
        for i in range(_ARCS):
            a, b = trained.gan.draw(2, rng)
            name = (
                trained.kind.classes[i % len(trained.kind.classes)]
                if trained.kind.classes
                else None
            )
            rows.append(trained.interpolate(a, b, _STEPS, name))
            names.append(name)
        told = [name for name in names if name is not None]
        path = self.add("interpolations", "interpolations.png", rows=told)
        write_grid(path, np.concatenate(rows), _STEPS)

    def nearest(self, stream: ImageStream) -> None:
        """Some images, each beside the training images that are nearest by their pixels."""
        samples = self.fixed.images()[self.fixed.some()[:_SAMPLES]]
        places = nearest_rows(samples, stream, _NEAREST)
        found = [stream.store.pixels(own).transpose(0, 2, 3, 1) for own in places]
        path = self.add("neighbours", "neighbours.png", among=min(stream.rows, _NEAREST_MOST),
                        of=stream.rows)  # fmt: skip
        half = -(-len(samples) // 2)
        left, right = (
            neighbours(samples[part], found[part]) for part in (slice(half), slice(half, None))
        )
        write_png(path, _beside(left, right), largest=None)


def nearest_rows(samples: Pixels, stream: ImageStream, k: int) -> NDArray[np.int64]:
    """Rows (N, k) of a stream whose pixels are nearest to each sample's, in bounded memory.

    Of more than 20,000 images these are among 20,000 that are spread over all.
    """
    rows = np.unique(
        np.linspace(0, stream.rows - 1, min(stream.rows, _NEAREST_MOST)).astype(np.int64)
    )
    query = samples.reshape(len(samples), -1).astype(np.float64)
    size = 8 * rows_at_once(query.shape[1])
    pieces = (rows[start : start + size] for start in range(0, len(rows), size))
    pixels = (
        stream.store.pixels(own).transpose(0, 2, 3, 1).reshape(len(own), -1).astype(np.float64)
        for own in pieces
    )
    found: NDArray[np.int64] = rows[nearest_in_parts(query, pixels, k)[1]]
    return found


def _cut(frame: Path, like: Pixels, columns: int, places: np.ndarray) -> Pixels:
    """Some images of a grid that is a file, as a grid of one row."""
    from PIL import Image

    with Image.open(frame) as picture:
        whole = np.asarray(picture)
    whole = whole.reshape(*whole.shape[:2], -1)
    H, W, C = like.shape[1:]
    lone = grid(np.zeros((1, H, W, C), np.uint8), 1)
    zoom = len(lone) // H
    step = grid(np.zeros((2, H, W, C), np.uint8), 1)
    gap = len(step) - 2 * len(lone)
    parts = []
    for place in places:
        top = place // columns * (len(lone) + gap)
        left = place % columns * (lone.shape[1] + gap)
        parts.append(whole[top : top + len(lone) : zoom, left : left + lone.shape[1] : zoom])
    return grid(np.stack(parts), len(parts))


def _beside(left: Pixels, right: Pixels) -> Pixels:
    """Two pictures side by side with a broad gap."""
    height = max(len(left), len(right))
    parts = []
    for own in (left, np.full((height, 32, left.shape[2]), 255, np.uint8), right):
        below = np.full((height - len(own), *own.shape[1:]), 255, np.uint8)
        parts.append(np.concatenate([own, below]))
    return np.concatenate(parts, axis=1)
