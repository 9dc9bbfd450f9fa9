"""A factor and a shift for each channel of each image, and an activation: out = f(x scale + shift).

What a normalization by class does behind its statistics. A task owns some images.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .activation import backward_in_place, forward_in_place
from .channels import SMALL
from .jit import jit
from .long_rows import fold, repeat, row_length

KERNELS = ("modulate_forward", "modulate_backward")


@jit(apart=True)
def _modulate_image(kind, slope, x, scale, shift, out):  # type: ignore[no-untyped-def]
    """out (n,) of an image's pixels x (n,); scale, shift (C,)."""
    L = row_length(scale.size)
    scales, shifts = np.empty(L, out.dtype), np.empty(L, out.dtype)
    repeat(scale, scales)
    repeat(shift, shifts)
    for start in range(0, x.size, L):
        stop = min(start + L, x.size)
        row, result = x[start:stop], out[start:stop]
        for j in range(row.size):
            result[j] = row[j] * scales[j] + shifts[j]
        forward_in_place(kind, slope, result)


@jit(parallel=True)
def modulate_forward(kind, slope, x, scale, shift, out):  # type: ignore[no-untyped-def]
    """out (N, P, C) = f(x (N, P, C) scale (N, C) + shift (N, C)); kind and slope are f's."""
    N, P, C = x.shape
    flat, result = x.reshape(N, P * C), out.reshape(N, P * C)
    if x.size < SMALL:
        for n in range(N):
            _modulate_image(kind, slope, flat[n], scale[n], shift[n], result[n])
    else:
        for n in prange(N):  # each task owns an image of out
            _modulate_image(kind, slope, flat[n], scale[n], shift[n], result[n])


@jit(apart=True)
def _gradients_of_image(kind, slope, x, scale, out, dout, dx, dscale, dshift):  # type: ignore[no-untyped-def]
    """dx (n,), dscale and dshift (C,) of an image."""
    C = scale.size
    L = row_length(C)
    scales, sums = np.empty(L, dx.dtype), np.zeros((2, L), dx.dtype)
    repeat(scale, scales)
    products, plain = sums[0], sums[1]
    for start in range(0, x.size, L):
        stop = min(start + L, x.size)
        row, own, d = x[start:stop], dx[start:stop], dout[start:stop]
        for j in range(row.size):
            own[j] = d[j]
        backward_in_place(kind, slope, out[start:stop], own)
        for j in range(row.size):
            plain[j] += own[j]
        for j in range(row.size):
            products[j] += own[j] * row[j]
        for j in range(row.size):
            own[j] *= scales[j]
    fold(products, C, dscale)
    fold(plain, C, dshift)


@jit(parallel=True)
def modulate_backward(kind, slope, x, scale, out, dout, dx, dscale, dshift):  # type: ignore[no-untyped-def]
    """dx (N, P, C), dscale and dshift (N, C) from dout (N, P, C); f is told by its out."""
    N, P, C = x.shape
    flat, kept = x.reshape(N, P * C), out.reshape(N, P * C)
    d, result = dout.reshape(N, P * C), dx.reshape(N, P * C)
    if x.size < SMALL:
        for n in range(N):
            _gradients_of_image(
                kind, slope, flat[n], scale[n], kept[n], d[n], result[n], dscale[n], dshift[n]
            )
    else:
        for n in prange(N):  # each task owns an image of dx
            _gradients_of_image(
                kind, slope, flat[n], scale[n], kept[n], d[n], result[n], dscale[n], dshift[n]
            )
