"""Where a training's images come from: folders, CSV, .npz, known data sets, or the generator."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..data.images import (
    ImageSet,
    generate_ads,
    load_cifar10,
    load_mnist,
    load_npz,
    read_images,
    split_images,
)
from ..data.images.mnist import DIGITS, FASHION
from ..files import write_json
from .job import ImageJob

DATA = "data.json"


class AsksForImages(Protocol):
    """Options that say where images come from, those of ``ImageJob`` and others."""

    @property
    def data(self) -> str | None: ...
    @property
    def path_column(self) -> str | None: ...
    @property
    def label_column(self) -> str | None: ...
    @property
    def class_names(self) -> tuple[str, ...] | None: ...
    @property
    def rows(self) -> int: ...
    @property
    def size(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def difficulty(self) -> float: ...
    @property
    def labels(self) -> str: ...
    @property
    def drawn_layouts(self) -> tuple[str, ...] | None: ...
    @property
    def on_error(self) -> str: ...
    @property
    def source(self) -> str: ...


@dataclass
class ImageParts:
    """The images that train, those that decide when to stop, and those that test, if any."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet | None
    skipped: list[dict[str, Any]]  # entries of the sets' ``Skipped``
    known: dict[str, Any]  # which images these are, as data.json has it

    @property
    def tested(self) -> ImageSet:
        """The images that the metrics are of."""
        return self.validation if self.test is None else self.test

    def named(self) -> dict[str, ImageSet]:
        """The parts by name."""
        found = {"train": self.train, "validation": self.validation}
        return found if self.test is None else {**found, "test": self.test}

    def save(self, folder: Path) -> None:
        """Write data.json into a run folder."""
        write_json(folder / DATA, self.known)


def read_parts(job: ImageJob, folder: Path) -> ImageParts:
    """Who trains, stops and tests.

    Raises ValueError and OSError as ``fastdl.data.images.read_images``, and ValueError where the
    images are not those of the data.json that a run in ``folder`` was begun with. The images of
    validation and test, which come last, are decoded once: a damaged file is told before training.
    """
    data, own_test = data_of(job)
    sets = {"data": data}
    for name, path in (("valid", job.valid), ("test", job.test)):
        if path is not None:
            sets[name] = _labelled(job, path, data.classes)
    if "test" not in sets and own_test is not None:
        sets["test"] = own_test
    known = known_images(sets, folder)
    shares = (1.0,) if "valid" in sets else (0.9, 0.1) if "test" in sets else (0.8, 0.1, 0.1)
    parts = split_images(data, shares, job.seed)
    validation = sets["valid"] if "valid" in sets else parts[1]
    test = sets.get("test", parts[2] if len(parts) > 2 else None)
    skipped = [entry for own in sets.values() for entry in own.skipped.entries()]
    for own in (validation, test):
        if own is not None and job.on_error == "stop":
            own.verify()
    return ImageParts(parts[0], validation, test, skipped, known)


def known_images(sets: Mapping[str, ImageSet], folder: Path) -> dict[str, Any]:
    """Which images these are, as data.json has it; ValueError where a run's there are others."""
    known = {name: {"images": len(own), "fingerprint": _fingerprint(own)}
             for name, own in sets.items()}  # fmt: skip
    _check_unchanged(known, folder)
    return known


def data_of(job: AsksForImages, usual_size: int = 64) -> tuple[ImageSet, ImageSet | None]:
    """The images of ``job.data``, and those for testing that some sources bring with them.

    ``usual_size`` is that of generated creatives.
    """
    data = job.data
    if data is None:
        _check_no_names(job)
        size = job.size or usual_size
        ads = generate_ads(
            job.rows, size, job.seed, job.difficulty, job.labels, layouts=job.drawn_layouts
        )
        return ads, None
    path = Path(data)
    if path.suffix.lower() == ".npz":
        return load_npz(path, job.class_names)
    names = {entry.name.removesuffix(".gz") for entry in path.iterdir()} if path.is_dir() else set()
    if "train-images-idx3-ubyte" in names:
        # Fashion-MNIST's files have MNIST's names and sizes: only the folder, or the one around
        # it, can tell (torchvision's is FashionMNIST/raw)
        fashion = any("fashion" in name.lower() for name in path.resolve().parts[-2:])
        return load_mnist(path, job.class_names or (FASHION if fashion else DIGITS))
    _check_no_names(job)
    if "data_batch_1.bin" in names:
        return load_cifar10(path)
    return _labelled(job, data, None), None


def _check_no_names(job: AsksForImages) -> None:
    if job.class_names is not None:
        raise ValueError(
            f"class_names is {', '.join(job.class_names)}, but the classes of {job.source} have "
            "names; only in MNIST's files and .npz files numbers stand in their place."
        )


def _labelled(job: AsksForImages, data: str, classes: tuple[str, ...] | None) -> ImageSet:
    return read_images(
        data, path_column=job.path_column, label_column=job.label_column, classes=classes,
        on_error=job.on_error,
    )  # fmt: skip


def _check_unchanged(mine: dict[str, Any], folder: Path) -> None:
    path = folder / DATA
    if not path.is_file():
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
