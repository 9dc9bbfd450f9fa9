"""CIFAR-10 from its binary version."""

from __future__ import annotations

from pathlib import Path

from .image_set import ImageSet


def load_cifar10(folder: str | Path) -> tuple[ImageSet, ImageSet]:
    """(train, test) from data_batch_1.bin to data_batch_5.bin and test_batch.bin."""
    raise NotImplementedError
