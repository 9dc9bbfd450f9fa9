"""Weights that make up for classes of unequal size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...validation import check_number


def class_weights(
    labels: np.ndarray, classes: Sequence[str], weight: Any, sample_weight: np.ndarray | None = None
) -> np.ndarray | None:
    """The weight of each class, float64 (classes,), or None for None.

    "balanced" is N / (K count) for K classes, as in scikit-learn, and 0 for a class without rows;
    with sample_weight (N,), its sums are taken for N and the counts. A dict has weights by class
    name, 1 for those that it leaves out.

    Raises ValueError for names that are no classes and for negative weights.

    >>> class_weights(np.array([0, 0, 0, 1]), ("bag", "shoe"), "balanced")
    array([0.66666667, 2.        ])
    """
    if weight is None:
        return None
    if isinstance(weight, str) and weight == "balanced":
        counts = np.bincount(labels, sample_weight, minlength=len(classes)).astype(np.float64)
        found = np.zeros(len(classes))
        share = counts.sum() / np.count_nonzero(counts)
        return np.divide(share, counts, out=found, where=counts > 0)
    if not isinstance(weight, Mapping):
        raise ValueError(f"class_weight is {weight!r}; expected 'balanced', a dict or None.")
    unknown = [name for name in weight if str(name) not in classes]
    if unknown:
        raise ValueError(f"class_weight names {unknown[0]!r}; the classes are {list(classes)}.")
    by_name = {str(name): check_number(w, f"class_weight[{name!r}]") for name, w in weight.items()}
    found = np.array([by_name.get(name, 1.0) for name in classes])
    if not found[np.unique(labels)].any():
        raise ValueError("class_weight gives every image the weight 0.")
    return found
