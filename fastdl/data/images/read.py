"""Labelled images from a folder for each class, from a CSV, or from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from .image_set import ImageSet


def read_images(
    source: str | Path | ArrayLike, labels: ArrayLike | None = None, *,
    path_column: str | None = None, label_column: str | None = None,
    classes: Sequence[str] | None = None, on_error: str = "stop",
) -> ImageSet:  # fmt: skip
    """Labelled images from a folder for each class, a CSV of paths and labels, or arrays.

    source: a folder whose folders are the classes (images may lie deeper in them); a CSV file with
    a header, its paths relative to itself; or an array (see ``ImageSet.from_arrays``), to which
    ``labels`` belongs. path_column and label_column: the CSV's columns, found by their usual names
    otherwise. classes: the classes of a model that is there already; others are then refused.
    on_error: "stop" raises ValueError at the first bad file; "skip" decodes all files once, leaves
    the bad ones out and counts them in ``ImageSet.skipped``.

    Raises ValueError for bad files and sources, FileNotFoundError where there is none.
    """
    raise NotImplementedError


def find_images(source: str | Path, *, path_column: str | None = None,
                on_error: str = "stop") -> ImageSet:  # fmt: skip
    """Images without labels: one file, all in a folder and below it, or those of a CSV."""
    raise NotImplementedError
