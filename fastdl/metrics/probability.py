"""Metrics of the probabilities that were predicted, row by row and in bins."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels.backend import ops
from ..kernels.metrics import ROWS
from .checks import Data, Floats, check, require_both_classes


class Sums(NamedTuple):
    """Weighted sums over all rows, in the order of ``kernels.metrics.row_sums``."""

    weight: float
    clicks: float
    predicted: float
    loss: float
    squares: float
    correct: float

    @property
    def rate(self) -> float:
        """Share of clicks."""
        return self.clicks / self.weight

    @property
    def base_loss(self) -> float:
        """Log loss of always predicting the share of clicks."""
        return -sum(q * math.log(q) for q in (self.rate, 1 - self.rate) if q > 0)


def sums(data: Data, eps: float | None = None, threshold: float = 0.5) -> Sums:
    """One pass over checked input."""
    partial = np.empty((-(-len(data.y) // ROWS), 6))
    ops.row_sums(data.y, data.p, data.weights, eps or data.eps, float(threshold), partial)
    return Sums(*(float(x) for x in partial.sum(axis=0)))


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
    found = sums(check(label, probability, sample_weight), eps)
    return found.loss / found.weight


def normalized_entropy(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Log loss over the log loss of always predicting the base rate; below 1 is better than it.

    He et al. 2014, Practical lessons from predicting clicks on ads at Facebook, section 3.
    ValueError where one of the two classes is missing.

    >>> round(normalized_entropy([1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]), 6)
    1.0
    """
    data = check(label, probability, sample_weight)
    found = sums(data)
    require_both_classes(found.clicks, found.weight - found.clicks, data.w is not None)
    return found.loss / found.weight / found.base_loss


def calibration_ratio(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Predicted over observed clicks, sum(p) / sum(label); 1 is calibrated, above 1 too high.

    He et al. 2014, section 3. ValueError where no click was observed.

    >>> calibration_ratio([1, 0, 0, 1], [0.5, 0.5, 0.25, 0.25])
    0.75
    """
    found = sums(check(label, probability, sample_weight))
    if found.clicks == 0:
        raise ValueError(
            "calibration_ratio: no row of label is 1, so predicted / observed clicks "
            "is not defined."
        )
    return found.predicted / found.clicks


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
    weight, predicted, clicks = _bins(check(label, probability, None), bins, strategy)
    held = weight > 0
    rows = weight[held]
    return predicted[held] / rows, clicks[held] / rows, rows.astype(np.int64)


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
    return ece(check(label, probability, sample_weight), bins, strategy)


def brier_score(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Mean of (p - label)^2 (Brier 1950, Verification of forecasts expressed in probability).

    >>> brier_score([1, 0], [0.5, 0.5])
    0.25
    """
    found = sums(check(label, probability, sample_weight))
    return found.squares / found.weight


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
    found = sums(check(label, probability, sample_weight), threshold=threshold)
    return found.correct / found.weight


def ece(data: Data, bins: int = 10, strategy: str = "quantile") -> float:
    """Expected calibration error of checked input."""
    weight, predicted, clicks = _bins(data, bins, strategy)
    return float(np.sum(np.abs(predicted - clicks)) / np.sum(weight))


def _bins(data: Data, bins: int, strategy: str) -> tuple[Floats, Floats, Floats]:
    """Weight, weighted probability and weighted clicks of each bin."""
    edges = _edges(data.p, bins, strategy)
    partial = np.empty((-(-len(data.y) // ROWS), len(edges) + 1, 3))
    ops.bin_sums(data.y, data.p, data.weights, edges, partial)
    weight, predicted, clicks = partial.sum(axis=0).T
    return weight, predicted, clicks


def _edges(p: NDArray[np.floating], bins: int, strategy: str) -> Floats:
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
        edges = np.percentile(p.astype(np.float64, copy=False), 100 * edges)
    return edges
