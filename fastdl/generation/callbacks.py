"""What is seen of a GAN while it trains: pictures of fixed noise, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import Callback
from ..run import Run
from ..validation import check_size
from .pictures import write_grid

# of the judge, by epoch
FIGURES = ("frechet", "kernel", "precision", "recall", "density", "coverage", "recognised")


class EpochPictures(Callback):
    """A grid of images after each epoch, epoch-0001.png ... in ``folder``, always of the same z.

    make: what gives the images, uint8 (N, H, W, C). epoch-0000.png is before the first step.
    """

    def __init__(
        self, folder: Path, make: Callable[[], NDArray[np.uint8]], columns: int
    ) -> None:  # fmt: skip
        self.folder, self.make, self.columns = folder, make, check_size(columns, "columns")

    def on_begin(self, run: Run) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if run.step == 0:
            for other in self.folder.glob("epoch-*.png"):  # of a run without a checkpoint
                other.unlink()
            self._write(run)

    def on_epoch(self, run: Run) -> None:
        self._write(run)

    def _write(self, run: Run) -> None:
        write_grid(self.folder / f"epoch-{run.epoch:04d}.png", self.make(), self.columns)


class Judging(Callback):
    """Columns of the history that say how good the images are, every so many epochs.

    judge: what gives the figures by name; those of ``FIGURES`` that it has go into the history,
    with None for epochs in between. ``found`` is the whole of the last ones, ``found_after`` the
    epoch.
    """

    def __init__(self, judge: Callable[[], Mapping[str, Any]], every: int) -> None:
        self.judge, self.every = judge, check_size(every, "every")
        self.found: dict[str, Any] = {}
        self.found_after = 0

    def on_epoch(self, run: Run) -> None:
        last = run.epoch == run.epochs or run.stop
        if run.epoch == 1 or run.epoch % self.every == 0 or last:
            self.found, self.found_after = dict(self.judge()), run.epoch
        own = self.found if self.found_after == run.epoch else {}
        for name in FIGURES:
            if name in self.found:
                run.history.setdefault(name, []).append(own.get(name))

    def state(self) -> dict[str, Any]:
        return {"found": self.found, "after": self.found_after}

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.found, self.found_after = dict(state["found"]), int(state["after"])
