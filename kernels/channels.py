"""One number for each channel of an image x (N, P, C): sums and means over its P pixels, factors.

And one for each channel of all images, which is added.

A task owns some images. Several pixels are taken as one long row (see ``long_rows``).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .jit import jit
from .long_rows import fold, repeat, row_length

KERNELS = (
    "global_avgpool_forward", "global_avgpool_backward", "scale_channels", "sum_pixels",
    "add_to_channels",
)  # fmt: skip

SMALL = 32768  # elements below which a parallel region would cost more than it saves


@jit(apart=True)
def _sum_of_image(x, share, out):  # type: ignore[no-untyped-def]
    """out (C,) = share times the sum of an image's pixels (n,)."""
    C = out.size
    total = np.zeros(row_length(C), out.dtype)
    for start in range(0, x.size, total.size):
        row = x[start : min(start + total.size, x.size)]
        for j in range(row.size):
            total[j] += row[j]
    fold(total, C, out)
    for j in range(C):
        out[j] *= share


@jit(parallel=True)
def global_avgpool_forward(x, out):  # type: ignore[no-untyped-def]
    """out (N, C) = the mean over the pixels of x (N, P, C)."""
    N, P, C = x.shape
    flat, share = x.reshape(N, P * C), out.dtype.type(1 / P)
    if x.size < SMALL:
        for n in range(N):
            _sum_of_image(flat[n], share, out[n])
    else:
        for n in prange(N):  # each task owns a row of out
            _sum_of_image(flat[n], share, out[n])


@jit(parallel=True)
def sum_pixels(x, out):  # type: ignore[no-untyped-def]
    """out (N, C) = the sum over the pixels of x (N, P, C)."""
    N, P, C = x.shape
    flat, share = x.reshape(N, P * C), out.dtype.type(1)
    if x.size < SMALL:
        for n in range(N):
            _sum_of_image(flat[n], share, out[n])
    else:
        for n in prange(N):  # each task owns a row of out
            _sum_of_image(flat[n], share, out[n])


@jit(apart=True)
def _spread_over_image(dout, dx):  # type: ignore[no-untyped-def]
    """Every pixel of dx (n,) = dout (C,) / their number."""
    C = dout.size
    pixel, row = np.empty(C, dx.dtype), np.empty(row_length(C), dx.dtype)
    share = dx.dtype.type(C / dx.size)
    for j in range(C):
        pixel[j] = dout[j] * share
    repeat(pixel, row)
    for start in range(0, dx.size, row.size):
        result = dx[start : min(start + row.size, dx.size)]
        for j in range(result.size):
            result[j] = row[j]


@jit(parallel=True)
def global_avgpool_backward(dout, dx):  # type: ignore[no-untyped-def]
    """dx (N, P, C) = dout (N, C) / P at every pixel."""
    N, P, C = dx.shape
    flat = dx.reshape(N, P * C)
    if dx.size < SMALL:
        for n in range(N):
            _spread_over_image(dout[n], flat[n])
    else:
        for n in prange(N):  # each task owns an image of dx
            _spread_over_image(dout[n], flat[n])


@jit(apart=True)
def _scale_image(x, factor, out):  # type: ignore[no-untyped-def]
    """Every pixel of out (n,) = that of x times factor (C,)."""
    factors = np.empty(row_length(factor.size), out.dtype)
    repeat(factor, factors)
    for start in range(0, x.size, factors.size):
        stop = min(start + factors.size, x.size)
        row, result = x[start:stop], out[start:stop]
        for j in range(row.size):
            result[j] = row[j] * factors[j]


@jit(parallel=True)
def scale_channels(x, factor, out):  # type: ignore[no-untyped-def]
    """out (N, P, C) = x (N, P, C) times factor (N, C) at every pixel."""
    N, P, C = x.shape
    flat, result = x.reshape(N, P * C), out.reshape(N, P * C)
    if x.size < SMALL:
        for n in range(N):
            _scale_image(flat[n], factor[n], result[n])
    else:
        for n in prange(N):  # each task owns an image of out
            _scale_image(flat[n], factor[n], result[n])


@jit(apart=True)
def _add_to_image(x, row, relu):  # type: ignore[no-untyped-def]
    """x (n,) += row over and over, then max(0, x) where ``relu``."""
    for start in range(0, x.size, row.size):
        own = x[start : min(start + row.size, x.size)]
        for j in range(own.size):
            own[j] += row[j]
        if relu:
            for j in range(own.size):
                own[j] = 0 if own[j] < 0 else own[j]


@jit(parallel=True)
def add_to_channels(x, b, relu):  # type: ignore[no-untyped-def]
    """x (N, P, C) += b (C,) at every pixel, in place, then max(0, x) where ``relu``."""
    N, P, C = x.shape
    flat, row = x.reshape(N, P * C), np.empty(row_length(C), x.dtype)
    repeat(b, row)
    if x.size < SMALL:
        for n in range(N):
            _add_to_image(flat[n], row, relu)
    else:
        for n in prange(N):  # each task owns an image of x
            _add_to_image(flat[n], row, relu)
