"""Sums over the rows of a test set, and over their ranking by predicted probability.

Labels y are bool (n,), probabilities p float32 or float64 (n,), weights w float64 (n,) or (0,) for
rows that all count 1. Everything is summed in float64.

A ranking is an array of keys that rises: the bits of a probability, which order as the numbers do,
with the label as the lowest bit. Sorting keys is sorting integers.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .math import log

KERNELS = ("row_sums", "bin_sums", "ranked_sums", "ranked_sums_of_groups")

ROWS = 32768  # in one task
WEIGHT, CLICKS, PREDICTED, LOSS, SQUARES, CORRECT = range(6)  # columns of row_sums


@jit(apart=True)
def _row_sums(y, p, w, eps, threshold, out):  # type: ignore[no-untyped-def]
    weight = clicks = predicted = loss = squares = correct = 0.0
    for i in range(p.size):
        own = w[i] if w.size > 0 else 1.0
        click = 1.0 if y[i] else 0.0
        share = np.float64(p[i])
        happened = min(max(share if y[i] else 1.0 - share, eps), 1.0 - eps)
        weight += own
        clicks += own * click
        predicted += own * share
        loss -= own * log(happened)
        squares += own * (share - click) * (share - click)
        correct += own if (share > threshold) == y[i] else 0.0
    out[0], out[1], out[2], out[3], out[4], out[5] = (
        weight, clicks, predicted, loss, squares, correct,
    )  # fmt: skip


@jit(parallel=True)
def row_sums(y, p, w, eps, threshold, partial):  # type: ignore[no-untyped-def]
    """partial (pieces of ROWS rows, 6): sums of the weights, and of weights times

    the label, the probability, -log of what happened clipped to [eps, 1 - eps], the squared error,
    and whether p > threshold equals the label.
    """
    n = p.size
    for task in prange(pieces(n, ROWS)):  # each task owns a row of partial
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, n))
        _row_sums(y[own], p[own], w[own] if w.size > 0 else w, eps, threshold, partial[task])


@jit(apart=True)
def _bin_sums(y, p, w, edges, out):  # type: ignore[no-untyped-def]
    out[...] = 0.0
    for i in range(p.size):
        share = np.float64(p[i])
        first, last = 0, edges.size
        while first < last:  # the first edge that is not below the probability
            middle = (first + last) // 2
            if edges[middle] < share:
                first = middle + 1
            else:
                last = middle
        own = w[i] if w.size > 0 else 1.0
        out[first, 0] += own
        out[first, 1] += own * share
        out[first, 2] += own if y[i] else 0.0


@jit(parallel=True)
def bin_sums(y, p, w, edges, partial):  # type: ignore[no-untyped-def]
    """partial (pieces of ROWS rows, bins, 3): sums of weight, weighted p and weighted label a bin.

    edges (bins - 1,) rise; bin b holds the rows with edges[b - 1] < p <= edges[b].
    """
    n = p.size
    for task in prange(pieces(n, ROWS)):  # each task owns one matrix of partial
        own = slice(np.int64(task) * ROWS, min((np.int64(task) + 1) * ROWS, n))
        _bin_sums(y[own], p[own], w[own] if w.size > 0 else w, edges, partial[task])


@jit(apart=True)
def _walk(keys, w, start, stop, out):  # type: ignore[no-untyped-def]
    """Clicks, others, twice the ordered pairs, average precision, area under the PR curve.

    From the highest probability down.
    """
    clicks = others = pairs = 0.0
    steps = area = 0.0
    precision = 1.0
    i = stop - 1
    while i >= start:
        probability = keys[i] >> keys.dtype.type(1)
        new_clicks = new_others = 0.0
        while i >= start and keys[i] >> keys.dtype.type(1) == probability:
            if keys[i] & keys.dtype.type(1):
                new_clicks += w[i] if w.size > 0 else 1.0
            else:
                new_others += w[i] if w.size > 0 else 1.0
            i -= 1
        pairs += new_others * (2 * clicks + new_clicks)
        clicks += new_clicks
        others += new_others
        if clicks + others > 0:
            before, precision = precision, clicks / (clicks + others)
            steps += new_clicks * precision
            area += new_clicks * (precision + before) / 2
    out[0], out[1], out[2] = clicks, others, pairs
    out[3] = steps / clicks if clicks > 0 else np.nan
    out[4] = area / clicks if clicks > 0 else np.nan


@jit
def ranked_sums(keys, w, out):  # type: ignore[no-untyped-def]
    """out (5,): clicks C, others O, twice the pairs in order, average precision, PR area.

    keys (n,) rise; w (n,) in their order, or (0,). The AUC is out[2] / (2 C O): pairs of a click
    and another row where the click is above, and half of those where they are level. Without
    weights every sum but the last two is a whole number, and exact below 2^53: for 134 million
    rows in any case, for 2 billion where one row in 1000 is a click.
    """
    _walk(keys, w, np.int64(0), keys.size, out)


@jit(parallel=True)
def ranked_sums_of_groups(keys, w, bounds, out):  # type: ignore[no-untyped-def]
    """out (G, 5): ``ranked_sums`` of the rows bounds[g] to bounds[g + 1] for each group g.

    keys rise within each group. bounds (G + 1,) int64.
    """
    for g in prange(out.shape[0]):  # each task owns a row of out
        group = np.int64(g)
        _walk(keys, w, bounds[group], bounds[group + 1], out[group])
