"""Metrics of the order in which predicted probabilities put the rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..kernels.backend import ops
from .checks import Data, Floats, check, require_both_classes

GROUP_WEIGHTS = ("rows", "clicks", "equal")


class Ranked(NamedTuple):
    """What one walk down the ranking finds."""

    auc: float
    average_precision: float
    pr_auc: float


def roc_auc(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Area under the ROC curve: the chance that a click is ranked above a non-click.

    AUC = P(p_click > p_other) + P(p_click = p_other) / 2, from counted pairs in O(n log n) (Hanley
    and McNeil 1982, The meaning and use of the area under a ROC curve). ValueError where one of
    the two classes is missing.

    >>> roc_auc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return ranked(check(label, probability, sample_weight)).auc


def average_precision(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Mean precision over the clicks, each at its own threshold: the PR curve's area in steps.

    AP = sum over thresholds of (recall_k - recall_(k-1)) precision_k, without interpolation, as in
    scikit-learn. ValueError where one of the two classes is missing.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    return ranked(check(label, probability, sample_weight)).average_precision


def pr_auc(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Area under the precision-recall curve by the trapezoidal rule.

    It is higher than ``average_precision``: straight lines between points of that curve cannot be
    reached (Davis and Goadrich 2006, The relationship between precision-recall and ROC curves).
    ValueError where one of the two classes is missing.

    >>> round(pr_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.7917
    """
    return ranked(check(label, probability, sample_weight)).pr_auc


def grouped_auc(
    label: ArrayLike,
    probability: ArrayLike,
    group: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    weighting: str = "rows",
) -> float:
    """Mean of the AUCs within each group of rows, such as each user's; group is (rows,).

    Groups with clicks alone or none have no AUC and are left out. The others count by their rows'
    weights ("rows": Zhu et al. 2017, Optimized cost per click in Taobao display advertising,
    GAUC), by their clicks', or "equal". ValueError where no group has rows of both classes.

    >>> grouped_auc([0, 1, 1, 0], [0.1, 0.2, 0.3, 0.4], ["a", "a", "b", "b"])
    0.5
    """
    if weighting not in GROUP_WEIGHTS:
        raise ValueError(f"weighting is {weighting!r}; expected {', '.join(GROUP_WEIGHTS)}.")
    data = check(label, probability, sample_weight)
    found = _ranked_groups(data, _codes(group, len(data.y)))
    clicks, others, pairs = found[:, 0], found[:, 1], found[:, 2]
    both = (clicks > 0) & (others > 0)
    if not both.any():
        raise ValueError(
            f"None of the {len(found)} groups has clicks and other rows: grouped AUC is undefined."
        )
    auc = pairs[both] / (2 * clicks[both] * others[both])
    weight = {"rows": clicks + others, "clicks": clicks, "equal": np.ones(len(found))}[weighting]
    return float(np.sum(auc * weight[both]) / np.sum(weight[both]))


def roc_curve(
    label: ArrayLike, probability: ArrayLike, *, points: int | None = None
) -> tuple[Floats, Floats]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1).

    Rows of one probability are one point; points on a straight line between their neighbours are
    dropped (Fawcett 2006, An introduction to ROC analysis). ``points``: of about so many thresholds
    only, with equally many rows between them, at a fraction of the memory. ValueError where a class
    is missing.

    >>> fpr, tpr = roc_curve([0, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5])
    >>> fpr.round(2).tolist(), tpr.tolist()
    ([0.0, 0.0, 0.33, 0.33, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    data = check(label, probability, None)
    keys, _ = _ranking(data)
    p = keys >> keys.dtype.type(1)
    if points is None or len(p) <= 4 * points:
        last = np.append(np.flatnonzero(p[1:] != p[:-1]), len(p) - 1)
    else:
        some = p[np.linspace(0, len(p) - 1, points).astype(np.int64)]
        last = np.unique(np.searchsorted(p, some, side="right")) - 1
    is_click = (keys & keys.dtype.type(1)).astype(np.uint8)
    starts = np.append(0, last[:-1] + 1)
    clicks = np.cumsum(np.add.reduceat(is_click, starts, dtype=np.int64))
    below_p = np.concatenate(([0], clicks))
    below_n = np.concatenate(([0], last + 1 - clicks))
    require_both_classes(below_p[-1], below_n[-1], False)
    fp, tp = below_n[-1] - below_n[::-1], below_p[-1] - below_p[::-1]
    dx, dy = np.diff(fp), np.diff(tp)
    # Whole numbers, so the test for a corner is exact.
    corner = np.concatenate(([True], dx[:-1] * dy[1:] != dx[1:] * dy[:-1], [True]))
    return fp[corner] / fp[-1], tp[corner] / tp[-1]


def ranked(data: Data) -> Ranked:
    """AUC and precision of checked input; ValueError where a class is missing."""
    keys, weights = _ranking(data)
    out = np.empty(5)
    ops.ranked_sums(keys, weights, out)
    clicks, others, pairs, steps, area = (float(x) for x in out)
    require_both_classes(clicks, others, data.w is not None)
    return Ranked(pairs / (2 * clicks * others), steps, area)


def _keys(data: Data) -> NDArray[Any]:
    """The bits of the probabilities, shifted left for the labels; the sign, of -0, falls out."""
    unsigned = np.uint32 if data.p.dtype == np.float32 else np.uint64
    keys = np.left_shift(data.p.view(unsigned), unsigned(1))
    keys |= data.y
    return keys


def _ranking(data: Data) -> tuple[NDArray[Any], Floats]:
    """Sorted keys, and the weights in their order."""
    keys = _keys(data)
    if data.w is None:
        keys.sort()
        return keys, data.weights
    order = np.argsort(keys, kind="stable")  # so that sums of weights have the same bits anywhere
    return keys[order], data.w[order]


def _ranked_groups(data: Data, codes: NDArray[np.int64]) -> Floats:
    """``ranked_sums`` of each group."""
    keys = _keys(data)
    groups = int(codes.max()) + 1
    bounds = np.concatenate(([0], np.cumsum(np.bincount(codes, minlength=groups))))
    if data.w is None and keys.dtype == np.uint32:
        joined = codes.astype(np.uint64) << np.uint64(32)  # group, probability, label in one number
        joined |= keys
        joined.sort()
        keys, weights = joined.astype(np.uint32), data.weights  # the low half
    else:
        order = np.lexsort((keys, codes))
        keys = keys[order]
        weights = data.weights if data.w is None else data.w[order]
    out = np.empty((groups, 5))
    ops.ranked_sums_of_groups(keys, weights, bounds.astype(np.int64), out)
    return out


def _codes(group: ArrayLike, rows: int) -> NDArray[np.int64]:
    """Groups as numbers from 0."""
    array = np.asarray(group)
    if array.shape != (rows,):
        raise ValueError(f"group has shape {array.shape}; expected one value a row, ({rows},).")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError("group has NaN; give rows without a group a value of their own.")
    return np.unique(array, return_inverse=True)[1].reshape(-1).astype(np.int64)
