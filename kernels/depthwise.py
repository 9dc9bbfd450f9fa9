"""Depthwise convolution with 3 x 3 filters, stride 1 or 2: one filter for each channel.

x (N, H, W, C), W (C, 1, 3, 3), out (N, OH, OW, C). It waits for memory more than for anything
else: every input is read once, where it lies. The sums of the filters' gradients run over images
in chunks, whose number follows from the shapes alone; the chunks' are added in their order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .convolution_weights import add_pixels, join_chunks
from .dense import SMALL, pieces
from .depthwise_tiles import COLUMNS, ROWS, data_2, forward_1, forward_2, weights_1, weights_2
from .jit import jit, set_task_size
from .patches import cut_into_units, rounded, unit_place
from .vectors import at, lanes

KERNELS = ("depthwise_forward", "depthwise_backward_data", "depthwise_backward_weights")

NUMBERS = 65536  # of the output in one task
CHUNKS = 32  # at most so many sums of dW beside each other


@jit(inline=True)
def _unit_size(N, H, W, C):  # type: ignore[no-untyped-def]
    """(images, rows) of one task."""
    return cut_into_units(N, H, W, max(1, NUMBERS // C))


@jit(apart=True)
def _filters(W, turned, packed):  # type: ignore[no-untyped-def]
    """packed (9, C and more) = the filters by place, turned round if wanted."""
    flat = W.reshape(-1)
    for c in range(W.shape[0]):
        for t in range(9):
            packed[8 - t if turned else t, c] = flat[9 * c + t]


@jit(apart=True)
def _forward_unit(unit, size, stride, padding, x, f, start, relu, out):  # type: ignore[no-untyped-def]
    N, OH, OW, C = out.shape
    _, H, W, _ = x.shape
    image, images, first, rows = unit_place(unit, size[0], size[1], N, OH)
    source, target, filters = x.reshape(-1), out.reshape(-1), at(f.reshape(-1), 0)
    step, bias = f.shape[1], at(start, 0)
    for i in range(image, image + images):
        own = at(source, i * H * W * C)
        for h in range(first, first + rows, ROWS):
            top, count = h * stride - padding[0], min(ROWS, first + rows - h)
            for w in range(0, OW, COLUMNS):
                to, left = at(target, ((i * OH + h) * OW + w) * C), w * stride - padding[1]
                if stride == 1:
                    forward_1(own, H, W, top, left, C, filters, step, bias, relu, to, OW, count,
                              OW - w)  # fmt: skip
                else:
                    forward_2(own, H, W, top, left, C, filters, step, bias, relu, to, OW, count,
                              OW - w)  # fmt: skip


@jit(parallel=True)
def depthwise_forward(stride, x, W, b, turned, padding, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, C) from x (N, H, W, C), W (C, 1, 3, 3), b (C,) or (0,).

    ``turned``: the filters are turned round. With dout for x, 2 - the padding of a convolution of
    stride 1, and stride 1, that is the gradient of its input.
    """
    N, OH, OW, C = out.shape
    step = rounded(C, lanes(out))
    f, start = np.zeros((9, step), W.dtype), np.zeros(step, W.dtype)
    _filters(W, turned, f)
    start[: b.size] = b
    size = _unit_size(N, OH, OW, C)
    units = pieces(N, size[0]) * pieces(OH, size[1])
    if 9 * out.size < SMALL:
        for unit in range(units):
            _forward_unit(unit, size, stride, padding, x, f, start, relu, out)
    else:
        before = set_task_size(1)
        for unit in prange(units):  # each unit owns its pixels of out
            _forward_unit(np.int64(unit), size, stride, padding, x, f, start, relu, out)
        set_task_size(before)


