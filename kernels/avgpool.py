"""Mean of windows of images (N, H, W, C).

Windows are added up line by line, then pixel by pixel; backward goes the other way. A task owns
some lines of the result.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .windows import add_pixels, inside, take_pixels

KERNELS = ("avgpool_forward", "avgpool_backward")

ELEMENTS = 16384  # of the input of one task
SMALL = 32768  # elements below which a parallel region would cost more than it saves


@jit(inline=True)
def _share(place, size, kernel, stride, padding, count_include_pad):  # type: ignore[no-untyped-def]
    """1 / (number of places of a window that count) along one axis."""
    start = place * stride - padding
    count = kernel if count_include_pad else min(start + kernel, size) - max(start, 0)
    return 1.0 / count


@jit(apart=True)
def _shares(W, kernel, stride, padding, count_include_pad, shares):  # type: ignore[no-untyped-def]
    """shares (OW, C): the share of every pixel of a line."""
    for ow in range(shares.shape[0]):
        share = shares.dtype.type(_share(ow, W, kernel, stride, padding, count_include_pad))
        pixel = shares[ow]
        for j in range(pixel.size):
            pixel[j] = share


@jit(apart=True)
def _forward_line(x, oh, kernel, stride, padding, share, shares, scratch, out):  # type: ignore[no-untyped-def]
    """Line oh of an image's out (OW, C) from x (H, W C), with shares (OW C,) and its own share."""
    OW, C = out.shape
    H, W = x.shape[0], x.shape[1] // C
    total, moved = scratch[: W * C], scratch[W * C :]
    line, zero = out.reshape(OW * C), out.dtype.type(0)
    for j in range(total.size):
        total[j] = zero
    for j in range(line.size):
        line[j] = zero
    for ih in range(
        max(oh * stride[0] - padding[0], 0), min(oh * stride[0] - padding[0] + kernel[0], H)
    ):
        row = x[ih]
        for j in range(row.size):
            total[j] += row[j]
    for kw in range(kernel[1]):
        first, stop = inside(kw, W, OW, stride[1], padding[1], 1)
        start = first * stride[1] - padding[1] + kw
        take_pixels(total, start, stride[1], stop - first, C, moved)
        add_pixels(line, first, 1, stop - first, C, moved)
    for j in range(line.size):
        line[j] *= shares[j] * share


@jit(apart=True)
def _forward_lines(start, stop, x, kernel, stride, padding, count_include_pad, shares, out):  # type: ignore[no-untyped-def]
    """Lines start to stop of out, those of all images counted on."""
    H, OH = x.shape[1], out.shape[1]
    scratch = np.empty(x.shape[2] + shares.size, out.dtype)
    for i in range(start, stop):
        n, oh = i // OH, i % OH
        share = _share(oh, H, kernel[0], stride[0], padding[0], count_include_pad)
        _forward_line(
            x[n], oh, kernel, stride, padding, out.dtype.type(share), shares, scratch, out[n, oh]
        )


@jit(parallel=True)
def avgpool_forward(x, kernel, stride, padding, count_include_pad, out):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), out (N, OH, OW, C); the others are pairs of ints and a bool."""
    N, H, W, C = x.shape
    lines, total, most = x.reshape(N, H, W * C), N * out.shape[1], max(ELEMENTS // (W * C), 1)
    shares = np.empty((out.shape[2], C), out.dtype)
    _shares(W, kernel[1], stride[1], padding[1], count_include_pad, shares)
    flat = shares.reshape(shares.size)
    if x.size < SMALL:
        _forward_lines(
            np.int64(0), total, lines, kernel, stride, padding, count_include_pad, flat, out
        )
    else:
        for task in prange(pieces(total, most)):  # each task owns some lines of out
            start = np.int64(task * most)
            stop = min(start + most, total)
            _forward_lines(
                start, stop, lines, kernel, stride, padding, count_include_pad, flat, out
            )


@jit(apart=True)
def _backward_line(dout, ih, H, kernel, stride, padding, count_include_pad, shares, total, dx):  # type: ignore[no-untyped-def]
    """Line ih of an image's dx (W, C) from dout (OH, OW C)."""
    W, C = dx.shape
    OH, OW = dout.shape[0], dout.shape[1] // C
    line, zero, real = dx.reshape(W * C), dx.dtype.type(0), dx.dtype.type
    for j in range(line.size):
        line[j] = zero
    for j in range(total.size):
        total[j] = zero
    first_line, stop_line = (
        pieces(max(ih + padding[0] - kernel[0] + 1, 0), stride[0]),
        min((ih + padding[0]) // stride[0] + 1, OH),
    )
    for oh in range(first_line, stop_line):
        share = real(_share(oh, H, kernel[0], stride[0], padding[0], count_include_pad))
        d = dout[oh]
        for j in range(d.size):
            total[j] += d[j] * share
    for j in range(total.size):
        total[j] *= shares[j]
    for kw in range(kernel[1]):
        first, stop = inside(kw, W, OW, stride[1], padding[1], 1)
        start = first * stride[1] - padding[1] + kw
        add_pixels(line, start, stride[1], stop - first, C, total[first * C : stop * C])


@jit(apart=True)
def _backward_lines(start, stop, dout, kernel, stride, padding, count_include_pad, shares, dx):  # type: ignore[no-untyped-def]
    """Lines start to stop of dx, those of all images counted on."""
    H, total = dx.shape[1], np.empty(shares.size, dx.dtype)
    for i in range(start, stop):
        n, ih = i // H, i % H
        _backward_line(
            dout[n], ih, H, kernel, stride, padding, count_include_pad, shares, total, dx[n, ih]
        )


@jit(parallel=True)
def avgpool_backward(dout, kernel, stride, padding, count_include_pad, dx):  # type: ignore[no-untyped-def]
    """dout (N, OH, OW, C), dx (N, H, W, C); the others are pairs of ints and a bool."""
    N, H, W, C = dx.shape
    OH, OW = dout.shape[1], dout.shape[2]
    d, most = dout.reshape(N, OH, OW * C), max(ELEMENTS // (W * C), 1)
    shares = np.empty((OW, C), dx.dtype)
    _shares(W, kernel[1], stride[1], padding[1], count_include_pad, shares)
    flat = shares.reshape(OW * C)
    if dx.size < SMALL:
        _backward_lines(np.int64(0), N * H, d, kernel, stride, padding, count_include_pad, flat, dx)
    else:
        for task in prange(pieces(N * H, most)):  # each task owns some lines of dx
            start = np.int64(task * most)
            stop = min(start + most, N * H)
            _backward_lines(start, stop, d, kernel, stride, padding, count_include_pad, flat, dx)
