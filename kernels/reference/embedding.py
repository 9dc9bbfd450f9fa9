"""NumPy twins of the embedding kernels."""

from __future__ import annotations

import numpy as np


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
