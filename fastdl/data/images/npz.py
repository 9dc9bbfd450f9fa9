"""Images and labels from a NumPy .npz file."""

from __future__ import annotations

from pathlib import Path

from .image_set import ImageSet


def load_npz(path: str | Path) -> tuple[ImageSet, ImageSet]:
    """(train, test) from the arrays x_train, y_train, x_test, y_test and, if there, classes."""
    raise NotImplementedError
