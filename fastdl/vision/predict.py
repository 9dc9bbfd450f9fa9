"""What a trained image model says of images: classes, probabilities, and how good they are."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Skipped
from ..data.images import ImageSet, find_images, load_npz, read_images
from ..files import write_atomically
from ..metrics import classes as metrics
from .trained import TrainedImageModel, load_trained

Places = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def predict_images(
    folder: str | os.PathLike[str], data: Places, out: str | os.PathLike[str], *,
    on_error: str = "stop", report: Skipped | None = None,
) -> int:  # fmt: skip
    """Write path, class and each class's probability of images to a CSV file; how many there are.

    data: files, folders (all images in them and below), CSV files with a column of paths, or .npz
    files; one or several. Labels are not looked at. With on_error="skip" images that cannot be
    read get no line, and ``report`` counts them. Raises FileNotFoundError and ValueError for a run
    folder that is incomplete or damaged, and for images that cannot be read.
    """
    if Path(out).suffix.lower() != ".csv":
        raise ValueError(f"The output file is {out}; expected a name ending in .csv.")
    trained = load_trained(folder)
    places = [data] if isinstance(data, str | os.PathLike) else list(data)
    rows = 0

    def write(temporary: Path) -> None:
        nonlocal rows
        # names of files may hold bytes that are no UTF-8
        with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file, lineterminator="\n")
            names = trained.preparation.classes
            writer.writerow(["path", "class", *(f"probability_{name}" for name in names)])
            for place in places:
                images = _unlabelled(place, on_error)
                if report is not None:
                    _add(report, images.skipped)
                rows += _write_rows(writer, trained, images)

    write_atomically(out, write)
    return rows


def evaluate_images(
    folder: str | os.PathLike[str], data: str | os.PathLike[str], *, on_error: str = "stop",
    report: Skipped | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``fastdl.metrics.classes.evaluate`` of a model on labelled images of its classes.

    data: a folder of class folders, a CSV of paths and labels, or an .npz file, whose test images
    are taken. Returns {"test": metrics, "base_rate": those of always predicting the shares of the
    classes}. Raises as ``predict_images``, and ValueError for other classes.
    """
    trained = load_trained(folder)
    classes = trained.preparation.classes
    if Path(data).suffix.lower() == ".npz":
        images = load_npz(Path(data))[1]
        if images.classes != classes:
            raise ValueError(f"{data} has the classes {images.classes}, the model {classes}.")
    else:
        images = read_images(data, classes=classes, on_error=on_error)
    if report is not None:
        _add(report, images.skipped)
    found = metrics.evaluate(images.labels, trained.predict_proba(images), names=classes)
    return {"test": found, "base_rate": base_rate(images.labels, len(classes), images.labels)}


def base_rate(label: np.ndarray, classes: int, of: np.ndarray) -> dict[str, float]:
    """Accuracy and log loss of predicting, for every image, the classes' shares among ``of``."""
    share = (np.bincount(of, minlength=classes) + 1e-9) / (len(of) + 1e-9 * classes)
    p = np.broadcast_to(share / share.sum(), (len(label), classes))
    return {
        "accuracy": metrics.accuracy(label, p), "log_loss": metrics.log_loss(label, p),
    }  # fmt: skip


def _unlabelled(place: str | os.PathLike[str], on_error: str) -> ImageSet:
    if Path(place).suffix.lower() == ".npz":
        return load_npz(Path(place))[1]
    return find_images(Path(place), on_error=on_error)


def _write_rows(writer: Any, trained: TrainedImageModel, images: ImageSet) -> int:
    names, classes, first = images.names, trained.preparation.classes, 0
    for x in trained.preparation.blocks(images):
        for p in trained.folded.predict_proba(x):
            best = classes[int(p.argmax())]
            writer.writerow([names[first], best, *(f"{value:.6g}" for value in p.tolist())])
            first += 1
    return first


def _add(report: Skipped, found: Skipped) -> None:
    for entry in found.entries():
        report.add(entry["file"], entry["reason"], entry["rows"], entry["examples"])
