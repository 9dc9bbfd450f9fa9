"""Lines of sparse logs as numbers: ``label index:value ...`` and ``label field:index:value ...``.

The formats are those of LIBSVM (Chang and Lin, "LIBSVM: a library for support vector machines",
2011; with SVMlight's ``qid:`` and comments) and LIBFFM (Juan et al., "Field-aware factorization
machines for CTR prediction", 2016).

A decimal number of at most 15 digits and a power of ten up to 22 is one product or quotient of two
exact numbers, hence correctly rounded (Clinger, "How to read floating point numbers accurately",
1990). Others are left to the caller as NaN.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

KERNELS = ("parse_entries",)

# what is wrong with a line
COMMENT, FINE, NO_COLON, NO_INDEX, NEGATIVE, BEYOND, NO_FIELD, NO_VALUE = range(-1, 7)

_TENS = tuple(10.0**k for k in range(23))
_SPACE, _TAB, _RETURN, _HASH, _COLON = 32, 9, 13, 35, 58
_DOT, _PLUS, _MINUS, _E, _e, _ZERO, _q, _i, _d = 46, 43, 45, 69, 101, 48, 113, 105, 100
_LARGEST = np.uint64(2**63 - 1)


@jit(inline=True)
def _is_blank(byte):  # type: ignore[no-untyped-def]
    return byte == _SPACE or byte == _TAB or byte == _RETURN


@jit(inline=True)
def _byte(text, i):  # type: ignore[no-untyped-def]
    return text[np.uint64(i)]  # without a sign: numba need not look for places from the end


@jit(inline=True)
def _is_query(text, i, colon):  # type: ignore[no-untyped-def]
    return (
        colon == i + 3
        and _byte(text, i) == _q
        and _byte(text, i + 1) == _i
        and _byte(text, i + 2) == _d
    )


@jit(inline=True)
def _digit(byte):  # type: ignore[no-untyped-def]
    """The digit's value, 10 or more for other bytes."""
    return np.uint64(np.uint8(byte - np.uint8(_ZERO)))


@jit
def _number(text, i, stop):  # type: ignore[no-untyped-def]
    """The number text[i:stop], NaN where it is none or not certain to be correctly rounded."""
    negative = i < stop and _byte(text, i) == _MINUS
    if i < stop and (_byte(text, i) == _MINUS or _byte(text, i) == _PLUS):
        i += 1
    digits, after, known, dot = np.uint64(0), 0, 0, False
    while i < stop:
        d = _digit(_byte(text, i))
        if d < 10:
            digits = digits * np.uint64(10) + d
            known += 1
            after += dot
        elif _byte(text, i) == _DOT and not dot:
            dot = True
        else:
            break
        i += 1
    if known == 0 or known > 15:
        return np.nan
    power = 0
    if i < stop:
        if _byte(text, i) != _e and _byte(text, i) != _E:
            return np.nan
        i += 1
        down = i < stop and _byte(text, i) == _MINUS
        if i < stop and (_byte(text, i) == _MINUS or _byte(text, i) == _PLUS):
            i += 1
        if i >= stop or stop - i > 4:
            return np.nan
        while i < stop:
            d = _digit(_byte(text, i))
            if d >= 10:
                return np.nan
            power = power * 10 + np.int64(d)
            i += 1
        power = -power if down else power
    power -= after
    if power < -22 or power > 22:
        return np.nan
    value = np.float64(digits)
    value = value * _TENS[power] if power >= 0 else value / _TENS[-power]
    return -value if negative else value


@jit
def _integer(text, i, stop):  # type: ignore[no-untyped-def]
    """(the integer text[i:stop], what is wrong with it)."""
    negative = i < stop and _byte(text, i) == _MINUS
    if negative:
        i += 1
    found, fault, known = np.uint64(0), FINE, 0
    if i >= stop:
        return np.int64(0), NO_INDEX
    while i < stop:
        d = _digit(_byte(text, i))
        if d >= 10:
            return np.int64(0), NO_INDEX
        known += found > 0
        found = found * np.uint64(10) + d
        if known > 18 or found > _LARGEST:
            fault, found = BEYOND, np.uint64(1)
        i += 1
    if negative and found > 0:
        fault = NEGATIVE
    return np.int64(found), fault


@jit
def _token(text, i, stop):  # type: ignore[no-untyped-def]
    """(where the token that begins at i ends, its first colon, its second one); -1 for no colon."""
    first, second = -1, -1
    while i < stop and not _is_blank(_byte(text, i)) and _byte(text, i) != _HASH:
        if _byte(text, i) == _COLON:
            if first < 0:
                first = i
            elif second < 0:
                second = i
        i += 1
    return i, first, second


@jit
def _entry(text, i, end, first, second, fielded, n, fields, indices, values, spans):  # type: ignore[no-untyped-def]
    """Write entry n; returns what is wrong with it."""
    if first < 0 or (fielded and second < 0):
        return NO_COLON
    start, colon, field, fault = i, first, np.int64(0), FINE
    if fielded:
        field, fault = _integer(text, i, first)
        if fault == NO_INDEX:
            return NO_FIELD
        if fault != FINE:
            return fault
        start, colon = first + 1, second
    index, fault = _integer(text, start, colon)
    if fault != FINE:
        return fault
    if colon + 1 == end:
        return NO_VALUE
    fields[n], indices[n], values[n] = field, index, _number(text, colon + 1, end)
    spans[n, 0], spans[n, 1] = colon + 1, end
    return FINE


@jit
def parse_entries(
    text, starts, ends, fielded, labels, queries, firsts, fields, indices, values, spans, faults
):  # type: ignore[no-untyped-def]
    """Entries of the lines text[starts[r]:ends[r]].

    text (n,) uint8, starts and ends (R,) int64, fielded: whether entries have fields. Written:
    labels (R,) float64, NaN where the text is no plain number or the first token is an entry;
    queries (R,) int64, -1 without ``qid:``; firsts (R + 1,) int64, where a line's entries begin;
    fields, indices (E,) int64, values (E,) float64, spans (E, 2) int64, a value's place in the
    text, of all lines' entries one behind the other: values are NaN where they are no plain
    number; faults (R, 2) int64, what is wrong with a line (it then has no entries) and the place.
    """
    n = np.int64(0)
    for r in range(starts.size):
        i, stop = starts[r], ends[r]
        labels[r], queries[r], firsts[r] = np.nan, -1, n
        faults[r, 0], faults[r, 1] = COMMENT, i
        begin, alone = n, True
        while i < stop:
            if _is_blank(_byte(text, i)):
                i += 1
                continue
            if _byte(text, i) == _HASH:
                break
            end, first, second = _token(text, i, stop)
            fault = FINE
            if alone and first < 0:
                labels[r] = _number(text, i, end)
            elif not fielded and _is_query(text, i, first):
                queries[r], fault = _integer(text, first + 1, end)
            else:
                fault = _entry(
                    text, i, end, first, second, fielded, n, fields, indices, values, spans
                )
                n += 1
            faults[r, 0] = fault
            if fault != FINE:
                faults[r, 1], n = i, begin
                break
            alone, i = False, end
    firsts[starts.size] = n
