"""Category values as 64-bit keys: hashing Arrow's strings, counting keys, finding their numbers.

The hash is XXH64 (Yann Collet, "xxHash fast digest algorithm", specification 0.1.1): the same on
every machine and in every process. Two of n values share a key with probability n^2 / 2^65, for ten
million values 3e-6: keys stand for values, and no text is compared.

A key table is open addressing with linear probing over a power of two of slots: ``keys`` (M,)
uint64, and beside it counts or numbers, 0 in free slots.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .pointers import pointer

KERNELS = ("hash_strings", "count_keys", "move_keys", "find_keys")

ROWS = 8192  # strings or keys of one task
LOAD = 2  # slots a key: a table as full as that has to grow

_P1 = np.uint64(11400714785074694791)
_P2 = np.uint64(14029467366897019727)
_P3 = np.uint64(1609587929392839161)
_P4 = np.uint64(9650029242287828579)
_P5 = np.uint64(2870177450012600261)
_1, _4, _8, _32 = np.uint64(1), np.uint64(4), np.uint64(8), np.uint64(32)


@jit(inline=True)
def _rotated(x, bits):  # type: ignore[no-untyped-def]
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@jit(inline=True)
def word(data, i):  # type: ignore[no-untyped-def]
    """Eight bytes from i on, little end first; LLVM makes one load of it."""
    found = np.uint64(0)
    for k in range(8):
        found |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return found


@jit(inline=True)
def _half(data, i):  # type: ignore[no-untyped-def]
    """Four bytes from i on."""
    found = np.uint64(0)
    for k in range(4):
        found |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return found


@jit(inline=True)
def _round(total, word):  # type: ignore[no-untyped-def]
    return _rotated(total + word * _P2, 31) * _P1


@jit(inline=True)
def _merged(h, total):  # type: ignore[no-untyped-def]
    return (h ^ _round(np.uint64(0), total)) * _P1 + _P4


@jit(apart=True)
def _long(data, i, stop, seed):  # type: ignore[no-untyped-def]
    """The stripes of 32 bytes of a text of at least 32."""
    a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
    while i + _32 <= stop:
        a = _round(a, word(data, i))
        b = _round(b, word(data, i + _8))
        c = _round(c, word(data, i + np.uint64(16)))
        d = _round(d, word(data, i + np.uint64(24)))
        i += _32
    h = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
    return _merged(_merged(_merged(_merged(h, a), b), c), d)


@jit(inline=True, strict=True)
def xxh64(data, start, stop, seed):  # type: ignore[no-untyped-def]
    """The hash of bytes start to stop, unsigned."""
    length, i = stop - start, start
    if length >= _32:
        h = _long(data, start, stop, seed)
        i = stop - (length & np.uint64(31))
    else:
        h = seed + _P5
    h += length
    while i + _8 <= stop:
        h = _rotated(h ^ _round(np.uint64(0), word(data, i)), 27) * _P1 + _P4
        i += _8
    if i + _4 <= stop:
        h = _rotated(h ^ (_half(data, i) * _P1), 23) * _P2 + _P3
        i += _4
    while i < stop:
        h = _rotated(h ^ (np.uint64(data[i]) * _P5), 11) * _P1
        i += _1
    h = (h ^ (h >> np.uint64(33))) * _P2
    h = (h ^ (h >> np.uint64(29))) * _P3
    return h ^ (h >> np.uint64(32))


@jit(apart=True)
def _hash_task(offsets, data, seed, start, stop, out):  # type: ignore[no-untyped-def]
    data = pointer(data)
    for n in range(np.uint64(start), np.uint64(stop)):
        out[n] = xxh64(data, np.uint64(offsets[n]), np.uint64(offsets[n + _1]), seed)


@jit(parallel=True)
def hash_strings(offsets, data, seed, out):  # type: ignore[no-untyped-def]
    """out[n] = XXH64 of the bytes data[offsets[n] : offsets[n + 1]].

    offsets (N + 1,) int64, data uint8, seed uint64, out (N,) uint64.
    """
    N = out.size
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS elements of out
        start = np.int64(task) * ROWS
        _hash_task(offsets, data, seed, start, min(start + ROWS, N), out)


@jit(inline=True, strict=True)
def _slot(keys, taken, last, key):  # type: ignore[no-untyped-def]
    """The key's slot of 0 to ``last``, or the free one where it belongs."""
    slot = key & last
    while taken[slot] != 0 and keys[slot] != key:
        slot = (slot + _1) & last
    return slot


@jit
def count_keys(found, present, keys, counts, least, fresh, state):  # type: ignore[no-untyped-def]
    """Add the keys ``found`` (n,) uint64 to a table, from found[state[0]] on, until it is full.

    Those count where ``present`` (n,) bool, or all for (0,). keys (M,) uint64 and counts (M,)
    int64; state (3,) int64: the next key to take (n: all are done), the different keys in the
    table, and how many of ``fresh`` (n,) int64 are set: positions of keys that came the
    ``least``-th time there. On one thread: the table is one.
    """
    n, place, used, new = found.size, state[0], state[1], state[2]
    held, taken, last = pointer(keys), pointer(counts), np.uint64(keys.size) - _1
    while place < n and used * LOAD < keys.size:
        if present.size > 0 and not present[place]:
            place += 1
            continue
        slot = _slot(held, taken, last, found[place])
        count = counts[slot] + 1
        if count == 1:
            keys[slot] = found[place]
            used += 1
        if count == least:
            fresh[new] = place
            new += 1
        counts[slot] = count
        place += 1
    state[0], state[1], state[2] = place, used, new


@jit
def move_keys(found, given, keys, numbers):  # type: ignore[no-untyped-def]
    """Put different keys ``found`` (n,) with numbers ``given`` (n,) int64, not 0, into a table."""
    held, taken, last = pointer(keys), pointer(numbers), np.uint64(keys.size) - _1
    for i in range(found.size):
        slot = _slot(held, taken, last, found[i])
        keys[slot], numbers[slot] = found[i], given[i]


@jit(apart=True)
def _find_task(found, present, keys, numbers, missing, other, start, stop, out):  # type: ignore[no-untyped-def]
    held, taken, last = pointer(keys), pointer(numbers), np.uint64(keys.size) - _1
    for n in range(np.uint64(start), np.uint64(stop)):
        number = numbers[_slot(held, taken, last, found[n])]
        number = number if number != 0 else other
        out[n] = number if present.size == 0 or present[n] else missing


@jit(parallel=True)
def find_keys(found, present, keys, numbers, missing, other, out):  # type: ignore[no-untyped-def]
    """out[n] = the number of the key found[n], ``other`` where the table has no such key.

    ``missing`` where not ``present`` (N,) bool, of which (0,) means all. found (N,) uint64, keys
    (M,) uint64, numbers (M,) int64 (0: free slot), out (N,) int32 or int64.
    """
    N = out.size
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS elements of out
        start = np.int64(task) * ROWS
        stop = min(start + ROWS, N)
        _find_task(found, present, keys, numbers, missing, other, start, stop, out)
