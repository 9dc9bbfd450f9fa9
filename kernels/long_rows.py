"""Several pixels of C channels as one long row, over which the channels' numbers are repeated.

Loops of the usual 16 channels would not vectorise (see ``lanes``).
"""

from __future__ import annotations

from .jit import jit

ROW = 512  # elements of one long row, or one pixel: a few of them stay in the first-level cache


@jit(inline=True)
def row_length(C):  # type: ignore[no-untyped-def]
    """Length of a long row: as many whole pixels of C channels as ROW holds, at least one."""
    return max(ROW // C, 1) * C


@jit(inline=True)
def strip_length(C, whole):  # type: ignore[no-untyped-def]
    """Length of the shortest row of whole pixels that ``whole`` divides, or else of a long row."""
    length = C
    while length % whole and length + C <= ROW:
        length += C
    return row_length(C) if length % whole else length


@jit(apart=True)
def fold(row, C, total):  # type: ignore[no-untyped-def]
    """total (C,) = the sum of a long row's pixels."""
    for j in range(C):
        total[j] = row[j]
    for i in range(C, row.size, C):
        pixel = row[i : i + C]
        for j in range(C):
            total[j] += pixel[j]


@jit(apart=True)
def repeat(values, row):  # type: ignore[no-untyped-def]
    """Every pixel of a long row = values (C,)."""
    C = values.size
    for i in range(0, row.size, C):
        pixel = row[i : i + C]
        for j in range(C):
            pixel[j] = values[j]
