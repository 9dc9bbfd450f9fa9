"""Borders of buckets that hold about equally many rows, in one pass and bounded memory."""

from __future__ import annotations

import numpy as np

_ACCURACY = 0.005  # relative, of a border


class Quantiles:
    """Counts of values by their logarithm (DDSketch: Masson, Rim, Lee 2019).

    Values within 1 % of each other may be counted together. Nothing depends on the order of the
    rows. A border is the largest value of its bin, so small integers get exact borders.
    """

    def __init__(self) -> None:
        self.bins, self.counts = np.empty(0, np.int64), np.empty(0, np.int64)
        self.largest = np.empty(0)

    def add(self, values: np.ndarray) -> None:
        """Count finite values, float64 (n,)."""
        step = np.log((1 + _ACCURACY) / (1 - _ACCURACY))
        size = np.abs(values)
        with np.errstate(divide="ignore"):
            place = np.ceil(np.log(size) / step)
        place = np.where(size > 0, place + 1_000_000, 0).astype(np.int64)  # above 0 for all doubles
        bins = np.concatenate([self.bins, np.where(values < 0, -place, place)])
        counts = np.concatenate([self.counts, np.ones(len(values), np.int64)])
        largest = np.concatenate([self.largest, values])
        self.bins, at = np.unique(bins, return_inverse=True)
        self.counts = np.bincount(at, counts, len(self.bins)).astype(np.int64)
        self.largest = np.full(len(self.bins), -np.inf)
        np.maximum.at(self.largest, at, largest)

    def borders(self, buckets: int) -> list[float]:
        """At most buckets - 1 rising values: the i-th bucket ends with the i-th of them.

        A bin that holds most rows, were it the last, still has one of its own.
        """
        if len(self.bins) < 2:
            return []
        share = np.cumsum(self.counts) / self.counts.sum()
        places = np.searchsorted(share, np.arange(1, buckets) / buckets)
        return np.unique(self.largest[np.minimum(places, len(self.bins) - 2)]).tolist()
