"""Convolution with 3 x 3 filters and stride 1 by Winograd's F(m x m, 3 x 3), m = 2 or 4.

It takes 2.25 or 4 times fewer multiplications (Lavin & Gray 2016; kernels/winograd_transforms.py).

A unit is some tiles of one image or of several: their transformed inputs V (tiles, a^2, C), with
a = m + 2, meet the transformed filters U (a^2, C, K) in a^2 products of matrices. Rows that a
tile's transform reads or writes together are an odd number of cache lines apart (see ``spaced``):
at powers of two they would push each other out of the first-level cache, at three times the cost.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .convolution_weights import add_pixels, join_chunks
from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    copy_unit,
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
from .winograd_transforms import (
    dfilters_2,
    dfilters_4,
    filters_2,
    filters_4,
    gradients_2,
    gradients_4,
    inputs_2,
    inputs_4,
    outputs_2,
    outputs_4,
)

KERNELS = ("winograd_convolve", "winograd_backward_weights")

CACHED = 3 << 16  # numbers of a unit's transformed inputs and outputs
TILES = 64  # at most so many tiles in a unit
NARROW = 128  # tiles in a unit that keeps the transformed numbers of a few of them only
CHUNKS = 16  # at most so many sums of dW beside each other
PARTIAL = 1 << 21  # numbers in the sums of all chunks together
SUMS = 1 << 18  # numbers of a task's own sums, transformed


@jit(inline=True)
def spaced(n, vector):  # type: ignore[no-untyped-def]
    """n rounded up to an odd number of vectors."""
    return (pieces(n, vector) // 2 * 2 + 1) * vector


@jit(inline=True)
def _unit_size(N, TH, TW, numbers):  # type: ignore[no-untyped-def]
    """(images, rows of tiles) of a unit; ``numbers`` belong to one tile."""
    return cut_into_units(N, TH, TW, max(32, min(TILES, CACHED // numbers)))


@jit(inline=True)
def _is_narrow(C, Kp, vector):  # type: ignore[no-untyped-def]
    """Whether inputs and outputs have a vector of channels each, see ``_narrow_unit``."""
    return vector == C and Kp == vector


@jit(inline=True)
def _input_of_tiles(x, place, m, TW, padding):  # type: ignore[no-untyped-def]
    """The unit's input with padding up to whole tiles, flat, and room behind its end to read."""
    image, images, row, rows = place
    top, left = row * m - padding[0], -padding[1]
    return copy_unit(x, x.shape[3], image, images, top, rows * m + 2, left, TW * m + 2)


@jit(apart=True)
def _transform_tiles(m, border, held, first, rows, TW, C, V):  # type: ignore[no-untyped-def]
    """V (tiles, a^2, Cs) = B^T d B of tiles of inputs from the first on; they overlap by a border

    of 2. Without a border A dY A^T of tiles of the outputs' gradient.
    """
    tiles, places, Cs = V.shape
    HS, WS, out, vector = rows * m + border, TW * m + border, V.reshape(-1), lanes(V)
    image, th, tw = first // (rows * TW), first // TW % rows, first % TW
    for i in range(tiles):
        start = ((image * HS + th * m) * WS + tw * m) * C
        tw += 1
        if tw == TW:
            tw, th = 0, th + 1
            if th == rows:
                th, image = 0, image + 1
        for c in range(0, C, vector):
            source, target = at(held, start + c), at(out, i * places * Cs + c)
            if border and m == 2:
                inputs_2(source, WS * C, C, target, 4 * Cs, Cs)
            elif border:
                inputs_4(source, WS * C, C, target, 6 * Cs, Cs)
            elif m == 2:
                gradients_2(source, WS * C, C, target, 4 * Cs, Cs)
            else:
                gradients_4(source, WS * C, C, target, 6 * Cs, Cs)


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
        _transform_tiles(m, 2, held, first, rows, TW, C, V[:n])
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
    held = _input_of_tiles(x, place, m, TW, padding)
    if _is_narrow(C, Kp, vector):
        _narrow_unit(m, held, place, U, start, relu, out)
        return
    V = empty_aligned(tiles * places * Cs, x).reshape((tiles, places, Cs))
    M = empty_aligned(tiles * places * Ks, x).reshape((tiles, places, Ks))
    every = np.int64(0)
    _transform_tiles(m, 2, held, every, rows, TW, C, V)
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


@jit(apart=True)
def _small(out, depth):  # type: ignore[no-untyped-def]
    return out.size * depth * 9 < SMALL


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
    size = _unit_size(N, TH, TW, U.shape[0] * (C + K))
    if _is_narrow(C, Kp, vector):
        size = cut_into_units(N, TH, TW, NARROW)
    units, block = pieces(N, size[0]) * pieces(TH, size[1]), block_width(K, WIDE, vector)
    blocks = pieces(K, block)
    small, packed = _small(out, C), empty_aligned(9 * C * Kp, W)
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


