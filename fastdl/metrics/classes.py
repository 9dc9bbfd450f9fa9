"""Metrics of classifiers of several classes.

Every function takes ``label`` (rows,), class indices from 0 on, and ``probability`` (rows, C), or
where only the most probable class counts also ``predicted`` (rows,), its index (of classes that
are equally probable the first one's). ``sample_weight`` (rows,) weighs the rows. Everything is
accumulated in float64; ValueError and TypeError name the first row that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import Floats, column

Classes = NDArray[np.intp]


class PerClass(NamedTuple):
    """Figures of each class, float64 (C,); what would divide by 0 is 0."""

    precision: Floats  # share of the rows predicted as the class that are of it
    recall: Floats  # share of the class's rows that are predicted as it
    f1: Floats  # harmonic mean of both
    support: Floats  # weight of the class's rows


def confusion_matrix(
    label: ArrayLike, predicted: ArrayLike, sample_weight: ArrayLike | None = None, *,
    classes: int | None = None,
) -> Floats:  # fmt: skip
    """Weight of the rows of class i that are predicted as class j, float64 (C, C).

    C is the number of columns of probabilities, ``classes``, or else the largest index and one.

    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 2]).tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    y, found, C = _pairs(label, predicted, classes)
    weight = _weights(sample_weight, len(y))
    return np.bincount(y * C + found, weight, C * C).astype(np.float64).reshape(C, C)


def accuracy(
    label: ArrayLike, predicted: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Share of rows whose class is predicted.

    >>> accuracy([0, 1, 2, 2], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0, 0, 1]])
    0.75
    """
    y, found, _ = _pairs(label, predicted, None)
    return float(np.average(y == found, weights=_weights(sample_weight, len(y))))


def per_class(
    label: ArrayLike, predicted: ArrayLike, sample_weight: ArrayLike | None = None, *,
    classes: int | None = None,
) -> PerClass:  # fmt: skip
    """Precision, recall, F1 = 2 P R / (P + R) and support of each class.

    >>> found = per_class([0, 0, 1, 1], [0, 1, 1, 1])
    >>> found.precision.round(3).tolist(), found.recall.tolist(), found.support.tolist()
    ([1.0, 0.667], [0.5, 1.0], [2.0, 2.0])
    """
    return of_matrix(confusion_matrix(label, predicted, sample_weight, classes=classes))


def of_matrix(matrix: ArrayLike) -> PerClass:
    """The same from a confusion matrix (C, C)."""
    counts = np.asarray(matrix, np.float64)
    right, said, support = np.diagonal(counts), counts.sum(axis=0), counts.sum(axis=1)
    # 2 right / (said + support) is 2 P R / (P + R), and defined where only one of both is not
    f1 = _ratio(2 * right, said + support)
    return PerClass(_ratio(right, said), _ratio(right, support), f1, support)


def averages(found: PerClass) -> dict[str, dict[str, float]]:
    """Means of precision, recall and F1: "macro" counts classes alike, "weighted" by support.

    >>> averages(per_class([0, 0, 0, 1], [0, 0, 1, 1]))["macro"]["precision"]
    0.75
    """
    weights = {"macro": None, "weighted": found.support}
    return {
        name: {key: float(np.average(getattr(found, key), weights=own))
               for key in ("precision", "recall", "f1")}
        for name, own in weights.items()
    }  # fmt: skip


def log_loss(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Mean of -log of the probability given to the row's class, in nats.

    It is clipped to the resolution of probability's dtype (2.2e-16 for float64), as in
    scikit-learn.

    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.75, 0.25]]), 4)
    1.0397
    """
    y, p = _rows(label, probability)
    eps = float(np.finfo(p.dtype).eps)
    own = p[np.arange(len(y)), y].astype(np.float64).clip(eps, 1 - eps)
    return float(np.average(-np.log(own), weights=_weights(sample_weight, len(y))))


