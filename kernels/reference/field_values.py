"""NumPy twins of ``kernels/field_values.py``: Python's own texts and numbers."""

from __future__ import annotations

import re

import numpy as np

from .strings import _xxh64

INEXACT, NO_NUMBER = 1, 2
_NUMBER = re.compile(rb"(-?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?")


def _texts(data, bounds, field, quoting):
    """(text, whether it is quoted) of every row."""
    for start, end in zip(bounds[:, field], bounds[:, field + 1] - 1, strict=True):
        text = data[start:end].tobytes()
        quoted = bool(quoting) and text[:1] == b'"'
        yield (text[1:-1] if quoted else text), quoted


def _is_missing(text, missing):
    return len(text) < 8 and int.from_bytes(text, "little") | len(text) << 56 in missing.tolist()


def hash_fields(data, bounds, fields, quoting, missing, keys, present):
    for k, field in enumerate(fields):
        for r, (text, quoted) in enumerate(_texts(data, bounds, field, quoting)):
            present[k, r] = quoted or not _is_missing(text, missing)
            keys[k, r] = _xxh64(text, 0) if present[k, r] else 0


def _number(text, whole):
    match = _NUMBER.fullmatch(text)
    if match is None or (whole and not re.fullmatch(rb"-?\d{1,18}", text)):
        return np.nan, NO_NUMBER
    if whole:
        return float(int(text)), 0
    places = match[2].partition(b".")[2]
    mantissa = int(match[2].replace(b".", b""))
    exponent = int(match[3] or 0) - len(places)
    if mantissa >= 10**19:
        return np.nan, INEXACT
    if mantissa and exponent and not (mantissa < 1 << 53 and -22 <= exponent <= 22):
        return np.nan, INEXACT
    return float(text), 0


def parse_fields(data, bounds, fields, quoting, missing, whole, numbers, flags):
    for k, field in enumerate(fields):
        for r, (text, quoted) in enumerate(_texts(data, bounds, field, quoting)):
            numbers[k, r], flags[k, r] = np.nan, 0
            if quoted or (text and not _is_missing(text, missing)):
                numbers[k, r], flags[k, r] = _number(text, whole)
