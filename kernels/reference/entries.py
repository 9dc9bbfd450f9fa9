"""NumPy twin of ``kernels/entries.py``: Python's own parsing, token by token."""

from __future__ import annotations

import re

import numpy as np

COMMENT, FINE, NO_COLON, NO_INDEX, NEGATIVE, BEYOND, NO_FIELD, NO_VALUE = range(-1, 7)


def _number(token):
    """What Python reads, where 15 digits and a power of ten up to 22 are enough."""
    found = re.fullmatch(rb"[+-]?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?", token)
    if not found:
        return np.nan
    whole, rest, power = found[1], found[2] or b"", int(found[3] or 0)
    power -= len(rest)
    if not 0 < len(whole + rest) <= 15 or not -22 <= power <= 22:
        return np.nan
    return float(token)


def _integer(token):
    if not re.fullmatch(rb"-?\d+", token):
        return 0, NO_INDEX
    found = int(token)
    if abs(found) >= 2**63:
        return 1, BEYOND if found > 0 else NEGATIVE
    return abs(found), NEGATIVE if found < 0 else FINE


def _entry(token, fielded):
    """((field, index, value, length of the value's text), what is wrong)."""
    parts = token.split(b":", 2 if fielded else 1)
    if len(parts) != 2 + fielded:
        return None, NO_COLON
    field = 0
    if fielded:
        field, fault = _integer(parts[0])
        if fault != FINE:
            return None, NO_FIELD if fault == NO_INDEX else fault
    index, fault = _integer(parts[-2])
    if fault == FINE and not parts[-1]:
        fault = NO_VALUE
    return (field, index, _number(parts[-1]), len(parts[-1])), fault


def parse_entries(
    text, starts, ends, fielded, labels, queries, firsts, fields, indices, values, spans, faults
):
    n = 0
    for r, (start, stop) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        labels[r], queries[r], firsts[r], faults[r] = np.nan, -1, n, (COMMENT, start)
        begin, line = n, text[start:stop].tobytes().partition(b"#")[0]
        for k, token in enumerate(re.finditer(rb"[^ \t\r]+", line)):
            fault = FINE
            if k == 0 and b":" not in token[0]:
                labels[r] = _number(token[0])
            elif not fielded and token[0].startswith(b"qid:"):
                queries[r], fault = _integer(token[0][4:])
            else:
                entry, fault = _entry(token[0], fielded)
                if fault == FINE:
                    fields[n], indices[n], values[n], length = entry
                    spans[n] = start + token.end() - length, start + token.end()
                n += 1
            faults[r, 0] = fault
            if fault != FINE:
                faults[r, 1], n = start + token.start(), begin
                break
    firsts[len(starts)] = n
