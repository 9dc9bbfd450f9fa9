"""Numeric columns of logs: their scale, their place among borders, how often sizes came.

Values x are float64 (n,), NaN where missing; s is sign(x) log(1 + |x|) with ``logarithm``, else x.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .math import log, log1p_of_positive
from .math_primitives import copysign

KERNELS = ("moments", "standardize", "bucket_ids", "count_sizes")

ROWS = 8192  # values of one task
BINS = 150_000  # of either sign: the sizes of all doubles from the smallest to the largest
ACCURACY = 0.005  # relative, of a bin's middle (DDSketch: Masson, Rim, Lee 2019)
_STEP = np.log((1 + ACCURACY) / (1 - ACCURACY))
_LOWEST = 74_500  # bins below 1
_1 = np.uint64(1)
_SOME = 256  # values whose bins are computed together


@jit(inline=True)
def _scaled(x, logarithm):  # type: ignore[no-untyped-def]
    return copysign(log1p_of_positive(abs(x)), x) if logarithm else x


@jit(apart=True)
def _moments(values, logarithm, out):  # type: ignore[no-untyped-def]
    first = 0
    while first < values.size and np.isnan(values[first]):
        first += 1
    out[0], out[1], out[2] = 0.0, 0.0, 0.0
    if first == values.size:
        return
    origin = _scaled(values[first], logarithm)  # so that the squares of a constant are 0
    count = total = squares = 0.0
    for i in range(values.size):
        x = values[i]
        there = x == x
        apart = _scaled(x, logarithm) - origin if there else 0.0
        count += 1.0 if there else 0.0
        total += apart
        squares += apart * apart
    out[0], out[1], out[2] = count, origin + total / count, squares - total * (total / count)


@jit(parallel=True)
def moments(values, logarithm, partial):  # type: ignore[no-untyped-def]
    """partial (pieces of ROWS values, 3): of those that are there, how many, the mean of s, and

    the sum of (s - mean)^2. No value is infinite.
    """
    n = values.size
    for task in prange(pieces(n, ROWS)):  # each task owns a row of partial
        start = np.int64(task) * ROWS
        _moments(values[start : min(start + ROWS, n)], logarithm, partial[task])


@jit(apart=True)
def _standardize(values, logarithm, mean, factor, out, absent):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        x = values[i]
        there = x == x
        out[i] = (_scaled(x, logarithm) - mean) * factor if there else 0.0
        absent[i] = not there


@jit(parallel=True)
def standardize(values, logarithm, mean, std, out, absent):  # type: ignore[no-untyped-def]
    """out = (s - mean) / std, 0 where missing; absent (n,) bool says where. out (n,) float64."""
    n = values.size
    for task in prange(pieces(n, ROWS)):  # each task owns ROWS elements of out and absent
        start = np.int64(task) * ROWS
        own = slice(start, min(start + ROWS, n))
        _standardize(values[own], logarithm, mean, 1.0 / std, out[own], absent[own])


@jit(apart=True)
def _bucket_ids(values, borders, out):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        x = values[i]
        place, left = np.uint64(0), np.uint64(borders.size)
        while left > _1:  # the same steps for every value: no branch to guess
            half = left >> _1
            place += half * np.uint64(borders[place + half - _1] < x)
            left -= half
        place += np.uint64(left == _1 and borders[place] < x)
        out[i] = place + _1 if x == x else 0


@jit(parallel=True)
def bucket_ids(values, borders, out):  # type: ignore[no-untyped-def]
    """out[i] = 1 + the number of borders below values[i], 0 where missing.

    borders (B,) float64 rise; out (n,) int32.
    """
    n = values.size
    for task in prange(pieces(n, ROWS)):  # each task owns ROWS elements of out
        start = np.int64(task) * ROWS
        own = slice(start, min(start + ROWS, n))
        _bucket_ids(values[own], borders, out[own])


@jit(inline=True, strict=True)
def _bin(x):  # type: ignore[no-untyped-def]
    size = abs(x)
    place = np.ceil(log(size) / _STEP) + _LOWEST if size > 0.0 else 0.0
    return BINS + np.int64(place if x > 0.0 else -place)


@jit(apart=True)
def _bins(values, bins):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        bins[i] = _bin(values[i])


@jit
def count_sizes(values, counts, largest):  # type: ignore[no-untyped-def]
    """Count the values by sign and size, and keep every bin's largest.

    counts (2 BINS + 1,) int64: bin BINS has the zeros, the bins above it positive values by their
    logarithm, those below negative ones. largest (2 BINS + 1,) float64 means nothing where a count
    is 0. Missing values are left out. On one thread: the counts are one.
    """
    bins = np.empty(_SOME, np.int64)
    for start in range(0, values.size, _SOME):
        some = values[start : start + _SOME]
        _bins(some, bins)
        for i in range(some.size):
            b, x = bins[i], some[i]
            if x == x:
                largest[b] = x if counts[b] == 0 else max(largest[b], x)
                counts[b] += 1
