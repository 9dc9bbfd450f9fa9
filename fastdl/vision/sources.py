"""Where a training's images come from: folders, CSV, .npz, known data sets, or the generator."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.images import (
    ImageSet,
    generate_ads,
    load_cifar10,
    load_mnist,
    load_npz,
    read_images,
    split_images,
)
from ..files import write_json
from .job import ImageJob

DATA = "data.json"


@dataclass
class ImageParts:
    """The images that train, those that decide when to stop, and those that test, if any."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet | None
    skipped: list[dict[str, Any]]  # entries of the sets' ``Skipped``

    @property
    def tested(self) -> ImageSet:
        """The images that the metrics are of."""
        return self.validation if self.test is None else self.test

    def named(self) -> dict[str, ImageSet]:
        """The parts by name."""
        found = {"train": self.train, "validation": self.validation}
        return found if self.test is None else {**found, "test": self.test}


def read_parts(job: ImageJob, folder: Path) -> ImageParts:
    """Who trains, stops and tests; data.json remembers which images those were.

    Raises ValueError and OSError as ``fastdl.data.images.read_images``, and ValueError where the
    images have changed since the run was begun.
    """
    data, own_test = _source(job, job.data)
    sets = {"data": data}
    for name, path in (("valid", job.valid), ("test", job.test)):
        if path is not None:
            sets[name] = _labelled(job, path, data.classes)
    if "test" not in sets and own_test is not None:
        sets["test"] = own_test
    _check_unchanged(sets, folder)
    shares = (1.0,) if "valid" in sets else (0.9, 0.1) if "test" in sets else (0.8, 0.1, 0.1)
    parts = split_images(data, shares, job.seed)
    validation = sets["valid"] if "valid" in sets else parts[1]
    test = sets.get("test", parts[2] if len(parts) > 2 else None)
    skipped = [entry for own in sets.values() for entry in own.skipped.entries()]
    return ImageParts(parts[0], validation, test, skipped)


def _source(job: ImageJob, data: str | None) -> tuple[ImageSet, ImageSet | None]:
    """The images, and those for testing that some sources bring with them."""
    if data is None:
        size = job.size or 64
        return generate_ads(job.rows, size, job.seed, job.difficulty, job.labels), None
    path = Path(data)
    if path.suffix.lower() == ".npz":
        return load_npz(path)
    if path.is_dir():
        names = {entry.name.removesuffix(".gz") for entry in path.iterdir()}
        if "train-images-idx3-ubyte" in names:
            return load_mnist(path)
        if "data_batch_1.bin" in names:
            return load_cifar10(path)
    return _labelled(job, data, None), None


def _labelled(job: ImageJob, data: str, classes: tuple[str, ...] | None) -> ImageSet:
    return read_images(
        data, path_column=job.path_column, label_column=job.label_column, classes=classes,
        on_error=job.on_error,
    )  # fmt: skip


def _check_unchanged(sets: dict[str, ImageSet], folder: Path) -> None:
    path = folder / DATA
    mine = {name: {"images": len(own), "fingerprint": _fingerprint(own)}
            for name, own in sets.items()}  # fmt: skip
    if not path.is_file():
        write_json(path, mine)
        return
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ValueError(f"{path} is damaged; train anew in another folder.") from None
    if known != mine:
        raise ValueError(
            f"The images are not those that the run in {folder} was begun with: there were "
            f"{_counts(known)}, now there are {_counts(mine)}. Train anew in another folder."
        )


def _counts(known: dict[str, Any]) -> str:
    return ", ".join(f"{entry['images']:,} of {name}" for name, entry in known.items())


def _fingerprint(images: ImageSet) -> str:
    """Changes where names, labels or, of files, sizes and times of writing do."""
    crc = zlib.crc32(images.labels.tobytes())
    for name in images.names:
        path = Path(name)
        stat = path.stat() if path.is_file() else None
        told = name if stat is None else f"{name} {stat.st_size} {stat.st_mtime_ns}"
        crc = zlib.crc32(told.encode("utf-8", "surrogateescape"), crc)
    return f"{crc:08x}"
