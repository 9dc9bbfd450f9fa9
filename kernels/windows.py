"""Rows of pixels that windows are moved over: what pooling and upsampling share.

Images are (N, H, W, C). Rows of only a few channels do not vectorise (see ``lanes``), so pixels
that lie apart are first moved side by side, lane by lane, and numbers are then worked on in long
rows of a whole image line.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .lanes import add_row, copy_row


@jit(inline=True)
def inside(place, size, outputs, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """(first, stop): the outputs whose window has its ``place`` within an axis of ``size``."""
    offset = place * dilation - padding
    first = 0 if offset >= 0 else (-offset + stride - 1) // stride
    stop = 0 if offset >= size else (size - 1 - offset) // stride + 1
    stop = min(stop, outputs)
    return min(first, stop), stop


@jit(inline=True)
def take_pixels(line, start, step, count, C, out):  # type: ignore[no-untyped-def]
    """out (count C,) = the pixels start, start + step ... of a line (W C,)."""
    if step == 1:
        source = line[start * C : (start + count) * C]
        for j in range(source.size):
            out[j] = source[j]
    else:
        K = np.uint64(C)
        for i in range(count):
            copy_row(out, np.uint64(i * C), line, np.uint64((start + i * step) * C), K)


@jit(inline=True)
def add_pixels(line, start, step, count, C, source):  # type: ignore[no-untyped-def]
    """The pixels start, start + step ... of a line (W C,) += source (count C,)."""
    if step == 1:
        target = line[start * C : (start + count) * C]
        for j in range(target.size):
            target[j] += source[j]
    else:
        K = np.uint64(C)
        for i in range(count):
            add_row(line, np.uint64((start + i * step) * C), source, np.uint64(i * C), K)


@jit(inline=True)
def put_pixels(line, start, step, count, C, source):  # type: ignore[no-untyped-def]
    """The pixels start, start + step ... of a line (W C,) = source (count C,)."""
    if step == 1:
        target = line[start * C : (start + count) * C]
        for j in range(target.size):
            target[j] = source[j]
    else:
        K = np.uint64(C)
        for i in range(count):
            copy_row(line, np.uint64((start + i * step) * C), source, np.uint64(i * C), K)
