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
    FLAT,
    ROWS,
    WIDE,
    tile_each,
    tile_four,
    tile_one,
    tile_three,
    tile_two,
)
from .vectors import BYTES, at, lanes

CACHED = 65536  # numbers of a unit's input: they stay in the second-level cache
NEAR = 64  # of the depth, packed at a time
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


@jit(inline=True)
def table_size(n):  # type: ignore[no-untyped-def]
    """Numbers in a table of n rows: a tile reads whole tiles of them, and the next one ahead."""
    return n + 2 * ROWS


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
    for k in range(n, table_size(n)):
        table[k] = first
    return n


@jit(apart=True)
def _copy_spaced(x, image, images, row, rows, column, columns, out):  # type: ignore[no-untyped-def]
    """What ``copy_padded`` does, pixel by pixel, where out has more channels."""
    _, H, W, C = x.shape
    for i in range(images):
        for j in range(rows):
            for k in range(columns):
                h, w, to = row + j, column + k, out[i, j, k]
                if h < 0 or h >= H or w < 0 or w >= W:
                    to[:C] = 0
                else:
                    own = x[image + i, h, w]
                    for c in range(C):
                        to[c] = own[c]


@jit(apart=True)
def copy_padded(x, image, images, row, rows, column, columns, out):  # type: ignore[no-untyped-def]
    """out (images, rows, columns, C) = x from image, row and column on, 0 outside of x.

    out may have more channels: they keep what they have.
    """
    _, H, W, C = x.shape
    flat, source = out.reshape(-1), x.reshape(-1)
    if out.shape[3] > C:
        _copy_spaced(x, image, images, row, rows, column, columns, out)
        return
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


@jit(apart=True)
def product(
    a, a0, rows, n, steps, b, b0, stride, start, add, relu, out, out0, places, columns, each
):  # type: ignore[no-untyped-def]
    """The tile over all n rows, for at most WIDE vectors of columns."""
    vectors = pieces(columns, lanes(out))
    height = FLAT if vectors == 4 else ROWS
    left, right, target = at(a, a0), at(b, b0), at(out, out0)
    count, first, i = steps.size, at(start, 0), 0
    while i < n:
        valid = min(height, n - i)
        own, step, place = at(rows, i), at(steps, 0), at(places, i)
        if each:
            tile_each(left, own, step, count, right, stride, first, add, relu, target, place, valid,
                      columns)  # fmt: skip
        elif WIDE == 4 and vectors == 4:
            tile_four(left, own, step, count, right, stride, first, add, relu, target, place, valid,
                      columns)  # fmt: skip
        elif vectors == 3:
            tile_three(left, own, step, count, right, stride, first, add, relu, target, place,
                       valid, columns)  # fmt: skip
        elif vectors == 2:
            tile_two(left, own, step, count, right, stride, first, add, relu, target, place, valid,
                     columns)  # fmt: skip
        else:
            tile_one(left, own, step, count, right, stride, first, add, relu, target, place, valid,
                     columns)  # fmt: skip
        i += valid


@jit(inline=True)
def block_width(columns, most, vector):  # type: ignore[no-untyped-def]
    """Columns that a product takes at a time: equal blocks of ``most`` vectors or fewer."""
    vectors = pieces(columns, vector)
    return pieces(vectors, pieces(vectors, most)) * vector


@jit(inline=True)
def column_block(k, block, columns, vector):  # type: ignore[no-untyped-def]
    """(columns of the product from k on, width of their packed block)."""
    return min(block, columns - k), min(block, rounded(columns - k, vector))


@jit(apart=True)
def pack_block(task, block, W, groups, columns, column_step, depth, depth_step, taps, packed):  # type: ignore[no-untyped-def]
    """One block of the filters as ``product`` takes them, (tap, depth, columns of the block).

    W is flat; every group has as many numbers of it and of ``packed``.
    """
    blocks, padded = pieces(columns, block), rounded(columns, lanes(packed))
    group, before = task // blocks, task % blocks * block
    width = min(block, padded - before)
    first = (group * padded + before) * taps.size * depth
    to = packed[first : first + width * taps.size * depth]
    for t in range(taps.size):
        for low in range(0, depth, NEAR):  # what a strip of depth writes stays in cache
            for column in range(width):
                place = ((t * depth + low) * width) + column
                own = W.size // groups * group + (before + column) * column_step + taps[t]
                for i in range(low, min(low + NEAR, depth)):
                    to[place] = W[own + i * depth_step] if before + column < columns else 0
                    place += width


@jit(parallel=True)
def pack_filters(small, block, W, groups, columns, column_step, depth, depth_step, taps, packed):  # type: ignore[no-untyped-def]
    """All blocks of all groups; a kernel of its own, which several have in common."""
    blocks = groups * pieces(columns, block)
    if small:
        for task in range(blocks):
            pack_block(task, block, W, groups, columns, column_step, depth, depth_step, taps,
                       packed)  # fmt: skip
    else:
        for task in prange(blocks):  # each task owns one block's place
            pack_block(np.int64(task), block, W, groups, columns, column_step, depth, depth_step,
                       taps, packed)  # fmt: skip


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


@jit(inline=True)
def pixel_step(x):  # type: ignore[no-untyped-def]
    """Numbers from pixel to pixel of an input that is read along its pixels: not a multiple of 1 KB

    apart, where they would push each other out of the first-level cache.
    """
    C, vector = x.shape[3], lanes(x)
    return C if C * x.itemsize % 1024 else rounded(C, vector) + vector


@jit(apart=True)
def input_unit(x, step, place, OW, stride, padding, extent, direct):  # type: ignore[no-untyped-def]
    """A unit's input as a flat array, its first number, and the rows from image to image.

    step: numbers from pixel to pixel, at least the channels; they are x's own where ``direct``.
    """
    _, H, W, C = x.shape
    image, images, row, rows = place
    top = row * stride[0] - padding[0]
    if direct:
        return x.reshape(-1), (image * H + top) * W * C, H
    HS, WS = (rows - 1) * stride[0] + extent[0], (OW - 1) * stride[1] + extent[1]
    return copy_unit(x, step, image, images, top, HS, -padding[1], WS), 0, HS


@jit(apart=True)
def copy_unit(x, step, image, images, row, rows, column, columns):  # type: ignore[no-untyped-def]
    """What ``copy_padded`` gives, flat, with room behind its end for a vector to reach over."""
    size = images * rows * columns * step
    held = empty_aligned(size + lanes(x), x)
    copy_padded(x, image, images, row, rows, column, columns,
                held[:size].reshape((images, rows, columns, step)))  # fmt: skip
    for i in range(size, held.size):
        held[i] = 0
    return held


@jit(inline=True)
def extent_of(W, dilation):  # type: ignore[no-untyped-def]
    return (W.shape[2] - 1) * dilation[0] + 1, (W.shape[3] - 1) * dilation[1] + 1
