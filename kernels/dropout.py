"""Dropout: out = x where random > ratio, divided by 1 - ratio; else 0."""

from __future__ import annotations

from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("dropout_forward", "dropout_backward")

BLOCK = 16384  # elements of one task


@jit(apart=True)
def _forward(x, random, ratio, out, mask):  # type: ignore[no-untyped-def]
    real = out.dtype.type
    scale, zero = real(1.0 / (1.0 - ratio)), real(0)
    for i in range(x.size):
        mask[i] = random[i] > ratio
    for i in range(x.size):
        out[i] = x[i] * scale if mask[i] else zero * x[i]  # NaN is not dropped, as in the course


@jit(apart=True)
def _backward(dout, ratio, mask, dx):  # type: ignore[no-untyped-def]
    real = dx.dtype.type
    scale, zero = real(1.0 / (1.0 - ratio)), real(0)
    for i in range(dout.size):
        dx[i] = dout[i] * scale if mask[i] else zero * dout[i]


@jit(parallel=True)
def dropout_forward(x, random, ratio, out, mask):  # type: ignore[no-untyped-def]
    """x, out (n,); random (n,) float64 in [0, 1); mask (n,) bool receives random > ratio."""
    blocks = pieces(x.size, BLOCK)
    if blocks <= 2:
        _forward(x, random, ratio, out, mask)
    else:
        for block in prange(blocks):  # each task owns one block of out and mask
            own = slice(block * BLOCK, min((block + 1) * BLOCK, x.size))
            _forward(x[own], random[own], ratio, out[own], mask[own])


@jit(parallel=True)
def dropout_backward(dout, ratio, mask, dx):  # type: ignore[no-untyped-def]
    """dout, dx (n,); mask (n,) bool of the forward."""
    blocks = pieces(dout.size, BLOCK)
    if blocks <= 2:
        _backward(dout, ratio, mask, dx)
    else:
        for block in prange(blocks):  # each task owns one block of dx
            own = slice(block * BLOCK, min((block + 1) * BLOCK, dout.size))
            _backward(dout[own], ratio, mask[own], dx[own])
