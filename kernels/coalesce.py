"""Which rows of a table a batch touches, and where: row numbers sorted, equal ones together.

A stable radix sort from the lowest digit up, of row number and position packed in one uint64. It
is cut into chunks of the batch by its size alone, and equal rows keep the batch's order: sums over
them have the same bits for any number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("coalesce",)

DIGIT = 11  # bits sorted by one pass
CHUNK = 16384  # entries of one task
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MASK = np.uint64((1 << DIGIT) - 1)
ONE = np.uint64(1)


@jit(apart=True)
def _pack(rows, start, out):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        out[i] = (np.uint64(rows[i]) << HALF) | np.uint64(start + i)


@jit(apart=True)
def _count_digits(packed, shift, counts):  # type: ignore[no-untyped-def]
    for digit in range(counts.size):
        counts[digit] = 0
    for i in range(packed.size):
        counts[(packed[i] >> shift) & MASK] += 1


@jit(apart=True)
def _scatter(packed, shift, places, out):  # type: ignore[no-untyped-def]
    for i in range(packed.size):
        digit = (packed[i] >> shift) & MASK
        place = places[digit]
        out[np.uint64(place)] = packed[i]
        places[digit] = place + 1


@jit(apart=True)
def _counts_to_places(counts):  # type: ignore[no-untyped-def]
    """Where each chunk's entries of each digit begin: digits in order, in them the chunks."""
    chunks, digits = counts.shape
    total = 0
    for digit in range(digits):
        for chunk in range(chunks):
            here = counts[chunk, digit]
            counts[chunk, digit] = total
            total += here


@jit(inline=True)
def _begins(packed, i):  # type: ignore[no-untyped-def]
    """Whether entry i, unsigned, is the first of its row."""
    return i == 0 or packed[i] >> HALF != packed[i - ONE] >> HALF


@jit(apart=True)
def _count_rows(packed, start, stop):  # type: ignore[no-untyped-def]
    found = 0
    for i in range(np.uint64(start), np.uint64(stop)):
        found += _begins(packed, i)
    return found


@jit(apart=True)
def _write_rows(packed, start, stop, place, order, unique, starts):  # type: ignore[no-untyped-def]
    place = np.uint64(place)
    for i in range(np.uint64(start), np.uint64(stop)):
        order[i] = np.int64(packed[i] & LOW)
        if _begins(packed, i):
            unique[place] = np.int64(packed[i] >> HALF)
            starts[place] = np.int64(i)
            place += ONE


@jit(parallel=True)
def coalesce(rows, bits, work, counts, order, unique, starts, count):  # type: ignore[no-untyped-def]
    """Sort the row numbers ``rows`` (n,) int64, which are below 2^bits, and find the equal ones.

    order (n,): positions in ``rows``, sorted by row and for one row by position; unique (n,): the
    ``count[0]`` different rows, rising; row unique[u] is at order[starts[u] : starts[u + 1]];
    starts (n + 1,). Scratch: work (2, n) uint64, counts (pieces of CHUNK, 2^DIGIT).
    """
    n = rows.size
    chunks = pieces(n, CHUNK)
    source = 0
    for step in range(pieces(bits, DIGIT)):
        shift = np.uint64(32 + step * DIGIT)
        packed, other = work[source], work[1 - source]
        for chunk in prange(chunks):  # each task owns one chunk and its row of counts
            start = np.int64(chunk) * CHUNK
            stop = min(start + CHUNK, n)
            if step == 0:
                _pack(rows[start:stop], start, packed[start:stop])
            _count_digits(packed[start:stop], shift, counts[chunk])
        _counts_to_places(counts[:chunks])
        for chunk in prange(chunks):  # each task owns its places in the other array
            start = np.int64(chunk) * CHUNK
            _scatter(packed[start : min(start + CHUNK, n)], shift, counts[chunk], other)
        source = 1 - source
    packed = work[source]
    for chunk in prange(chunks):
        start = np.int64(chunk) * CHUNK
        counts[chunk, 0] = _count_rows(packed, start, min(start + CHUNK, n))
    total = 0
    for chunk in range(chunks):
        here = counts[chunk, 0]
        counts[chunk, 0] = total
        total += here
    for chunk in prange(chunks):  # each task owns its entries and the rows that begin there
        start = np.int64(chunk) * CHUNK
        stop = min(start + CHUNK, n)
        _write_rows(packed, start, stop, counts[chunk, 0], order, unique, starts)
    starts[total] = n
    count[0] = total
