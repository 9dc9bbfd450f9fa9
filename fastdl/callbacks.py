"""Callbacks of the Trainer: what happens besides the steps themselves."""

from __future__ import annotations

import time
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .schedules import MONITORS
from .validation import check_number, check_size

if TYPE_CHECKING:
    from .run import Run


class Callback:
    """Base of callbacks; override what you need. ``run`` tells and holds where training is.

    ``run.stop = True`` ends training after the present epoch. ``state`` and ``load_state`` go into
    checkpoints: a dict that JSON can hold, and arrays under ``arrays``.
    """

    def on_begin(self, run: Run) -> None:
        """Before the first step, or on resuming."""

    def on_steps(self, run: Run) -> None:
        """After some steps; how many at a time is the Trainer's affair."""

    def on_epoch(self, run: Run) -> None:
        """After an epoch and its validation; ``run.history`` has the epoch's figures."""

    def on_end(self, run: Run) -> None:
        """After the last epoch, or after an error."""

    def next_step(self, step: int) -> int | None:
        """The first step after ``step`` at which ``on_steps`` must be called, if any."""
        return None

    def state(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays that a resumed run must know."""
        return {}

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take over what ``state`` and ``arrays`` returned."""


class ProgressBar(Callback):
    """A bar on the terminal: epoch, loss, rows per second and time left."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_begin(self, run: Run) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[speed]:,.0f} rows/s"),
            TimeRemainingColumn(),
            transient=True,
        )
        total = run.epochs * run.steps_per_epoch
        self._task = self._bar.add_task(
            "", total=total, completed=run.step, epoch=run.epoch + 1, epochs=run.epochs,
            loss=float("nan"), speed=0.0,
        )  # fmt: skip
        self._start, self._first, self._shown = time.perf_counter(), run.step, 0.0
        self._bar.start()

    def on_steps(self, run: Run) -> None:
        now = time.perf_counter()
        if now - self._shown < 0.1:
            return
        self._shown = now
        recent = run.losses[-min(100, len(run.losses)) :]
        speed = (run.step - self._first) * run.batch_size / max(now - self._start, 1e-9)
        self._bar.update(
            self._task, completed=run.step, epoch=min(run.epoch + 1, run.epochs),
            loss=float(np.mean([np.ravel(loss)[0] for loss in recent])), speed=speed,
        )  # fmt: skip

    def on_end(self, run: Run) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not improved by ``min_delta`` for ``patience`` epochs.

    ``monitor`` is a column of the history: "val_loss" (default) or "loss", where less is better,
    or "val_accuracy" or "val_auc", where more is. The best weights are put back at the end.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 5, min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:  # fmt: skip
        if monitor not in MONITORS:
            raise ValueError(
                f"monitor is {monitor!r}; expected 'val_loss', 'loss', 'val_accuracy' or 'val_auc'."
            )
        self.monitor = monitor
        self.patience = check_size(patience, "patience")
        self.min_delta = check_number(min_delta, "min_delta")
        self.restore_best = restore_best
        self.best: float | None = None
        self.best_epoch = 0
        self._best_arrays: dict[str, np.ndarray] = {}

    def on_epoch(self, run: Run) -> None:
        value = run.watched(self.monitor, "EarlyStopping")
        if value is None:
            return
        score = -value if MONITORS[self.monitor] == "max" else value
        if self.best is None or score < self.best - self.min_delta:
            self.best, self.best_epoch = score, run.epoch
            if self.restore_best:
                self._best_arrays = {k: np.copy(v) for k, v in run.network_arrays().items()}
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop = True

    def on_end(self, run: Run) -> None:
        if self.restore_best and self._best_arrays and run.finished:
            run.load_network_arrays(self._best_arrays)

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch}

    def arrays(self) -> dict[str, np.ndarray]:
        return self._best_arrays

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self._best_arrays = dict(arrays)


class LearningRate(Callback):
    """Let a schedule of ``fastdl.schedules`` set the optimizer's rate at every step.

    The same as giving the schedule to the optimizer as ``lr``.
    """

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule

    def on_begin(self, run: Run) -> None:
        run.optimizer.schedule = self.schedule


class History(Callback):
    """Keeps the figures of every epoch; ``table()`` is a dict of equally long columns.

    pandas.DataFrame(history.table()) makes a data frame of it.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {}

    def on_epoch(self, run: Run) -> None:
        self._columns = {name: list(values) for name, values in run.history.items()}

    def table(self) -> dict[str, list[Any]]:
        """Columns epoch, loss, val_loss, val_accuracy, val_auc, lr and seconds."""
        return {name: list(values) for name, values in self._columns.items()}

    def state(self) -> dict[str, Any]:
        return {"columns": self._columns}

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._columns = state["columns"]


class Checkpoint(Callback):
    """Write everything that training consists of into ``folder``, so that it can go on from there.

    After every epoch, and within one after ``every_steps`` steps or ``every_seconds`` seconds, if
    given; the last ``keep`` files stay. ``Trainer.train(..., resume=folder)`` goes on from the
    newest one.
    """

    def __init__(
        self, folder: str | PathLike[str], *, every_steps: int | None = None,
        every_seconds: float | None = None, keep: int = 2,
    ) -> None:  # fmt: skip
        self.folder = Path(folder)
        self.every_steps = None if every_steps is None else check_size(every_steps, "every_steps")
        self.every_seconds = (
            None if every_seconds is None else check_number(every_seconds, "every_seconds")
        )
        self.keep = check_size(keep, "keep")
        self._written = 0.0

    def on_begin(self, run: Run) -> None:
        self._written = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        for left_over in self.folder.glob(".step-*.tmp"):  # of a run that was killed while writing
            left_over.unlink(missing_ok=True)

    def next_step(self, step: int) -> int | None:
        return (
            None if self.every_steps is None else (step // self.every_steps + 1) * self.every_steps
        )

    def on_steps(self, run: Run) -> None:
        due = self.every_steps is not None and run.step % self.every_steps == 0
        if self.every_seconds is not None:
            due |= time.monotonic() - self._written >= self.every_seconds
        if due and 0 < run.epoch_step < run.steps_per_epoch:
            self._write(run)

    def on_epoch(self, run: Run) -> None:
        self._write(run)

    def _write(self, run: Run) -> None:
        path = self.folder / f"step-{run.step:012d}.safetensors"
        run.save(path)
        run.last_checkpoint = path
        for old in checkpoint_files(self.folder)[: -self.keep]:
            old.unlink(missing_ok=True)
        self._written = time.monotonic()


def checkpoint_files(folder: str | PathLike[str]) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(Path(folder).glob("step-*.safetensors"))