def top_k_accuracy(
    label: ArrayLike, probability: ArrayLike, k: int = 5, sample_weight: ArrayLike | None = None
) -> float:
    """Share of rows whose class is among the k most probable ones.

    >>> top_k_accuracy([2, 1], [[0.5, 0.2, 0.3], [0.5, 0.1, 0.4]], k=2)
    0.5
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k is {k!r}; expected an int of 1 or more.")
    y, p = _rows(label, probability)
    own = p[np.arange(len(y)), y][:, None]
    first = np.arange(p.shape[1])[None, :] < y[:, None]  # classes that win where both are equal
    rank = np.count_nonzero((p > own) | ((p == own) & first), axis=1)
    return float(np.average(rank < k, weights=_weights(sample_weight, len(y))))


def expected_calibration_error(
    label: ArrayLike, probability: ArrayLike, bins: int = 15, sample_weight: ArrayLike | None = None
) -> float:
    """Mean over rows of |accuracy - mean confidence| of the row's bin; 0 is calibrated.

    The confidence is the largest probability, bins have equal width (Guo et al. 2017, On
    calibration of modern neural networks, equation 3).

    >>> round(expected_calibration_error([0, 1], [[0.9, 0.1], [0.9, 0.1]]), 3)
    0.4
    """
    parts = confidence_bins(label, probability, bins, sample_weight)
    gaps = np.abs(parts["confidence"] - parts["accuracy"])
    return float(np.average(gaps, weights=parts["weight"]))


def confidence_bins(
    label: ArrayLike, probability: ArrayLike, bins: int = 15, sample_weight: ArrayLike | None = None
) -> dict[str, Floats]:
    """Mean "confidence", "accuracy" and "weight" of the bins that hold rows (Guo et al. 2017).

    >>> confidence_bins([0, 1], [[0.9, 0.1], [0.2, 0.8]], bins=2)["accuracy"].tolist()
    [1.0]
    """
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins is {bins!r}; expected an int of 1 or more.")
    y, p = _rows(label, probability)
    weight = _weights(sample_weight, len(y))
    confidence = p.max(axis=1).astype(np.float64)
    place = (np.ceil(confidence * bins) - 1).astype(np.intp).clip(0, bins - 1)  # (low, high]
    right = (p.argmax(axis=1) == y).astype(np.float64)
    own = np.ones(len(y)) if weight is None else weight
    total, sure, hits = (
        np.bincount(place, own * values, bins) for values in (np.ones(len(y)), confidence, right)
    )
    held = total > 0
    total = total[held]
    return {"confidence": sure[held] / total, "accuracy": hits[held] / total, "weight": total}


def evaluate(
    label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None, *,
    names: Sequence[str] | None = None, top: int = 5,
) -> dict[str, Any]:  # fmt: skip
    """All of these as a dict that can be written as JSON.

    "rows"; "accuracy"; "log_loss"; "top_k" (k), "top_k_accuracy", None for fewer than k + 1
    classes; "ece"; "macro" and "weighted" means; "classes": a dict for each class of "name"
    (``names`` or its index), "precision", "recall", "f1" and "support"; "confusion": weights of
    rows, a list for each class.

    >>> found = evaluate([0, 1], [[0.9, 0.1], [0.6, 0.4]], names=["bag", "shoe"])
    >>> found["accuracy"], found["classes"][0]["name"], found["confusion"]
    (0.5, 'bag', [[1, 0], [1, 0]])
    """
    y, p = _rows(label, probability)
    C = p.shape[1]
    given = [str(name) for name in (range(C) if names is None else names)]
    if len(given) != C:
        raise ValueError(f"names has {len(given)} entries for {C} columns of probability.")
    matrix = confusion_matrix(y, p, sample_weight)
    figures = of_matrix(matrix)
    columns = {key: getattr(figures, key).tolist() for key in PerClass._fields}
    columns["support"] = [_whole(value) for value in columns["support"]]
    return {
        "rows": len(y),
        "accuracy": accuracy(y, p, sample_weight),
        "log_loss": log_loss(y, p, sample_weight),
        "top_k": top,
        "top_k_accuracy": top_k_accuracy(y, p, top, sample_weight) if top < C else None,
        "ece": expected_calibration_error(y, p, sample_weight=sample_weight),
        **averages(figures),
        "classes": [
            {"name": name, **{key: columns[key][i] for key in columns}}
            for i, name in enumerate(given)
        ],
        "confusion": [[_whole(value) for value in row] for row in matrix.tolist()],
    }


def _rows(label: ArrayLike, probability: ArrayLike) -> tuple[Classes, NDArray[Any]]:
    """Labels and probabilities, checked."""
    p = np.asarray(probability)
    if p.dtype.kind not in "biuf":
        raise TypeError(f"probability has dtype {p.dtype}; expected real numbers.")
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(
            f"probability has shape {p.shape}; expected (rows, classes), 2 classes or more. For "
            "the probability of a click use fastdl.metrics."
        )
    y = _indices("label", label, p.shape[1])
    if len(y) != len(p):
        raise ValueError(f"probability has {len(p)} rows, label {len(y)}.")
    p = p if p.dtype in (np.float32, np.float64) else p.astype(np.float64)
    if not (p.min() >= 0 and p.max() <= 1):  # False for NaN
        bad = ~((p >= 0) & (p <= 1)).all(axis=1)
        row = int(np.argmax(bad))
        raise ValueError(f"probability must be in [0, 1], got {p[row].tolist()} in row {row}.")
    sums = p.sum(axis=1, dtype=np.float64)
    if (off := np.abs(sums - 1) > 1e-3).any():
        row = int(np.argmax(off))
        raise ValueError(
            f"probability must add up to 1 in every row, got {sums[row]:.6g} in row {row}. Turn "
            "scores into probabilities first, e.g. by a softmax."
        )
    return y, p


def _pairs(
    label: ArrayLike, predicted: ArrayLike, classes: int | None
) -> tuple[Classes, Classes, int]:
    """Labels, predicted classes and the number of classes."""
    given = np.asarray(predicted)
    if given.ndim == 2:
        y, p = _rows(label, given)
        if classes not in (None, p.shape[1]):
            raise ValueError(f"classes is {classes}, but probability has {p.shape[1]} columns.")
        return y, p.argmax(axis=1), p.shape[1]
    y, found = _indices("label", label, classes), _indices("predicted", given, classes)
    if len(y) != len(found):
        raise ValueError(f"predicted has {len(found)} rows, label {len(y)}.")
    return y, found, classes or int(max(y.max(), found.max())) + 1


def _indices(name: str, values: ArrayLike, classes: int | None) -> Classes:
    array = column(name, values)
    whole = array.astype(np.intp, copy=False)
    high = np.inf if classes is None else classes
    good = (whole == array) & (whole >= 0) & (whole < high)
    if not good.all():
        row = int(np.argmin(good))
        upper = "" if classes is None else f" to {classes - 1}"
        raise ValueError(
            f"{name} must hold class indices from 0{upper}, got {array[row]} in row {row}."
        )
    return whole


def _weights(sample_weight: ArrayLike | None, rows: int) -> Floats | None:
    if sample_weight is None:
        return None
    weight = column("sample_weight", sample_weight).astype(np.float64)
    if len(weight) != rows:
        raise ValueError(f"sample_weight has {len(weight)} values for {rows} rows.")
    good = (weight >= 0) & (weight < np.inf)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"sample_weight must be finite and not negative, got {weight[row]} in row {row}."
        )
    if not weight.any():
        raise ValueError("sample_weight is 0 in every row; at least one row must count.")
    return weight


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _whole(value: float) -> float | int:
    """Counts as ints, sums of weights as they are."""
    return int(value) if value == int(value) else value
