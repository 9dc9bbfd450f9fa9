"""From image creatives to a trained classifier in a run folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..callbacks import Callback, Checkpoint, EarlyStopping, ProgressBar
from ..checkpoint import save
from ..data.images import ImageStream
from ..inspection import CHECKPOINTS
from ..options import run_folder
from ..runs import MODEL
from ..trainer import Trainer
from .job import ImageJob
from .recipe import image_channels, image_size, make_model, make_optimizer, make_schedule
from .results import ImageOutcome, report
from .sources import ImageParts, read_parts
from .trained import IMAGES, Preparation, TrainedImageModel

_CHECKPOINT_SECONDS = 120.0


def train_images(
    job: ImageJob, folder: str | os.PathLike[str], *, resume: bool = False, progress: bool = False,
    verbose: bool = True, on_data: Callable[[ImageParts, Preparation], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> ImageOutcome:  # fmt: skip
    """Train on 80 % of each class, stop on 10 %, test on the last 10 %; fills ``folder``.

    Images of ``job.valid`` and ``job.test``, if given, take the place of such shares, and so do
    the test images that data sets such as MNIST have; with valid and without test the metrics are
    those of the validation images. ``on_data`` is called before training begins; ``callbacks`` go
    to the Trainer.

    Raises ValueError, TypeError or OSError for images that cannot be used, FileExistsError where
    the folder holds something already and ``resume`` is False, and DivergedError.
    """
    start = time.perf_counter()
    folder = run_folder(Path(folder), resume)
    if resume:
        job.check_same(folder)
    parts = read_parts(job, folder)
    rng = np.random.default_rng(job.seed)
    stream, preparation = _stream(job, parts, folder)
    network = make_model(
        job.model, len(preparation.classes), preparation.size, preparation.channels, rng,
        job.model_options,
    )  # fmt: skip
    parts.save(folder)  # nothing is written of a run that cannot begin
    preparation.save(folder)
    job.save(folder)
    if on_data is not None:
        on_data(parts, preparation)
    batch = min(job.batch_size, stream.rows)
    schedule = make_schedule(job.lr, job.warmup, job.epochs, stream.rows, batch)
    trainer = Trainer(network, make_optimizer(job.optimizer, schedule, job.weight_decay))
    own: list[Callback] = [EarlyStopping(patience=job.patience)]
    own.append(Checkpoint(folder / CHECKPOINTS, every_seconds=_CHECKPOINT_SECONDS))
    trainer.train(
        stream, None, stream.evaluating(parts.validation), None, job.epochs, batch, rng=rng,
        callbacks=[*own, *callbacks, *([ProgressBar()] if progress else [])], loss_at="before",
        verbose=verbose, resume=folder / CHECKPOINTS if resume else None,
    )  # fmt: skip
    save(network, folder / MODEL)
    model = TrainedImageModel(network, preparation)
    return report(job, folder, trainer, parts, model, start)


def _stream(job: ImageJob, parts: ImageParts, folder: Path) -> tuple[ImageStream, Preparation]:
    """The training images as batches; mean and std of a run that is resumed are its own."""
    known = Preparation.read(folder) if (folder / IMAGES).is_file() else None
    stream = ImageStream(
        parts.train, image_size(parts.train, job.size), channels=image_channels(parts.train),
        mean=None if known is None else known.mean,
        std=None if known is None else known.std,
        augmentation=job.augmentation(), class_weight=job.class_weight, fit=job.fit, keep=job.keep,
    )  # fmt: skip
    if known is None:
        known = Preparation.from_dict({**stream.settings(), "classes": parts.train.classes})
    return stream, known