@jit(apart=True)
def _weights_task(task, cut, size, m, x, dout, padding, filters, bias_sums):  # type: ignore[no-untyped-def]
    """One chunk's sum over its tiles of V^T D for some columns, turned into filters (9 C, Kp)."""
    chunks, width = cut
    N, OH, OW, K = dout.shape
    C, TH, TW = x.shape[3], pieces(OH, m), pieces(OW, m)
    vector, places = lanes(dout), (m + 2) * (m + 2)
    Kp, Cs, Ks = filters.shape[3], spaced(C, vector), spaced(K, vector)
    chunk, start = task % chunks, task // chunks * width
    width = min(width, Kp - start)
    block = block_width(width, WIDE, vector)
    Ws = spaced(width, vector)
    sums = empty_aligned(places * (C * Ws + vector), dout)
    step = C * Ws + vector * (1 - C * Ws // vector % 2)
    rows_of = np.zeros(table_size(C), np.int64)
    targets = np.zeros(table_size(C), np.int64)
    for c in range(C):
        rows_of[c], targets[c] = c, c * Ws
    zero, wide = np.zeros(WIDE * vector, dout.dtype), np.empty(K * pieces(64, K), dout.dtype)
    units, every = pieces(N, size[0]) * pieces(TH, size[1]), np.int64(0)
    first = units * chunk // chunks
    for unit in range(first, units * (chunk + 1) // chunks):
        place = unit_place(unit, size[0], size[1], N, TH)
        image, images, row, rows = place
        tiles = images * rows * TW
        V = empty_aligned(tiles * places * Cs, x).reshape((tiles, places, Cs))
        D = empty_aligned(tiles * places * Ks, x).reshape((tiles, places, Ks))
        held = _input_of_tiles(x, place, m, TW, padding)
        _transform_tiles(m, 2, held, every, rows, TW, C, V)
        held = copy_unit(dout, K, image, images, row * m, rows * m, every, TW * m)
        _transform_tiles(m, 0, held, every, rows, TW, K, D)
        if start == 0 and bias_sums.size:
            pixels = images * min(rows * m, OH - row * m) * OW
            add_pixels(dout.reshape(-1), (image * OH + row * m) * OW * K, pixels, wide,
                       bias_sums[chunk], unit > first)  # fmt: skip
        steps, left, right = np.arange(tiles) * (places * Cs), V.reshape(-1), D.reshape(-1)
        for i in range(places):
            for k in range(0, width, block):
                product(
                    left, i * Cs, rows_of, C, steps, right, i * Ks + start + k, places * Ks, zero,
                    unit > first, False, sums, i * step + k, targets, min(block, width - k), False,
                )  # fmt: skip
    result = filters.reshape(-1)
    for c in range(C):
        for k in range(0, width, vector):
            source = at(sums, c * Ws + k)
            target = at(result, (chunk * 9 * C + c) * Kp + start + k)
            if m == 2:
                dfilters_2(source, 4 * step, step, target, 3 * C * Kp, C * Kp)
            else:
                dfilters_4(source, 6 * step, step, target, 3 * C * Kp, C * Kp)


@jit(parallel=True)
def winograd_backward_weights(m, x, dout, padding, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C, 3, 3) and db (K,), or (0,) for none, from x and dout."""
    N, OH, OW, K = dout.shape
    C, vector, places = x.shape[3], lanes(dW), (m + 2) * (m + 2)
    Kp, TH, TW = rounded(K, vector), pieces(OH, m), pieces(OW, m)
    size = _unit_size(N, TH, TW, places * (C + K))
    units = pieces(N, size[0]) * pieces(TH, size[1])
    chunks = max(1, min(units, CHUNKS, PARTIAL // (9 * C * Kp)))
    # fewer columns at a time where the sums would not stay in cache; inputs are transformed again
    width = min(Kp, max(4 * vector, rounded(SUMS // (places * C), 2 * vector)))
    parts = pieces(Kp, width)
    filters = np.empty((chunks, 1, 9 * C, Kp), dW.dtype)
    bias_sums = np.empty((chunks if db.size else 0, K), dW.dtype)
    cut, small = (chunks, width), _small(dout, C)
    if small:
        for task in range(chunks * parts):
            _weights_task(task, cut, size, m, x, dout, padding, filters, bias_sums)
    else:
        before = set_task_size(1)
        for task in prange(chunks * parts):  # each task owns a chunk's sums of some columns
            _weights_task(np.int64(task), cut, size, m, x, dout, padding, filters, bias_sums)
        set_task_size(before)
    join_chunks(small, filters, bias_sums, dW, db)
