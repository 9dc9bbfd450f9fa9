"""Metrics of predicted click probabilities: ranking, likelihood and calibration.

Every function takes ``label`` (rows,) of 0 and 1 and ``probability`` (rows,) in [0, 1], in any
integer, bool or float dtype, and accumulates in float64. Sums run in a fixed order, so a result
does not depend on the number of threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class _Data(NamedTuple):
    """Checked input."""

    y: NDArray[np.bool_]
    p: Floats
    w: Floats | None
    eps: float  # how near to 0 and 1 a probability of the caller's dtype can be told apart


def roc_auc(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Area under the ROC curve: the chance that a click is ranked above a non-click.

    AUC = P(p_click > p_other) + P(p_click = p_other) / 2, from mid-ranks in O(n log n) (Hanley
    and McNeil 1982, The meaning and use of the area under a ROC curve). ValueError where one of
    the two classes is missing.

    >>> roc_auc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return _auc(_check(label, probability, sample_weight))


def roc_curve(label: ArrayLike, probability: ArrayLike) -> tuple[Floats, Floats]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1).

    Rows of one probability are one point; points on a straight line between their neighbours are
    dropped (Fawcett 2006, An introduction to ROC analysis). ValueError where a class is missing.

    >>> fpr, tpr = roc_curve([0, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5])
    >>> fpr.round(2).tolist(), tpr.tolist()
    ([0.0, 0.0, 0.33, 0.33, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    data = _check(label, probability, None)
    _require_both_classes(data)
    below_n, below_p = _counts_below(data)
    fp, tp = below_n[-1] - below_n[::-1], below_p[-1] - below_p[::-1]
    dx, dy = np.diff(fp), np.diff(tp)
    # Whole numbers, so the test for a corner is exact.
    corner = np.concatenate(([True], dx[:-1] * dy[1:] != dx[1:] * dy[:-1], [True]))
    return fp[corner] / fp[-1], tp[corner] / tp[-1]


def log_loss(
    label: ArrayLike,
    probability: ArrayLike,
    sample_weight: ArrayLike | None = None,
    eps: float | None = None,
) -> float:
    """Mean of -log(p) over clicks and -log(1 - p) over the other rows, in nats.

    The probability given to what happened is clipped to [eps, 1 - eps]; ``eps`` is the resolution
    of probability's dtype (2.2e-16 for float64, 1.2e-7 for float32), as in scikit-learn.

    >>> round(log_loss([1, 0], [0.5, 0.25]), 4)
    0.4904
    """
    if eps is not None and not 0 < eps < 0.5:
        raise ValueError(f"log_loss: eps must be above 0 and below 0.5, got {eps!r}.")
    return _log_loss(_check(label, probability, sample_weight), eps)


def normalized_entropy(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Log loss over the log loss of always predicting the base rate; below 1 is better than it.

    He et al. 2014, Practical lessons from predicting clicks on ads at Facebook, section 3.
    ValueError where one of the two classes is missing.

    >>> round(normalized_entropy([1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]), 6)
    1.0
    """
    data = _check(label, probability, sample_weight)
    _require_both_classes(data)
    return _log_loss(data) / _base_rate_log_loss(data)


