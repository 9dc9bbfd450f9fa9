"""What an image classifier takes as X and y, as sets of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.images import ImageSet, find_images, read_images
from .classes import checked_labels
from .fitting import row_weights


def labelled(X: Any, y: Any, classes: np.ndarray | None) -> tuple[ImageSet, np.ndarray]:
    """X with labels, and the classes that they are indices into.

    classes: those of a classifier that is there already; other labels are then refused. Raises
    ValueError for labels that are missing, do not fit X, or are of one class only.
    """
    if y is None:
        images = _own_labels(X)
        if classes is None:
            return images, np.array(images.classes)
        y = np.array(images.classes)[images.labels].astype(classes.dtype)
    else:
        images = unlabelled(X)
    labels = checked_labels(y, len(images))
    found = np.unique(labels) if classes is None else classes
    if len(found) < 2:
        raise ValueError(f"y has only one class, {found.tolist()}; expected two or more.")
    place = np.searchsorted(found, labels).clip(0, len(found) - 1)
    unknown = found[place] != labels
    if unknown.any():
        raise ValueError(
            f"y has the values {np.unique(labels[unknown])[:5].tolist()}, which are none of the "
            f"classes {found.tolist()[:20]}."
        )
    names = tuple(str(name) for name in found.tolist())
    return ImageSet(images.source, images.rows, place.astype(np.int64), names), found


def labelled_or_not(X: Any, y: Any) -> tuple[ImageSet, np.ndarray]:
    """X with labels y, or those of its own, if it has some; and the classes, () without labels."""
    if y is not None:
        return labelled(X, y, None)
    if isinstance(X, str | Path):
        from ..generation.sources import has_classes

        images = read_images(X) if has_classes(Path(X)) else find_images(X)
    else:
        images = unlabelled(X)
    return images, np.array(images.classes)


@dataclass(frozen=True)
class Weighted:
    """Images and their weights, (N,) or None."""

    images: ImageSet
    weight: np.ndarray | None

    def at(self, rows: np.ndarray) -> Weighted:
        """Those of these rows."""
        return Weighted(self.images[rows], None if self.weight is None else self.weight[rows])


def weighted(images: ImageSet, sample_weight: Any) -> Weighted:
    """The images with their weights, checked; those of weight 0 are left out."""
    weight = row_weights(sample_weight, len(images))
    found = Weighted(images, weight)
    return found if weight is None or weight.all() else found.at(np.flatnonzero(weight))


def unlabelled(X: Any) -> ImageSet:
    """X as a set of images, whose labels are not looked at."""
    if isinstance(X, ImageSet):
        return X
    if isinstance(X, str | Path):
        return find_images(X)
    if isinstance(X, list) and X and all(isinstance(part, ImageSet) for part in X):
        return _joined(X)
    if _are_paths(X):
        return ImageSet.from_files([Path(path) for path in X])
    array = np.asarray(X)
    if array.ndim == 2 and array.dtype.kind in "fiub":
        raise ValueError(
            f"X has shape {array.shape}; expected images (N, H, W), (N, H, W, C) or (N, C, H, W). "
            "Reshape rows of pixels first, such as X.reshape(-1, 28, 28)."
        )
    return ImageSet.from_arrays(array)


def _joined(parts: list[ImageSet]) -> ImageSet:
    """Parts of one set as one, unlabelled: what scikit-learn's cross-validation takes of a set."""
    first = parts[0]
    if any(part.source is not first.source for part in parts):
        raise ValueError("X has image sets of several sources; expected one set, or its parts.")
    rows = np.concatenate([part.rows for part in parts])
    return ImageSet(first.source, rows, np.full(len(rows), -1, np.int64), ())


def _own_labels(X: Any) -> ImageSet:
    """X as a set of images with the labels that it has itself."""
    if isinstance(X, str | Path):
        return read_images(X)
    if isinstance(X, ImageSet) and len(X.classes) and (X.labels >= 0).all():
        return X
    raise ValueError(
        "AdImageClassifier requires y to be passed, but the target y is None. Only a folder of "
        "class folders, a CSV and an ImageSet have labels of their own."
    )


def _are_paths(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype.kind in "UO" and len(X) > 0 and isinstance(X[0], str | Path)
    return isinstance(X, Sequence) and len(X) > 0 and isinstance(X[0], str | Path)
