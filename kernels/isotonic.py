"""Isotonic regression: the rising sequence that is nearest to given values, in one pass."""

from __future__ import annotations

import numpy as np

from .jit import jit

KERNELS = ("pool_adjacent_violators",)


@jit
def pool_adjacent_violators(y, w, out):  # type: ignore[no-untyped-def]
    """out (n,): rises, and minimises sum of w (out - y)^2; y, w (n,) float64, w above 0.

    Neighbours that fall are joined to their mean until none falls (Ayer et al. 1955; Best and
    Chakravarti 1990, Active set algorithms for isotonic regression).
    """
    n = y.size
    means, weights = np.empty(n), np.empty(n)
    stops = np.empty(n, np.int64)  # where each block ends
    blocks = 0
    for i in range(n):
        means[blocks], weights[blocks], stops[blocks] = y[i], w[i], i + 1
        while blocks > 0 and means[blocks - 1] >= means[blocks]:
            both = weights[blocks - 1] + weights[blocks]
            share = weights[blocks] / both
            means[blocks - 1] += share * (means[blocks] - means[blocks - 1])
            weights[blocks - 1], stops[blocks - 1] = both, stops[blocks]
            blocks -= 1
        blocks += 1
    start = 0
    for block in range(blocks):
        for i in range(start, stops[block]):
            out[i] = means[block]
        start = stops[block]
