"""The gradient of a convolution's input of few channels: products by filter place, then col2im.

With 1 or 3 channels as its columns, the product of kernels/convolution_data.py would use 1 or 3 of
a vector's lanes. Here a column is a place of a filter and a channel: columns (pixels, KH KW C) =
dout W, and each pixel's are added where its patch lies in dx, a run of KW C numbers in each of KH
rows. A task owns some rows of dx; the columns of the rows of dout that reach them stay in cache.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    column_block,
    cut_into_units,
    empty_aligned,
    fill_places,
    pack_filters,
    product,
    rounded,
    table_size,
    unit_place,
)
from .tile import WIDE
from .vectors import lanes

KERNELS = ("few_channels_backward_data",)

COLUMNS = 32768  # numbers of columns that are held at a time
PIXELS = 1024  # of dx, in one task


@jit(apart=True)
def _add_patches(columns, step, row, n, place, geometry, dx):  # type: ignore[no-untyped-def]
    """Add the columns of n pixels from ``row`` of dout on to a unit's rows of dx."""
    _, _, W, C = dx.shape
    image, top, rows = place
    (KH, KW, OW), stride, padding, dilation = geometry
    target = dx.reshape(-1)
    for i in range(n):
        h0 = (row + i // OW) * stride[0] - padding[0]
        w0 = i % OW * stride[1] - padding[1]
        left, stop = max(0, -w0), min(KW, W - w0)
        for kh in range(KH):
            h = h0 + kh * dilation[0]
            if h < top or h >= top + rows:
                continue
            own = columns[i * step + kh * KW * C : i * step + (kh + 1) * KW * C]
            first = ((image * dx.shape[1] + h) * W + w0) * C
            if dilation[1] == 1:
                to = target[first + left * C : first + max(left, stop) * C]
                part = own[left * C :]
                for k in range(to.size):
                    to[k] += part[k]
            else:
                for kw in range(KW):
                    w = w0 + kw * dilation[1]
                    if w >= 0 and w < W:
                        for c in range(C):
                            target[first + kw * dilation[1] * C + c] += own[kw * C + c]


@jit(apart=True)
def _unit(unit, size, packed, kernel, dout, stride, padding, dilation, dx):  # type: ignore[no-untyped-def]
    N, H, _, C = dx.shape
    _, OH, OW, K = dout.shape
    KH, KW = kernel
    image, images, top, rows = unit_place(unit, size[0], size[1], N, H)
    J, vector = KH * KW * C, lanes(dx)
    Jp, block = rounded(J, vector), block_width(J, WIDE, vector)
    # rows of dout that reach the unit's of dx
    reach = (KH - 1) * dilation[0]
    low = max(0, -((reach - padding[0] - top) // stride[0]))
    high = min(OH, (top + rows - 1 + padding[0]) // stride[0] + 1)
    at_once = max(1, COLUMNS // (OW * Jp))
    most = table_size(at_once * OW)
    pixels, places = np.empty(most, np.int64), np.empty(most, np.int64)
    columns, start = empty_aligned(at_once * OW * Jp, dx), np.zeros(WIDE * vector, dx.dtype)
    steps, source = np.arange(K), dout.reshape(-1)
    geometry = (KH, KW, OW), stride, padding, dilation
    for i in range(image, image + images):
        dx[i, top : top + rows] = 0
        for row in range(low, high, at_once):
            count = min(at_once, high - row)
            n = fill_places(pixels, 0, 1, 0, count, OW * K, OW, K)
            fill_places(places, 0, 1, 0, count, OW * Jp, OW, Jp)
            for j in range(0, J, block):
                wanted, width = column_block(j, block, J, vector)
                product(
                    source, (i * OH + row) * OW * K, pixels, n, steps, packed, j * K, width, start,
                    False, False, columns, j, places, wanted, False,
                )  # fmt: skip
            _add_patches(columns, Jp, row, n, (i, top, rows), geometry, dx)


@jit(parallel=True)
def few_channels_backward_data(W, dout, stride, padding, dilation, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K) and W (K, C, KH, KW)."""
    N, H, width, C = dx.shape
    K, _, KH, KW = W.shape
    T, vector = KH * KW, lanes(dx)
    J = T * C
    columns, flat = np.empty(J * K, W.dtype), W.reshape(-1)  # (place, channel, filter)
    for k in range(K):
        for c in range(C):
            for t in range(T):
                columns[(t * C + c) * K + k] = flat[(k * C + c) * T + t]
    packed = empty_aligned(rounded(J, vector) * K, W)
    small = dout.size * J < SMALL
    block, tap = block_width(J, WIDE, vector), np.zeros(1, np.int64)
    one = np.int64(1)  # a literal 1 would have numba compile pack_filters once more, for it alone
    pack_filters(small, block, columns, one, J, K, K, one, tap, packed)
    size = cut_into_units(N, H, width, PIXELS)
    units = pieces(N, size[0]) * pieces(H, size[1])
    if small:
        for unit in range(units):
            _unit(unit, size, packed, (KH, KW), dout, stride, padding, dilation, dx)
    else:
        before = set_task_size(1)
        for unit in prange(units):  # each unit owns its rows of dx
            _unit(np.int64(unit), size, packed, (KH, KW), dout, stride, padding, dilation, dx)
        set_task_size(before)
