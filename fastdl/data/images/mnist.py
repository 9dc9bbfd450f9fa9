"""MNIST and Fashion-MNIST from the idx files that their pages offer."""

from __future__ import annotations

from pathlib import Path

from .image_set import ImageSet


def load_mnist(folder: str | Path) -> tuple[ImageSet, ImageSet]:
    """(train, test) from train-images-idx3-ubyte and the other three files, also as .gz."""
    raise NotImplementedError


def load_fashion_mnist(folder: str | Path) -> tuple[ImageSet, ImageSet]:
    """(train, test) of Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), whose files are MNIST's."""
    raise NotImplementedError
