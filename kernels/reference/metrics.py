"""NumPy twins of the metrics' sums."""

from __future__ import annotations

import numpy as np

from ..metrics import ROWS


def row_sums(y, p, w, eps, threshold, partial):  # type: ignore[no-untyped-def]
    """partial (pieces of ROWS rows, 6): weighted sums of 1, label, p, loss, error^2, hits."""
    p, own = p.astype(np.float64), w if w.size else np.ones(p.size)
    loss = -np.log(np.clip(np.where(y, p, 1 - p), eps, 1 - eps))
    columns = own * np.array([np.ones(p.size), y, p, loss, (p - y) ** 2, (p > threshold) == y])
    partial[...] = np.add.reduceat(columns, np.arange(0, p.size, ROWS), axis=1).T


def bin_sums(y, p, w, edges, partial):  # type: ignore[no-untyped-def]
    """partial (pieces of ROWS rows, bins, 3): sums of weight, weighted p and weighted label."""
    p, own = p.astype(np.float64), w if w.size else np.ones(p.size)
    partial[...] = 0
    places = np.arange(p.size) // ROWS, np.searchsorted(edges, p)
    for column, values in enumerate((own, own * p, own * y)):
        np.add.at(partial[..., column], places, values)


def ranked_sums(keys, w, out):  # type: ignore[no-untyped-def]
    """out (5,): clicks, others, twice the pairs in order, average precision, PR area."""
    y = (keys & 1).astype(bool)
    own = w if w.size else np.ones(keys.size, np.int64)
    falling = (keys >> 1)[::-1]
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), keys.size - 1)
    clicks, others = (np.cumsum((own * which)[::-1])[last] for which in (y, ~y))
    new_clicks, new_others = np.diff(clicks, prepend=0), np.diff(others, prepend=0)
    with np.errstate(invalid="ignore"):
        precision = clicks / (clicks + others)
        precision = np.where(clicks + others > 0, precision, 1)
        before = np.concatenate(([1.0], precision[:-1]))
        out[0], out[1] = clicks[-1], others[-1]
        out[2] = np.sum(new_others * (2 * (clicks - new_clicks) + new_clicks))
        out[3] = np.sum(new_clicks * precision) / np.float64(clicks[-1])
        out[4] = np.sum(new_clicks * (precision + before)) / 2 / np.float64(clicks[-1])


def ranked_sums_of_groups(keys, w, bounds, out):  # type: ignore[no-untyped-def]
    """out (G, 5): ``ranked_sums`` of the rows bounds[g] to bounds[g + 1] for each group g."""
    for g, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
        ranked_sums(keys[start:stop], w[start:stop], out[g])
