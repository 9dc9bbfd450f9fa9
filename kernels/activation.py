"""Activation functions, elementwise: out = f(x), and dx = dout f'(x).

One kernel serves every function; ``kind`` chooses. Backward reads what it needs from ``saved``:
the output for ReLU, leaky ReLU, sigmoid and tanh, the input for GELU.
"""

from __future__ import annotations

from numba import prange

from .dense import pieces
from .jit import jit
from .math import erf, exp, sigmoid, tanh

KERNELS = ("activation_forward", "activation_backward")

NONE, RELU, LEAKY_RELU, SIGMOID, TANH, GELU = 0, 1, 2, 3, 4, 5

BLOCK = 4096  # elements of one task: two arrays of a block stay in the first-level cache

_SQRT_HALF = 0.7071067811865476
_INV_SQRT_2PI = 0.3989422804014327


@jit(apart=True)
def forward_in_place(kind, slope, a):  # type: ignore[no-untyped-def]
    """a = f(a) for a 1-D array."""
    # One array a loop: with x and out apart, LLVM guards the vector loop by a test for overlap,
    # and where both were one array that test sent everything through the scalar loop (3x slower).
    real = a.dtype.type
    n = a.size
    zero, half, one = real(0), real(0.5), real(1)
    if kind == RELU:
        for i in range(n):
            a[i] = zero if a[i] <= zero else a[i]  # this way round a NaN stays a NaN
    elif kind == LEAKY_RELU:
        factor = real(slope)
        for i in range(n):
            a[i] = a[i] * factor if a[i] <= zero else a[i]
    elif kind == SIGMOID:
        for i in range(n):
            a[i] = sigmoid(a[i])
    elif kind == TANH:
        for i in range(n):
            a[i] = tanh(a[i])
    elif kind == GELU:
        scale = real(_SQRT_HALF)
        for i in range(n):
            a[i] = half * a[i] * (one + erf(a[i] * scale))


@jit(apart=True)
def backward_in_place(kind, slope, saved, d):  # type: ignore[no-untyped-def]
    """d = d f'(x) for 1-D arrays."""
    real = d.dtype.type
    n = saved.size
    zero, half, one = real(0), real(0.5), real(1)
    if kind == RELU:
        for i in range(n):
            d[i] = zero if saved[i] <= zero else d[i]
    elif kind == LEAKY_RELU:
        factor = real(slope)
        for i in range(n):
            d[i] = d[i] * factor if saved[i] <= zero else d[i]
    elif kind == SIGMOID:
        for i in range(n):
            d[i] = d[i] * saved[i] * (one - saved[i])
    elif kind == TANH:
        for i in range(n):
            d[i] = d[i] * (one - saved[i] * saved[i])
    elif kind == GELU:
        scale, density = real(_SQRT_HALF), real(_INV_SQRT_2PI)
        for i in range(n):
            x = saved[i]
            below = half * (one + erf(x * scale))
            # the density is zero long before 40; there the square would overflow to inf * 0
            near = min(max(x, -real(40)), real(40))
            d[i] = d[i] * (below + near * density * exp(-half * near * near))


@jit(inline=True)
def copy(x, out):  # type: ignore[no-untyped-def]
    """out = x for 1-D arrays."""
    for i in range(x.size):
        out[i] = x[i]


@jit(parallel=True)
def activation_forward(kind, slope, x, out):  # type: ignore[no-untyped-def]
    """out = f(x); x, out (n,)."""
    blocks = pieces(x.size, BLOCK)
    if blocks <= 4:
        copy(x, out)
        forward_in_place(kind, slope, out)
    else:
        for block in prange(blocks):  # each task owns one block of out
            own = slice(block * BLOCK, min((block + 1) * BLOCK, x.size))
            copy(x[own], out[own])
            forward_in_place(kind, slope, out[own])


@jit(parallel=True)
def activation_backward(kind, slope, saved, dout, dx):  # type: ignore[no-untyped-def]
    """dx = dout f'(x); saved, dout, dx (n,)."""
    blocks = pieces(dout.size, BLOCK)
    if blocks <= 4:
        copy(dout, dx)
        backward_in_place(kind, slope, saved, dx)
    else:
        for block in prange(blocks):  # each task owns one block of dx
            own = slice(block * BLOCK, min((block + 1) * BLOCK, dout.size))
            copy(dout[own], dx[own])
            backward_in_place(kind, slope, saved[own], dx[own])
