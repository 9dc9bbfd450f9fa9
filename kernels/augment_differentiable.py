"""Random changes of images (N, H, W, C) of real numbers that gradients pass through.

In this order: mirrored, recoloured, moved by whole pixels, a rectangle blanked out. All are linear
up to a constant, so that backward is forward's adjoint and keeps nothing but the draws. Recoloured
is, with the means m over an image and m_p over a pixel's channels,

    contrast saturation x + contrast (1 - saturation) m_p + (1 - contrast) m + brightness,

which is brightness added first, then saturation around m_p, then contrast around m. A task owns one
image; sums of an image run line by line.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import jit

KERNELS = ("augment_forward", "augment_backward")

SMALL = 32768  # elements below which a parallel region would cost more than it saves


@jit(apart=True)
def _recolour(source, C, own, shared, offset, out):  # type: ignore[no-untyped-def]
    """out = own source + shared (sum of the pixel's channels) + offset; (n C,), may be source."""
    if shared == 0.0:
        for j in range(out.size):
            out[j] = own * source[j] + offset
    elif C == 3:
        for i in range(out.size // 3):
            a, b, c = source[3 * i], source[3 * i + 1], source[3 * i + 2]
            shade = shared * (a + b + c) + offset
            out[3 * i], out[3 * i + 1], out[3 * i + 2] = (
                own * a + shade,
                own * b + shade,
                (own * c + shade),
            )
    else:
        for i in range(out.size // C):
            shade = offset
            for j in range(i * C, (i + 1) * C):
                shade += shared * source[j]
            for j in range(i * C, (i + 1) * C):
                out[j] = own * source[j] + shade


@jit(apart=True)
def _sum(line):  # type: ignore[no-untyped-def]
    total = line.dtype.type(0)
    for j in range(line.size):
        total += line[j]
    return np.float64(total)


@jit(apart=True)
def _mirror(line, C, out):  # type: ignore[no-untyped-def]
    """out = the pixels of a line (W C,) from right to left."""
    W = line.size // C
    for x in range(W):
        for c in range(C):
            out[x * C + c] = line[(W - 1 - x) * C + c]


@jit(apart=True)
def _zero(line, start, stop):  # type: ignore[no-untyped-def]
    for j in range(start, stop):
        line[j] = 0


@jit(inline=True)
def _factors(colour, C, real):  # type: ignore[no-untyped-def]
    """(own, shared): a pixel's factors of its own value and of the sum over its channels."""
    saturation, contrast = colour[1], colour[2]
    if C == 1:  # a grey pixel is its own mean
        return real(contrast), real(0)
    return real(contrast * saturation), real(contrast * (real(1) - saturation) / real(C))


@jit(apart=True)
def _forward_image(x, place, colour, hole, line, C, out):  # type: ignore[no-untyped-def]
    """out (H, W C) from x (H, W C)."""
    H, real = x.shape[0], out.dtype.type
    own, shared = _factors(colour, C, real)
    offset = real(colour[0])
    if colour[2] != real(1):
        total = 0.0
        for y in range(H):
            total += _sum(x[y])
        offset += (real(1) - colour[2]) * real(total / x.size)
    low, right = place[1], place[2] * C
    first, last = max(right, 0), min(line.size + right, line.size)  # of a line that is seen
    for y in range(H):
        result = out[y]
        if y - low < 0 or y - low >= H:
            _zero(result, np.int64(0), result.size)
            continue
        source = x[y - low]
        if place[0]:
            _mirror(source, C, line)
            source = line
        _zero(result, np.int64(0), first)
        _recolour(source[first - right : last - right], C, own, shared, offset, result[first:last])
        _zero(result, last, result.size)
        if hole[0] <= y < hole[1]:
            _zero(result, hole[2] * C, hole[3] * C)


@jit(apart=True)
def _backward_image(dout, place, colour, hole, line, moved, C, dx):  # type: ignore[no-untyped-def]
    """dx (H, W C) from dout (H, W C)."""
    H, real = dx.shape[0], dx.dtype.type
    own, shared = _factors(colour, C, real)
    low, right = place[1], place[2] * C
    first, last = max(right, 0), min(line.size + right, line.size)
    total = 0.0
    for y in range(H):
        result, at = dx[y], y + low
        if at < 0 or at >= H:
            _zero(result, np.int64(0), result.size)
            continue
        source = dout[at]
        for j in range(line.size):
            line[j] = source[j]
        if hole[0] <= at < hole[1]:
            _zero(line, hole[2] * C, hole[3] * C)
        _zero(moved, np.int64(0), moved.size)
        for j in range(first, last):
            moved[j - right] = line[j]
        total += _sum(moved)
        if place[0]:
            _mirror(moved, C, result)
        else:
            for j in range(result.size):
                result[j] = moved[j]
    offset = (real(1) - colour[2]) * real(total / dx.size)
    for y in range(H):
        _recolour(dx[y], C, own, shared, offset, dx[y])


@jit(apart=True)
def _forward_images(start, stop, x, places, colours, holes, C, out):  # type: ignore[no-untyped-def]
    line = np.empty(x.shape[2], x.dtype)
    for i in range(start, stop):
        _forward_image(x[i], places[i], colours[i], holes[i], line, C, out[i])


@jit(apart=True)
def _backward_images(start, stop, dout, places, colours, holes, C, dx):  # type: ignore[no-untyped-def]
    line, moved = np.empty(dx.shape[2], dx.dtype), np.empty(dx.shape[2], dx.dtype)
    for i in range(start, stop):
        _backward_image(dout[i], places[i], colours[i], holes[i], line, moved, C, dx[i])


@jit(parallel=True)
def augment_forward(x, places, colours, holes, out):  # type: ignore[no-untyped-def]
    """x and out (N, H, W, C).

    places (N, 3) int64: 1 where it is mirrored, pixels that it is moved down and to the right;
    colours (N, 3) of x's dtype: brightness, saturation, contrast; holes (N, 4) int64: first and
    last + 1 of rows, then of columns. Pixels from outside and in holes are 0.
    """
    N, H, W, C = x.shape
    images, results = x.reshape(N, H, W * C), out.reshape(N, H, W * C)
    if x.size < SMALL:
        _forward_images(np.int64(0), N, images, places, colours, holes, C, results)
    else:
        for i in prange(N):  # each task owns an image
            _forward_images(i, i + 1, images, places, colours, holes, C, results)


@jit(parallel=True)
def augment_backward(dout, places, colours, holes, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C), the adjoint of ``augment_forward`` without its constant, of dout."""
    N, H, W, C = dout.shape
    images, results = dout.reshape(N, H, W * C), dx.reshape(N, H, W * C)
    if dout.size < SMALL:
        _backward_images(np.int64(0), N, images, places, colours, holes, C, results)
    else:
        for i in prange(N):  # each task owns an image
            _backward_images(i, i + 1, images, places, colours, holes, C, results)
