"""NumPy twins of ``kernels/strings.py``: XXH64 in Python's integers, key tables as they are."""

from __future__ import annotations

LOAD = 2
_P = (
    11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579,
    2870177450012600261,
)  # fmt: skip
_ALL = (1 << 64) - 1


def _rotated(x, bits):
    return ((x << bits) | (x >> (64 - bits))) & _ALL


def _round(total, word):
    return _rotated((total + word * _P[1]) & _ALL, 31) * _P[0] & _ALL


def _xxh64(text, seed):
    n = len(text)
    words = [int.from_bytes(text[i : i + 8], "little") for i in range(0, n, 8)]
    whole, h = n // 32 * 4, (seed + _P[4]) & _ALL
    if n >= 32:
        totals = [(seed + s) & _ALL for s in (_P[0] + _P[1], _P[1], 0, -_P[0])]
        for i in range(whole):
            totals[i % 4] = _round(totals[i % 4], words[i])
        h = sum(_rotated(t, r) for t, r in zip(totals, (1, 7, 12, 18), strict=True)) & _ALL
        for total in totals:
            h = ((h ^ _round(0, total)) * _P[0] + _P[3]) & _ALL
    h = (h + n) & _ALL
    for word in words[whole : n // 8]:
        h = (_rotated(h ^ _round(0, word), 27) * _P[0] + _P[3]) & _ALL
    rest = text[n // 8 * 8 :]
    if len(rest) >= 4:
        half = int.from_bytes(rest[:4], "little")
        h = (_rotated(h ^ (half * _P[0] & _ALL), 23) * _P[1] + _P[2]) & _ALL
        rest = rest[4:]
    for byte in rest:
        h = _rotated(h ^ (byte * _P[4] & _ALL), 11) * _P[0] & _ALL
    h = (h ^ (h >> 33)) * _P[1] & _ALL
    h = (h ^ (h >> 29)) * _P[2] & _ALL
    return h ^ (h >> 32)


def hash_strings(offsets, data, seed, out):
    for n in range(out.size):
        out[n] = _xxh64(data[offsets[n] : offsets[n + 1]].tobytes(), int(seed))


def _slot(keys, taken, key):
    slot = int(key) % keys.size
    while taken[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) % keys.size
    return slot


def count_keys(found, present, keys, counts, least, fresh, state):
    while state[0] < found.size and state[1] * LOAD < keys.size:
        if present.size and not present[state[0]]:
            state[0] += 1
            continue
        slot = _slot(keys, counts, found[state[0]])
        if counts[slot] == 0:
            keys[slot] = found[state[0]]
            state[1] += 1
        counts[slot] += 1
        if counts[slot] == least:
            fresh[state[2]] = state[0]
            state[2] += 1
        state[0] += 1


def move_keys(found, given, keys, numbers):
    for key, number in zip(found, given, strict=True):
        slot = _slot(keys, numbers, key)
        keys[slot], numbers[slot] = key, number


def find_keys(found, present, keys, numbers, missing, other, out):
    for n, key in enumerate(found):
        number = numbers[_slot(keys, numbers, key)] or other
        out[n] = number if not present.size or present[n] else missing
