"""The gradient of a convolution's filters: the tile with the filter places as rows.

Its sums run over the pixels. The units' sums are added up in chunks, whose number follows from the
shapes alone, and the chunks' in their order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    empty_aligned,
    extent_of,
    fill_places,
    filter_steps,
    input_unit,
    is_direct,
    pixel_step,
    product,
    rounded,
    table_size,
    unit_place,
    unit_size,
)
from .tile import WIDE
from .tile_taps import PATCH, TAPS, taps_weights
from .vectors import at, lanes

KERNELS = ("conv2d_backward_weights",)

NEAR = 128  # pixels whose products are added up at a time: both sides are in the first-level cache
JOINED = 16  # channels of dW that one task adds up
PARTIAL = 1 << 20  # numbers in the sums of all chunks together
CHUNKS = 32  # at most so many sums of dW beside each other
MOST_PARTS = 4  # that the columns are cut into while there are chunks enough
PARTS = 16  # tasks that the columns of a large dW are cut into


@jit(apart=True)
def add_pixels(x, first, n, wide, sums, add):  # type: ignore[no-untyped-def]
    """sums (K,) = or += the sum of n pixels of the flat x.

    ``wide`` holds the sums of several pixels side by side: a loop over 16 numbers is a slow one.
    """
    K = sums.size
    for k in range(wide.size):
        wide[k] = 0
    last = first + n * K
    for i in range(first, last, wide.size):
        row = x[i : min(i + wide.size, last)]
        for k in range(row.size):
            wide[k] += row[k]
    for k in range(K):
        total = wide[k]
        for i in range(K + k, wide.size, K):
            total += wide[i]
        sums[k] = sums[k] + total if add else total


@jit(apart=True)
def _copy_columns(x, first, step, n, width, out):  # type: ignore[no-untyped-def]
    """out (n, width) = some columns of n pixels of the flat x."""
    for i in range(n):
        row, to = x[first + i * step : first + i * step + width], out[i * width : (i + 1) * width]
        for k in range(width):
            to[k] = row[k]


@jit(apart=True)
def _weights_task(
    task, cut, size, step, x, dout, steps, stride, padding, extent, each, all_taps, direct, sums,
    bias_sums,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """One chunk's sums of dW, for some blocks of columns; sums (chunks, G, T C / G, Kp)."""
    chunks, parts = cut
    chunk, part = task // parts, task % parts
    N, OH, OW, K = dout.shape
    _, groups, n_steps, Kp = sums.shape
    C, Kg = x.shape[3], K // groups
    WS = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    units = pieces(N, size[0]) * pieces(OH, size[1])
    pixels = np.empty(table_size(size[0] * size[1] * OW), np.int64)
    places = np.empty(steps.size, np.int64)
    for i in range(steps.size):
        places[i] = i * Kp
    result, vector = sums.reshape(-1), lanes(sums)
    block = block_width(Kg, 1 if each else WIDE, vector)
    blocks = pieces(Kg, block)
    total, start = groups * blocks, np.zeros(block, sums.dtype)
    # rows of dout at multiples of 512 bytes would push each other out of the first-level cache
    copied = K * dout.itemsize % 512 == 0 and n_steps >= 64
    strip = empty_aligned(NEAR * block if copied else 0, sums)
    wide = np.empty(K * pieces(64, K), sums.dtype)
    first_unit, last_unit = units * chunk // chunks, units * (chunk + 1) // chunks
    for unit in range(first_unit, last_unit):
        place = unit_place(unit, size[0], size[1], N, OH)
        image, images, row, rows = place
        source, first, HS = input_unit(x, step, place, OW, stride, padding, extent, direct)
        n = fill_places(
            pixels, 0, images, HS * WS * step, rows, stride[0] * WS * step, OW, stride[1] * step
        )
        d, d0 = dout.reshape(-1), (image * OH + row) * OW * K
        if part == 0 and bias_sums.size:
            add_pixels(d, d0, n, wide, bias_sums[chunk], unit > first_unit)
        # the tile reads whole vectors: the last columns' reach over the unit, and here over dout
        if not copied and d0 + n * K + rounded(Kg, vector) - Kg > d.size:
            held = np.empty(n * K + block, d.dtype)
            for i in range(n * K):
                held[i] = d[d0 + i]
            held[n * K :] = 0
            d, d0 = held, 0
        for p in range(0, n, NEAR):
            own, add = pixels[p : min(p + NEAR, n)], unit > first_unit or p > 0
            if all_taps:
                taps_weights(at(source, first), at(own, 0), own.size, WS * step, at(d, d0 + p * K),
                             K, add, at(result, chunk * n_steps * Kp), Kp)  # fmt: skip
                continue
            for j in range(total * part // parts, total * (part + 1) // parts):
                g, k = j // blocks, j % blocks * block
                columns, right, at_right, apart = min(block, Kp - k), d, d0 + p * K + g * Kg + k, K
                if copied:
                    _copy_columns(d, at_right, K, own.size, columns, strip)
                    right, at_right, apart = strip, 0, columns
                product(
                    source, first + (k if each else g * (C // groups)), steps, n_steps, own, right,
                    at_right, apart, start, add, False, result,
                    (chunk * groups + g) * n_steps * Kp + k, places, columns, each,
                )  # fmt: skip


@jit(apart=True)
def _join_filters(task, sums, dW):  # type: ignore[no-untyped-def]
    """The sum over the chunks, in their order, of some channels of a group's filters, as in dW."""
    chunks, groups, _, Kp = sums.shape
    K, Cg, KH, KW = dW.shape
    T, Kg, parts = KH * KW, K // groups, pieces(Cg, JOINED)
    g, first = task // parts, task % parts * JOINED
    result = dW.reshape(-1)
    total = np.empty(Kp, dW.dtype)
    for t in range(T):
        for c in range(first, min(first + JOINED, Cg)):
            for chunk in range(chunks):
                row = sums[chunk, g, t * Cg + c]
                if chunk == 0:
                    for k in range(Kp):
                        total[k] = row[k]
                else:
                    for k in range(Kp):
                        total[k] += row[k]
            place = (g * Kg * Cg + c) * T + t
            for k in range(Kg):
                result[place + k * Cg * T] = total[k]


@jit(parallel=True)
def join_chunks(small, sums, bias_sums, dW, db):  # type: ignore[no-untyped-def]
    """dW and db from the chunks' sums; a kernel of its own, which several have in common."""
    tasks = sums.shape[1] * pieces(dW.shape[1], JOINED)
    if small:
        for task in range(tasks):
            _join_filters(task, sums, dW)
    else:
        for task in prange(tasks):  # each task owns some channels of a group's filters
            _join_filters(np.int64(task), sums, dW)
    for k in range(db.size):
        db[k] = bias_sums[0, k]
        for chunk in range(1, bias_sums.shape[0]):
            db[k] += bias_sums[chunk, k]


@jit(parallel=True)
def conv2d_backward_weights(x, dout, stride, padding, dilation, groups, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C / G, KH, KW) and db (K,), or (0,) for none, from x and dout."""
    N, OH, OW, K = dout.shape
    _, Cg, KH, KW = dW.shape
    C, T, extent = x.shape[3], KH * KW, extent_of(dW, dilation)
    each = groups == C and groups == K  # one filter for each channel: a product by elements
    G = 1 if each else groups
    Kg = K // G
    step = pixel_step(x)
    direct = is_direct(x, OH, OW, stride, padding, extent, each) and step == C
    n_steps, vector = T * Cg, lanes(dW)
    steps = np.zeros(table_size(n_steps), np.int64)
    width = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    filter_steps(np.arange(T), KW, dilation, width, step, Cg, steps)
    Kp = rounded(Kg, vector)
    size = unit_size(N, OH, OW, C * stride[0] * stride[1])
    units = pieces(N, size[0]) * pieces(OH, size[1])
    near = dilation[0] == 1 and dilation[1] == 1 and G == 1 and not each
    all_taps = near and n_steps == TAPS and PATCH[0] == KH and Kp == vector
    # few chunks of some columns each: the sums of all chunks have to be written and read again
    blocks = G * pieces(Kg, block_width(Kg, 1 if each else WIDE, vector))
    parts = min(blocks, MOST_PARTS)
    chunks = max(1, min(units, CHUNKS // parts, PARTIAL // (G * n_steps * Kp)))
    parts = max(parts, min(blocks, PARTS // chunks))
    sums = np.empty((chunks, G, n_steps, Kp), dW.dtype)
    bias_sums = np.empty((chunks if db.size else 0, K), dW.dtype)
    cut, small = (chunks, parts), N * OH * OW * dW.size < SMALL
    if small:
        for task in range(chunks * parts):
            _weights_task(task, cut, size, step, x, dout, steps, stride, padding, extent, each,
                          all_taps, direct, sums, bias_sums)  # fmt: skip
    else:
        before = set_task_size(1)
        for task in prange(chunks * parts):  # each task owns a chunk's sums of some columns
            _weights_task(np.int64(task), cut, size, step, x, dout, steps, stride, padding, extent,
                          each, all_taps, direct, sums, bias_sums)  # fmt: skip
        set_task_size(before)
    join_chunks(small, sums, bias_sums, dW, db)