def calibration_ratio(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Predicted over observed clicks, sum(p) / sum(label); 1 is calibrated, above 1 too high.

    He et al. 2014, section 3. ValueError where no click was observed.

    >>> calibration_ratio([1, 0, 0, 1], [0.5, 0.5, 0.25, 0.25])
    0.75
    """
    data = _check(label, probability, sample_weight)
    if _mean(data.y, data.w) == 0:
        raise ValueError(
            "calibration_ratio: no row of label is 1, so predicted / observed clicks "
            "is not defined."
        )
    return _calibration(data)


def calibration_curve(
    label: ArrayLike, probability: ArrayLike, bins: int = 10, strategy: str = "quantile"
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """(mean predicted, observed rate, rows) of each bin that holds rows, by rising probability.

    ``strategy="quantile"`` gives bins of equally many rows (fewer bins where probabilities
    repeat), "uniform" bins of equal width (Niculescu-Mizil and Caruana 2005, Predicting good
    probabilities with supervised learning).

    >>> predicted, observed, rows = calibration_curve([0, 1, 1, 1], [0.25, 0.25, 0.5, 1], bins=2)
    >>> predicted.tolist(), observed.tolist(), rows.tolist()
    ([0.25, 0.75], [0.5, 1.0], [2, 2])
    """
    data = _check(label, probability, None)
    number = _bin_numbers(data.p, bins, strategy)
    rows = np.bincount(number)
    held = rows > 0
    predicted = np.bincount(number, weights=data.p)[held] / rows[held]
    observed = np.bincount(number, weights=data.y)[held] / rows[held]
    return predicted, observed, rows[held].astype(np.int64)


def expected_calibration_error(
    label: ArrayLike,
    probability: ArrayLike,
    bins: int = 10,
    strategy: str = "quantile",
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean over rows of |mean predicted - observed rate| of the row's bin; 0 is calibrated.

    Guo et al. 2017, On calibration of modern neural networks, equation 3. Their bins are
    ``strategy="uniform"``; the default has equally many rows in each, because click
    probabilities would nearly all fall into the first bin of equal width.

    >>> expected_calibration_error([0, 1, 1, 1], [0.25, 0.25, 0.5, 1], bins=2)
    0.25
    """
    return _ece(_check(label, probability, sample_weight), bins, strategy)


def brier_score(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Mean of (p - label)^2 (Brier 1950, Verification of forecasts expressed in probability).

    >>> brier_score([1, 0], [0.5, 0.5])
    0.25
    """
    return _brier(_check(label, probability, sample_weight))


def accuracy(
    label: ArrayLike,
    probability: ArrayLike,
    threshold: float = 0.5,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of rows where (probability > threshold) equals the label.

    A probability equal to the threshold predicts no click, as argmax over [1 - p, p] does.

    >>> accuracy([1, 0, 1, 0], [0.9, 0.1, 0.2, 0.5])
    0.75
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"accuracy: threshold must be in [0, 1], got {threshold!r}.")
    return _accuracy(_check(label, probability, sample_weight), threshold)


def evaluate(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> dict[str, float | int | None]:
    """All metrics of this file as a dict that can be written as JSON.

    ``rows`` and ``clicks`` count rows, everything else is weighted. What is not defined is None:
    ``auc`` and ``normalized_entropy`` where a class is missing, ``calibration`` without clicks.

    >>> result = evaluate([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8])
    >>> result["rows"], result["clicks"], result["auc"], round(result["calibration"], 3)
    (4, 2, 0.875, 0.85)
    """
    data = _check(label, probability, sample_weight)
    base_rate = _mean(data.y, data.w)
    both = 0 < base_rate < 1
    loss, base_loss = _log_loss(data), _base_rate_log_loss(data)
    return {
        "rows": len(data.y),
        "clicks": int(np.count_nonzero(data.y)),
        "base_rate": base_rate,
        "auc": _auc(data) if both else None,
        "log_loss": loss,
        "base_rate_log_loss": base_loss,
        "normalized_entropy": loss / base_loss if both else None,
        "calibration": _calibration(data) if base_rate > 0 else None,
        "ece": _ece(data, 10, "quantile"),
        "brier": _brier(data),
        "accuracy": _accuracy(data, 0.5),
    }


# ------------------------------------------------------------------------ on checked input
def _mean(values: NDArray[Any], w: Floats | None) -> float:
    """Weighted mean. No `values @ w`: a BLAS splits a dot product by its number of threads."""
    if w is None:
        return float(np.mean(values, dtype=np.float64))
    return float(np.sum(values * w) / np.sum(w))


def _counts_below(data: _Data) -> tuple[NDArray[Any], NDArray[Any]]:
    """Non-clicks and clicks (weights, if any) at or below each distinct probability, from 0 up."""
    # Equal probabilities keep their order, so that sums of weights have the same bits everywhere.
    order = np.argsort(data.p, kind=None if data.w is None else "stable")
    p, y = data.p[order], data.y[order]
    last = np.append(np.flatnonzero(p[1:] != p[:-1]), len(p) - 1)
    if data.w is None:
        clicks = np.cumsum(y, dtype=np.int64)[last]
        others = last + 1 - clicks
    else:
        w = data.w[order]
        clicks, others = np.cumsum(w * y)[last], np.cumsum(w * ~y)[last]
    return np.concatenate(([0], others)), np.concatenate(([0], clicks))


def _auc(data: _Data) -> float:
    _require_both_classes(data)
    others, clicks = (below.astype(np.float64) for below in _counts_below(data))
    ranked_above = (others[1:] + others[:-1]) / 2  # ties count half
    return float(np.sum(np.diff(clicks) * ranked_above) / (clicks[-1] * others[-1]))


def _log_loss(data: _Data, eps: float | None = None) -> float:
    eps = data.eps if eps is None else eps
    happened = np.where(data.y, data.p, 1 - data.p)
    return -_mean(np.log(np.clip(happened, eps, 1 - eps)), data.w)


def _base_rate_log_loss(data: _Data) -> float:
    rate = _mean(data.y, data.w)
    return -sum(q * math.log(q) for q in (rate, 1 - rate) if q > 0)


def _calibration(data: _Data) -> float:
    return _mean(data.p, data.w) / _mean(data.y, data.w)


def _brier(data: _Data) -> float:
    return _mean((data.p - data.y) ** 2, data.w)


def _accuracy(data: _Data, threshold: float) -> float:
    return _mean((data.p > threshold) == data.y, data.w)


def _ece(data: _Data, bins: int, strategy: str) -> float:
    gap = data.p - data.y
    w = np.ones_like(gap) if data.w is None else data.w
    per_bin = np.bincount(_bin_numbers(data.p, bins, strategy), weights=gap * w)
    return float(np.sum(np.abs(per_bin)) / np.sum(w))


def _bin_numbers(p: Floats, bins: int, strategy: str) -> NDArray[np.intp]:
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer):
        raise TypeError(f"bins must be an int, got {type(bins).__name__}.")
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, got {bins}.")
    if strategy not in ("quantile", "uniform"):
        raise ValueError(f'strategy must be "quantile" or "uniform", got {strategy!r}.')
    edges = np.linspace(0, 1, int(bins) + 1)[1:-1]
    if strategy == "quantile":
        # np.quantile rounds otherwise, which can move a row that lies on an edge; with percentiles
        # the bins are scikit-learn's.
        edges = np.percentile(p, 100 * edges)
    return np.searchsorted(edges, p)


# ------------------------------------------------------------------------ checks
def _check(label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None) -> _Data:
    labels, given = _column("label", label), _column("probability", probability)
    _require_same_length("probability", given, labels)
    y = labels != 0
    _require_all("label", labels, labels == y, "0 or 1")
    p = given.astype(np.float64, copy=False)
    _require_all("probability", given, (p >= 0) & (p <= 1), "in [0, 1]")
    eps = float(np.finfo(given.dtype if given.dtype.kind == "f" else np.float64).eps)
    eps = max(eps, float(np.finfo(np.float64).eps))
    if sample_weight is None:
        return _Data(y, p, None, eps)
    weights = _column("sample_weight", sample_weight)
    _require_same_length("sample_weight", weights, labels)
    w = weights.astype(np.float64, copy=False)
    _require_all("sample_weight", weights, (w >= 0) & (w < np.inf), "finite and not negative")
    if not w.any():
        raise ValueError("sample_weight is 0 in every row; at least one row must count.")
    return _Data(y, p, w, eps)


def _column(name: str, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold bool, integer or float numbers, got dtype {array.dtype}. "
            "Convert it first, e.g. with .astype(np.float64)."
        )
    if array.ndim != 1:
        hint = " For two classes side by side pass the second column, [:, 1]."
        raise ValueError(
            f"{name} must have one dimension, got shape {array.shape}."
            + (hint if array.ndim == 2 and array.shape[1] == 2 else "")
        )
    if not len(array):
        raise ValueError(f"{name} has no rows; metrics need at least one.")
    return array


def _require_same_length(name: str, array: NDArray[Any], labels: NDArray[Any]) -> None:
    if len(array) != len(labels):
        raise ValueError(
            f"{name} must have one value for each row of label: "
            f"got {len(array)} values for {len(labels)} labels."
        )


def _require_all(name: str, values: NDArray[Any], good: NDArray[np.bool_], expected: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        more = int(np.count_nonzero(~good)) - 1
        raise ValueError(
            f"{name} must be {expected}, got {values[row]} in row {row} (counted from 0)"
            + (f" and {more} more." if more else ".")
        )


def _require_both_classes(data: _Data) -> None:
    w = np.ones(1) if data.w is None else data.w
    for present, name in ((data.y, "click (label 1)"), (~data.y, "non-click (label 0)")):
        if not (present & (w > 0)).any():
            weighted = "" if data.w is None else " with a positive weight"
            raise ValueError(
                f"label holds no {name}{weighted}; AUC, ROC curve and normalized entropy need "
                "rows of both classes."
            )
