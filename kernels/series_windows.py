"""Windows of time series, gathered from one flat array and scaled, each by its own context.

A window has T = context + H steps. Row b of ``places`` (B, 6) says where it lies: the row in
``values`` of its first step, the first row of its series and the row behind the last one that may
be read, the row in ``known`` of its first step and the row behind the last one, and the row in
``calendar`` of its first step. Steps outside of these bounds are missing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("gather_windows",)

NO_SHIFT, MEAN, LAST = 0, 1, 2
NO_SCALE, MEAN_ABS, STD = 0, 1, 2

ELEMENTS = 65536  # of one task
FLAT = 1e-7  # a deviation that is smaller than this share of the mean is one of rounding


@jit(apart=True)
def context_stats(values, first, last, shift_by, scale_by, stats):  # type: ignore[no-untyped-def]
    """stats (2,) = shift and scale of the values from row ``first`` to before ``last``."""
    n, total, absolute, latest = 0, 0.0, 0.0, 0.0
    for i in range(first, last):
        v = np.float64(values[i])
        if v == v:
            n += 1
            total += v
            absolute += abs(v)
            latest = v
    mean = total / n if n > 0 else 0.0
    absolute = absolute / n if n > 0 else 0.0
    stats[0] = mean if shift_by == MEAN else (latest if shift_by == LAST else 0.0)
    scale = absolute
    if scale_by == STD:
        squares = 0.0
        for i in range(first, last):
            v = np.float64(values[i])
            if v == v:
                squares += (v - mean) * (v - mean)
        scale = math.sqrt(squares / n) if n > 0 else 0.0
        if not scale > FLAT * absolute:
            scale = absolute
    stats[1] = scale if scale_by != NO_SCALE and scale > 0 else 1.0


@jit(apart=True)
def _window(values, past, known, calendar, place, context, center, factor, stats, x, y, seen):  # type: ignore[no-untyped-def]
    """One window: x (T, 2 + P + K + C), y and seen (H,)."""
    T = x.shape[0]
    P, K, C = past.shape[1], known.shape[1], calendar.shape[1]
    real = x.dtype.type
    zero, one = real(0), real(1)
    shift, inverse = stats[0], 1.0 / stats[1]
    for t in range(T):
        row, own = place[0] + t, x[t]
        inside = place[1] <= row < place[2]
        own[0], own[1] = zero, zero
        if t >= context:
            y[t - context], seen[t - context] = zero, zero
        if inside:
            v = np.float64(values[row])
            if v == v:
                scaled = real((v - shift) * inverse)
                if t < context:
                    own[0], own[1] = scaled, one
                else:
                    y[t - context], seen[t - context] = scaled, one
        for j in range(P):
            own[2 + j] = zero
            if inside and t < context:
                v = past[row, j]
                if v == v:
                    own[2 + j] = (real(v) - center[j]) * factor[j]
        row_known = place[3] + t
        for j in range(K):
            own[2 + P + j] = zero
            if row >= place[1] and row_known < place[4]:
                own[2 + P + j] = (real(known[row_known, j]) - center[P + j]) * factor[P + j]
        row_clock = place[5] + t
        for j in range(C):
            own[2 + P + K + j] = zero
            if 0 <= row_clock < calendar.shape[0]:
                own[2 + P + K + j] = real(calendar[row_clock, j])


@jit(apart=True)
def _some_windows(  # type: ignore[no-untyped-def]
    values, past, known, calendar, places, start, stop, context, shift_by, scale_by, center, factor,
    x, y, seen, stats,
):  # fmt: skip
    for b in range(start, stop):
        place = places[b]
        first, last = max(place[0], place[1]), min(place[0] + context, place[2])
        context_stats(values, first, last, shift_by, scale_by, stats[b])
        _window(
            values, past, known, calendar, place, context, center, factor, stats[b], x[b], y[b],
            seen[b],
        )  # fmt: skip


@jit(parallel=True)
def gather_windows(  # type: ignore[no-untyped-def]
    values, past, known, calendar, places, context, shift_by, scale_by, center, factor, x, y, seen,
    stats,
):  # fmt: skip
    """x (B, T, 2 + P + K + C), y and seen (B, H), stats (B, 2) from values (N,).

    x has in its channels the scaled value, 1 where there is one, past (N, P), known (M, K) and
    calendar (A, C); what is missing, and in the horizon the first 2 + P channels, is 0. y has the
    scaled values of the horizon, seen 1 where there is one. Scaled is (value - shift) / scale, with
    stats = (shift, scale) of the context: shift_by NO_SHIFT, MEAN or LAST (value), scale_by
    NO_SCALE, MEAN_ABS or STD; where that is 0 the mean of |value|, where this is 0 one. Covariates
    become (c - center) factor, both (P + K,).
    """
    B, T, D = x.shape
    rows = max(1, ELEMENTS // max(1, T * D))
    tasks = pieces(B, rows)
    if tasks <= 1:
        _some_windows(
            values, past, known, calendar, places, np.int64(0), B, context, shift_by, scale_by,
            center, factor, x, y, seen, stats,
        )  # fmt: skip
    else:
        for task in prange(tasks):  # each task owns some windows
            start = np.int64(task) * rows
            stop = min(start + rows, B)
            _some_windows(
                values, past, known, calendar, places, start, stop, context, shift_by, scale_by,
                center, factor, x, y, seen, stats,
            )  # fmt: skip
