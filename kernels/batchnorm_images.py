"""Batch normalization by channel, with shortcut and activation in the same pass over memory.

out = f(gamma (x - mean) / sqrt(var + epsilon) + beta + shortcut) for x (M, C), the M pixels of all
images (Ioffe & Szegedy 2015; the sum before f as in He et al. 2016). Nothing between x and out is
stored for backward, which computes it again. A task owns a block of
pixels; the blocks' sums are joined in their order.

Several pixels are taken as one long row (see ``long_rows``).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .activation import GELU, NONE, RELU, backward_in_place, forward_in_place
from .batchnorm import join_moments, join_sums
from .column_sums import GATED, GRADIENTS, MOMENTS, WIDE, column_sums, padded
from .dense import pieces
from .jit import jit
from .long_rows import fold, repeat, row_length, strip_length
from .vectors import lanes

KERNELS = ("batchnorm_images_forward", "batchnorm_images_backward")

ELEMENTS = 32768  # of one block: it stays in the second-level cache between two passes
CHUNKS = 256  # at most so many blocks, so that their sums stay small beside x
SMALL = 65536  # elements below which a parallel region would cost more than it saves


@jit(inline=True)
def _blocks(M, C):  # type: ignore[no-untyped-def]
    """Number of blocks that the pixels are cut into."""
    return pieces(M, max(max(ELEMENTS // C, 1), pieces(M, CHUNKS)))


@jit(apart=True)
def _block_moments(x, mean, square):  # type: ignore[no-untyped-def]
    """Mean and sum of squared deviations (C,) of a block of pixels (n,), in one pass over it.

    The deviations are those from the mean of its first pixels. These are at least a sixteenth of
    the block, so that its variance is at least so much of the shift's square, and no more than a
    few bits cancel (Chan, Golub & LeVeque 1983).
    """
    C, real = mean.size, mean.dtype.type
    L = strip_length(C, WIDE * lanes(x))
    channel, sums = np.zeros((3, padded(L, x)), x.dtype), np.zeros((2, padded(L, x)), x.dtype)
    some = x[: max(x.size // (16 * C), 1) * C]
    column_sums(MOMENTS, some, some, L, channel, sums)
    fold(sums[0, :L], C, mean)
    for j in range(C):
        mean[j] *= real(C / some.size)
    repeat(mean, channel[0, :L])
    sums[...] = 0
    column_sums(MOMENTS, x, x, L, channel, sums)
    rest, share = np.empty(C, mean.dtype), real(C / x.size)
    fold(sums[0, :L], C, rest)
    fold(sums[1, :L], C, square)
    for j in range(C):
        square[j] -= rest[j] * rest[j] * share
        mean[j] += rest[j] * share


@jit(apart=True)
def _before_activation(x, middle, scale, shift, shortcut, out):  # type: ignore[no-untyped-def]
    """out = (x - middle) scale + shift + shortcut for one long row (an empty shortcut: none)."""
    if shortcut.size == 0:
        for j in range(x.size):
            out[j] = (x[j] - middle[j]) * scale[j] + shift[j]
    else:
        for j in range(x.size):
            out[j] = (x[j] - middle[j]) * scale[j] + (shift[j] + shortcut[j])


@jit(apart=True)
def _forward_block(kind, slope, C, x, shortcut, channel, out):  # type: ignore[no-untyped-def]
    """out (n,) of a block of pixels; channel (3, L + a vector) as ``_channels`` gives it."""
    L = row_length(C)
    middle, scale, shift = channel[0], channel[1], channel[2]
    for start in range(0, x.size, L):
        stop = min(start + L, x.size)
        result = out[start:stop]
        _before_activation(x[start:stop], middle, scale, shift, shortcut[start:stop], result)
        if kind == RELU:
            zero = result.dtype.type(0)
            for j in range(result.size):
                result[j] = zero if result[j] <= zero else result[j]
        elif kind != NONE:
            forward_in_place(kind, slope, result)


@jit(apart=True)
def _channels(gamma, beta, epsilon, mean, var, channel):  # type: ignore[no-untyped-def]
    """channel (3, L + a vector): mean, gamma / sqrt(var + epsilon), beta along a long row."""
    C = gamma.size
    L = row_length(C)
    scale = np.empty(C, var.dtype)
    small = var.dtype.type(epsilon)
    for j in range(C):
        scale[j] = gamma[j] / np.sqrt(var[j] + small)
    repeat(mean, channel[0, :L])
    channel[0, L:] = 0
    repeat(scale, channel[1, :L])
    channel[1, L:] = 0
    repeat(beta, channel[2, :L])
    channel[2, L:] = 0


@jit(parallel=True)
def batchnorm_images_forward(
    training, kind, slope, x, shortcut, gamma, beta, epsilon, mean, var, out
):  # type: ignore[no-untyped-def]
    """x, out (M, C), the others (C,); training writes mean and var, else reads them.

    kind and slope are the activation's, shortcut is (M, C), or (0, C) for none.
    """
    M, C = x.shape
    blocks = _blocks(M, C)
    flat, extra, result = x.reshape(x.size), shortcut.reshape(shortcut.size), out.reshape(x.size)
    sums = np.empty((2, blocks if training else 0, C), var.dtype)
    channel = np.empty((3, padded(row_length(C), x)), var.dtype)
    if training:
        if x.size < SMALL:
            for block in range(blocks):
                own = slice(M * block // blocks * C, M * (block + 1) // blocks * C)
                _block_moments(flat[own], sums[0, block], sums[1, block])
        else:
            for block in prange(blocks):  # each task owns a block's place in the sums
                own = slice(M * block // blocks * C, M * (block + 1) // blocks * C)
                _block_moments(flat[own], sums[0, block], sums[1, block])
        join_moments(M, sums[0], sums[1], mean, var)
    _channels(gamma, beta, epsilon, mean, var, channel)
    if x.size < SMALL:
        _forward_block(kind, slope, C, flat, extra, channel, result)
    else:
        for block in prange(blocks):  # each task owns a block of out
            own = slice(M * block // blocks * C, M * (block + 1) // blocks * C)
            _forward_block(kind, slope, C, flat[own], extra[own], channel, result[own])


@jit(apart=True)
def _through_activation(kind, slope, C, saved, shortcut, dout, more, channel, d):  # type: ignore[no-untyped-def]
    """d (n,) = the gradient before the activation, for a long row; an empty ``more``: none.

    saved is out, or x for GELU, whose input is computed again.
    """
    if kind == RELU:
        zero = d.dtype.type(0)
        if more.size:
            for j in range(d.size):
                d[j] = zero if saved[j] <= zero else dout[j] + more[j]
        else:
            for j in range(d.size):
                d[j] = zero if saved[j] <= zero else dout[j]
        return
    for j in range(d.size):
        d[j] = dout[j]
    for j in range(more.size):
        d[j] += more[j]
    if kind == GELU:
        z = np.empty(d.size, d.dtype)
        _forward_block(NONE, slope, C, saved, shortcut, channel, z)
        backward_in_place(kind, slope, z, d)
    else:
        backward_in_place(kind, slope, saved, d)


@jit(apart=True)
def _block_sums(kind, slope, x, saved, shortcut, dout, more, channel, before, dgamma, dbeta):  # type: ignore[no-untyped-def]
    """Sums (C,) of d (x - mean) and of d over a block, where d is dout or written to before.

    before is empty where d need not be kept: without an activation, or if x tells where it is 0.
    """
    C = dgamma.size
    L = strip_length(C, WIDE * lanes(x))
    sums = np.zeros((2, padded(L, x)), x.dtype)
    if before.size == 0:
        column_sums(GATED if kind == RELU else GRADIENTS, x, dout, L, channel, sums)
    else:
        length = row_length(C)
        for start in range(0, x.size, length):
            own = slice(start, min(start + length, x.size))
            _through_activation(
                kind,
                slope,
                C,
                saved[own],
                shortcut[own],
                dout[own],
                more[own],
                channel,
                before[own],
            )
        column_sums(GRADIENTS, x, before, L, channel, sums)
    fold(sums[1, :L], C, dgamma)
    fold(sums[0, :L], C, dbeta)


@jit(apart=True)
def _dx_block(gated, in_place, x, d, channel, factors, dx):  # type: ignore[no-untyped-def]
    """dx = scale d - a (x - mean) - b by channel; factors (2, L) is a and b along a long row.

    gated: d is 0 where ReLU's input was not above 0. Where in_place, d is dx itself: read and
    written through one name, or it would not vectorise.
    """
    L = factors.shape[1]
    middle, scale, shift, a, b = channel[0], channel[1], channel[2], factors[0], factors[1]
    zero = dx.dtype.type(0)
    for start in range(0, x.size, L):
        stop = min(start + L, x.size)
        row, result = x[start:stop], dx[start:stop]
        if in_place:
            for j in range(row.size):
                result[j] = result[j] * scale[j] - (row[j] - middle[j]) * a[j] - b[j]
        elif gated:
            own = d[start:stop]
            for j in range(row.size):
                deviation = row[j] - middle[j]
                given = zero if deviation * scale[j] + shift[j] <= zero else own[j]
                result[j] = given * scale[j] - deviation * a[j] - b[j]
        else:
            own = d[start:stop]
            for j in range(row.size):
                result[j] = own[j] * scale[j] - (row[j] - middle[j]) * a[j] - b[j]


@jit(apart=True)
def _factors(training, M, dgamma, dbeta, epsilon, var, scale, factors):  # type: ignore[no-untyped-def]
    """dgamma = inverse deviation times itself; factors (2, L) for ``_dx_block``."""
    C = dgamma.size
    own = np.zeros((2, C), var.dtype)
    small, one, share = var.dtype.type(epsilon), var.dtype.type(1), var.dtype.type(1.0 / M)
    for j in range(C):
        inverse = one / np.sqrt(var[j] + small)
        dgamma[j] *= inverse
        if training:  # given statistics pass no gradient on
            own[0, j] = scale[j] * inverse * dgamma[j] * share
            own[1, j] = scale[j] * dbeta[j] * share
    repeat(own[0], factors[0])
    repeat(own[1], factors[1])


@jit(parallel=True)
def batchnorm_images_backward(
    training, kind, slope, x, saved, shortcut, gamma, beta, mean, var, epsilon, dout, more, dx,
    dshortcut, dgamma, dbeta,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """x, saved, dout, dx (M, C), the others (C,); training goes through mean and variance.

    saved is out, for GELU, no activation, and ReLU without a shortcut x. dshortcut is (M, C), or
    (0, C) for none; shortcut is read for GELU only. Without an activation dshortcut would be dout:
    it is (0, C) then. more: another gradient of out, to be added to dout, where there is a
    dshortcut; (0, C) for none.
    """
    M, C = x.shape
    blocks = _blocks(M, C)
    flat, kept, extra = x.reshape(x.size), saved.reshape(x.size), shortcut.reshape(shortcut.size)
    d, result, second = dout.reshape(x.size), dx.reshape(x.size), more.reshape(more.size)
    # the gradient before the activation: the shortcut's own, or kept in dx until its turn comes;
    # ReLU's is found twice, as its input follows from x
    joined, gated = dshortcut.size > 0, kind == RELU and dshortcut.size == 0
    in_place = kind != NONE and not joined and not gated
    before = dshortcut.reshape(dshortcut.size) if joined else result[: in_place * x.size]
    after = before if before.size else d
    sums, L = np.empty((2, blocks, C), var.dtype), row_length(C)
    channel, factors = np.empty((3, padded(L, x)), var.dtype), np.empty((2, L), var.dtype)
    _channels(gamma, beta, epsilon, mean, var, channel)
    if x.size < SMALL:
        for block in range(blocks):
            own = slice(M * block // blocks * C, M * (block + 1) // blocks * C)
            _block_sums(
                kind, slope, flat[own], kept[own], extra[own], d[own], second[own], channel,
                before[own], sums[0, block], sums[1, block],
            )  # fmt: skip
    else:
        for block in prange(blocks):  # each task owns a block of before and of the sums
            own = slice(M * block // blocks * C, M * (block + 1) // blocks * C)
            _block_sums(
                kind, slope, flat[own], kept[own], extra[own], d[own], second[own], channel,
                before[own], sums[0, block], sums[1, block],
            )  # fmt: skip
    join_sums(sums[0], dgamma)
    join_sums(sums[1], dbeta)
    _factors(training, M, dgamma, dbeta, epsilon, var, channel[1], factors)
    if x.size < SMALL:
        _dx_block(gated, in_place, flat, after, channel, factors, result)
    else:
        for block in prange(blocks):  # each task owns a block of dx
            own = slice(M * block // blocks * C, M * (block + 1) // blocks * C)
            _dx_block(gated, in_place, flat[own], after[own], channel, factors, result[own])
