"""Keys of texts and numbers, straight from the bytes of a log's fields (see kernels/fields.py).

Row after row: column after column, whose bounds and bytes lie apart, took a quarter longer.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .bytemasks import first_bits
from .dense import pieces
from .jit import jit
from .pointers import pointer
from .strings import word, xxh64

KERNELS = ("hash_fields", "parse_fields")

ROWS = 256  # rows of one task
INEXACT, NO_NUMBER = 1, 2  # flags of numbers that other code has to read, and of other texts

_QUOTE, _MINUS, _PLUS, _POINT, _E = (np.uint8(ord(c)) for c in '"-+.e')
_DIGIT, _NINE, _LOWER = np.uint8(ord("0")), np.uint8(9), np.uint8(32)
_NONE, _1, _4, _7, _8, _10, _16, _32, _56, _63, _64 = (
    np.uint64(n) for n in (0, 1, 4, 7, 8, 10, 16, 32, 56, 63, 64)
)
_ZEROS, _HIGHS = np.uint64(0x3030303030303030), np.uint64(0xF0F0F0F0F0F0F0F0)
_SIXES, _THREES = np.uint64(0x0606060606060606), np.uint64(0x3333333333333333)
_BYTES = np.uint64(0x000000FF000000FF)
_WEIGHTS, _WEIGHTS_BEHIND = np.uint64(100 + (10**6 << 32)), np.uint64(1 + (10**4 << 32))
_SEED = np.uint64(0)
_MOST_DIGITS = 19  # that fit into 64 bits
_EXACT = np.uint64(1 << 53)  # integers below it are doubles
_POWERS = np.array([float(f"1e{k}") for k in range(23)])  # 10^22 is the last that is a double
_FAR = 1 << 20  # exponents beyond it are all the same


@jit(inline=True)
def _initials(missing):  # type: ignore[no-untyped-def]
    """A bit for the first byte, modulo 64, of every missing value."""
    found = _NONE
    for m in range(missing.size):
        found |= _1 << (missing[m] & _63)
    return found


@jit(inline=True, strict=True)
def _is_missing(data, start, length, missing, M, initials):  # type: ignore[no-untyped-def]
    """Whether the text is one of the M ``missing``."""
    if length > _7:
        return False
    text = (word(data, start) & first_bits(length * _8)) | length << _56
    if (initials >> (text & _63)) & _1 == _NONE:
        return False
    m = 0
    while m < M and missing[m] != text:
        m += 1
    return m < M


@jit(inline=True, strict=True)
def _content(data, start, end, quoting):  # type: ignore[no-untyped-def]
    """First byte, end, and whether it is quoted, of the field whose delimiter is before end."""
    stop = end - _1
    quoted = quoting and stop > start and data[start] == _QUOTE
    if quoted:
        start, stop = start + _1, stop - _1
    return start, stop, quoted


@jit(apart=True)
def _hash_rows(data, bounds, fields, first, stop, quoting, missing, keys, present):  # type: ignore[no-untyped-def]
    data, absent, M, initials = pointer(data), pointer(missing), missing.size, _initials(missing)
    K = np.uint64(fields.size)
    for r in range(np.uint64(first), np.uint64(stop)):
        for k in range(K):
            f = np.uint64(fields[k])
            start, end, quoted = _content(
                data, np.uint64(bounds[r, f]), np.uint64(bounds[r, f + _1]), quoting
            )
            there = quoted or not _is_missing(data, start, end - start, absent, M, initials)
            present[k, r] = there
            keys[k, r] = xxh64(data, start, end, _SEED) if there else _NONE


@jit(parallel=True)
def hash_fields(data, bounds, fields, quoting, missing, keys, present):  # type: ignore[no-untyped-def]
    """keys[k, r] = XXH64 of the text in field fields[k] of row r, 0 where it is missing.

    data uint8, bounds (R, F + 1) int32, fields (K,) int64; quoting bool: a text in quotes is what
    they hold, and never missing. missing (M,) uint64: missing values of at most 7 bytes, little end
    first, with their length in the highest byte. keys (K, R) uint64, present (K, R) bool.
    """
    R = bounds.shape[0]
    for task in prange(pieces(R, ROWS)):  # each task owns ROWS columns of keys and present
        start = np.int64(task) * ROWS
        stop = min(start + ROWS, R)
        _hash_rows(data, bounds, fields, start, stop, quoting, missing, keys, present)


@jit(strict=True, inline=True)
def _scaled(mantissa, exponent):  # type: ignore[no-untyped-def]
    """mantissa 10^exponent, rounded once: both factors are doubles."""
    number = np.float64(mantissa)
    return number / _POWERS[-exponent] if exponent < 0 else number * _POWERS[exponent]


@jit(inline=True, strict=True)
def _digits(data, i, stop, mantissa, count):  # type: ignore[no-untyped-def]
    """Read on while there are digits: (place, mantissa, digits that count)."""
    while i < stop:
        digit = np.uint8(data[i] - _DIGIT)
        if digit > _NINE:
            break
        mantissa = mantissa * _10 + np.uint64(digit)
        count += 1 if mantissa != _NONE else 0
        i += _1
    return i, mantissa, count


@jit(inline=True)
def _exponent(data, i, stop):  # type: ignore[no-untyped-def]
    """The number behind the letter e; its place is that of the letter where it is none."""
    letter, i = i, i + _1
    negative = i < stop and data[i] == _MINUS
    i += _1 if i < stop and (negative or data[i] == _PLUS) else _NONE
    first, size = i, 0
    while i < stop and np.uint8(data[i] - _DIGIT) <= _NINE:
        size = min(size * 10 + np.int64(np.uint8(data[i] - _DIGIT)), _FAR)
        i += _1
    return (i if i > first else letter), (-size if negative else size)


@jit(inline=True, strict=True)
def _eight_digits(data, start, length):  # type: ignore[no-untyped-def]
    """(integer, whether there are only digits) of 1 to 8 bytes, without a branch on their number.

    The bytes are filled up with zeros in front, then summed in pairs, fours and eights (Lemire,
    "Number parsing at a gigabyte per second", 2021).
    """
    text = word(data, start) << (_64 - length * _8)
    text |= (_ZEROS >> ((length - _1) * _8)) >> _8
    digits = (text & _HIGHS) | ((text + _SIXES) & _HIGHS) >> _4
    pairs = (text - _ZEROS) * _10 + ((text - _ZEROS) >> _8)
    fours = (pairs & _BYTES) * _WEIGHTS + (pairs >> _16 & _BYTES) * _WEIGHTS_BEHIND
    return fours >> _32, digits == _THREES


@jit(inline=True, strict=True)
def _number(data, start, stop, whole):  # type: ignore[no-untyped-def]
    """(number, flag) of a text."""
    negative = start < stop and data[start] == _MINUS
    first = start + _1 if negative else start
    i, mantissa, count = _digits(data, first, stop, _NONE, 0)
    digits, exponent = i - first, 0
    if not whole:
        if i < stop and data[i] == _POINT:
            point = i + _1
            i, mantissa, count = _digits(data, point, stop, mantissa, count)
            exponent = -np.int64(i - point)
            digits += i - point
        if i < stop and digits > _NONE and (data[i] | _LOWER) == _E:
            i, size = _exponent(data, i, stop)
            exponent += size
    if i != stop or digits == _NONE or (whole and digits >= np.uint64(_MOST_DIGITS)):
        return np.nan, NO_NUMBER
    if count > _MOST_DIGITS:
        return np.nan, INEXACT
    if mantissa == _NONE:
        number = 0.0
    elif exponent == 0:
        number = np.float64(mantissa)
    elif mantissa < _EXACT and -22 <= exponent <= 22:
        number = _scaled(mantissa, exponent)
    else:
        return np.nan, INEXACT
    if negative and not (whole and number == 0):  # as integers, -0 is 0
        number = -number
    return number, 0


@jit(apart=True)
def _parse_rows(data, bounds, fields, first, stop, quoting, missing, whole, numbers, flags):  # type: ignore[no-untyped-def]
    data, absent, M, initials = pointer(data), pointer(missing), missing.size, _initials(missing)
    K = np.uint64(fields.size)
    for r in range(np.uint64(first), np.uint64(stop)):
        for k in range(K):
            f = np.uint64(fields[k])
            start, end, quoted = _content(
                data, np.uint64(bounds[r, f]), np.uint64(bounds[r, f + _1]), quoting
            )
            number, flag = np.nan, 0
            length = end - start
            simple = False
            if length - _1 < _8:
                integer, simple = _eight_digits(data, start, length)
                number = np.float64(integer) if simple else number
            if not simple and (length > _NONE or quoted):
                number, flag = _number(data, start, end, whole)
                if flag == NO_NUMBER and not quoted:
                    flag = 0 if _is_missing(data, start, length, absent, M, initials) else flag
            numbers[k, r], flags[k, r] = number, flag


@jit(parallel=True)
def parse_fields(data, bounds, fields, quoting, missing, whole, numbers, flags):  # type: ignore[no-untyped-def]
    """numbers[k, r] = the number in field fields[k] of row r; NaN where missing, or flags say why.

    Digits with a sign, a point, an exponent; digits and a sign only if ``whole``. The nearest
    double, by the fast path of Clinger, "How to read floating point numbers accurately" (1990): a
    mantissa below 2^53 times or over a power of ten up to 10^22, or an integer below 10^19. numbers
    (K, R) float64; flags (K, R) uint8: 0, INEXACT where that path does not do, NO_NUMBER for other
    texts. An empty field is missing, as are those of ``missing``; the rest as in ``hash_fields``.
    """
    R = bounds.shape[0]
    for task in prange(pieces(R, ROWS)):  # each task owns ROWS columns of numbers and flags
        start = np.int64(task) * ROWS
        stop = min(start + ROWS, R)
        _parse_rows(data, bounds, fields, start, stop, quoting, missing, whole, numbers, flags)
