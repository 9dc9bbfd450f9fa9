"""Watches a GAN's training for collapse and divergence, and keeps the last good checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..callbacks import Callback, Checkpoint
from ..files import write_atomically
from ..run import Run
from ..validation import check_number, check_size
from .symptoms import Reference, discriminator_has_won

GOOD = "good.safetensors"


class Watch(Callback):
    """Looks at samples after every epoch, and at the losses every ``every_steps`` steps.

    real: images (n, C, H, W) of values from -1 to 1, or other rows (n, ...), that samples are
    compared with. sample: called without arguments for samples of that shape, of the same noise
    every time. classes, real_classes: of the samples and of ``real``, where they have classes.

    What is looked for, by its kind: "not finite", NaN or infinity in the samples; "alike", samples,
    or those of one class, whose mean distance from each other is below ``least`` of that of real
    images; "saturated", nearly all values at -1 or 1, which are not so in real images; "constant",
    images of one colour; "discriminator won", its loss below ``won`` while the generator's rises,
    over ``window`` steps (the loss of Wasserstein has no such mark); "diverged", a loss that is NaN
    or infinite, which ends training. ``healthy`` is False from the first sign on; what is seen for
    ``patience`` epochs in a row is told once in ``events``, a list of dicts of epoch, kind and
    message, and ends training with ``stop=True``, unless finite samples have been so from the start
    and only have to be learned. Column "diversity" of ``run.history``: the mean
    distance of samples from each other over that of real images; None where it is not finite.

    Beside checkpoints of a ``Checkpoint``, which must come behind it in the list of callbacks, the
    one of the last healthy epoch is kept as good.safetensors (``good``, a path or None), from which
    ``GANTrainer.train(..., resume=path)`` goes on.

    Raises ValueError and TypeError for options and images that do not fit, such as one repeated.
    """

    def __init__(
        self, real: ArrayLike, sample: Callable[[], Any], *, classes: ArrayLike | None = None,
        real_classes: ArrayLike | None = None, patience: int = 3, least: float = 0.5,
        won: float = 0.05, window: int = 200, every_steps: int = 100, stop: bool = False,
    ) -> None:  # fmt: skip
        if not callable(sample):
            raise TypeError(f"sample is {sample!r}; expected a function that gives images.")
        self.sample, self.stop = sample, bool(stop)
        self.reference = Reference(
            real, classes, real_classes, check_number(least, "least", high=1.0)
        )
        self.patience = check_size(patience, "patience")
        self.won, self.window = check_number(won, "won"), check_size(window, "window")
        self.every_steps = check_size(every_steps, "every_steps")
        self.events: list[dict[str, Any]] = []
        self.good: Path | None = None
        self._seen: dict[str, int] = {}  # epochs in a row that a kind of the samples was seen
        self._won = False
        self._good_step = self._kept_step = -1  # of the last healthy epoch's end

    @property
    def healthy(self) -> bool:
        """Whether nothing was wrong when it last looked."""
        return not self._seen and not self._won

    def on_begin(self, run: Run) -> None:
        own = run.callbacks.index(self)
        if any(isinstance(before, Checkpoint) for before in run.callbacks[:own]):
            raise ValueError(
                "Watch comes behind Checkpoint in callbacks; put it before, so that checkpoints "
                "know what it saw."
            )

    def next_step(self, step: int) -> int:
        return (step // self.every_steps + 1) * self.every_steps

    def on_steps(self, run: Run) -> None:
        self._keep_good(run)
        if run.step % self.every_steps == 0:
            self._look_at_losses(run)

    def on_epoch(self, run: Run) -> None:
        self._look_at_losses(run)
        diversity, found = self.reference.judge(self.sample())
        run.history.setdefault("diversity", []).append(diversity)
        self._seen = {kind: self._seen.get(kind, 0) + 1 for kind in found}
        for kind, message in found.items():
            if self._seen[kind] == self.patience:
                begins = self._good_step < 0 and kind != "not finite"
                self._tell(run, run.epoch, kind, message, begins)
        if self.healthy:
            self._good_step = run.step

    def on_end(self, run: Run) -> None:
        self._keep_good(run)
        if not run.finished and run.losses and not np.all(np.isfinite(run.losses[-1])):
            self._won = True  # whatever it was, it is not healthy
            self._tell(run, run.epoch + 1, "diverged", f"The losses are {run.losses[-1]}.")

    def _look_at_losses(self, run: Run) -> None:
        clipped = getattr(getattr(run.network, "loss_layer", None), "clip", None) is not None
        losses = run.losses[-self.window :]
        if clipped or len(losses) < self.window:
            return
        found = discriminator_has_won(np.asarray(losses), self.won)
        if found and not self._won:
            epoch = min(run.epoch + (run.epoch_step > 0), run.epochs)
            self._tell(run, epoch, "discriminator won", found)
        self._won = bool(found)

    def _tell(
        self, run: Run, epoch: int, kind: str, message: str, begins: bool = False
    ) -> None:  # fmt: skip
        kept = f" The last good checkpoint is {self.good}." if self.good else ""
        if begins:  # of few steps an epoch, a generator makes nothing but grey for many of them
            kept = " They have been so from the start, so that training goes on."
        self.events.append({"epoch": epoch, "kind": kind, "message": message + kept})
        run.stop = run.stop or (self.stop and not begins)

    def _keep_good(self, run: Run) -> None:
        """Link the last healthy epoch's checkpoint, once it is there."""
        path = run.last_checkpoint
        if path is None or self._kept_step == self._good_step:
            return
        good = path.with_name(GOOD)
        if path.name == f"step-{self._good_step:012d}.safetensors" and path.is_file():
            if not (good.is_file() and os.path.samefile(path, good)):
                write_atomically(good, lambda temporary: _same(path, temporary))
            self.good, self._kept_step = good, self._good_step
        elif self.good is None and self._good_step >= 0 and good.is_file():
            self.good = good  # of the run that this one goes on from

    def state(self) -> dict[str, Any]:
        return {
            "events": self.events, "seen": self._seen, "won": self._won,
            "good_step": self._good_step,
        }  # fmt: skip

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.events = [dict(event) for event in state["events"]]
        self._seen, self._won = dict(state["seen"]), bool(state["won"])
        self._good_step = int(state["good_step"])


def _same(path: Path, temporary: Path) -> None:
    """The same file under another name; a copy where the disk cannot do that."""
    temporary.unlink()
    try:
        os.link(path, temporary)
    except OSError:
        shutil.copyfile(path, temporary)
