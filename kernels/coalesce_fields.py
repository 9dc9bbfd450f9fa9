"""Which rows of the tables a batch touches, where each field has a table of its own.

The tables lie one behind the other, so all rows of one field come before those of the next one:
each field is sorted by itself, within the first cache, by a radix sort from the lowest digit up of
id and position packed in one number. A task is a field, so results have the same bits for any
number of threads, and they equal those of ``coalesce``.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit, set_task_size

KERNELS = ("coalesce_fields",)

DIGIT = 11  # bits sorted by one pass at most
FEWEST = 4  # and at least, where a small batch would spend its time on empty counts
ALONE = 8192  # entries that one thread sorts sooner than two
ONE = np.uint64(1)


@jit(inline=True)
def _bit_length(n):  # type: ignore[no-untyped-def]
    """Bits that the number n >= 0 takes."""
    bits = 0
    while n > 0:
        n >>= 1
        bits += 1
    return bits


@jit(apart=True)
def _pack(rows, f, offset, shift, out):  # type: ignore[no-untyped-def]
    """Ids of field f, each with its position in the lowest ``shift`` bits."""
    flat, F, place = rows.reshape(-1), np.uint64(rows.shape[1]), np.uint64(f)
    for n in range(np.uint64(out.size)):
        out[n] = (np.uint64(flat[place] - offset) << shift) | n
        place += F


@jit(inline=True)
def _place(key, shift, mask, places, out):  # type: ignore[no-untyped-def]
    digit = (np.uint64(key) >> shift) & mask
    place = np.uint64(places[digit])
    out[place] = key
    places[digit] = place + ONE


@jit(apart=True)
def _sort_digit(source, shift, counts, out):  # type: ignore[no-untyped-def]
    """``source`` sorted by the bits above ``shift`` that number the places of ``counts`` (2, ...).

    Both halves at once, each with counts of its own: where many ids are equal, one would wait for
    the count that it has just stored.
    """
    first, second = counts[0], counts[1]
    mask, half = np.uint64(first.size - 1), np.uint64(source.size // 2)
    for digit in range(mask + ONE):
        first[digit] = second[digit] = 0
    for i in range(half):
        first[(np.uint64(source[i]) >> shift) & mask] += ONE
        second[(np.uint64(source[half + i]) >> shift) & mask] += ONE
    if source.size % 2:
        second[(np.uint64(source[half + half]) >> shift) & mask] += ONE
    total = np.uint64(0)
    for digit in range(mask + ONE):
        middle = total + first[digit]
        first[digit] = total
        total = middle + second[digit]
        second[digit] = middle
    for i in range(half):
        _place(source[i], shift, mask, first, out)
        _place(source[half + i], shift, mask, second, out)
    if source.size % 2:
        _place(source[half + half], shift, mask, second, out)


@jit(apart=True)
def _sort_field(rows, f, offset, size, packed):  # type: ignore[no-untyped-def]
    """Sorts the ids of field f into ``packed`` (N,) and returns how many differ."""
    N = packed.size
    position, bits = _bit_length(N - 1), max(1, _bit_length(size - 1))
    passes = pieces(bits, min(DIGIT, max(FEWEST, position)))
    width = pieces(bits, passes)
    counts, spare = np.empty((2, 1 << width), np.uint32), np.empty(N, packed.dtype)
    _pack(rows, f, offset, np.uint64(position), spare if passes % 2 else packed)
    for step in range(passes):
        shift = np.uint64(position + step * width)
        if (passes - step) % 2:
            _sort_digit(spare, shift, counts, packed)
        else:
            _sort_digit(packed, shift, counts, spare)
    found, shift = 1, np.uint64(position)
    for i in range(np.uint64(1), np.uint64(N)):
        found += np.uint64(packed[i]) >> shift != np.uint64(packed[i - ONE]) >> shift
    return found


@jit(apart=True)
def _write_field(packed, f, F, offset, last, order, unique, starts):  # type: ignore[no-untyped-def]
    """Writes what is known of field f; ``last`` is the place of its last row in ``unique``.

    From the end to the start and without a branch: the first entry of a row writes last.
    """
    N = np.uint64(packed.size)
    shift, begin = np.uint64(_bit_length(packed.size - 1)), np.uint64(f) * N
    low, columns, field = (ONE << shift) - ONE, np.uint64(F), np.uint64(f)
    for i in range(N):  # a loop of its own: it vectorises
        order[begin + i] = np.int64((np.uint64(packed[i]) & low) * columns + field)
    row, place = np.uint64(packed[N - ONE]) >> shift, np.uint64(last)
    for left in range(N - ONE):
        i = N - ONE - left
        unique[place] = np.int64(row) + offset
        starts[place] = np.int64(begin + i)
        before = np.uint64(packed[i - ONE]) >> shift
        place -= np.uint64(before != row)
        row = before
    unique[place] = np.int64(row) + offset
    starts[place] = np.int64(begin)


@jit(parallel=True)
def coalesce_fields(rows, offsets, sizes, packed, found, order, unique, starts, count):  # type: ignore[no-untyped-def]
    """``coalesce`` of the rows of N x F ids, column f of which lies in a table of its own.

    rows (N, F) int64, N >= 1, of column f from offsets[f] to offsets[f] + sizes[f] - 1; offsets
    (F,) rise by ``sizes`` (F,) or more. order (N * F,): positions in ``rows``, counted row by row,
    sorted by row and for one row by position; unique (N * F,): the ``count[0]`` different rows,
    rising; row unique[u] is at order[starts[u] : starts[u + 1]]; starts (N * F + 1,). Scratch:
    found (F,) int64; packed (F, N), unsigned, with bits for the largest id and N - 1 together.
    """
    N, F = rows.shape
    if N * F <= ALONE:
        for f in range(F):
            found[f] = _sort_field(rows, f, offsets[f], sizes[f], packed[f])
    else:
        before = set_task_size(1)
        for f in prange(F):  # each task owns packed[f] and found[f]
            found[f] = _sort_field(rows, np.int64(f), offsets[f], sizes[f], packed[f])
        set_task_size(before)
    total = 0
    for f in range(F):
        total += found[f]
        found[f] = total - 1
    if N * F <= ALONE:
        for f in range(F):
            _write_field(packed[f], f, F, offsets[f], found[f], order, unique, starts)
    else:
        before = set_task_size(1)
        for f in prange(F):  # each task owns its field's entries and the rows among them
            _write_field(packed[f], np.int64(f), F, offsets[f], found[f], order, unique, starts)
        set_task_size(before)
    starts[total] = N * F
    count[0] = total
