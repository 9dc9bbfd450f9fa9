"""What metrics take: labels, probabilities and weights of the same rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Data(NamedTuple):
    """Checked input."""

    y: NDArray[np.bool_]
    p: NDArray[Any]  # float32 or float64
    w: Floats | None
    eps: float  # how near to 0 and 1 a probability of the caller's dtype can be told apart

    @property
    def weights(self) -> Floats:
        """The weights as kernels take them: empty where all rows count 1."""
        return _NONE if self.w is None else self.w


_NONE = np.empty(0)


def check(label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None) -> Data:
    """The columns, or ValueError and TypeError that name the first row that is wrong."""
    labels, given = column("label", label), column("probability", probability)
    _require_same_length("probability", given, labels)
    y = np.ascontiguousarray(labels != 0)
    _require_all("label", labels, labels == y, "0 or 1")
    p: Any = np.ascontiguousarray(given, np.float32 if given.dtype == np.float32 else np.float64)
    if not (p.min() >= 0 and p.max() <= 1):  # False for NaN
        _require_all("probability", given, (p >= 0) & (p <= 1), "in [0, 1]")
    eps = float(np.finfo(given.dtype if given.dtype.kind == "f" else np.float64).eps)
    eps = max(eps, float(np.finfo(np.float64).eps))
    if sample_weight is None:
        return Data(y, p, None, eps)
    weights = column("sample_weight", sample_weight)
    _require_same_length("sample_weight", weights, labels)
    w = np.ascontiguousarray(weights, np.float64)
    _require_all("sample_weight", weights, (w >= 0) & (w < np.inf), "finite and not negative")
    if not w.any():
        raise ValueError("sample_weight is 0 in every row; at least one row must count.")
    return Data(y, p, w, eps)


def column(name: str, values: ArrayLike) -> np.ndarray:
    """One number a row."""
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


def require_both_classes(clicks: float, others: float, weighted: bool) -> None:
    """ValueError where the weights' sum of one of the two classes is 0."""
    for weight, name in ((clicks, "click (label 1)"), (others, "non-click (label 0)")):
        if weight == 0:
            raise ValueError(
                f"label holds no {name}{' with a positive weight' if weighted else ''}; AUC, "
                "precision, ROC curve and normalized entropy need rows of both classes."
            )
