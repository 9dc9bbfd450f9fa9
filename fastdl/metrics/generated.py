"""Metrics of generated rows, such as images' features, beside real ones.

Distances and shares are float64 whatever the rows' dtype. None of them means much alone: compare
with the same metric of real rows against other real rows, of the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_number, check_size
from .balls import neighbour_scores
from .checks import Floats
from .class_checks import indices
from .generated_checks import features_of, require_same_width
from .neighbours import nearest

__all__ = [
    "class_shares",
    "frechet_distance",
    "kernel_distance",
    "mode_counts",
    "nearest",
    "neighbour_scores",
]


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Squared Fréchet distance of the Gaussians with the mean and covariance of a (N, F), b (M, F).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Dowson & Landau 1982; Heusel et al. 2017 on
    features of images), with unbiased covariances. It is 0 for equal ones, and in the square of the
    features' unit. Of finitely many rows it is too large, the more so the fewer there are.

    Raises ValueError and TypeError for rows that do not fit, and for F rows or fewer: their
    covariance has no inverse, and the distance would mostly tell how few they are.

    >>> x = np.random.default_rng(0).standard_normal((50, 2))
    >>> round(frechet_distance(x, x + 1.0), 6)
    2.0
    """
    parts = []
    for name, values in (("a", a), ("b", b)):
        rows = features_of(name, values)
        N, F = rows.shape
        if N <= F:
            raise ValueError(
                f"{name} has {N} rows of {F} features; the Fréchet distance needs more rows than "
                "features. Generate more, or use kernel_distance."
            )
        parts.append(rows)
    require_same_width("a", parts[0], "b", parts[1])
    means = [rows.mean(axis=0) for rows in parts]
    # With C = R'R, (C_a C_b)^(1/2) has the trace of the singular values of R_a R_b'. Square roots
    # of the covariances' eigenvalues would lose half of all digits where features are constant.
    first, second = (_root(rows - mean) for rows, mean in zip(parts, means, strict=True))
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    found = np.sum((means[0] - means[1]) ** 2) + np.sum(first**2) + np.sum(second**2) - 2 * shared
    return max(0.0, float(found))


def _root(rows: Floats) -> Floats:
    """R (F, F) with R'R = the covariance of rows (N, F) of mean 0."""
    found: Any = np.linalg.qr(rows / np.sqrt(len(rows) - 1), mode="r")
    return np.asarray(found, np.float64)


def kernel_distance(
    a: ArrayLike, b: ArrayLike, *, subset: int = 1000, subsets: int = 10,
    rng: np.random.Generator | None = None,
) -> float:  # fmt: skip
    """Squared maximum mean discrepancy of a (N, F), b (M, F) with kernel k = (x.y / F + 1)^3.

    mean of k(a_i, a_j), i != j, plus that of b, minus 2 mean of k(a_i, b_j): unbiased, so that it
    is about 0 for rows of one distribution, and may be negative (Gretton et al. 2012, equation 3;
    Bińkowski et al. 2018 on features of images). The mean over ``subsets`` draws of ``subset`` rows
    of either, without replacement, from NumPy's global state or ``rng``; where a or b has no more
    rows than that, all of the smaller one and as many of the other.

    Raises ValueError and TypeError for rows that do not fit, and for less than 2.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((2, 500, 4))
    >>> abs(kernel_distance(x, y, rng=rng)) < 0.05 < kernel_distance(x, y + 1, rng=rng)
    True
    """
    x, y = features_of("a", a, 2), features_of("b", b, 2)
    require_same_width("a", x, "b", y)
    size = min(check_size(subset, "subset"), len(x), len(y))
    if size < 2:
        raise ValueError(f"subset is {subset}; expected 2 or more.")
    count = 1 if size == len(x) == len(y) else check_size(subsets, "subsets")
    found = []
    for _ in range(count):
        found.append(_discrepancy(_drawn(x, size, rng), _drawn(y, size, rng)))
    return float(np.mean(found))


def _drawn(rows: Floats, size: int, rng: np.random.Generator | None) -> Floats:
    if size == len(rows):
        return rows
    order = np.random.permutation(len(rows)) if rng is None else rng.permutation(len(rows))
    return rows[order[:size]]


def _discrepancy(x: Floats, y: Floats) -> float:
    m, F = x.shape
    inside = 0.0
    for rows in (x, y):
        kernel = (rows @ rows.T / F + 1) ** 3
        inside += float(kernel.sum() - np.trace(kernel))
    return inside / (m * (m - 1)) - 2 * float(np.mean((x @ y.T / F + 1) ** 3))


def class_shares(labels: ArrayLike, classes: int) -> dict[str, Any]:
    """How labels (N,), from 0 to classes - 1, spread over the classes.

    "shares" (classes,): of each class, from 0 to 1; "smallest" and "largest" of them; "entropy":
    -sum of share log share in nats, log(classes) where all are equal. Raises as other metrics.

    >>> found = class_shares([0, 0, 1, 2], 4)
    >>> found["shares"].tolist(), found["smallest"], round(found["entropy"], 4)
    ([0.5, 0.25, 0.25, 0.0], 0.0, 1.0397)
    """
    own = indices("labels", labels, check_size(classes, "classes"))
    shares = np.bincount(own, minlength=classes) / len(own)
    some = shares[shares > 0]
    return {
        "shares": shares,
        "entropy": max(0.0, float(-np.sum(some * np.log(some)))),
        "smallest": float(shares.min()),
        "largest": float(shares.max()),
    }


def mode_counts(
    points: ArrayLike, centres: ArrayLike, std: float, *, least: int = 1
) -> dict[str, Any]:
    """How points (N, D) spread over modes around centres (K, D) of standard deviation ``std``.

    A point is good within 3 std of its nearest centre, and a mode found where it has ``least`` good
    points (Srivastava et al. 2017, section 4.1). "modes": how many are found; "good": the share of
    good points, of 0.989 for Gaussians themselves in the plane; "counts" (K,) int64: each mode's
    good points.

    >>> found = mode_counts([[0.0, 0.1], [0.1, 0.0], [5.0, 5.0]], [[0.0, 0.0], [4.0, 4.0]], 0.1)
    >>> found["modes"], round(found["good"], 3), found["counts"].tolist()
    (1, 0.667, [2, 0])
    """
    x, middles = features_of("points", points), features_of("centres", centres)
    require_same_width("points", x, "centres", middles)
    distance, mode = nearest(x, middles)
    good = distance[:, 0] <= 3 * check_number(std, "std", open_low=True)
    counts = np.bincount(mode[good, 0], minlength=len(middles))
    return {
        "modes": int(np.count_nonzero(counts >= check_size(least, "least"))),
        "good": float(np.mean(good)),
        "counts": counts,
    }
