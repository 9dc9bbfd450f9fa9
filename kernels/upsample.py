"""Larger images (N, OH, OW, C) from x (N, H, W, C), by whole factors: OH = SH H, OW = SW W.

An output pixel o = q s + p is (1 - weight) x[q + first] + weight x[q + first + 1], with first and
weight of its phase p alone: nearest has first = weight = 0; bilinear takes the centres of pixels
half a pixel from their edges, (p + 1/2) / s - 1/2 = first + weight, as PyTorch with
align_corners=False. Pixels outside of x are those at its edge. A phase of a line is worked out as
one long row, whose pixels are then moved to their places (see ``windows``). A task owns some lines
of the result.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .lanes import add_row
from .windows import put_pixels, take_pixels

KERNELS = ("upsample_forward", "upsample_backward")

ELEMENTS = 16384  # of the output of one task
SMALL = 32768  # elements below which a parallel region would cost more than it saves


@jit(inline=True)
def _phase(p, scale):  # type: ignore[no-untyped-def]
    """(first, weight) of the outputs p, p + scale ..., bilinear."""
    position = (p + 0.5) / scale - 0.5
    first = math.floor(position)
    return first, position - first


@jit(inline=True)
def _blend(a, b, weight, out):  # type: ignore[no-untyped-def]
    """out = (1 - weight) a + weight b; (n,)."""
    real = out.dtype.type
    left, right = real(1.0 - weight), real(weight)
    if weight == 0.0:  # b may be infinite
        for j in range(out.size):
            out[j] = a[j]
    else:
        for j in range(out.size):
            out[j] = left * a[j] + right * b[j]


@jit(apart=True)
def _forward_line(x, oh, scale, bilinear, line, moved, out):  # type: ignore[no-untyped-def]
    """Line oh of an image's out (OW C,) from x (H, W C); line has a pixel more at both ends."""
    H, C = x.shape[0], (line.size - x.shape[1]) // 2
    if not bilinear:  # nothing to work out, only to move
        for p in range(scale[1]):
            put_pixels(out, p, scale[1], moved.size // C, C, x[oh // scale[0]])
        return
    first, weight = _phase(oh % scale[0], scale[0])
    top = oh // scale[0] + first
    inner = line[C : line.size - C]
    _blend(x[min(max(top, 0), H - 1)], x[min(max(top + 1, 0), H - 1)], weight, inner)
    for j in range(C):
        line[j] = inner[j]
    last, edge = line[line.size - C :], inner[inner.size - C :]
    for j in range(C):
        last[j] = edge[j]
    for p in range(scale[1]):
        left, share = _phase(p, scale[1])
        start = (1 + left) * C
        a = line[start : start + moved.size]
        b = line[start + C : start + C + moved.size] if share > 0.0 else a
        _blend(a, b, share, moved)
        put_pixels(out, p, scale[1], moved.size // C, C, moved)


@jit(apart=True)
def _forward_lines(start, stop, x, scale, bilinear, C, out):  # type: ignore[no-untyped-def]
    """Lines start to stop of out (N, OH, OW C), those of all images counted on."""
    OH, WC = out.shape[1], x.shape[2]
    line, moved = np.empty(WC + 2 * C, out.dtype), np.empty(WC, out.dtype)
    for i in range(start, stop):
        _forward_line(x[i // OH], i % OH, scale, bilinear, line, moved, out[i // OH, i % OH])


@jit(parallel=True)
def upsample_forward(x, scale, bilinear, out):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), scale (SH, SW), out (N, SH H, SW W, C)."""
    N, OH, OW, C = out.shape
    lines = x.reshape(N, x.shape[1], x.shape[2] * C)
    flat, most = out.reshape(N, OH, OW * C), max(ELEMENTS // (OW * C), 1)
    if out.size < SMALL:
        _forward_lines(np.int64(0), N * OH, lines, scale, bilinear, C, flat)
    else:
        for task in prange(pieces(N * OH, most)):  # each task owns some lines of out
            start = np.int64(task * most)
            _forward_lines(start, min(start + most, N * OH), lines, scale, bilinear, C, flat)


@jit(inline=True)
def _add_scaled(source, factor, out):  # type: ignore[no-untyped-def]
    """out += factor source; (n,)."""
    share = out.dtype.type(factor)
    for j in range(out.size):
        out[j] += share * source[j]


@jit(apart=True)
def _sum_of_copies(dout, ih, scale, total, C, dx):  # type: ignore[no-untyped-def]
    """Line ih of an image's dx (W C,) for nearest: the sum of dout (OH, OW C) over its copies."""
    copies = dout[ih * scale[0]]
    for j in range(total.size):
        total[j] = copies[j]
    for i in range(1, scale[0]):
        _add_scaled(dout[ih * scale[0] + i], 1.0, total)
    take_pixels(total, 0, scale[1], dx.size // C, C, dx)
    K, step = np.uint64(C), np.uint64(scale[1])
    for p in range(1, scale[1]):
        for i in range(np.uint64(0), np.uint64(dx.size // C)):
            add_row(dx, i * K, total, (i * step + np.uint64(p)) * K, K)


@jit(apart=True)
def _gathered(dout, ih, H, scale, total):  # type: ignore[no-untyped-def]
    """total (OW C,) = the lines of dout (OH, OW C) with the weight that line ih has in them."""
    for j in range(total.size):
        total[j] = 0
    for q in range(max(ih - 1, 0), min(ih + 2, H)):
        for p in range(scale[0]):
            first, weight = _phase(p, scale[0])
            low, high = min(max(q + first, 0), H - 1), min(max(q + first + 1, 0), H - 1)
            factor = (1.0 - weight if low == ih else 0.0) + (weight if high == ih else 0.0)
            if factor > 0.0:
                _add_scaled(dout[q * scale[0] + p], factor, total)


@jit(apart=True)
def _backward_line(dout, ih, H, scale, bilinear, total, line, moved, dx):  # type: ignore[no-untyped-def]
    """Line ih of an image's dx (W C,) from dout (OH, OW C)."""
    C = (line.size - dx.size) // 2
    if not bilinear:
        _sum_of_copies(dout, ih, scale, total, C, dx)
        return
    _gathered(dout, ih, H, scale, total)
    for j in range(line.size):
        line[j] = 0
    for p in range(scale[1]):
        left, share = _phase(p, scale[1])
        start = (1 + left) * C
        take_pixels(total, p, scale[1], moved.size // C, C, moved)
        _add_scaled(moved, 1.0 - share, line[start : start + moved.size])
        if share > 0.0:
            _add_scaled(moved, share, line[start + C : start + C + moved.size])
    inner = line[C : line.size - C]
    for j in range(dx.size):
        dx[j] = inner[j]
    for j in range(C):
        dx[j] += line[j]
    last, edge = line[line.size - C :], dx[dx.size - C :]
    for j in range(C):
        edge[j] += last[j]


@jit(apart=True)
def _backward_lines(start, stop, dout, scale, bilinear, C, dx):  # type: ignore[no-untyped-def]
    """Lines start to stop of dx (N, H, W C), those of all images counted on."""
    H, WC = dx.shape[1], dx.shape[2]
    total = np.empty(dout.shape[2], dx.dtype)
    line, moved = np.empty(WC + 2 * C, dx.dtype), np.empty(WC, dx.dtype)
    for i in range(start, stop):
        _backward_line(
            dout[i // H], i % H, H, scale, bilinear, total, line, moved, dx[i // H, i % H]
        )


@jit(parallel=True)
def upsample_backward(dout, scale, bilinear, dx):  # type: ignore[no-untyped-def]
    """dout (N, SH H, SW W, C), scale (SH, SW), dx (N, H, W, C)."""
    N, H, W, C = dx.shape
    d, flat = dout.reshape(N, dout.shape[1], dout.shape[2] * C), dx.reshape(N, H, W * C)
    most = max(ELEMENTS // (dout.shape[2] * C * scale[0]), 1)
    if dout.size < SMALL:
        _backward_lines(np.int64(0), N * H, d, scale, bilinear, C, flat)
    else:
        for task in prange(pieces(N * H, most)):  # each task owns some lines of dx
            start = np.int64(task * most)
            _backward_lines(start, min(start + most, N * H), d, scale, bilinear, C, flat)
