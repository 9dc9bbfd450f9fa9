"""Labelled images from a folder for each class, from a CSV, or from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from ..skipped import Skipped
from .faults import check_on_error
from .files import files_set
from .folders import SUFFIXES, class_files, files_below
from .image_set import ImageSet
from .table import table_files

_TABLES = (".csv", ".tsv", ".txt")


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
    on_error: "stop" raises ValueError at the first bad file, where only headers are read before the
    images are loaded; "skip" decodes all files once, leaves the bad ones out and counts them in
    ``ImageSet.skipped``.

    Raises ValueError for bad files and sources, FileNotFoundError where there is none.

    >>> import numpy as np
    >>> read_images(np.zeros((4, 28, 28)), [0, 1, 0, 1]).classes
    ('0', '1')
    """
    check_on_error(on_error)
    if not isinstance(source, str | Path):
        if labels is None:
            raise ValueError("labels is missing: arrays of images need one label each.")
        return ImageSet.from_arrays(source, labels, classes=classes)
    if labels is not None:
        raise ValueError("labels belong to arrays; folders and CSV files have their own.")
    place, skipped = _present(source), Skipped()
    if place.is_dir():
        paths, found = class_files(place)
    elif place.suffix.lower() in _TABLES:
        paths, found = table_files(place, path_column, label_column, True, on_error, skipped)
    else:
        raise ValueError(
            f"{place} is neither a folder nor a CSV file; expected a folder for each class, or a "
            "CSV file of paths and labels."
        )
    # every text is a name, so that the folder "0" is the class "0" of given classes
    return files_set(paths, found, classes, on_error, skipped)


def find_images(
    source: str | Path, *, path_column: str | None = None, on_error: str = "stop"
) -> ImageSet:
    """Images without labels: one file, all in a folder and below it, or those of a CSV.

    In a folder, files whose names do not end like an image's are passed over.
    Raises as ``read_images``.
    """
    check_on_error(on_error)
    place, skipped = _present(source), Skipped()
    if place.is_dir():
        paths = [path for path in files_below(place) if path.suffix.lower() in SUFFIXES]
        if not paths:
            raise ValueError(f"There are no images in {place}.")
    elif place.suffix.lower() in _TABLES:
        paths, _ = table_files(place, path_column, None, False, on_error, skipped)
    else:
        paths = [place]
    return files_set(paths, None, None, on_error, skipped)


def _present(source: str | Path) -> Path:
    place = Path(source)
    if not place.exists():
        raise FileNotFoundError(f"There is no folder or file {place}.")
    return place
