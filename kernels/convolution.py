"""Two-dimensional convolution of channels-last images.

x (N, H, W, C), W (K, C / groups, KH, KW), out (N, OH, OW, K): a product of patches (see
kernels/patches.py) and filters.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    column_block,
    empty_aligned,
    extent_of,
    fill_places,
    filter_steps,
    input_unit,
    is_direct,
    pack_filters,
    product,
    rounded,
    table_size,
    unit_place,
    unit_size,
)
from .tile import WIDE
from .vectors import lanes

KERNELS = ("conv2d_forward",)


@jit(apart=True)
def _forward_unit(
    unit, size, x, packed, start, steps, stride, padding, extent, groups, each, direct, relu, out
):  # type: ignore[no-untyped-def]
    N, OH, OW, K = out.shape
    C, Kg = x.shape[3], K // groups
    place = unit_place(unit, size[0], size[1], N, OH)
    image, images, row, rows = place
    source, first, HS = input_unit(x, C, place, OW, stride, padding, extent, direct)
    WS = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    most = table_size(images * rows * OW)
    pixels, places = np.empty(most, np.int64), np.empty(most, np.int64)
    n = fill_places(pixels, 0, images, HS * WS * C, rows, stride[0] * WS * C, OW, stride[1] * C)
    fill_places(places, 0, images, OH * OW * K, rows, OW * K, OW, K)
    target, result, vector = (image * OH + row) * OW * K, out.reshape(-1), lanes(out)
    Kp, block = rounded(Kg, vector), block_width(Kg, 1 if each else WIDE, vector)
    for g in range(groups):
        for k in range(0, Kg, block):
            columns, width = column_block(k, block, Kg, vector)
            product(
                source, first + (k if each else g * (C // groups)), pixels, n, steps, packed,
                (g * Kp + k) * steps.size, width, start[g * Kp + k :], False,
                relu, result, target + g * Kg + k, places, columns, each,
            )  # fmt: skip


@jit(parallel=True)
def conv2d_forward(x, W, b, stride, padding, dilation, groups, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C / G, KH, KW), b (K,) or (0,)."""
    N, OH, OW, K = out.shape
    _, Cg, KH, KW = W.shape
    C, T = x.shape[3], KH * KW
    each = groups == C and groups == K  # one filter for each channel: a product by elements
    G = 1 if each else groups
    Kg, extent = K // G, extent_of(W, dilation)
    direct = is_direct(x, OH, OW, stride, padding, extent, each)
    taps, steps = np.arange(T), np.empty(T * Cg, np.int64)
    width = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    filter_steps(taps, KW, dilation, width, C, Cg, steps)
    Kp, block = rounded(Kg, lanes(out)), block_width(Kg, 1 if each else WIDE, lanes(out))
    packed = empty_aligned(G * Kp * T * Cg, W)
    start = np.zeros(G * Kp + lanes(out), W.dtype)
    for k in range(b.size):
        start[k // Kg * Kp + k % Kg] = b[k]
    size = unit_size(N, OH, OW, C * stride[0] * stride[1])
    units = pieces(N, size[0]) * pieces(OH, size[1])
    small = N * OH * OW * W.size < SMALL
    pack_filters(small, block, W.reshape(-1), G, Kg, Cg * T, Cg, T, taps, packed)
    if small:
        for unit in range(units):
            _forward_unit(unit, size, x, packed, start, steps, stride, padding, extent, G, each,
                          direct, relu, out)  # fmt: skip
    else:
        before = set_task_size(1)  # a thread that is held up leaves its units to the others
        for unit in prange(units):  # each unit owns its pixels of out
            _forward_unit(np.int64(unit), size, x, packed, start, steps, stride, padding, extent,
                          G, each, direct, relu, out)  # fmt: skip
        set_task_size(before)
