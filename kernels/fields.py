"""A text log's bytes cut into fields, in place: no string is made.

``scan_lines`` finds where lines end and whether the simple rules hold: a field is quoted as a whole
or not at all, no quote is inside of it, and a line ends with a newline that a carriage return may
precede. ``cut_fields`` finds every field's bounds, ``hash_fields`` the keys of texts,
``parse_fields`` numbers. Arrays of bytes are readable PAD bytes beyond what they hold.

Bounds (rows, fields + 1) int32: field f of a row is data[bounds[f] : bounds[f + 1] - 1], quotes
included.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .bytemasks import (
    BYTES,
    bit_count,
    byte_mask,
    first_bits,
    high_mask,
    highest_bit,
    inside_quotes,
    lowest_bit,
)
from .dense import pieces
from .jit import jit

KERNELS = ("scan_lines", "cut_fields", "copy_fields")

PAD = 128
CHUNK = 1 << 16  # bytes of one task; a multiple of 64
ROWS = 8192  # texts that one task copies
ESCAPED, ODD, NOT_ASCII = 1, 2, 4  # what a chunk has: doubled quotes, broken rules, other bytes

_NEWLINE, _RETURN, _QUOTE = np.uint8(10), np.uint8(13), np.uint8(34)
_NONE, _ALL = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
_1, _2, _62, _63 = np.uint64(1), np.uint64(2), np.uint64(62), np.uint64(63)
_64 = np.uint64(BYTES)


@jit(apart=True)
def _quotes(data, start, stop):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(start, stop, _64):
        total += bit_count(byte_mask(data, i, _QUOTE) & first_bits(stop - i))
    return total


@jit(apart=True)
def _scan(data, start, stop, delimiter, quoting, inside, found):  # type: ignore[no-untyped-def]
    """found (3,) of one chunk, which begins inside of quotes (all ones) or outside (0)."""
    count, end, seen = 0, np.int64(-1), 0
    newline_before, return_before, quote_before, mark_before = _1 << _63, _NONE, _NONE, _1 << _63
    if start >= _64:
        newline_before = byte_mask(data, start - _64, _NEWLINE)
        return_before = byte_mask(data, start - _64, _RETURN) & ~inside
        quote_before = byte_mask(data, start - _64, _QUOTE) & quoting
        mark_before = byte_mask(data, start - _64, delimiter) | newline_before
    closing_before = quote_before & ~inside
    for i in range(start, stop, _64):
        valid = first_bits(stop - i)
        newline = byte_mask(data, i, _NEWLINE)
        back = byte_mask(data, i, _RETURN)
        mark = byte_mask(data, i, delimiter) | newline
        quote = byte_mask(data, i, _QUOTE) & quoting & valid
        within = inside
        if quote != _NONE:
            within = inside_quotes(quote, inside)
            inside = _ALL if within >> _63 else _NONE
        back &= ~within
        returned = back << _1 | return_before >> _63
        blank = newline << _1 | newline_before >> _63
        blank |= returned & (newline << _2 | newline_before >> _62)
        ends = newline & ~within & valid
        count += bit_count(ends & ~blank)
        if ends != _NONE:
            end = np.int64(i + highest_bit(ends))
        opening, closing = quote & within, quote & ~within
        twice = opening & (quote << _1 | quote_before >> _63)
        odd = opening & ~(mark << _1 | mark_before >> _63) & ~twice
        odd |= (closing << _1 | closing_before >> _63) & ~(mark | back | quote) & valid
        odd |= returned & ~newline & valid
        seen |= ESCAPED if twice != _NONE else 0
        seen |= ODD if odd != _NONE else 0
        seen |= NOT_ASCII if high_mask(data, i) & valid != _NONE else 0
        newline_before, return_before, quote_before = newline, back, quote
        mark_before, closing_before = mark, closing
    found[0], found[1], found[2] = count, end, seen


@jit(parallel=True)
def scan_lines(data, stop, delimiter, quoting, chunks, starts, rows):  # type: ignore[no-untyped-def]
    """Lines of the first ``stop`` bytes, in chunks of CHUNK bytes by where they end.

    data uint8; delimiter uint8; quoting bool, whether quotes mean anything. For T chunks: chunks
    (T, 4) int64, the lines that end in it and are not blank, the place of its last line's end or
    -1, its flags, its quotes. starts (T + 1,) int64: where the first line that ends in the chunk
    begins, and the end of the last whole line. rows (T + 1,) int64: the number of that line.
    """
    asked = _ALL if quoting else _NONE
    T = chunks.shape[0]
    for chunk in prange(T):  # each task owns a row of chunks
        start = np.uint64(chunk) * np.uint64(CHUNK)
        end = min(start + np.uint64(CHUNK), np.uint64(stop))
        chunks[chunk, 3] = _quotes(data, start, end) if quoting else 0
    rows[0] = 0
    for t in range(T):
        rows[t + 1] = rows[t] + chunks[t, 3]
    for chunk in prange(T):
        start = np.uint64(chunk) * np.uint64(CHUNK)
        end = min(start + np.uint64(CHUNK), np.uint64(stop))
        inside = _ALL if rows[np.int64(chunk)] & 1 else _NONE
        _scan(data, start, end, delimiter, asked, inside, chunks[chunk])
    starts[0], rows[0] = 0, 0
    for t in range(T):
        starts[t + 1] = chunks[t, 1] + 1 if chunks[t, 1] >= 0 else starts[t]
        rows[t + 1] = rows[t] + chunks[t, 0]


@jit(apart=True)
def _cut(data, start, stop, row, delimiter, quoting, bounds, ragged):  # type: ignore[no-untyped-def]
    """The lines from start to stop, the first of them being ``row``."""
    F = np.uint64(bounds.shape[1] - 1)
    field, first, inside = _NONE, start, _NONE
    bad, bad_fields = np.int64(-1), np.int64(0)
    for i in range(start, stop, _64):
        newline = byte_mask(data, i, _NEWLINE)
        marks = byte_mask(data, i, delimiter) | newline
        quote = byte_mask(data, i, _QUOTE) & quoting
        if (quote | inside) != _NONE:
            within = inside_quotes(quote, inside)
            inside = _ALL if within >> _63 else _NONE
            marks &= ~within
        marks &= first_bits(stop - i)
        while marks != _NONE:
            bit = lowest_bit(marks)
            marks &= marks - _1
            place = i + bit
            ends = (newline >> bit) & _1 != _NONE
            back = _1 if ends and place > first and data[place - _1] == _RETURN else _NONE
            if ends and field == _NONE and first + back == place:  # a blank line
                first = place + _1
                continue
            if field < F:
                bounds[row, field] = first
            field += _1
            first = place + _1
            if ends:
                if field != F and bad < 0:
                    bad, bad_fields = np.int64(row), np.int64(field)
                bounds[row, F] = first - back
                row += _1
                field = _NONE
    ragged[0], ragged[1] = bad, bad_fields


@jit(parallel=True)
def cut_fields(data, starts, rows, delimiter, quoting, bounds, ragged):  # type: ignore[no-untyped-def]
    """bounds (rows, fields + 1) int32 of every line that is not blank.

    Task t takes the lines from starts[t] to starts[t + 1], whose first one is number rows[t]:
    starts and rows (T + 1,) int64. ragged (T, 2) int64: each task's first row with another number
    of fields, or -1, and that number; its bounds mean nothing.
    """
    asked = _ALL if quoting else _NONE
    for task in prange(ragged.shape[0]):  # each task owns its rows of bounds
        _cut(
            data, np.uint64(starts[task]), np.uint64(starts[task + 1]), np.uint64(rows[task]),
            delimiter, asked, bounds, ragged[task],
        )  # fmt: skip


@jit(apart=True)
def _copy(data, starts, offsets, first, stop, out):  # type: ignore[no-untyped-def]
    for n in range(np.uint64(first), np.uint64(stop)):
        source, target = np.uint64(starts[n]), np.uint64(offsets[n])
        for k in range(np.uint64(offsets[n + _1]) - target):
            out[target + k] = data[source + k]


@jit(parallel=True)
def copy_fields(data, starts, offsets, out):  # type: ignore[no-untyped-def]
    """out[offsets[n] : offsets[n + 1]] = the bytes from data[starts[n]] on.

    starts (N,) int64, offsets (N + 1,) int32, data and out uint8.
    """
    N = starts.size
    for task in prange(pieces(N, ROWS)):  # each task owns ROWS texts of out
        start = np.int64(task) * ROWS
        _copy(data, starts, offsets, start, min(start + ROWS, N), out)
