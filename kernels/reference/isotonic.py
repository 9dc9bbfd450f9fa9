"""NumPy twin of isotonic regression, by the max-min formula: slow, and nothing to get wrong."""

from __future__ import annotations

import numpy as np


def pool_adjacent_violators(y, w, out):  # type: ignore[no-untyped-def]
    """out[i] = max over a <= i of min over b >= i of the weighted mean of y[a : b + 1]."""
    wy, ww = np.concatenate(([0.0], np.cumsum(w * y))), np.concatenate(([0.0], np.cumsum(w)))
    highest = np.full(y.size, -np.inf)
    for a in range(y.size):
        means = (wy[a + 1 :] - wy[a]) / (ww[a + 1 :] - ww[a])
        smallest = np.minimum.accumulate(means[::-1])[::-1]
        highest[a:] = np.maximum(highest[a:], smallest)
    out[...] = highest
