"""Balls around rows, which stand for where rows of their kind are: precision, recall and others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_size
from .checks import Floats
from .generated_checks import features_of, require_same_width
from .neighbours import BLOCK, exact_distances, nearest_rows, rounding, squares_of


def neighbour_scores(real: ArrayLike, generated: ArrayLike, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage of generated rows (M, F) for real ones (N, F).

    A row's ball reaches to its k-th nearest neighbour among its own kind. "precision": share of
    generated rows in any real row's ball; "recall": share of real rows in any generated row's ball
    (Kynkäänniemi et al. 2019, equations 1 and 2). "density": how many real balls a generated row is
    in, divided by k; "coverage": share of real rows whose ball has a generated row in it (Naeem et
    al. 2020, equations 3 and 5). density may exceed 1. Other real rows in the place of the
    generated ones say what can be reached.

    Raises ValueError and TypeError for rows that do not fit, and for k rows or fewer.

    >>> real = np.random.default_rng(0).standard_normal((200, 2))
    >>> neighbour_scores(real, real[:20] + 1e-6)["precision"]
    1.0
    """
    k = check_size(k, "k")
    why = f"A row needs k = {k} neighbours besides itself."
    r = features_of("real", real, k + 1, why)
    g = features_of("generated", generated, k + 1, why)
    require_same_width("real", r, "generated", g)
    of_real, of_generated = _reach(r, k), _reach(g, k)
    balls = np.zeros(len(g), np.int64)  # real ones that a generated row is in
    covered, recalled = np.zeros(len(r), bool), np.zeros(len(r), bool)
    for own, in_real, in_generated in _inside(r, g, of_real, of_generated):
        balls += in_real.sum(axis=0)
        covered[own] = in_real.any(axis=1)
        recalled[own] = in_generated.any(axis=1)
    return {
        "precision": float(np.mean(balls > 0)),
        "recall": float(np.mean(recalled)),
        "density": float(np.mean(balls) / k),
        "coverage": float(np.mean(covered)),
    }


def _reach(rows: Floats, k: int) -> Floats:
    """Of each row (N, F) the distance from its k-th nearest other row."""
    return nearest_rows(rows, rows, k + 1)[0][:, -1]  # it is its own first, or a copy of it is


def _inside(
    r: Floats, g: Floats, of_real: Floats, of_generated: Floats
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Blocks of real rows: (rows, which generated rows their balls hold, whose balls hold them)."""
    centre = g.mean(axis=0)
    moved = g - centre
    norms = np.einsum("ij,ij->i", moved, moved)
    size = max(1, BLOCK // len(g))
    for start in range(0, len(r), size):
        own = slice(start, start + size)
        squares = squares_of(r[own] - centre, moved, norms)
        slack = rounding(squares, r.shape[1])[:, None]
        found = []
        for reach in (of_real[own, None], of_generated[None]):
            inside = squares <= reach**2
            # where the product's rounding decides, the differences themselves do
            row, other = np.nonzero(np.abs(squares - reach**2) <= slack)
            if len(row):
                exact = exact_distances(r[own][row], g, other[:, None])[:, 0]
                inside[row, other] = exact <= np.broadcast_to(reach, squares.shape)[row, other]
            found.append(inside)
        yield own, found[0], found[1]
