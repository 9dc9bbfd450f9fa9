"""The gradient of the filters of Winograd's convolution: products over the tiles.

The transformed inputs V (tiles, a^2, C) and gradients of outputs D (tiles, a^2, K) of the tiles
meet in a^2 products V^T D, whose sums are transformed into filters at the end of each chunk.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .convolution_weights import add_pixels, join_chunks
from .dense import pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    copy_unit,
    empty_aligned,
    product,
    rounded,
    table_size,
    unit_place,
)
from .tile import WIDE
from .vectors import at, lanes
from .winograd_tiles import input_of_tiles, is_small, spaced, tiles_of_unit, transform_tiles
from .winograd_transforms import dfilters_2, dfilters_4

KERNELS = ("winograd_backward_weights",)

CHUNKS = 16  # at most so many sums of dW beside each other
PARTIAL = 1 << 21  # numbers in the sums of all chunks together
SUMS = 1 << 18  # numbers of a task's own sums, transformed


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
        held = input_of_tiles(x, place, m, TW, padding)
        transform_tiles(m, 2, held, every, rows, TW, C, V)
        held = copy_unit(dout, K, image, images, row * m, rows * m, every, TW * m)
        transform_tiles(m, 0, held, every, rows, TW, K, D)
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
    size = tiles_of_unit(N, TH, TW, places * (C + K))
    units = pieces(N, size[0]) * pieces(TH, size[1])
    chunks = max(1, min(units, CHUNKS, PARTIAL // (9 * C * Kp)))
    # fewer columns at a time where the sums would not stay in cache; inputs are transformed again
    width = min(Kp, max(4 * vector, rounded(SUMS // (places * C), 2 * vector)))
    parts = pieces(Kp, width)
    filters = np.empty((chunks, 1, 9 * C, Kp), dW.dtype)
    bias_sums = np.empty((chunks if db.size else 0, K), dW.dtype)
    cut, small = (chunks, width), is_small(dout, C)
    if small:
        for task in range(chunks * parts):
            _weights_task(task, cut, size, m, x, dout, padding, filters, bias_sums)
    else:
        before = set_task_size(1)
        for task in prange(chunks * parts):  # each task owns a chunk's sums of some columns
            _weights_task(np.int64(task), cut, size, m, x, dout, padding, filters, bias_sums)
        set_task_size(before)
    join_chunks(small, filters, bias_sums, dW, db)
