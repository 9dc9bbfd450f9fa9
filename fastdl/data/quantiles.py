"""Borders of buckets that hold about equally many rows, in one pass and bounded memory."""

from __future__ import annotations

import numpy as np

from ..kernels.backend import ops
from ..kernels.scaling import BINS


class Quantiles:
    """Counts of values by their logarithm (DDSketch: Masson, Rim, Lee 2019).

    Values within 1 % of each other may be counted together. Nothing depends on the order of the
    rows. A border is the largest value of its bin, so small integers get exact borders.
    """

    def __init__(self) -> None:
        # of the memory for all bins, only what is touched is ever there
        self._counts, self._largest = np.zeros(2 * BINS + 1, np.int64), np.zeros(2 * BINS + 1)

    def add(self, values: np.ndarray) -> None:
        """Count finite values, float64 (n,); NaN is left out."""
        ops.count_sizes(values, self._counts, self._largest)

    @property
    def bins(self) -> int:
        """How many bins have values."""
        return int(np.count_nonzero(self._counts))

    def borders(self, buckets: int) -> list[float]:
        """At most buckets - 1 rising values: the i-th bucket ends with the i-th of them.

        A bin that holds most rows, were it the last, still has one of its own.
        """
        held = np.flatnonzero(self._counts)
        if len(held) < 2:
            return []
        counts = self._counts[held]
        share = np.cumsum(counts) / counts.sum()
        places = np.searchsorted(share, np.arange(1, buckets) / buckets)
        return np.unique(self._largest[held][np.minimum(places, len(held) - 2)]).tolist()
