"""What a finished training on images leaves: metrics, pictures and a page."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..data.images import ImageStream
from ..files import write_json
from ..metrics import classes as metrics
from ..report import loss_curve, write_page
from ..report.image_picture import plot_image_run
from ..runs import METRICS
from ..trainer import Trainer
from .job import ImageJob
from .predict import base_rate
from .shown import Shown, most_wrong, surely_right
from .sources import ImageParts
from .trained import TrainedImageModel

PICTURE, PAGE = "report.png", "report.html"
_SOME = 100  # training images from which the augmented ones that are shown are drawn


@dataclass
class ImageOutcome:
    """A finished training: metrics of the tested images and where the run folder is."""

    model: dict[str, Any]
    base: dict[str, Any]
    folder: Path
    tested_on: str = "test"  # or "validation", where there were no images for a test
    skipped: list[dict[str, Any]] = field(default_factory=list)  # bad files, by reason


def report(
    job: ImageJob, folder: Path, trainer: Trainer, parts: ImageParts, model: TrainedImageModel,
    start: float,
) -> ImageOutcome:  # fmt: skip
    """Test the trained network and write metrics.json, the pictures and the page."""
    tested, classes = parts.tested, model.preparation.classes
    probability = model.predict_proba(tested)
    found = metrics.evaluate(tested.labels, probability, names=classes)
    base = base_rate(tested.labels, len(classes), parts.train.labels)
    on = "test" if parts.test is not None else "validation"
    steps = len(trainer.loss_history) // max(1, len(trainer.history["epoch"]))
    bins = metrics.confidence_bins(tested.labels, probability, 10)
    results = {
        "kind": "images", "test": found, "base_rate": base, "tested_on": on,
        "history": trainer.history, "loss_curve": loss_curve(trainer.loss_history, steps),
        "confidence": {name: [round(v, 6) for v in own.tolist()] for name, own in bins.items()},
        "counts": {name: own.counts() for name, own in parts.named().items()},
        "pictures": _pictures(job, folder, parts, model, probability) if job.pictures else {},
        "skipped": parts.skipped, "job": job.to_dict(),
        "facts": _facts(trainer, parts, model, on, time.perf_counter() - start),
    }  # fmt: skip
    write_json(folder / METRICS, results)
    plot_image_run(folder / PICTURE, results, f"fastdl: {Path(job.source).name}")
    write_page(folder / PAGE, results)
    return ImageOutcome(found, base, folder, on, parts.skipped)


def _pictures(
    job: ImageJob, folder: Path, parts: ImageParts, model: TrainedImageModel,
    probability: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    shown, tested = Shown(folder, model), parts.tested
    wrong = most_wrong(tested.labels, probability, job.pictures)
    shown.decided("wrong", tested, wrong, probability)
    right = surely_right(tested.labels, probability, min(job.pictures, 8))
    shown.decided("right", tested, right, probability)
    shown.of_classes(parts.train)
    known = model.preparation
    some = np.linspace(0, len(parts.train) - 1, min(len(parts.train), _SOME)).astype(np.int64)
    shown.augmented(
        ImageStream(
            parts.train[some], known.size, channels=known.channels, mean=known.mean,
            std=known.std, augmentation=job.augmentation(), fit=known.fit,
            keep="nowhere",
        ),
        job.seed,
    )  # fmt: skip
    shown.filters()
    return shown.groups


def _facts(
    trainer: Trainer, parts: ImageParts, model: TrainedImageModel, on: str, seconds: float
) -> dict[str, Any]:
    images = {f"{name} images": len(own) for name, own in parts.named().items()}
    if parts.skipped:
        images["skipped files"] = sum(entry["rows"] for entry in parts.skipped)
    epochs = sum(trainer.history["seconds"])
    trained = len(parts.train) * len(trainer.history["epoch"])
    height, width = model.preparation.size
    weights = sum(a.size for layer in model.network.layers for a in layer.parameters().values())
    return {
        **images, "metrics of": f"{on} images", "classes": len(model.preparation.classes),
        "size": f"{height} x {width}, {model.preparation.channels} channels",
        "parameters": weights, "seconds in all": round(seconds, 1),
        "images trained a second": round(trained / epochs) if epochs else None,
        "fastdl": version("fastdl"), "NumPy": np.__version__, "numba": version("numba"),
    }  # fmt: skip
