"""Progressive validation: every row is scored before it is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from .callbacks import Callback
from .losses import SigmoidCrossEntropy
from .validation import check_size

if TYPE_CHECKING:
    from .run import Run

NAMES = ("rows", "log_loss", "auc", "calibration")


class ProgressiveValidation(Callback):
    """How good a model was on rows that it had not seen yet, along its first epoch.

    Each batch of the first epoch is scored with the weights before its own step (Blum, Kalai,
    Langford 1999, Beating the hold-out), so the whole log is a test set. ``table()`` has a point
    for every ``every_rows`` rows: rows seen up to there, and log loss, AUC (None where the rows
    are all of one class) and calibration (predicted / observed clicks) of the rows since the point
    before. For networks whose output is the logit of a click, trained with ``loss_at="before"``.

    >>> from fastdl.progressive import ProgressiveValidation
    >>> ProgressiveValidation(5000).table()
    {'rows': [], 'log_loss': [], 'auc': [], 'calibration': []}
    """

    def __init__(self, every_rows: int = 100_000) -> None:
        self.every_rows = check_size(every_rows, "every_rows")
        self._columns: dict[str, list[Any]] = {name: [] for name in NAMES}
        self._labels: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._waiting = self._seen = 0

    def on_begin(self, run: Run) -> None:
        loss = getattr(run.network, "loss_layer", None)
        if not isinstance(loss, SigmoidCrossEntropy) or run.settings["loss_at"] != "before":
            raise ValueError(
                "ProgressiveValidation needs a network with the logit of a click as its output, "
                "such as DeepFM, and train(loss_at='before')."
            )

    def next_step(self, step: int) -> int | None:
        return step + 1  # every step must be seen

    def on_steps(self, run: Run) -> None:
        if run.epoch > 0:
            return
        loss = run.network.loss_layer
        self._labels.append(loss.t.reshape(-1).copy())
        self._probabilities.append(loss.y.reshape(-1).copy())
        self._waiting += len(self._labels[-1])
        if self._waiting >= self.every_rows or run.epoch_step == run.steps_per_epoch:
            self._add_point()

    def _add_point(self) -> None:
        label, probability = (np.concatenate(x) for x in (self._labels, self._probabilities))
        found = metrics.evaluate(label, probability)
        self._seen += self._waiting
        figures = (self._seen, found["log_loss"], found["auc"], found["calibration"])
        for column, value in zip(self._columns.values(), figures, strict=True):
            column.append(value)
        self._labels, self._probabilities, self._waiting = [], [], 0

    def table(self) -> dict[str, list[Any]]:
        """Columns rows, log_loss, auc and calibration."""
        return {name: list(values) for name, values in self._columns.items()}

    def state(self) -> dict[str, Any]:
        return {"columns": self._columns, "seen": self._seen}

    def arrays(self) -> dict[str, np.ndarray]:
        empty = [np.empty(0, np.float32)]
        return {
            "labels": np.concatenate(self._labels or empty),
            "probabilities": np.concatenate(self._probabilities or empty),
        }

    def load_state(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._columns, self._seen = state["columns"], state["seen"]
        self._labels, self._probabilities = [arrays["labels"]], [arrays["probabilities"]]
        self._waiting = len(arrays["labels"])
