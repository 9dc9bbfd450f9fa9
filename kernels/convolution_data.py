"""The gradient of a convolution's input: dout convolved with the turned filters.

With a stride, the pixels of each remainder (phase) meet only the filter places of that remainder:
no zeros are multiplied.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .patches import (
    block_width,
    column_block,
    copy_unit,
    empty_aligned,
    fill_places,
    pack_filters,
    product,
    rounded,
    table_size,
    unit_place,
    unit_size,
)
from .tile import WIDE
from .vectors import lanes

KERNELS = ("conv2d_backward_data",)


@jit(inline=True)
def _phases(KH, KW, stride, dilation):  # type: ignore[no-untyped-def]
    """Filter places ordered by phase, and where each phase starts among them (phases + 1,)."""
    taps, starts = np.empty(KH * KW, np.int64), np.zeros(stride[0] * stride[1] + 1, np.int64)
    n = 0
    for phase in range(stride[0] * stride[1]):
        for tap in range(KH * KW):
            h, w = tap // KW * dilation[0], tap % KW * dilation[1]
            if h % stride[0] == phase // stride[1] and w % stride[1] == phase % stride[1]:
                taps[n] = tap
                n += 1
        starts[phase + 1] = n
    return taps, starts


@jit(inline=True)
def _first_and_stop(phase, stride, padding, size, low, high):  # type: ignore[no-untyped-def]
    """Of the places q in [low, high): those whose pixel q stride + phase - padding exists."""
    first = max(low, -((phase - padding) // stride))
    return first, max(first, min(high, (size - 1 + padding - phase) // stride + 1))


@jit(apart=True)
def _backward_unit(
    unit, size, packed, starts, steps, dout, stride, padding, reach, groups, each, direct, dx
):  # type: ignore[no-untyped-def]
    """A unit's pixels of dx; rows and columns are counted in steps of the stride."""
    N, H, W, C = dx.shape
    _, OH, OW, K = dout.shape
    Cg, Kg = C // groups, K // groups
    low, left = padding[0] // stride[0], padding[1] // stride[1]
    QH, QW = (
        (H - 1 + padding[0]) // stride[0] + 1 - low,
        (W - 1 + padding[1]) // stride[1] + 1 - left,
    )
    image, images, row, rows = unit_place(unit, size[0], size[1], N, QH)
    source, first, HS, WS = dout.reshape(-1), (image * OH + row) * OW * K, OH, OW
    if not direct:
        HS, WS = rows + reach[0], QW + reach[1]
        top = low + row - reach[0]
        source, first = copy_unit(dout, K, image, images, top, HS, left - reach[1], WS), 0
    most = table_size(images * rows * QW)
    pixels, places = np.empty(most, np.int64), np.empty(most, np.int64)
    result, vector = dx.reshape(-1), lanes(dx)
    Cp, start = rounded(Cg, vector), np.zeros(WIDE * vector, dx.dtype)
    block = block_width(Cg, 1 if each else WIDE, vector)
    depth = 1 if each else Kg
    for phase in range(starts.size - 1):
        ph, pw = phase // stride[1], phase % stride[1]
        top, bottom = _first_and_stop(ph, stride[0], padding[0], H, low + row, low + row + rows)
        begin, end = _first_and_stop(pw, stride[1], padding[1], W, left, left + QW)
        if top == bottom or begin == end:
            continue
        n = fill_places(
            pixels, ((top - low - row) * WS + begin - left) * K, images, HS * WS * K, bottom - top,
            WS * K, end - begin, K,
        )  # fmt: skip
        h, w = top * stride[0] + ph - padding[0], begin * stride[1] + pw - padding[1]
        fill_places(
            places, ((image * H + h) * W + w) * C, images, H * W * C, bottom - top,
            stride[0] * W * C, end - begin, stride[1] * C,
        )  # fmt: skip
        taps = starts[phase + 1] - starts[phase]
        if taps == 0:
            for i in range(n):
                result[places[i] : places[i] + C] = 0
            continue
        own = steps[starts[phase] * depth : starts[phase + 1] * depth]
        for g in range(groups):
            # a phase's filters of all groups lie together, see conv2d_backward_data
            filters = (starts[phase] * groups + taps * g) * Cp * depth
            for c in range(0, Cg, block):
                columns, width = column_block(c, block, Cg, vector)
                product(
                    source, first + (c if each else g * Kg), pixels, n, own, packed,
                    filters + c * own.size, width, start, False, False, result,
                    g * Cg + c, places, columns, each,
                )  # fmt: skip


@jit(parallel=True)
def conv2d_backward_data(W, dout, stride, padding, dilation, groups, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K)."""
    N, H, width, C = dx.shape
    _, OH, OW, K = dout.shape
    KH, KW = W.shape[2:]
    each = groups == C and groups == K
    G, T = 1 if each else groups, KH * KW
    Cg, Kg = C // G, 1 if each else K // G  # columns and depth of a group's product
    reach = (KH - 1) * dilation[0] // stride[0], (KW - 1) * dilation[1] // stride[1]
    low, left = padding[0] // stride[0], padding[1] // stride[1]
    QH = (H - 1 + padding[0]) // stride[0] + 1 - low
    QW = (width - 1 + padding[1]) // stride[1] + 1 - left
    inside = reach[0] + reach[1] + low + left == 0 and QH <= OH and QW <= OW
    direct = inside and not (each and K % lanes(dx))
    taps, starts = _phases(KH, KW, stride, dilation)
    WS = OW if direct else QW + reach[1]
    steps = np.empty(T * Kg, np.int64)
    for t in range(T):
        h = reach[0] - taps[t] // KW * dilation[0] // stride[0]
        w = reach[1] - taps[t] % KW * dilation[1] // stride[1]
        for k in range(Kg):
            steps[t * Kg + k] = (h * WS + w) * K + k
    Cp, flat = rounded(Cg, lanes(dx)), W.reshape(-1)
    block = block_width(Cg, 1 if each else WIDE, lanes(dx))
    packed = empty_aligned(G * Cp * T * Kg, W)
    size = unit_size(N, QH, QW, K)
    units = pieces(N, size[0]) * pieces(QH, size[1])
    small = N * OH * OW * W.size < SMALL
    for phase in range(starts.size - 1):
        own = taps[starts[phase] : starts[phase + 1]]
        part = packed[starts[phase] * G * Cp * Kg : starts[phase + 1] * G * Cp * Kg]
        pack_filters(small, block, flat, G, Cg, T, Kg, W.shape[1] * T, own, part)
    if small:
        for unit in range(units):
            _backward_unit(unit, size, packed, starts, steps, dout, stride, padding, reach, G,
                           each, direct, dx)  # fmt: skip
    else:
        before = set_task_size(1)
        for unit in prange(units):  # each unit owns its pixels of dx
            _backward_unit(np.int64(unit), size, packed, starts, steps, dout, stride, padding,
                           reach, G, each, direct, dx)  # fmt: skip
        set_task_size(before)
