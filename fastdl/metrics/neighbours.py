"""Nearest neighbours in blocks of bounded memory.

Distances are Euclidean. A block's come from one matrix product, |a|^2 + |b|^2 - 2 a.b, of rows
moved by the reference's mean; what that cannot tell apart is computed again from the differences
themselves, so that a row's distance from its own copy is exactly 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_size
from .checks import Floats
from .generated_checks import features_of, require_same_width

BLOCK = 1 << 22  # distances at a time: 32 MB
_CANDIDATES = 8  # beyond the k nearest by the product, which are measured exactly
_EPSILON = 2.0**-52


def nearest(query: ArrayLike, reference: ArrayLike, k: int = 1) -> tuple[Floats, np.ndarray]:
    """The k nearest rows of reference (M, F) to each row of query (N, F), nearest first.

    Returns Euclidean distances (N, k) float64 and indices (N, k) int64 into reference. A row that
    is in both is its own neighbour. Of equal distances the smaller index comes first, unless a row
    has more than k copies in reference: then some of them are told.
    Raises ValueError and TypeError for rows that do not fit, and for k beyond M.

    >>> distances, indices = nearest([[0.0], [5.0]], [[4.0], [1.0]])
    >>> distances.tolist(), indices.tolist()
    ([[1.0], [1.0]], [[1], [0]])
    """
    q, r = features_of("query", query), features_of("reference", reference)
    require_same_width("query", q, "reference", r)
    if check_size(k, "k") > len(r):
        raise ValueError(f"k is {k}; reference has {len(r)} rows.")
    return nearest_rows(q, r, k)


def nearest_in_parts(
    query: ArrayLike, parts: Iterable[np.ndarray], k: int = 1
) -> tuple[Floats, np.ndarray]:
    """``nearest`` of a reference that comes in parts; indices count over all of them.

    k: fewer are told where all parts together have fewer rows.

    >>> distances, indices = nearest_in_parts([[0.0]], iter([np.array([[4.0]]), np.array([[1.0]])]))
    >>> distances.tolist(), indices.tolist()
    ([[1.0]], [[1]])
    """
    query, before = np.asarray(query), 0
    distances: Floats = np.empty((len(query), 0))
    indices = np.empty((len(query), 0), np.int64)
    for part in parts:
        found, at = nearest(query, part, min(k, len(part)))
        distances = np.concatenate([distances, found], axis=1)
        indices = np.concatenate([indices, before + at], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        distances = np.take_along_axis(distances, order, axis=1)
        indices = np.take_along_axis(indices, order, axis=1)
        before += len(part)
    return distances, indices


def nearest_rows(query: Floats, reference: Floats, k: int) -> tuple[Floats, np.ndarray]:
    """``nearest`` of rows that are checked."""
    centre = reference.mean(axis=0)
    moved = reference - centre
    norms = np.einsum("ij,ij->i", moved, moved)
    distances = np.empty((len(query), k))
    indices = np.empty((len(query), k), np.int64)
    size = max(1, BLOCK // len(reference))
    for start in range(0, len(query), size):
        own = slice(start, start + size)
        squares = squares_of(query[own] - centre, moved, norms)
        distances[own], indices[own] = _smallest(squares, query[own], reference, k)
    return distances, indices


def squares_of(rows: Floats, moved: Floats, norms: Floats) -> Floats:
    """Squared distances (n, M) up to rounding, of rows (n, F) from moved (M, F)."""
    found: Floats = rows @ moved.T
    found *= -2
    found += norms
    found += np.einsum("ij,ij->i", rows, rows)[:, None]
    return found


def _smallest(
    squares: Floats, query: Floats, reference: Floats, k: int
) -> tuple[Floats, np.ndarray]:
    """The k nearest by exact distances, of those that come into question by ``squares``."""
    M = squares.shape[1]
    wide = min(M, k + _CANDIDATES)
    places = np.argpartition(squares, wide - 1, axis=1)[:, :wide] if wide < M else np.tile(
        np.arange(M), (len(squares), 1)
    )  # fmt: skip
    places.sort(axis=1)  # equal distances: the smaller index first
    exact = exact_distances(query, reference, places)
    order = np.argsort(exact, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(exact, order, axis=1)
    indices = np.take_along_axis(places, order, axis=1)
    if wide < M:
        _look_wider(squares, query, reference, distances, indices, places)
    return distances, indices


def exact_distances(query: Floats, reference: Floats, places: np.ndarray) -> Floats:
    """Distances (n, w) of query (n, F) from reference[places], in pieces of bounded memory."""
    found = np.empty(places.shape)
    size = max(1, BLOCK // (places.shape[1] * query.shape[1]))
    for start in range(0, len(query), size):
        own = slice(start, start + size)
        gaps = reference[places[own]] - query[own, None]
        found[own] = np.sqrt(np.einsum("nwf,nwf->nw", gaps, gaps))
    return found


def _look_wider(
    squares: Floats, query: Floats, reference: Floats, distances: Floats, indices: np.ndarray,
    places: np.ndarray,
) -> None:  # fmt: skip
    """Search rows again among all that rounding, or equal distances, may have kept out.

    ``places`` hold the smallest squares, so that nothing is left out where the largest of them is
    above the k-th distance by more than rounding. Nothing is nearer than 0.
    """
    slack = rounding(squares, query.shape[1])
    last = np.take_along_axis(squares, places, axis=1).max(axis=1)
    farthest = distances[:, -1]
    doubtful = (last - slack <= farthest**2 + slack) & (farthest > 0)
    for row in np.flatnonzero(doubtful):
        near = np.flatnonzero(squares[row] <= farthest[row] ** 2 + 2 * slack[row])
        exact = exact_distances(query[row : row + 1], reference, near[None])[0]
        order = np.argsort(exact, kind="stable")[: distances.shape[1]]
        distances[row], indices[row] = exact[order], near[order]


def rounding(squares: Floats, F: int) -> Floats:
    """A bound (n,) of the errors of ``squares_of`` (n, M), for rows of F columns.

    The rows' lengths are bounded by the largest distance, as their mean is 0.
    """
    largest: Floats = np.abs(squares).max(axis=1)
    return 16 * (F + 8) * _EPSILON * largest
