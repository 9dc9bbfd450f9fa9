"""Patches of channels-last images as matrices, for the kernels of convolution.

Work is cut into units, some rows of one image or several small images. A unit's part of the input
is copied into cache with its zero padding around it (or serves as it is, where there is none), and
every filter place reads it from there at a constant distance. There is no matrix of columns.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .tile import (
    ROWS,
    high_each,
    high_each_two,
    tile_each,
    tile_each_two,
    tile_one,
    tile_two,
)
from .vectors import BYTES, at, lanes

CACHED = 65536  # numbers of a unit's input: they stay in the second-level cache
PIXELS = 512  # at most so many pixels in a unit, so that there are units for all threads


@jit(inline=True)
def rounded(n, whole):  # type: ignore[no-untyped-def]
    """n rounded up to a multiple of ``whole``."""
    return (n + whole - 1) // whole * whole


@jit(inline=True)
def empty_aligned(n, like):  # type: ignore[no-untyped-def]
    """Memory for n numbers of like's dtype that begins where a vector does.

    Vectors that lie across two cache lines take twice as long to load and store.
    """
    held = np.empty(n + lanes(like), like.dtype)
    skip = (BYTES - held.ctypes.data % BYTES) % BYTES // held.itemsize
    return held[skip : skip + n]


@jit(inline=True)
def cut_into_units(N, H, W, pixels):  # type: ignore[no-untyped-def]
    """(images, rows) of units of about so many of the N H W pixels."""
    if pixels <= H * W:
        return 1, pieces(H, pieces(H * W, pixels))
    return pieces(N, pieces(N, pixels // (H * W))), H


@jit(inline=True)
def unit_size(N, H, W, numbers):  # type: ignore[no-untyped-def]
    """(images, rows of pixels) of a unit; ``numbers`` of the input belong to one pixel."""
    return cut_into_units(N, H, W, max(64, min(PIXELS, CACHED // numbers)))


@jit(inline=True)
def unit_place(unit, images, rows, N, H):  # type: ignore[no-untyped-def]
    """(first image, images, first row, rows) of a unit."""
    bands = pieces(H, rows)
    first, row = unit // bands * images, unit % bands * rows
    return first, min(images, N - first), row, min(rows, H - row)


@jit(apart=True)
def fill_places(table, first, images, image_step, rows, row_step, columns, column_step):  # type: ignore[no-untyped-def]
    """The places of a grid of pixels, image by image; returns how many. More follow as padding."""
    n = 0
    for i in range(images):
        for j in range(rows):
            place = first + i * image_step + j * row_step
            for k in range(columns):
                table[n + k] = place + k * column_step
            n += columns
    for k in range(n, rounded(n, ROWS) + ROWS):
        table[k] = first
    return n


@jit(apart=True)
def copy_padded(x, image, images, row, rows, column, columns, out):  # type: ignore[no-untyped-def]
    """out (images, rows, columns, C) = x from image, row and column on, 0 outside of x."""
    _, H, W, C = x.shape
    flat, source = out.reshape(-1), x.reshape(-1)
    left = max(0, min(columns, -column)) * C
    stop = max(left, min(columns, W - column) * C)
    for i in range(images):
        for j in range(rows):
            to = flat[(i * rows + j) * columns * C : (i * rows + j + 1) * columns * C]
            h = row + j
            if h < 0 or h >= H:
                to[:] = 0
                continue
            shift = (((image + i) * H + h) * W + column) * C
            for k in range(left):
                to[k] = 0
            own = source[shift + left : shift + stop]
            part = to[left:stop]
            for k in range(part.size):
                part[k] = own[k]
            for k in range(stop, to.size):
                to[k] = 0


@jit(inline=True)
def _element_tile(
    high, two, a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns
):  # type: ignore[no-untyped-def]
    """The tile by elements that fits."""
    if high and two:
        high_each_two(
            a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns
        )
    elif high:
        high_each(a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns)
    elif two:
        tile_each_two(
            a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns
        )
    else:
        tile_each(a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns)


@jit(apart=True)
def product(
    a, a0, rows, n, steps, b, b0, stride, start, add, relu, out, out0, places, columns, each
):  # type: ignore[no-untyped-def]
    """The tile over all n rows, for at most two vectors of columns."""
    two = columns > lanes(out)
    left, right, target = at(a, a0), at(b, b0), at(out, out0)
    i = 0
    while i < n:
        high = each and n - i == ROWS + 1
        valid = n - i if high else min(ROWS, n - i)
        if each:
            _element_tile(
                high, two, left, at(rows, i), at(steps, 0), steps.size, right, stride, at(start, 0),
                add, relu, target, at(places, i), valid, columns,
            )  # fmt: skip
        elif two:
            tile_two(left, at(rows, i), at(steps, 0), steps.size, right, stride, at(start, 0), add,
                     relu, target, at(places, i), valid, columns)  # fmt: skip
        else:
            tile_one(left, at(rows, i), at(steps, 0), steps.size, right, stride, at(start, 0), add,
                     relu, target, at(places, i), valid, columns)  # fmt: skip
        i += valid


@jit(inline=True)
def column_block(k, columns, vector):  # type: ignore[no-untyped-def]
    """(columns of the product from k on, width of their packed block)."""
    return min(2 * vector, columns - k), min(2 * vector, rounded(columns - k, vector))


@jit(apart=True)
def pack_block(task, W, groups, columns, column_step, depth, depth_step, taps, packed):  # type: ignore[no-untyped-def]
    """One block of the filters as ``product`` takes them: two vectors of columns by (tap, depth).

    W is flat; every group has as many numbers of it and of ``packed``.
    """
    vector = lanes(packed)
    blocks, padded = pieces(columns, 2 * vector), rounded(columns, vector)
    group, before = task // blocks, task % blocks * 2 * vector
    width = min(2 * vector, padded - before)
    first = (group * padded + before) * taps.size * depth
    to = packed[first : first + width * taps.size * depth]
    for column in range(width):
        if before + column >= columns:
            for i in range(column, to.size, width):
                to[i] = 0
            continue
        own = W.size // groups * group + (before + column) * column_step
        for i in range(depth):
            for t in range(taps.size):
                to[(t * depth + i) * width + column] = W[own + taps[t]]
            own += depth_step


@jit(parallel=True)
def pack_filters(small, W, groups, columns, column_step, depth, depth_step, taps, packed):  # type: ignore[no-untyped-def]
    """All blocks of all groups; a kernel of its own, which several have in common."""
    blocks = groups * pieces(columns, 2 * lanes(packed))
    if small:
        for task in range(blocks):
            pack_block(task, W, groups, columns, column_step, depth, depth_step, taps, packed)
    else:
        for task in prange(blocks):  # each task owns one block's place
            pack_block(np.int64(task), W, groups, columns, column_step, depth, depth_step, taps,
                       packed)  # fmt: skip


@jit(apart=True)
def filter_steps(taps, KW, dilation, width, C, depth, steps):  # type: ignore[no-untyped-def]
    """Distances in a unit's input of the filter places ``taps``, ``depth`` channels each."""
    for t in range(taps.size):
        kh, kw = taps[t] // KW, taps[t] % KW
        own = (kh * dilation[0] * width + kw * dilation[1]) * C
        for c in range(depth):
            steps[t * depth + c] = own + c


