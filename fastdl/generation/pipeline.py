"""From image creatives to a trained GAN in a run folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..adversarial.watch import GOOD, Watch
from ..callbacks import Callback, Checkpoint, ProgressBar
from ..checkpoint import load_arrays
from ..files import read_arrays
from ..inspection import CHECKPOINTS
from ..options import run_folder
from .callbacks import EpochPictures, Judging
from .job import GANJob
from .judged import FEATURES, feature_network, make_judge
from .results import GANOutcome, report
from .shown import PICTURES, Fixed
from .sources import GANParts, read_gan_parts
from .trained import draw
from .training import Training, begin

_CHECKPOINT_SECONDS = 120.0
_WATCHED = 256  # images that collapse is told by


def train_gan(
    job: GANJob, folder: str | os.PathLike[str], *, resume: bool = False, progress: bool = False,
    verbose: bool = True, on_data: Callable[[GANParts], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> GANOutcome:  # fmt: skip
    """Train on 90 % of the images (of few images 75 %), judge by the others, and fill ``folder``.

    First a small classifier of the images is trained, on whose features the judge compares. Where
    training ends in a collapse, the weights of the last healthy epoch are kept. ``on_data`` is
    called before training begins; ``callbacks`` go to the trainer.

    Raises ValueError, TypeError or OSError for images that cannot be used, FileExistsError where
    the folder holds something already and ``resume`` is False, and DivergedError.
    """
    start = time.perf_counter()
    folder = run_folder(Path(folder), resume)
    if resume:
        job.check_same(folder)
    parts = read_gan_parts(job, folder)
    if job.on_error == "stop" and job.keep != "memory":
        parts.held.verify()
    training = begin(job.recipe(), parts, np.random.default_rng(job.seed), job.keep)
    parts.save(folder)  # nothing is written of a run that cannot begin
    training.trained.kind.save(folder)
    job.save(folder)
    if on_data is not None:
        on_data(parts)
    fixed = Fixed(training.trained, job.pictures, np.random.default_rng([job.seed, 1])) if (
        job.pictures) else None  # fmt: skip
    watch = _watch(job, folder, training, parts)
    judging = _judging(job, folder, training, parts, verbose)
    own = [*judging, *_pictures(folder, fixed), watch]
    own.append(Checkpoint(folder / CHECKPOINTS, every_seconds=_CHECKPOINT_SECONDS))
    training.train(
        [*own, *callbacks, *([ProgressBar()] if progress else [])], verbose=verbose,
        resume=folder / CHECKPOINTS if resume else None,
    )  # fmt: skip
    judged = _settle(folder, training, watch, judging)
    training.trained.save(folder)
    return report(job, folder, training, parts, fixed, judged, watch.events,
                  time.perf_counter() - start)  # fmt: skip


def _judging(
    job: GANJob, folder: Path, training: Training, parts: GANParts, verbose: bool
) -> list[Judging]:
    if not job.judge:
        return []
    rng = np.random.default_rng([job.seed, 2])
    if verbose and not (folder / FEATURES).is_file():
        print("A small network that judges is trained first ...", flush=True)
    features = feature_network(parts, rng, folder / FEATURES)
    if verbose:
        what = "classes" if features.kind == "classes" else "quarter turns"
        print(f"The judge's network tells {features.accuracy:.1%} of held-out images' {what}.")
    judge = make_judge(parts, features, training.trained, job.judge, job.seed)
    return [Judging(judge, job.judge_every)]


def _pictures(folder: Path, fixed: Fixed | None) -> list[Callback]:
    if fixed is None:
        return []
    return [EpochPictures(folder / PICTURES, fixed.images, fixed.columns)]


def _watch(job: GANJob, folder: Path, training: Training, parts: GANParts) -> Watch:
    """Looks at images of always the same z beside real ones."""
    trained = training.trained
    rng = np.random.default_rng([job.seed, 5])
    some = np.sort(rng.permutation(len(parts.train))[:_WATCHED])
    chosen = parts.train[some]
    real = np.concatenate([rows.x for rows in parts.stream(chosen).blocks()])
    z = draw(trained.gan, len(real), rng)
    classes = trained.classes_of(len(z))
    known = None if classes is None else chosen.labels
    return Watch(
        real, lambda: trained.gan.generate(z, classes), patience=job.patience, stop=True,
        real_classes=known, classes=classes,
    )  # fmt: skip


def _settle(
    folder: Path, training: Training, watch: Watch, judging: Sequence[Judging]
) -> dict[str, Any]:
    """The figures of the weights that are kept: the last, or those before a collapse."""
    good = folder / CHECKPOINTS / GOOD
    gone = not watch.healthy and good.is_file()
    if gone:
        arrays, known = read_arrays(good, "checkpoint")
        own = {k.removeprefix("network/"): v for k, v in arrays.items() if k.startswith("network/")}
        load_arrays(training.trained.gan, own, str(good))
        last, epoch = len(training.trainer.history["epoch"]), known["progress"][0]
        message = f"What is kept are the networks after epoch {epoch}, the last healthy one."
        watch.events.append({"epoch": last, "kind": "kept", "message": message})
    if not judging:
        return {}
    if gone or judging[0].found_after != len(training.trainer.history["epoch"]):
        return dict(judging[0].judge())
    return judging[0].found
