"""CIFAR-10 from its binary version."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .image_set import ImageSet

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_ROWS = 10_000  # of each file
_RECORD = 1 + 3 * 32 * 32  # the label, then the red, green and blue pixels


def load_cifar10(folder: str | Path) -> tuple[ImageSet, ImageSet]:
    """(train, test) of CIFAR-10 (Krizhevsky 2009), 50,000 and 10,000 images of 32 x 32 pixels.

    folder: what cifar-10-binary.tar.gz unpacks to, with data_batch_1.bin to data_batch_5.bin and
    test_batch.bin, or the folder above it. The Python version of the data is pickled: reading it
    could run anything, so it is refused.

    Raises FileNotFoundError where a file is missing, ValueError where one is damaged.
    """
    place = Path(folder)
    if (place / "cifar-10-batches-bin").is_dir():
        place = place / "cifar-10-batches-bin"
    pickled = [f for f in (place / "data_batch_1", place / "cifar-10-batches-py") if f.exists()]
    if pickled and not (place / "data_batch_1.bin").exists():
        raise ValueError(
            f"{pickled[0]} belongs to the Python version of CIFAR-10, which is pickled: reading it "
            "could run any code. Download the binary version, cifar-10-binary.tar.gz, instead."
        )
    train = [_batch(place / f"data_batch_{i}.bin") for i in range(1, 6)]
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    test = _batch(place / "test_batch.bin")
    return (
        ImageSet.from_arrays(pixels, labels, classes=CLASSES),
        ImageSet.from_arrays(*test, classes=CLASSES),
    )


def _batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 32, 32, 3) and labels (N,) of one file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}; expected what cifar-10-binary.tar.gz unpacks to."
        )
    content = np.fromfile(path, np.uint8)
    if content.size != _ROWS * _RECORD:
        raise ValueError(
            f"{path} has {content.size:,} bytes; expected {_ROWS * _RECORD:,}, {_ROWS:,} images of "
            f"{_RECORD:,} bytes. It was cut off or is another file: download it again."
        )
    records = content.reshape(_ROWS, _RECORD)
    if records[:, 0].max() > 9:
        row = int(np.argmax(records[:, 0] > 9))
        raise ValueError(f"{path}: image {row} has the label {records[row, 0]}; expected 0 to 9.")
    pixels = records[:, 1:].reshape(_ROWS, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), records[:, 0]
