"""Maximum of windows of images (N, H, W, C), with the place of each maximum.

A place is kh * KW + kw, the maximum's number within its window: one byte an output where the window
has at most 256 places. Padding counts as -infinity, NaN as the largest number, and of equal numbers
the first is the maximum, as in PyTorch. A task owns some lines of the result.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .windows import add_pixels, inside, take_pixels

KERNELS = ("maxpool_forward", "maxpool_backward")

ELEMENTS = 16384  # of the input or output of one task
SMALL = 32768  # elements below which a parallel region would cost more than it saves


@jit(inline=True)
def _keep_larger(values, place, best, index):  # type: ignore[no-untyped-def]
    """best, index = values, place where values are larger, or NaN; (n,)."""
    for j in range(values.size):
        larger = (values[j] > best[j]) | (values[j] != values[j])
        index[j] = place if larger else index[j]
    for j in range(values.size):
        larger = (values[j] > best[j]) | (values[j] != values[j])
        best[j] = values[j] if larger else best[j]


@jit(inline=True)
def _first_places(oh, kernel, stride, padding, dilation, C, index):  # type: ignore[no-untyped-def]
    """index (OW C,) = each window's first place within the image: the maximum of -infinities."""
    place = index.dtype.type
    above, kh = padding[0] - oh * stride[0], 0
    if above > 0:
        kh = min(pieces(above, dilation[0]), kernel[0] - 1)
    of_line = place(kh * kernel[1])
    for j in range(index.size):
        index[j] = of_line
    for ow in range(index.size // C):
        before = padding[1] - ow * stride[1]
        if before <= 0:
            break
        kw = min(pieces(before, dilation[1]), kernel[1] - 1)
        for j in range(ow * C, (ow + 1) * C):
            index[j] = place(kh * kernel[1] + kw)


@jit(apart=True)
def _forward_line(x, oh, kernel, stride, padding, dilation, scratch, out, index):  # type: ignore[no-untyped-def]
    """Line oh of an image's out and index (OW, C) from x (H, W C)."""
    OW, C = out.shape
    H, W = x.shape[0], x.shape[1] // C
    best, places, low = out.reshape(OW * C), index.reshape(OW * C), out.dtype.type(-np.inf)
    for j in range(best.size):
        best[j] = low
    _first_places(oh, kernel, stride, padding, dilation, C, places)
    for kh in range(kernel[0]):
        ih = oh * stride[0] - padding[0] + kh * dilation[0]
        if ih < 0 or ih >= H:
            continue
        for kw in range(kernel[1]):
            first, stop = inside(kw, W, OW, stride[1], padding[1], dilation[1])
            start = first * stride[1] - padding[1] + kw * dilation[1]
            take_pixels(x[ih], start, stride[1], stop - first, C, scratch)
            own, place = slice(first * C, stop * C), index.dtype.type(kh * kernel[1] + kw)
            _keep_larger(scratch[: (stop - first) * C], place, best[own], places[own])


@jit(apart=True)
def _forward_lines(start, stop, x, kernel, stride, padding, dilation, out, index):  # type: ignore[no-untyped-def]
    """Lines start to stop of out and index, those of all images counted on."""
    OH, OW, C = out.shape[1:]
    scratch = np.empty(OW * C, out.dtype)
    for i in range(start, stop):
        n, oh = i // OH, i % OH
        _forward_line(
            x[n], oh, kernel, stride, padding, dilation, scratch, out[n, oh], index[n, oh]
        )


@jit(parallel=True)
def maxpool_forward(x, kernel, stride, padding, dilation, out, index):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), out and index (N, OH, OW, C); the others are pairs of ints."""
    N, H, W, C = x.shape
    lines, total = x.reshape(N, H, W * C), N * out.shape[1]
    most = max(ELEMENTS // (W * C), 1)
    if x.size < SMALL:
        _forward_lines(np.int64(0), total, lines, kernel, stride, padding, dilation, out, index)
    else:
        for task in prange(pieces(total, most)):  # each task owns some lines of out and index
            start = np.int64(task * most)
            stop = min(start + most, total)
            _forward_lines(start, stop, lines, kernel, stride, padding, dilation, out, index)


@jit(apart=True)
def _backward_line(dout, index, ih, kernel, stride, padding, dilation, scratch, dx):  # type: ignore[no-untyped-def]
    """Line ih of an image's dx (W, C) from dout and index (OH, OW C)."""
    W, C = dx.shape
    OH, OW = dout.shape[0], dout.shape[1] // C
    line, zero = dx.reshape(W * C), dx.dtype.type(0)
    for j in range(line.size):
        line[j] = zero
    for kh in range(kernel[0]):
        below = ih + padding[0] - kh * dilation[0]
        oh = below // stride[0]
        if below < 0 or below % stride[0] or oh >= OH:
            continue
        for kw in range(kernel[1]):
            first, stop = inside(kw, W, OW, stride[1], padding[1], dilation[1])
            own, place = slice(first * C, stop * C), index.dtype.type(kh * kernel[1] + kw)
            d, places, values = dout[oh][own], index[oh][own], scratch[: (stop - first) * C]
            for j in range(d.size):
                values[j] = d[j] if places[j] == place else zero
            start = first * stride[1] - padding[1] + kw * dilation[1]
            add_pixels(line, start, stride[1], stop - first, C, scratch)


@jit(apart=True)
def _backward_lines(start, stop, dout, index, kernel, stride, padding, dilation, dx):  # type: ignore[no-untyped-def]
    """Lines start to stop of dx, those of all images counted on."""
    H, scratch = dx.shape[1], np.empty(dout.shape[2], dx.dtype)
    for i in range(start, stop):
        n, ih = i // H, i % H
        _backward_line(dout[n], index[n], ih, kernel, stride, padding, dilation, scratch, dx[n, ih])


@jit(parallel=True)
def maxpool_backward(dout, index, kernel, stride, padding, dilation, dx):  # type: ignore[no-untyped-def]
    """dout and index (N, OH, OW, C), dx (N, H, W, C); the others are pairs of ints."""
    N, H, W, C = dx.shape
    OH, OW = dout.shape[1], dout.shape[2]
    d, places = dout.reshape(N, OH, OW * C), index.reshape(N, OH, OW * C)
    most = max(ELEMENTS // (W * C), 1)
    if dx.size < SMALL:
        _backward_lines(np.int64(0), N * H, d, places, kernel, stride, padding, dilation, dx)
    else:
        for task in prange(pieces(N * H, most)):  # each task owns some lines of dx
            start = np.int64(task * most)
            stop = min(start + most, N * H)
            _backward_lines(start, stop, d, places, kernel, stride, padding, dilation, dx)
