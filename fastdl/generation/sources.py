"""The images that a GAN learns from, and those that are held out to judge it by."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.images import ImageSet, ImageStream, find_images, split_images
from ..data.images.sources import ArraySource
from ..files import write_json
from ..memory import rows_at_once
from ..vision.sources import DATA, data_of, known_images
from .job import GANJob
from .recipe import reachable_size

LEAST = 100  # images; of fewer nothing is learned but themselves
LEAST_OF_A_CLASS = 10
LEAST_DIFFERENT = 10
HELD_OUT, MOST_HELD_OUT = 0.1, 0.25  # of the images
# the judge has a Fréchet distance where half of them are more than there are features (128)
ENOUGH_HELD_OUT = 300
USUAL_SIZE = 32  # pixels of generated creatives
_MEMORY, _BLOCK = 1 << 30, 1024  # bytes of decoded images; how many are decoded at a time
_ONE = ("image",)  # the only class of images that have none


@dataclass
class GANParts:
    """The images that train, those that are held out, and what they are brought to."""

    train: ImageSet
    held: ImageSet
    size: int
    channels: int
    classes: tuple[str, ...]  # that images are made by; () without
    labelled: bool  # whether the images have classes, made by them or not
    fit: str
    skipped: list[dict[str, Any]]
    known: dict[str, Any]  # which images these are, as data.json has it

    def save(self, folder: Path) -> None:
        """Write data.json into a run folder."""
        write_json(folder / DATA, self.known)

    def in_memory(self) -> GANParts:
        """The same with images decoded at their size, once for all that looks at them.

        Those that would take more than 1 GB stay where they are. Raises ValueError and OSError for
        files that cannot be read.
        """
        shape = self.size, self.size, self.channels
        found: dict[str, Any] = {}
        for name in ("train", "held"):
            images: ImageSet = getattr(self, name)
            if len(images) * int(np.prod(shape)) <= _MEMORY:
                found[name] = _decoded(images, shape, self.fit)
        return dataclasses.replace(self, **found)

    def stream(self, images: ImageSet, keep: str = "memory") -> ImageStream:
        """Images as float32 batches (N, C, H, W) from -1 to 1."""
        return ImageStream(
            images, self.size, channels=self.channels, mean=0.5, std=0.5, fit=self.fit, keep=keep
        )


def read_gan_parts(job: GANJob, folder: Path) -> GANParts:
    """Who trains and who judges: 90 % and 10 % of each class, and all that data sets test with.

    Of fewer than 3,000 images 300 judge, as long as these are no more than a quarter. A folder
    without folders in it has images without classes. Raises ValueError and OSError as
    ``fastdl.data.images.read_images``, and ValueError for too few images, and where they are not
    those of a run that is resumed.
    """
    data, own_test = _data_of(job)
    known = known_images({"data": data}, folder)
    parts = split_parts(
        data, own_test, classes=job.classes, size=job.size, fit=job.fit, seed=job.seed, known=known
    )
    return parts.in_memory() if job.keep == "memory" else parts


def split_parts(
    data: ImageSet, own_test: ImageSet | None, *, classes: str, size: int | None, fit: str,
    seed: int, known: dict[str, Any],
) -> GANParts:  # fmt: skip
    """Both parts of a set of images; ``own_test`` are others that are held out in place of some."""
    parts = whole_parts(data, classes=classes, size=size, fit=fit, known=known)
    if own_test is None:
        share = min(max(HELD_OUT, ENOUGH_HELD_OUT / len(data)), MOST_HELD_OUT)
        parts.train, parts.held = split_images(parts.train, (1 - share, share), seed)
    else:
        parts.held = own_test
    return parts


def whole_parts(
    data: ImageSet, *, classes: str, size: int | None, fit: str,
    known: dict[str, Any] | None = None,
) -> GANParts:  # fmt: skip
    """All images of a set as those that train; none is held out."""
    labelled = len(data.classes) > 1 and bool((data.labels >= 0).all())
    by_class = classes == "auto" and labelled
    pixels, shape = reachable_size(size, data.image_shape), data.image_shape
    if not labelled:
        data = ImageSet(data.source, data.rows, np.zeros(len(data), np.int64), _ONE, data.skipped)
    _check_enough(data, data.classes if by_class else ())
    channels = 1 if shape is not None and shape[0] == 1 else 3
    return GANParts(data, data[:0], pixels, channels, data.classes if by_class else (), labelled,
                    fit, data.skipped.entries(), known or {})  # fmt: skip


def _decoded(images: ImageSet, shape: tuple[int, int, int], fit: str) -> ImageSet:
    if not len(images):
        return images
    pixels = np.empty((len(images), *shape), np.uint8)
    for start in range(0, len(images), _BLOCK):
        own = slice(start, start + _BLOCK)
        pixels[own] = images.load(own, shape[:2], shape[2], fit=fit).transpose(0, 2, 3, 1)
    labels, rows = images.labels, np.arange(len(images))
    return ImageSet(ArraySource(pixels), rows, labels, images.classes, images.skipped)


def check_different(stream: ImageStream) -> None:
    """ValueError where the images are a few that are repeated; decodes each of them once."""
    seen: set[int] = set()
    for pixels in _blocks(stream):
        seen.update(zlib.crc32(own.tobytes()) for own in pixels)
        if len(seen) >= LEAST_DIFFERENT:
            break
    if len(seen) < LEAST_DIFFERENT:
        found = "the same image" if len(seen) == 1 else f"copies of {len(seen)} images"
        raise ValueError(
            f"All {stream.rows:,} training images are {found}; a GAN would learn to repeat them. "
            f"It needs {LEAST} different ones or more."
        )


def _blocks(stream: ImageStream) -> Iterator[np.ndarray]:
    size = rows_at_once(int(np.prod(stream.size)) * stream.channels)
    for start in range(0, stream.rows, size):
        yield stream.store.pixels(np.arange(start, min(start + size, stream.rows)))


def _data_of(job: GANJob) -> tuple[ImageSet, ImageSet | None]:
    if job.data is not None and job.label_column is None and not has_classes(Path(job.data)):
        images = find_images(job.data, path_column=job.path_column, on_error=job.on_error)
        return images, None
    return data_of(job, usual_size=USUAL_SIZE)


def has_classes(place: Path) -> bool:
    """Whether a place may tell classes: all but a folder that has images and no folders."""
    if not place.is_dir():
        return True
    entries = [entry for entry in place.iterdir() if entry.name[0] != "."]
    if any(entry.is_dir() for entry in entries):
        return True
    known = ("-ubyte", ".gz", ".bin")
    return not entries or any(entry.name.endswith(known) for entry in entries)


def _check_enough(images: ImageSet, classes: tuple[str, ...]) -> None:
    if len(images) < LEAST:
        raise ValueError(
            f"There are {len(images):,} images; a GAN needs {LEAST} or more, and learns little of "
            "fewer than some thousands."
        )
    counts = images.counts() if classes else {}
    few = {name: count for name, count in counts.items() if count < LEAST_OF_A_CLASS}
    if few:
        told = ", ".join(f"{name!r} ({count})" for name, count in list(few.items())[:5])
        raise ValueError(
            f"The class {told} has too few images; to be made by its name a class needs "
            f"{LEAST_OF_A_CLASS} or more. Add some, remove it, or train without classes."
        )
