"""MNIST and Fashion-MNIST from the idx files that their pages offer."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .image_set import ImageSet

_PARTS = {"train": 60_000, "t10k": 10_000}
_HEADERS = {"images": (0x00000803, 3), "labels": (0x00000801, 1)}  # uint8 of so many dimensions
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
           "Bag", "Ankle boot")  # fmt: skip


DIGITS = tuple("0123456789")


def load_mnist(folder: str | Path, classes: Sequence[str] = DIGITS) -> tuple[ImageSet, ImageSet]:
    """(train, test) of MNIST (LeCun, Cortes & Burges 1998) from a folder with its four files.

    They are train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k, also as .gz.
    Other sets come in files of the same names and sizes: classes are theirs, in the order in which
    their labels count. Raises FileNotFoundError where a file is missing, ValueError where one is
    damaged or has a label that is none of the classes.
    """
    return _loaded(folder, tuple(classes))


def load_fashion_mnist(folder: str | Path) -> tuple[ImageSet, ImageSet]:
    """(train, test) of Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), whose files are MNIST's.

    Raises as ``load_mnist``.
    """
    return _loaded(folder, FASHION)


def _loaded(folder: str | Path, classes: tuple[str, ...]) -> tuple[ImageSet, ImageSet]:
    """The classes stay in the data's order, in which their labels count."""
    train, test = (
        ImageSet.from_arrays(
            read_idx(_found(Path(folder), part, "images"), "images", (rows, 28, 28)),
            read_idx(_found(Path(folder), part, "labels"), "labels", (rows,)),
            classes=classes,
        )
        for part, rows in _PARTS.items()
    )
    return train, test


def _found(folder: Path, part: str, kind: str) -> Path:
    name = f"{part}-{kind}-idx{_HEADERS[kind][1]}-ubyte"
    names = (name, f"{name}.gz", name.replace("-idx", ".idx"))
    for each in names:
        if (folder / each).is_file():
            return folder / each
    raise FileNotFoundError(f"{folder} has no file {names[0]} or {names[1]}.")


def read_idx(path: Path, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """The uint8 array of an idx file: a magic number, the sizes as big-endian int32, the values."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(16 + int(np.prod(shape)) + 1)  # a longer one is not read whole
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}.") from None
    magic, dimensions = _HEADERS[kind]
    header = np.frombuffer(content[: 4 * (1 + dimensions)], ">i4") if len(content) >= 16 else None
    if header is None or header[0] != magic:
        found = content[:4].hex() or "nothing"
        raise ValueError(
            f"{path} begins with {found}; expected {magic:08x}, an idx file of {kind}. "
            "Is it compressed, or a web page that was saved in its place?"
        )
    if tuple(header[1:].tolist()) != shape:
        raise ValueError(f"{path} says that its shape is {header[1:].tolist()}; expected {shape}.")
    values = np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions))
    if values.size != np.prod(shape):
        raise ValueError(
            f"{path} has {values.size:,} values; its header says {int(np.prod(shape)):,}. It was "
            "cut off or changed: download it again."
        )
    return values.reshape(shape)