@jit(inline=True)
def is_direct(x, OH, OW, stride, padding, extent, each):  # type: ignore[no-untyped-def]
    """Whether x serves as it is: filters never reach over the image, nor vectors over x's end."""
    height, width = (OH - 1) * stride[0] + extent[0], (OW - 1) * stride[1] + extent[1]
    inside = height <= x.shape[1] and width <= x.shape[2]
    whole = not each or x.shape[3] % lanes(x) == 0
    return padding[0] == 0 and padding[1] == 0 and inside and whole


@jit(apart=True)
def input_unit(x, place, OW, stride, padding, extent, direct):  # type: ignore[no-untyped-def]
    """A unit's input as a flat array, its first number, and the rows from image to image."""
    _, H, W, C = x.shape
    image, images, row, rows = place
    top = row * stride[0] - padding[0]
    if direct:
        return x.reshape(-1), (image * H + top) * W * C, H
    HS, WS = (rows - 1) * stride[0] + extent[0], (OW - 1) * stride[1] + extent[1]
    return copy_unit(x, image, images, top, HS, -padding[1], WS), 0, HS


@jit(apart=True)
def copy_unit(x, image, images, row, rows, column, columns):  # type: ignore[no-untyped-def]
    """What ``copy_padded`` gives, flat, with room behind its end for a vector to reach over."""
    size = images * rows * columns * x.shape[3]
    held = empty_aligned(size + lanes(x), x)
    copy_padded(x, image, images, row, rows, column, columns,
                held[:size].reshape((images, rows, columns, x.shape[3])))  # fmt: skip
    for i in range(size, held.size):
        held[i] = 0
    return held


@jit(inline=True)
def extent_of(W, dilation):  # type: ignore[no-untyped-def]
    return (W.shape[2] - 1) * dilation[0] + 1, (W.shape[3] - 1) * dilation[1] + 1
