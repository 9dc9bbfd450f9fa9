"""NumPy twins of the embedding kernels."""

from __future__ import annotations

import numpy as np

from ..embedding import SEQUENCES


def locate_ids(ids, offsets, sizes, rows, bad):  # type: ignore[no-untyped-def]
    """rows[b, f] = ids[b, f] + offsets[f]; bad[0] = number of ids outside of [0, sizes[f])."""
    rows[...] = ids.astype(np.int64) + offsets
    bad[0] = np.sum((ids < 0) | (ids >= sizes))


def lookup_rows(table, rows, out):  # type: ignore[no-untyped-def]
    """out[b, f] = table[rows[b, f]]; table (R, K), rows (B, F) int64, out (B, F or more, K)."""
    out[:, : rows.shape[1]] = table[rows]


def sum_rows_of_width_one(weights, rows, out):  # type: ignore[no-untyped-def]
    """out[b] = sum over f of weights[rows[b, f]]; weights (R,), rows (B, F) int64, out (B,)."""
    out[...] = weights[rows].sum(axis=1)


def pool_rows(values, bounds, mean, out):  # type: ignore[no-untyped-def]
    """out[b] = sum or mean of values[bounds[b] : bounds[b + 1]], 0 where that is empty."""
    lengths = np.diff(bounds)
    out[...] = 0
    np.add.at(out, np.repeat(np.arange(len(out)), lengths), values)
    if mean:
        out /= np.maximum(lengths, 1)[:, None].astype(out.dtype)


def pool_rows_backward(dout, bounds, mean, dvalues):  # type: ignore[no-untyped-def]
    """dvalues of ``pool_rows``; dout (B, K), bounds (B + 1,), dvalues (n, K)."""
    lengths = np.diff(bounds)
    shares = dout / np.maximum(lengths, 1)[:, None].astype(dout.dtype) if mean else dout
    dvalues[...] = np.repeat(shares, lengths, axis=0)


def attend_rows(values, bounds, query, weights, out):  # type: ignore[no-untyped-def]
    """out[b] = sum of w_i values[i] over a sequence, w = softmax of <values[i], query> in it."""
    for b in range(len(out)):
        own = slice(bounds[b], bounds[b + 1])
        scores = values[own] @ query
        e = np.exp(scores - scores.max(initial=-np.inf))
        weights[own] = e / e.sum()
        out[b] = weights[own] @ values[own]


def attend_rows_backward(
    values, bounds, query, weights, dout, dvalues, dquery
):  # type: ignore[no-untyped-def]  # fmt: skip
    """dvalues (n, K) and parts of dquery (pieces of SEQUENCES rows, K), whose sum it is."""
    dquery[...] = 0
    for b in range(len(dout)):
        own = slice(bounds[b], bounds[b + 1])
        w, v = weights[own], values[own]
        gain = v @ dout[b]
        dscore = w * (gain - w @ gain)
        dvalues[own] = np.outer(w, dout[b]) + np.outer(dscore, query)
        dquery[b // SEQUENCES] += dscore @ v
