"""What a finished training of a GAN leaves: metrics, pictures and a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..adversarial import GANTrainer
from ..files import write_json
from ..report import loss_curve, write_page
from ..report.gan_picture import plot_gan_run
from ..runs import METRICS
from .job import GANJob
from .shown import Fixed, Shown
from .sources import GANParts
from .training import Training

PICTURE, PAGE = "report.png", "report.html"


@dataclass
class GANOutcome:
    """A finished training: figures of the images, and where the run folder is."""

    judged: dict[str, Any]  # empty where nothing was judged
    events: list[dict[str, Any]]  # of collapse and the like, in their order
    folder: Path
    skipped: list[dict[str, Any]] = field(default_factory=list)


def report(
    job: GANJob, folder: Path, training: Training, parts: GANParts, fixed: Fixed | None,
    judged: dict[str, Any], events: list[dict[str, Any]], seconds: float,
) -> GANOutcome:  # fmt: skip
    """Write metrics.json, the pictures and the page."""
    trainer = training.trainer
    results = {
        "kind": "gan", "name": str(training.trained.gan), "test": judged,
        "history": trainer.history, "loss_curves": loss_curves(trainer), "events": events,
        "classes": list(parts.classes), "counts": _counts(parts),
        "pictures": {} if fixed is None else _pictures(job, folder, training, fixed),
        "skipped": parts.skipped, "job": job.to_dict(),
        "facts": _facts(training, parts, seconds),
    }  # fmt: skip
    write_json(folder / METRICS, results)
    plot_gan_run(folder / PICTURE, results, f"fastdl: {Path(job.source).name}",
                 None if fixed is None else fixed.images()[fixed.some()])  # fmt: skip
    write_page(folder / PAGE, results)
    return GANOutcome(judged, events, folder, parts.skipped)


def loss_curves(trainer: GANTrainer) -> dict[str, Any]:
    """Both losses and scores of every step as curves, by name."""
    steps = len(trainer.loss_history) // max(1, len(trainer.history["epoch"]))
    columns = np.reshape(np.array(trainer.loss_history, np.float64), (-1, 4)).T
    names = ("discriminator", "generator", "real", "fake")
    return {name: loss_curve(own, max(1, steps)) for name, own in zip(names, columns, strict=True)}


def _counts(parts: GANParts) -> dict[str, Any]:
    named = {"train": parts.train, "held out": parts.held}
    return {name: own.counts() for name, own in named.items()} if parts.labelled else {}


def _pictures(job: GANJob, folder: Path, training: Training, fixed: Fixed) -> dict[str, Any]:
    shown = Shown(folder, fixed)
    shown.epochs()
    shown.interpolations(np.random.default_rng([job.seed, 4]))
    shown.nearest(training.stream)
    return shown.groups


def _facts(training: Training, parts: GANParts, seconds: float) -> dict[str, Any]:
    trainer, gan = training.trainer, training.trained.gan
    images = {"train images": len(parts.train), "held-out images": len(parts.held)}
    if parts.skipped:
        images["skipped files"] = sum(entry["rows"] for entry in parts.skipped)
    epochs = sum(trainer.history["seconds"])
    seen = len(trainer.loss_history) * min(training.recipe.batch_size, training.stream.rows)
    return {
        **images, "classes": len(parts.classes) or "none",
        "size": f"{parts.size} x {parts.size}, {parts.channels} channels",
        "parameters of the generator": _size(gan.generator),
        "parameters of the discriminator": _size(gan.discriminator),
        "steps": len(trainer.loss_history), "seconds in all": round(seconds, 1),
        "images trained a second": round(seen / epochs) if epochs else None,
        "fastdl": version("fastdl"), "NumPy": np.__version__, "numba": version("numba"),
    }  # fmt: skip


def _size(network: Any) -> int:
    return sum(a.size for layer in network.layers for a in layer.parameters().values())
