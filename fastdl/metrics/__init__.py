"""Metrics of predicted click probabilities: ranking, likelihood and calibration.

Every function takes ``label`` (rows,) of 0 and 1 and ``probability`` (rows,) in [0, 1], in any
integer, bool or float dtype, and accumulates in float64. Sums run in a fixed order, so a result
does not depend on the number of threads. Sums and rankings are compiled: 100 million rows take
seconds. Metrics of several classes are in ``fastdl.metrics.classes``, those of forecasts in
``fastdl.metrics.forecast``, those of generated images in ``fastdl.metrics.generated``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from . import classes, forecast, generated
from .checks import check
from .probability import (
    accuracy,
    brier_score,
    calibration_curve,
    calibration_ratio,
    ece,
    expected_calibration_error,
    log_loss,
    normalized_entropy,
    sums,
)
from .ranking import average_precision, grouped_auc, pr_auc, ranked, roc_auc, roc_curve

__all__ = [
    "accuracy",
    "average_precision",
    "brier_score",
    "calibration_curve",
    "calibration_ratio",
    "classes",
    "evaluate",
    "expected_calibration_error",
    "forecast",
    "generated",
    "grouped_auc",
    "log_loss",
    "normalized_entropy",
    "pr_auc",
    "roc_auc",
    "roc_curve",
]


def evaluate(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> dict[str, float | int | None]:
    """All metrics but the grouped AUC as a dict that can be written as JSON.

    ``rows`` and ``clicks`` count rows, everything else is weighted. What is not defined is None:
    ``auc``, ``average_precision`` and ``normalized_entropy`` where a class is missing,
    ``calibration`` without clicks.

    >>> result = evaluate([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8])
    >>> result["rows"], result["clicks"], result["auc"], round(result["calibration"], 3)
    (4, 2, 0.875, 0.85)
    """
    data = check(label, probability, sample_weight)
    found = sums(data)
    both = 0 < found.clicks < found.weight
    ranking = ranked(data) if both else None
    loss = found.loss / found.weight
    return {
        "rows": len(data.y),
        "clicks": int(np.count_nonzero(data.y)),
        "base_rate": found.rate,
        "auc": ranking.auc if ranking else None,
        "average_precision": ranking.average_precision if ranking else None,
        "log_loss": loss,
        "base_rate_log_loss": found.base_loss,
        "normalized_entropy": loss / found.base_loss if both else None,
        "calibration": found.predicted / found.clicks if found.clicks > 0 else None,
        "ece": ece(data),
        "brier": found.squares / found.weight,
        "accuracy": found.correct / found.weight,
    }
