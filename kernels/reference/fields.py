"""NumPy twins of ``kernels/fields.py``: one byte after the other."""

from __future__ import annotations

import numpy as np

CHUNK = 1 << 16
ESCAPED, ODD, NOT_ASCII = 1, 2, 4


def scan_lines(data, stop, delimiter, quoting, chunks, starts, rows):
    chunks[:] = 0, -1, 0, 0
    marks, inside, closed, returned, before = (delimiter, 10), False, False, False, b"\n\n"
    for i, byte in enumerate(data[:stop].tolist()):
        chunk = chunks[i // CHUNK]
        odd = (closed and byte not in (*marks, 13, 34)) or (returned and byte != 10)
        opens = closes = False
        if quoting and byte == 34:
            opens, closes, inside = not inside, inside, not inside
            chunk[3] += 1
            if opens and before[1] == 34:
                chunk[2] |= ESCAPED
            odd |= opens and before[1] not in (*marks, 34)
        if byte == 10 and not inside:
            chunk[0] += before[1] != 10 and not (returned and before[0] == 10)
            chunk[1] = i
        chunk[2] |= (ODD if odd else 0) | (NOT_ASCII if byte > 127 else 0)
        closed, returned, before = closes, byte == 13 and not inside, bytes([before[1], byte])
    starts[0] = 0
    starts[1:] = np.maximum.accumulate(chunks[:, 1] + 1)
    rows[0] = 0
    rows[1:] = np.cumsum(chunks[:, 0])


def _lines(text, delimiter, quoting):
    """(where it begins, every field's end, where its content ends) of each line but blank ones."""
    ends, inside, first = [], False, 0
    for i, byte in enumerate(text):
        inside ^= quoting and byte == 34
        if inside or byte not in (delimiter, 10):
            continue
        ends.append(i)
        if byte == 10:
            content = i - (text[first:i][-1:] == b"\r")
            if content > first or len(ends) > 1:
                yield first, ends, content
            ends, first = [], i + 1


def cut_fields(data, starts, rows, delimiter, quoting, bounds, ragged):
    fields = bounds.shape[1] - 1
    ragged[:] = -1, 0
    for task in range(len(ragged)):
        text = data[starts[task] : starts[task + 1]].tobytes()
        row = rows[task]
        for first, ends, content in _lines(text, int(delimiter), quoting):
            found = [first, *(end + 1 for end in ends[:-1]), content + 1]
            if len(ends) == fields:
                bounds[row] = np.array(found) + starts[task]
            elif ragged[task, 0] < 0:
                ragged[task] = row, len(ends)
            row += 1


def copy_fields(data, starts, offsets, out):
    for start, first, stop in zip(starts, offsets[:-1], offsets[1:], strict=True):
        out[first:stop] = data[start : start + stop - first]
