"""Rows of embedding tables: where each id's row lies, looking rows up, pooling rows of sequences.

All tables of one width lie one behind the other in one array, so an id becomes a row of that array
by adding its table's offset; everything behind that knows rows only.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .lanes import copy_row
from .math import exp

KERNELS = (
    "locate_ids", "lookup_rows", "sum_rows_of_width_one", "pool_rows", "pool_rows_backward",
    "attend_rows", "attend_rows_backward",
)  # fmt: skip

ENTRIES = 4096  # looked up by one task
SEQUENCES = 512  # pooled by one task


@jit(apart=True)
def _locate(ids, offsets, sizes, rows, start, stop):  # type: ignore[no-untyped-def]
    F = sizes.size
    bad = 0
    for b in range(start, stop):
        own, row = ids[b], rows[b]
        for f in range(F):
            i = np.int64(own[f])
            bad += (i < 0) | (i >= sizes[f])
            row[f] = i + offsets[f]
    return bad


@jit(parallel=True)
def locate_ids(ids, offsets, sizes, rows, bad):  # type: ignore[no-untyped-def]
    """rows[b, f] = ids[b, f] + offsets[f]; bad[0] = number of ids outside of [0, sizes[f]).

    ids (B, F) of any integer type; offsets, sizes (F,); rows (B, F) int64.
    """
    B, F = rows.shape
    step = max(1, ENTRIES * 4 // max(F, 1))
    tasks = pieces(B, step)
    if tasks <= 1:
        bad[0] = _locate(ids, offsets, sizes, rows, np.int64(0), B)
    else:
        found = np.zeros(tasks, np.int64)
        for task in prange(tasks):  # each task owns some rows of ``rows``
            start = np.int64(task) * step
            found[task] = _locate(ids, offsets, sizes, rows, start, min(start + step, B))
        bad[0] = 0
        for task in range(tasks):
            bad[0] += found[task]


@jit(apart=True)
def _lookup(table, rows, start, stop, out):  # type: ignore[no-untyped-def]
    K = np.uint64(table.shape[1])
    flat = table.reshape(-1)
    for b in range(start, stop):
        own, target, place = rows[b], out[b].reshape(-1), np.uint64(0)
        for f in range(own.size):
            copy_row(target, place, flat, np.uint64(own[f]) * K, K)
            place += K


@jit(parallel=True)
def lookup_rows(table, rows, out):  # type: ignore[no-untyped-def]
    """out[b, f] = table[rows[b, f]]; table (R, K), rows (B, F) int64, out (B, F or more, K)."""
    B, F = rows.shape
    step = max(1, ENTRIES // max(F, 1))
    tasks = pieces(B, step)
    if tasks <= 1:
        _lookup(table, rows, np.int64(0), B, out)
    else:
        for task in prange(tasks):  # each task owns some rows of out
            start = np.int64(task) * step
            _lookup(table, rows, start, min(start + step, B), out)


@jit(apart=True)
def _sums(weights, rows, start, stop, out):  # type: ignore[no-untyped-def]
    F = rows.shape[1]
    for b in range(start, stop):
        own = rows[b]
        total = weights.dtype.type(0)
        for f in range(F):
            total += weights[np.uint64(own[f])]  # a signed index is looked at for its sign
        out[b] = total


@jit(parallel=True)
def sum_rows_of_width_one(weights, rows, out):  # type: ignore[no-untyped-def]
    """out[b] = sum over f of weights[rows[b, f]]; weights (R,), rows (B, F) int64, out (B,)."""
    B, F = rows.shape
    step = max(1, ENTRIES // max(F, 1))
    tasks = pieces(B, step)
    if tasks <= 1:
        _sums(weights, rows, np.int64(0), B, out)
    else:
        for task in prange(tasks):  # each task owns some elements of out
            start = np.int64(task) * step
            _sums(weights, rows, start, min(start + step, B), out)


@jit(apart=True)
def _pool(values, bounds, mean, start, stop, out):  # type: ignore[no-untyped-def]
    K = out.shape[1]
    real = out.dtype.type
    for b in range(start, stop):
        target = out[b]
        for k in range(K):
            target[k] = real(0)
        for i in range(bounds[b], bounds[b + 1]):
            source = values[i]
            for k in range(K):
                target[k] += source[k]
        length = bounds[b + 1] - bounds[b]
        if mean and length > 1:
            share = real(1) / real(length)
            for k in range(K):
                target[k] *= share


@jit(parallel=True)
def pool_rows(values, bounds, mean, out):  # type: ignore[no-untyped-def]
    """out[b] = sum or mean of values[bounds[b] : bounds[b + 1]], 0 where that is empty.

    values (n, K), bounds (B + 1,) int64, out (B, K).
    """
    B = out.shape[0]
    tasks = pieces(B, SEQUENCES)
    if tasks <= 1:
        _pool(values, bounds, mean, np.int64(0), B, out)
    else:
        for task in prange(tasks):  # each task owns some rows of out
            start = np.int64(task) * SEQUENCES
            _pool(values, bounds, mean, start, min(start + SEQUENCES, B), out)


@jit(apart=True)
def _pool_backward(dout, bounds, mean, start, stop, dvalues):  # type: ignore[no-untyped-def]
    K = dout.shape[1]
    real = dout.dtype.type
    for b in range(start, stop):
        source = dout[b]
        length = bounds[b + 1] - bounds[b]
        share = real(1) / real(length) if mean and length > 1 else real(1)
        for i in range(bounds[b], bounds[b + 1]):
            target = dvalues[i]
            for k in range(K):
                target[k] = source[k] * share


@jit(parallel=True)
def pool_rows_backward(dout, bounds, mean, dvalues):  # type: ignore[no-untyped-def]
    """dvalues of ``pool_rows``; dout (B, K), bounds (B + 1,), dvalues (n, K)."""
    B = dout.shape[0]
    tasks = pieces(B, SEQUENCES)
    if tasks <= 1:
        _pool_backward(dout, bounds, mean, np.int64(0), B, dvalues)
    else:
        for task in prange(tasks):  # each task owns the sequences of some rows
            start = np.int64(task) * SEQUENCES
            _pool_backward(dout, bounds, mean, start, min(start + SEQUENCES, B), dvalues)


@jit(apart=True)
def _attend(values, bounds, query, start, stop, weights, out):  # type: ignore[no-untyped-def]
    K = out.shape[1]
    real = out.dtype.type
    for b in range(start, stop):
        target = out[b]
        for k in range(K):
            target[k] = real(0)
        first, end = bounds[b], bounds[b + 1]
        highest = real(-np.inf)
        for i in range(first, end):
            source, score = values[i], real(0)
            for k in range(K):
                score += source[k] * query[k]
            weights[i] = score
            highest = max(highest, score)
        mass = real(0)
        for i in range(first, end):
            weights[i] = exp(weights[i] - highest)
            mass += weights[i]
        for i in range(first, end):
            weights[i] /= mass
            source, share = values[i], weights[i]
            for k in range(K):
                target[k] += share * source[k]


@jit(parallel=True)
def attend_rows(values, bounds, query, weights, out):  # type: ignore[no-untyped-def]
    """out[b] = sum of w_i values[i] over a sequence, w = softmax of <values[i], query> in it.

    values (n, K), bounds (B + 1,) int64, query (K,), weights (n,), out (B, K); 0 where empty.
    """
    B = out.shape[0]
    for task in prange(pieces(B, SEQUENCES)):  # each task owns the sequences of some rows
        start = np.int64(task) * SEQUENCES
        _attend(values, bounds, query, start, min(start + SEQUENCES, B), weights, out)


@jit(apart=True)
def _attend_backward(
    values, bounds, query, weights, dout, start, stop, dvalues, dquery
):  # type: ignore[no-untyped-def]  # fmt: skip
    K = dout.shape[1]
    real = dout.dtype.type
    for k in range(K):
        dquery[k] = real(0)
    for b in range(start, stop):
        source = dout[b]
        first, end = bounds[b], bounds[b + 1]
        mean = real(0)
        for i in range(first, end):
            own, gain = values[i], real(0)
            for k in range(K):
                gain += own[k] * source[k]
            mean += weights[i] * gain
        for i in range(first, end):
            own, target, gain = values[i], dvalues[i], real(0)
            for k in range(K):
                gain += own[k] * source[k]
            dscore = weights[i] * (gain - mean)
            for k in range(K):
                target[k] = weights[i] * source[k] + dscore * query[k]
            for k in range(K):
                dquery[k] += dscore * own[k]


@jit(parallel=True)
def attend_rows_backward(
    values, bounds, query, weights, dout, dvalues, dquery
):  # type: ignore[no-untyped-def]  # fmt: skip
    """dvalues (n, K) and parts of dquery (pieces of SEQUENCES rows, K), whose sum it is."""
    B = dout.shape[0]
    for task in prange(dquery.shape[0]):  # each task owns some sequences and a row of dquery
        start = np.int64(task) * SEQUENCES
        stop = min(start + SEQUENCES, B)
        _attend_backward(values, bounds, query, weights, dout, start, stop, dvalues, dquery[task])
