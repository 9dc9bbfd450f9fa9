"""Convolution with 3 x 3 filters and stride 1 by Winograd's F(m x m, 3 x 3), m = 2 or 4.

It takes 2.25 or 4 times fewer multiplications (Lavin & Gray 2016; kernels/winograd_transforms.py):
the transformed inputs of some tiles, V (tiles, a^2, C) with a = m + 2, meet the transformed filters
U (a^2, C, K) in a^2 products of matrices (see kernels/winograd_tiles.py).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    cut_into_units,
    empty_aligned,
    pack_filters,
    product,
    rounded,
    table_size,
    unit_place,
)
from .tile import ROWS, WIDE, tile_of_vectors
from .vectors import at, lanes
from .winograd_tiles import input_of_tiles, is_small, spaced, tiles_of_unit, transform_tiles
from .winograd_transforms import filters_2, filters_4, outputs_2, outputs_4

KERNELS = ("winograd_convolve",)

NARROW = 128  # tiles in a unit that keeps the transformed numbers of a few of them only


@jit(inline=True)
def _is_narrow(C, Kp, vector):  # type: ignore[no-untyped-def]
    """Whether inputs and outputs have a vector of channels each, see ``_narrow_unit``."""
    return vector == C and Kp == vector


@jit(apart=True)
def _transform_outputs(m, M, place, first, start, relu, out):  # type: ignore[no-untyped-def]
    """out = A^T Y A of products M (tiles, a^2, Ks) of tiles from the first on, plus the bias."""
    tiles, places, Ks = M.shape
    _, OH, OW, K = out.shape
    image, _, row, rows = place
    TW, vector = pieces(OW, m), lanes(out)
    flat, result = M.reshape(-1), out.reshape(-1)
    i, th, tw = image + first // (rows * TW), first // TW % rows, first % TW
    for j in range(tiles):
        h, w = (row + th) * m, tw * m
        begin = ((i * OH + h) * OW + w) * K
        tw += 1
        if tw == TW:
            tw, th = 0, th + 1
            if th == rows:
                th, i = 0, i + 1
        for k in range(0, K, vector):
            source, target = at(flat, j * places * Ks + k), at(result, begin + k)
            if m == 2:
                outputs_2(source, 4 * Ks, Ks, target, OW * K, K, at(start, k), relu, OH - h,
                          OW - w, K - k)  # fmt: skip
            else:
                outputs_4(source, 6 * Ks, Ks, target, OW * K, K, at(start, k), relu, OH - h,
                          OW - w, K - k)  # fmt: skip


@jit(apart=True)
def _narrow_unit(m, held, place, U, start, relu, out):  # type: ignore[no-untyped-def]
    """The rest of ``_forward_unit`` for the fewest channels: a few tiles at a time.

    What belongs to them stays in the first-level cache.
    """
    C, TW, places = lanes(out), pieces(out.shape[2], m), (m + 2) * (m + 2)
    _, images, _, rows = place
    V = empty_aligned(ROWS * places * C, out).reshape((ROWS, places, C))
    M = empty_aligned(ROWS * places * C, out).reshape((ROWS, places, C))
    V[...] = 0  # the last tiles may be less than ROWS
    left, right, result = V.reshape(-1), U.reshape(-1), M.reshape(-1)
    for first in range(0, images * rows * TW, ROWS):
        n = min(ROWS, images * rows * TW - first)
        transform_tiles(m, 2, held, first, rows, TW, C, V[:n])
        for i in range(places):
            tile_of_vectors(at(left, i * C), places * C, at(right, i * U.shape[1]),
                            at(result, i * C), places * C)  # fmt: skip
        _transform_outputs(m, M[:n], place, first, start, relu, out)


@jit(apart=True)
def _forward_unit(unit, size, m, x, U, start, padding, relu, out):  # type: ignore[no-untyped-def]
    N, OH, OW, K = out.shape
    C, TW = x.shape[3], pieces(OW, m)
    place = unit_place(unit, size[0], size[1], N, pieces(OH, m))
    images, rows = place[1], place[3]
    tiles, vector, places = images * rows * TW, lanes(out), (m + 2) * (m + 2)
    Cs, Ks, Kp = spaced(C, vector), spaced(K, vector), rounded(K, vector)
    block = block_width(K, WIDE, vector)
    held = input_of_tiles(x, place, m, TW, padding)
    if _is_narrow(C, Kp, vector):
        _narrow_unit(m, held, place, U, start, relu, out)
        return
    V = empty_aligned(tiles * places * Cs, x).reshape((tiles, places, Cs))
    M = empty_aligned(tiles * places * Ks, x).reshape((tiles, places, Ks))
    every = np.int64(0)
    transform_tiles(m, 2, held, every, rows, TW, C, V)
    most = table_size(tiles)
    sources, targets = np.zeros(most, np.int64), np.zeros(most, np.int64)
    for tile in range(tiles):
        sources[tile], targets[tile] = tile * places * Cs, tile * places * Ks
    steps, zero = np.arange(C), np.zeros(block, x.dtype)
    flat, result, packed = V.reshape(-1), M.reshape(-1), U.reshape(-1)
    for i in range(places):
        for k in range(0, Kp, block):
            width = min(block, Kp - k)
            product(
                flat, i * Cs, sources, tiles, steps, packed, i * U.shape[1] + k * C, width, zero,
                False, False, result, i * Ks + k, targets, width, False,
            )  # fmt: skip
    _transform_outputs(m, M, place, every, start, relu, out)


@jit(apart=True)
def _transform_filters(task, m, packed, C, Kp, U):  # type: ignore[no-untyped-def]
    """One block of columns of U (a^2, C Kp in blocks) = G g G^T of the filters, packed alike."""
    vector, step = lanes(U), U.shape[1]
    block = block_width(Kp, WIDE, vector)
    first = task * block
    width = min(block, Kp - first)
    out = U.reshape(-1)
    for c in range(C):
        for j in range(0, width, vector):
            source = at(packed, first * 9 * C + c * width + j)
            target = at(out, first * C + c * width + j)
            if m == 2:
                filters_2(source, 3 * C * width, C * width, target, 4 * step, step)
            else:
                filters_4(source, 3 * C * width, C * width, target, 6 * step, step)


@jit(parallel=True)
def winograd_convolve(m, x, W, b, turned, padding, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C, 3, 3), b (K,) or (0,).

    ``turned``: W (C, K, 3, 3), whose filters are turned round. With dout for x and 2 - the
    padding of a convolution, that is the gradient of its input.
    """
    N, OH, OW, K = out.shape
    C, vector = x.shape[3], lanes(out)
    Kp = rounded(K, vector)
    places, step = (m + 2) * (m + 2), spaced(C * Kp, vector)
    U = empty_aligned(places * step, W).reshape((places, step))
    start = np.zeros(Kp + vector, W.dtype)
    for k in range(b.size):
        start[k] = b[k]
    TH, TW = pieces(OH, m), pieces(OW, m)
    size = tiles_of_unit(N, TH, TW, U.shape[0] * (C + K))
    if _is_narrow(C, Kp, vector):
        size = cut_into_units(N, TH, TW, NARROW)
    units, block = pieces(N, size[0]) * pieces(TH, size[1]), block_width(K, WIDE, vector)
    blocks = pieces(K, block)
    small, packed = is_small(out, C), empty_aligned(9 * C * Kp, W)
    taps = np.arange(9)[::-1].copy() if turned else np.arange(9)
    across, down = (9, 9 * K) if turned else (9 * C, 9)  # from column to column, and of depth
    one = np.int64(1)  # a literal 1 would have numba compile pack_filters once more, for it alone
    pack_filters(small, block, W.reshape(-1), one, K, across, C, down, taps, packed)
    if small:
        for task in range(blocks):
            _transform_filters(task, m, packed, C, Kp, U)
        for unit in range(units):
            _forward_unit(unit, size, m, x, U, start, padding, relu, out)
    else:
        for task in prange(blocks):  # each task owns a block of columns of U
            _transform_filters(np.int64(task), m, packed, C, Kp, U)
        before = set_task_size(1)
        for unit in prange(units):  # each unit owns its pixels of out
            _forward_unit(np.int64(unit), size, m, x, U, start, padding, relu, out)
        set_task_size(before)