@jit(apart=True)
def _data_unit(unit, size, padding, f, dout, dx):  # type: ignore[no-untyped-def]
    """A unit's pairs of rows of dx."""
    N, H, W, C = dx.shape
    _, OH, OW, _ = dout.shape
    low = padding[0] // 2
    high = (H - 1 + padding[0]) // 2 + 1 - low  # pairs of rows
    image, images, first, rows = unit_place(unit, size[0], size[1], N, high)
    source, target, filters = dout.reshape(-1), dx.reshape(-1), at(f.reshape(-1), 0)
    for i in range(image, image + images):
        own, to = at(source, i * OH * OW * C), at(target, i * H * W * C)
        for q in range(low + first, low + first + rows):
            for left in range(-(padding[1] % 2), W, 2 * COLUMNS):
                data_2(own, OH, OW, q - 1, (left + padding[1]) // 2 - 1, C, filters, f.shape[1],
                       to, H, W, 2 * q - padding[0], left)  # fmt: skip


@jit(parallel=True)
def depthwise_backward_data(W, dout, padding, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, C), for stride 2."""
    N, H, width, C = dx.shape
    f = np.zeros((9, rounded(C, lanes(dx))), W.dtype)
    _filters(W, False, f)
    high = (H - 1 + padding[0]) // 2 + 1 - padding[0] // 2
    size = _unit_size(N, high, 2 * width, C)
    units = pieces(N, size[0]) * pieces(high, size[1])
    if 9 * dout.size < SMALL:
        for unit in range(units):
            _data_unit(unit, size, padding, f, dout, dx)
    else:
        before = set_task_size(1)
        for unit in prange(units):  # each unit owns its pixels of dx
            _data_unit(np.int64(unit), size, padding, f, dout, dx)
        set_task_size(before)


@jit(apart=True)
def _weights_chunk(chunk, chunks, size, stride, padding, x, dout, sums, bias_sums):  # type: ignore[no-untyped-def]
    """sums[chunk] (9, C and more) and bias_sums[chunk] over the chunk's units."""
    N, OH, OW, C = dout.shape
    _, H, W, _ = x.shape
    source, given, total = x.reshape(-1), dout.reshape(-1), at(sums[chunk].reshape(-1), 0)
    sums[chunk] = 0
    step, wide = sums.shape[2], np.empty(C * pieces(64, C), dout.dtype)
    units = pieces(N, size[0]) * pieces(OH, size[1])
    begin = units * chunk // chunks
    for unit in range(begin, units * (chunk + 1) // chunks):
        image, images, first, rows = unit_place(unit, size[0], size[1], N, OH)
        if bias_sums.size:
            add_pixels(given, (image * OH + first) * OW * C, images * rows * OW, wide,
                       bias_sums[chunk], unit > begin)  # fmt: skip
        for i in range(image, image + images):
            own = at(source, i * H * W * C)
            for h in range(first, first + rows, ROWS):
                top, count = h * stride - padding[0], min(ROWS, first + rows - h)
                for w in range(0, OW, COLUMNS):
                    d, left = at(given, ((i * OH + h) * OW + w) * C), w * stride - padding[1]
                    if stride == 1:
                        weights_1(own, H, W, top, left, C, d, OW, count, OW - w, total, step)
                    else:
                        weights_2(own, H, W, top, left, C, d, OW, count, OW - w, total, step)


@jit(parallel=True)
def depthwise_backward_weights(stride, x, dout, padding, dW, db):  # type: ignore[no-untyped-def]
    """dW (C, 1, 3, 3) and db (C,), or (0,) for none, from x and dout."""
    N, OH, OW, C = dout.shape
    size = _unit_size(N, OH, OW, C)
    units = pieces(N, size[0]) * pieces(OH, size[1])
    chunks = min(units, CHUNKS)
    sums = np.empty((chunks, 9, rounded(C, lanes(dW))), dW.dtype)
    bias_sums, small = np.empty((chunks if db.size else 0, C), dW.dtype), 9 * dout.size < SMALL
    if small:
        for chunk in range(chunks):
            _weights_chunk(chunk, chunks, size, stride, padding, x, dout, sums, bias_sums)
    else:
        before = set_task_size(1)
        for chunk in prange(chunks):  # each chunk owns its sums
            _weights_chunk(np.int64(chunk), chunks, size, stride, padding, x, dout, sums, bias_sums)
        set_task_size(before)
    join_chunks(small, sums.reshape((chunks, 1, 9, sums.shape[2])), bias_sums, dW, db)
