"""What metrics of several classes take: labels, probabilities or classes, and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import Floats, column

Classes = NDArray[np.intp]


def rows_of(label: ArrayLike, probability: ArrayLike) -> tuple[Classes, NDArray[Any]]:
    """Labels and probabilities, checked."""
    p = np.asarray(probability)
    if p.dtype.kind not in "biuf":
        raise TypeError(f"probability has dtype {p.dtype}; expected real numbers.")
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(
            f"probability has shape {p.shape}; expected (rows, classes), 2 classes or more. For "
            "the probability of a click use fastdl.metrics."
        )
    y = indices("label", label, p.shape[1])
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


def pairs_of(
    label: ArrayLike, predicted: ArrayLike, classes: int | None
) -> tuple[Classes, Classes, int]:
    """Labels, predicted classes and the number of classes."""
    given = np.asarray(predicted)
    if given.ndim == 2:
        y, p = rows_of(label, given)
        if classes not in (None, p.shape[1]):
            raise ValueError(f"classes is {classes}, but probability has {p.shape[1]} columns.")
        return y, p.argmax(axis=1), p.shape[1]
    y, found = indices("label", label, classes), indices("predicted", given, classes)
    if len(y) != len(found):
        raise ValueError(f"predicted has {len(found)} rows, label {len(y)}.")
    return y, found, classes or int(max(y.max(), found.max())) + 1


def indices(name: str, values: ArrayLike, classes: int | None) -> Classes:
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


def weights_of(sample_weight: ArrayLike | None, rows: int) -> Floats | None:
    """Weights of rows, checked, or None."""
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
