"""The Trainer: epochs over shuffled batches, validation, the course's printed lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .callbacks import Callback
from .evaluation import Validation, evaluate, validation_data
from .feeds import ArrayFeed, Feed, feed
from .graph import Graph
from .network import Network
from .optimizers import KernelOptimizer
from .run import Run
from .steps import FusedSteps, LayeredSteps
from .validation import check_size


class DivergedError(FloatingPointError):
    """The loss became NaN or infinite."""


class Trainer:
    """Trains a network with an optimizer.

    ``loss_history`` holds the loss of every step, ``history`` a column of figures for each epoch.

    >>> import numpy as np, fastdl
    >>> x = np.random.default_rng(0).standard_normal((64, 3))
    >>> t = np.eye(2)[(x[:, 0] > 0).astype(int)]
    >>> trainer = fastdl.Trainer(fastdl.CTRPredictionNetwork(3, [8]), fastdl.Adam(0.01))
    >>> trainer.train(x, t, x, t, epochs=50, verbose=False)
    >>> trainer.history["val_accuracy"][-1] > 0.9
    True
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        self.network = network
        self.optimizer = optimizer
        self.loss_history: list[float] = []
        self.history: dict[str, list[Any]] = {}

    def train(
        self,
        x_train: Any,
        t_train: ArrayLike | None = None,
        x_val: Any = None,
        t_val: ArrayLike | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        *,
        callbacks: Sequence[Callback] = (),
        drop_last: bool = True,
        rng: np.random.Generator | None = None,
        loss_at: str | None = None,
        sample_weight: ArrayLike | None = None,
        val_sample_weight: ArrayLike | None = None,
        verbose: bool = True,
        resume: str | PathLike[str] | None = None,
    ) -> None:
        """Train for ``epochs`` passes over x_train (N, ...) and t_train (N, ...).

        Every epoch shuffles the rows, with NumPy's global random state or ``rng``, and takes steps
        on batches of ``batch_size`` rows; ``drop_last`` leaves out a last batch that is smaller
        (fewer than ``batch_size`` rows in all make one batch). A step's loss is taken again after
        its update, as in the course, or with ``loss_at="before"`` at no cost before it; for models
        with embeddings that is the default, as reading every table again would cost more than the
        step. Validation runs in evaluation mode and prints a line unless ``verbose`` is False; it
        has an AUC where the network's output is one logit. Models with embeddings take as x what
        ``FeatureSpec.batch`` takes, or an ``EncodedLog``, which has its labels: t_train is left
        out, and files larger than memory are read, encoded and mixed block by block in a thread
        (its order is seeded by one number drawn from the same random state). An ``ImageStream``
        takes the place of x_train and t_train, and of x_val and t_val, for any network.
        ``sample_weight`` and ``val_sample_weight`` (rows,) weigh the rows of means.
        ``resume`` goes on from a ``Checkpoint``'s folder, or starts there if it has none yet.

        Raises ValueError or TypeError for data and options that do not fit, and DivergedError
        (a FloatingPointError) when the loss is NaN or infinite.
        """
        if loss_at is None:
            loss_at = "before" if isinstance(self.network, Graph) else "after"
        if loss_at not in ("after", "before"):
            raise ValueError(f"loss_at is {loss_at!r}; expected 'after' or 'before'.")
        source = feed(self.network, x_train, t_train, sample_weight)
        validation = validation_data(self.network, x_val, t_val, val_sample_weight)
        batch = min(check_size(batch_size, "batch_size"), source.rows)
        steps = source.rows // batch if drop_last else -(-source.rows // batch)
        settings = {
            "epochs": check_size(epochs, "epochs"), "batch_size": batch, "rows": source.rows,
            "steps_per_epoch": steps, "loss_at": loss_at,
        }  # fmt: skip
        run = Run(self.network, self.optimizer, rng, list(callbacks), settings)
        self._begin(run, source, resume)
        if isinstance(self.network, Network) and isinstance(self.optimizer, KernelOptimizer):
            self.optimizer.attach(self.network.store())
        fused = isinstance(source, ArrayFeed) and FusedSteps.fits(self.network, self.optimizer)
        taker = (FusedSteps if fused else LayeredSteps)(run, source, loss_at)  # type: ignore[arg-type]
        self._go(run, source, taker, validation, verbose)

    def _begin(self, run: Run, source: Feed, resume: str | PathLike[str] | None) -> None:
        """From the first step, or from a checkpoint."""
        run.order = source.first_order()
        if resume is not None:
            run.resume(resume)
        self.loss_history, self.history = run.losses, run.history

    def _go(
        self, run: Run, source: Feed, taker: Any, validation: Validation | None, verbose: bool
    ) -> None:
        """All epochs that are left."""
        try:
            for callback in run.callbacks:
                callback.on_begin(run)
            while run.epoch < run.epochs and not run.stop:
                self._epoch(run, source, taker, validation, verbose)
            run.finished = True
        finally:
            source.close()
            for callback in run.callbacks:
                callback.on_end(run)

    def _epoch(
        self, run: Run, source: Feed, taker: Any, validation: Validation | None, verbose: bool
    ) -> None:
        start = time.perf_counter()
        source.start_epoch(run)
        while run.epoch_step < run.steps_per_epoch:
            target = run.step + run.steps_per_epoch - run.epoch_step
            for callback in run.callbacks:
                wanted = callback.next_step(run.step)
                target = target if wanted is None else min(target, wanted)
            losses = taker.take(target - run.step)
            run.losses.extend(losses)
            run.step += len(losses)
            run.epoch_step += len(losses)
            if losses and not np.all(np.isfinite(losses[-1])):
                raise DivergedError(_diverged(run))
            for callback in run.callbacks:
                callback.on_steps(run)
        run.epoch, run.epoch_step = run.epoch + 1, 0
        self._finish_epoch(run, validation, time.perf_counter() - start, verbose)

    def _finish_epoch(
        self, run: Run, validation: Validation | None, seconds: float, verbose: bool
    ) -> None:
        loss = sum(run.losses[-run.steps_per_epoch :]) / run.steps_per_epoch
        val_loss = val_accuracy = val_auc = None
        if validation is not None:
            val_loss, val_accuracy, val_auc = evaluate(self.network, *validation)
        run.undefined = ""
        if val_auc is not None and np.isnan(val_auc):
            val_auc, run.undefined = None, "val_auc"
        lr = getattr(self.optimizer, "lr", None)
        figures = (run.epoch, loss, val_loss, val_accuracy, val_auc, lr, seconds)
        for column, value in zip(run.history.values(), figures, strict=True):
            column.append(value)
        schedule = getattr(self.optimizer, "schedule", None)
        if schedule is not None:
            watched = schedule.watched
            if watched == "val_loss" and validation is None:
                watched = "loss"
            value = run.watched(watched, type(schedule).__name__)
            if value is not None:
                schedule.update(value)
        if verbose:
            line = f"Epoch {run.epoch}/{run.epochs} - Loss: {loss:.4f}"
            if val_loss is not None:
                line += f", Val Loss: {val_loss:.4f}"
            if val_accuracy is not None:
                line += f", Val Acc: {val_accuracy:.4f}"
            if val_auc is not None:
                line += f", Val AUC: {val_auc:.4f}"
            print(line)
        for callback in run.callbacks:
            callback.on_epoch(run)


def _diverged(run: Run) -> str:
    where = f"The loss is {run.losses[-1]} at step {run.step} (epoch {run.epoch + 1})."
    kept = run.last_checkpoint
    tail = f"The last good checkpoint is {kept}." if kept else "There is no checkpoint."
    return f"{where} {tail} Try a smaller learning rate, clip_norm, or scaled inputs."
