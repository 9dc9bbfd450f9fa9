"""Curves of a finished training, small enough for the JSON file of a run folder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import metrics as _metrics
from .calibration import calibration_bins
from .histogram import histogram
from .loss import training_curve
from .roc import THRESHOLDS, precision_recall, thin

POINTS = 500  # of a curve at most


def curves(
    label: ArrayLike, probability: ArrayLike, best_possible: ArrayLike | None = None
) -> dict[str, Any]:
    """What ``write_page`` draws of the test rows; label and probability are (rows,).

    "roc": [false positive rates, true positive rates]; "best_roc": the same of the true
    probabilities ``best_possible`` (rows,), where they are known; "precision_recall": [recalls,
    precisions]; "calibration": {"predicted", "observed", "low", "high", "rows"} of 10 bins of
    equally many rows, low and high Wilson's 95 % interval; "histogram": {"edges" (bins + 1,),
    "clicks" (bins,), "others" (bins,)}, rows counted in bins of equal width in log-odds. Lists of
    at most 500 numbers with 6 digits; the curves need rows of both classes and are left out
    otherwise. Raises ValueError and TypeError as ``fastdl.metrics`` does.

    >>> found = curves([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> found["roc"]
    [[0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0]]
    >>> sum(found["histogram"]["clicks"]), found["calibration"]["rows"]
    (2, [1, 1, 1, 1])
    """
    bins, counts = calibration_bins(label, probability), histogram(label, probability)
    found: dict[str, Any] = {"calibration": {name: _listed(bins[name]) for name in bins}}
    found["histogram"] = {name: _listed(values) for name, values in counts.items()}
    rate = float(np.mean(np.asarray(label, np.float64)))
    if not 0 < rate < 1:
        return found
    false, true = _metrics.roc_curve(label, probability, points=THRESHOLDS)
    found["precision_recall"] = list(map(_listed, precision_recall(false, true, rate, POINTS)))
    found["roc"] = list(map(_listed, thin(false, true, POINTS)))
    if best_possible is not None:
        found["best_roc"] = list(
            map(_listed, thin(*_metrics.roc_curve(label, best_possible, points=THRESHOLDS), POINTS))
        )
    return found


def loss_curve(step_losses: ArrayLike, steps_per_epoch: int) -> dict[str, Any]:
    """The loss of every step (steps,), in nats, as at most 500 points that ``write_page`` draws.

    "epoch": epochs done; "loss": mean of a block of steps; "smoothed": mean of several blocks;
    "window": how many steps those are. None where no loss of a block was finite. Raises
    ValueError and TypeError for losses that have not one dimension, and for steps_per_epoch that
    is not an int of 1 or more.

    >>> loss_curve([0.75, 0.5, float("nan"), 0.25], 2)
    {'epoch': [0.25, 0.75, 1.25, 1.75], 'loss': [0.75, 0.5, None, 0.25], 'smoothed': [0.75, 0.5, \
None, 0.25], 'window': 1}
    """
    done, loss, smoothed, window = training_curve(step_losses, steps_per_epoch, POINTS)
    found = {"epoch": _listed(done), "loss": _listed(loss), "smoothed": _listed(smoothed)}
    return {**found, "window": window}


def _listed(values: np.ndarray) -> list[Any]:
    """Numbers as JSON has them: 6 digits, and None for what is not finite."""
    if values.dtype.kind in "iu":
        return [int(value) for value in values]
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
