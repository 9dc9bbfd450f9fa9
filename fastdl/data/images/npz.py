"""Images and labels from a NumPy .npz file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .image_set import ImageSet

_IMAGES = ("x", "images", "image", "data")
_LABELS = ("y", "labels", "label", "targets", "target")
_CLASSES = ("classes", "class_names", "label_names")


def load_npz(path: str | Path, classes: Sequence[str] | None = None) -> tuple[ImageSet, ImageSet]:
    """(train, test) from arrays such as x_train, y_train, x_test, y_test and, if there, classes.

    images_train or train_images, labels for y, and val in the place of test will do. Images and
    labels are as in ``ImageSet.from_arrays``. classes given here go before the file's; without
    any, the training labels' distinct values are the classes.

    Raises ValueError for damaged files, missing arrays, and arrays of Python objects, which would
    have to be unpickled; FileNotFoundError where there is no file.
    """
    arrays = _arrays(Path(path))
    train = [_named(path, arrays, names, ("train",)) for names in (_IMAGES, _LABELS)]
    test = [_named(path, arrays, names, ("test", "val", "valid")) for names in (_IMAGES, _LABELS)]
    if classes is None:
        classes = next((arrays[name].tolist() for name in _CLASSES if name in arrays), None)
    first = ImageSet.from_arrays(*train, classes=classes)
    if classes is None and test[1].dtype.kind not in "UT":  # by value, not by index
        test[1] = np.array([str(int(value)) for value in test[1].reshape(-1)])
    return first, ImageSet.from_arrays(*test, classes=first.classes)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array.")
        with file:
            return {name.lower(): file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is damaged, no .npz file of plain arrays, or holds pickled objects: {error}"
        ) from None


def _named(
    path: str | Path, arrays: dict[str, Any], kinds: tuple[str, ...], parts: tuple[str, ...]
) -> np.ndarray:
    for part in parts:
        for kind in kinds:
            for name in (f"{kind}_{part}", f"{part}_{kind}"):
                if name in arrays:
                    return arrays[name]
    raise ValueError(
        f"{path} has the arrays {sorted(arrays)}; expected one named such as {kinds[0]}_{parts[0]}."
    )
