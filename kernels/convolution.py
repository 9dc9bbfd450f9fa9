"""Two-dimensional convolution of channels-last images, forward and both gradients.

x (N, H, W, C), W (K, C / groups, KH, KW), out (N, OH, OW, K); see kernels/tile.py for the product
that does the work. Work is cut into units, some rows of one image or several small images: a unit's
part of the input is copied into cache with its zero padding around it, and every filter place reads
it from there at a constant distance. There is no matrix of columns.

The gradient of the input is the convolution of dout with the turned filters; with a stride, the
pixels of each remainder (phase) meet only the filter places of that remainder, and no zeros are
multiplied.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .tile import ROWS, tile_one, tile_two
from .vectors import at, lanes

KERNELS = ("conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights")

CACHED = 65536  # numbers of a unit's input: they stay in the second-level cache
PIXELS = 512  # at most so many pixels in a unit, so that there are units for all threads
NEAR = 128  # pixels whose products are added up at a time: both sides are in the first-level cache
JOINED = 16  # channels of dW that one task adds up
PARTIAL = 1 << 20  # numbers in the sums of all chunks together
CHUNKS = 32  # at most so many sums of dW beside each other
PARTS = 16  # tasks that the columns of a large dW are cut into


@jit(inline=True)
def rounded(n, whole):  # type: ignore[no-untyped-def]
    """n rounded up to a multiple of ``whole``."""
    return (n + whole - 1) // whole * whole


@jit(inline=True)
def unit_size(N, H, W, numbers):  # type: ignore[no-untyped-def]
    """(images, rows of pixels) of a unit; ``numbers`` of the input belong to one pixel."""
    pixels = max(64, min(PIXELS, CACHED // numbers))
    if H * W >= pixels:
        return 1, pieces(H, pieces(H * W, pixels))
    return pieces(N, pieces(N, pixels // (H * W))), H


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


@jit(apart=True)
def product(a, a0, rows, n, steps, b, b0, stride, start, add, relu, out, out0, places, columns):  # type: ignore[no-untyped-def]
    """The tile over all n rows, for at most two vectors of columns."""
    two = columns > lanes(out)
    left, right, target = at(a, a0), at(b, b0), at(out, out0)
    for i in range(0, n, ROWS):
        valid = min(ROWS, n - i)
        if two:
            tile_two(left, at(rows, i), at(steps, 0), steps.size, right, stride, at(start, 0), add,
                     relu, target, at(places, i), valid, columns)  # fmt: skip
        else:
            tile_one(left, at(rows, i), at(steps, 0), steps.size, right, stride, at(start, 0), add,
                     relu, target, at(places, i), valid, columns)  # fmt: skip


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


@jit(apart=True)
def filter_steps(taps, KW, dilation, width, C, depth, steps):  # type: ignore[no-untyped-def]
    """Distances in a unit's input of the filter places ``taps``, ``depth`` channels each."""
    for t in range(taps.size):
        kh, kw = taps[t] // KW, taps[t] % KW
        own = (kh * dilation[0] * width + kw * dilation[1]) * C
        for c in range(depth):
            steps[t * depth + c] = own + c


@jit(inline=True)
def _is_direct(x, OH, OW, stride, padding, extent):  # type: ignore[no-untyped-def]
    """Whether filters never reach over the image, so that x serves as it is."""
    height, width = (OH - 1) * stride[0] + extent[0], (OW - 1) * stride[1] + extent[1]
    inside = height <= x.shape[1] and width <= x.shape[2]
    return padding[0] == 0 and padding[1] == 0 and inside


@jit(apart=True)
def _input_unit(x, place, OW, stride, padding, extent, direct):  # type: ignore[no-untyped-def]
    """A unit's input as a flat array, its first number, and the rows from image to image."""
    _, H, W, C = x.shape
    image, images, row, rows = place
    top = row * stride[0] - padding[0]
    if direct:
        return x.reshape(-1), (image * H + top) * W * C, H
    HS, WS = (rows - 1) * stride[0] + extent[0], (OW - 1) * stride[1] + extent[1]
    out = np.empty((images, HS, WS, C), x.dtype)
    copy_padded(x, image, images, top, HS, -padding[1], WS, out)
    return out.reshape(-1), 0, HS


@jit(apart=True)
def _forward_unit(
    unit, size, x, packed, start, steps, stride, padding, extent, groups, direct, relu, out
):  # type: ignore[no-untyped-def]
    N, OH, OW, K = out.shape
    C, Kg = x.shape[3], K // groups
    place = unit_place(unit, size[0], size[1], N, OH)
    image, images, row, rows = place
    source, first, HS = _input_unit(x, place, OW, stride, padding, extent, direct)
    WS = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    most = rounded(images * rows * OW, ROWS) + ROWS
    pixels, places = np.empty(most, np.int64), np.empty(most, np.int64)
    n = fill_places(pixels, 0, images, HS * WS * C, rows, stride[0] * WS * C, OW, stride[1] * C)
    fill_places(places, 0, images, OH * OW * K, rows, OW * K, OW, K)
    target, result = (image * OH + row) * OW * K, out.reshape(-1)
    vector = lanes(out)
    block, Kp = 2 * vector, rounded(Kg, vector)
    for g in range(groups):
        for k in range(0, Kg, block):
            own = g * Kp + k
            product(
                source, first + g * (C // groups), pixels, n, steps, packed, own * steps.size,
                min(block, Kp - k), start[own:], False, relu, result, target + g * Kg + k, places,
                min(block, Kg - k),
            )  # fmt: skip


@jit(inline=True)
def _extent(W, dilation):  # type: ignore[no-untyped-def]
    return (W.shape[2] - 1) * dilation[0] + 1, (W.shape[3] - 1) * dilation[1] + 1


@jit(parallel=True)
def conv2d_forward(x, W, b, stride, padding, dilation, groups, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C / G, KH, KW), b (K,) or (0,)."""
    N, OH, OW, K = out.shape
    _, Cg, KH, KW = W.shape
    C, Kg, T = x.shape[3], K // groups, KH * KW
    extent = _extent(W, dilation)
    direct = _is_direct(x, OH, OW, stride, padding, extent)
    taps, steps = np.arange(T), np.empty(T * Cg, np.int64)
    width = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    filter_steps(taps, KW, dilation, width, C, Cg, steps)
    Kp = rounded(Kg, lanes(out))
    packed, flat = np.empty(groups * Kp * T * Cg, W.dtype), W.reshape(-1)
    start = np.zeros(groups * Kp + 2 * lanes(out), W.dtype)
    for k in range(b.size):
        start[k // Kg * Kp + k % Kg] = b[k]
    size = unit_size(N, OH, OW, C * stride[0] * stride[1])
    units = pieces(N, size[0]) * pieces(OH, size[1])
    blocks = groups * pieces(Kg, 2 * lanes(out))
    if N * OH * OW * W.size < SMALL:
        for task in range(blocks):
            pack_block(task, flat, groups, Kg, Cg * T, Cg, T, taps, packed)
        for unit in range(units):
            _forward_unit(unit, size, x, packed, start, steps, stride, padding, extent, groups,
                          direct, relu, out)  # fmt: skip
    else:
        for task in prange(blocks):  # each task owns one block's place
            pack_block(np.int64(task), flat, groups, Kg, Cg * T, Cg, T, taps, packed)
        for unit in prange(units):  # each unit owns its pixels of out
            _forward_unit(np.int64(unit), size, x, packed, start, steps, stride, padding, extent,
                          groups, direct, relu, out)  # fmt: skip


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
    unit, size, packed, starts, steps, dout, stride, padding, reach, groups, direct, dx
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
        held = np.empty((images, HS, WS, K), dout.dtype)
        copy_padded(dout, image, images, low + row - reach[0], HS, left - reach[1], WS, held)
        source, first = held.reshape(-1), 0
    most = rounded(images * rows * QW, ROWS) + ROWS
    pixels, places = np.empty(most, np.int64), np.empty(most, np.int64)
    result, vector = dx.reshape(-1), lanes(dx)
    block, Cp = 2 * vector, rounded(Cg, vector)
    start = np.zeros(block, dx.dtype)
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
        own = steps[starts[phase] * Kg : starts[phase + 1] * Kg]
        for g in range(groups):
            for c in range(0, Cg, block):
                # a phase's filters of all groups lie together, see conv2d_backward_data
                b0 = (starts[phase] * groups + taps * g) * Cp * Kg + c * own.size
                product(
                    source, first + g * Kg, pixels, n, own, packed, b0, min(block, Cp - c), start,
                    False, False, result, g * Cg + c, places, min(block, Cg - c),
                )  # fmt: skip


@jit(parallel=True)
def conv2d_backward_data(W, dout, stride, padding, dilation, groups, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K)."""
    N, H, width, C = dx.shape
    _, OH, OW, K = dout.shape
    _, Cg, KH, KW = W.shape
    Kg, T = K // groups, KH * KW
    reach = (KH - 1) * dilation[0] // stride[0], (KW - 1) * dilation[1] // stride[1]
    low, left = padding[0] // stride[0], padding[1] // stride[1]
    QH = (H - 1 + padding[0]) // stride[0] + 1 - low
    QW = (width - 1 + padding[1]) // stride[1] + 1 - left
    direct = reach[0] + reach[1] + low + left == 0 and QH <= OH and QW <= OW
    taps, starts = _phases(KH, KW, stride, dilation)
    WS = OW if direct else QW + reach[1]
    steps = np.empty(T * Kg, np.int64)
    for t in range(T):
        h = reach[0] - taps[t] // KW * dilation[0] // stride[0]
        w = reach[1] - taps[t] % KW * dilation[1] // stride[1]
        for k in range(Kg):
            steps[t * Kg + k] = (h * WS + w) * K + k
    flat, vector = W.reshape(-1), lanes(dx)
    Cp, blocks = rounded(Cg, vector), groups * pieces(Cg, 2 * vector)
    packed = np.empty(groups * Cp * T * Kg, W.dtype)
    size = unit_size(N, QH, QW, K)
    units = pieces(N, size[0]) * pieces(QH, size[1])
    small = N * OH * OW * W.size < SMALL
    for phase in range(starts.size - 1):
        own = taps[starts[phase] : starts[phase + 1]]
        part = packed[starts[phase] * groups * Cp * Kg : starts[phase + 1] * groups * Cp * Kg]
        if small:
            for task in range(blocks):
                pack_block(task, flat, groups, Cg, T, Kg, Cg * T, own, part)
        else:
            for task in prange(blocks):  # each task owns one block's place
                pack_block(np.int64(task), flat, groups, Cg, T, Kg, Cg * T, own, part)
    if small:
        for unit in range(units):
            _backward_unit(unit, size, packed, starts, steps, dout, stride, padding, reach, groups,
                           direct, dx)  # fmt: skip
    else:
        for unit in prange(units):  # each unit owns its pixels of dx
            _backward_unit(np.int64(unit), size, packed, starts, steps, dout, stride, padding,
                           reach, groups, direct, dx)  # fmt: skip


@jit(apart=True)
def _add_pixels(x, first, n, wide, sums, add):  # type: ignore[no-untyped-def]
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
def _weights_task(
    task, cut, size, x, dout, steps, stride, padding, extent, groups, direct, sums, bias_sums
):  # type: ignore[no-untyped-def]
    """One chunk's sums of dW, for some blocks of columns; sums (chunks, G, T C / G, Kp)."""
    chunks, parts = cut
    chunk, part = task // parts, task % parts
    N, OH, OW, K = dout.shape
    C, Kg, Kp = x.shape[3], K // groups, sums.shape[3]
    n_steps = sums.shape[2]
    WS = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    units = pieces(N, size[0]) * pieces(OH, size[1])
    pixels = np.empty(size[0] * size[1] * OW + 2 * ROWS, np.int64)
    places = np.empty(steps.size, np.int64)
    for i in range(steps.size):
        places[i] = i * Kp
    result, vector = sums.reshape(-1), lanes(sums)
    block = 2 * vector
    blocks = pieces(Kg, block)
    total = groups * blocks
    start = np.zeros(block, sums.dtype)
    wide = np.empty(K * pieces(64, K), sums.dtype)
    first_unit, last_unit = units * chunk // chunks, units * (chunk + 1) // chunks
    for unit in range(first_unit, last_unit):
        place = unit_place(unit, size[0], size[1], N, OH)
        image, images, row, rows = place
        source, first, HS = _input_unit(x, place, OW, stride, padding, extent, direct)
        n = fill_places(pixels, 0, images, HS * WS * C, rows, stride[0] * WS * C, OW, stride[1] * C)
        d, d0 = dout.reshape(-1), (image * OH + row) * OW * K
        if part == 0 and bias_sums.size:
            _add_pixels(d, d0, n, wide, bias_sums[chunk], unit > first_unit)
        if d0 + n * K == d.size and K % vector:  # the tile reads whole vectors, here behind the end
            held = np.empty(n * K + block, d.dtype)
            for i in range(n * K):
                held[i] = d[d0 + i]
            held[n * K :] = 0
            d, d0 = held, 0
        for p in range(0, n, NEAR):
            own, add = pixels[p : min(p + NEAR, n)], unit > first_unit or p > 0
            for j in range(total * part // parts, total * (part + 1) // parts):
                g, k = j // blocks, j % blocks * block
                product(
                    source, first + g * (C // groups), steps, n_steps, own, d,
                    d0 + p * K + g * Kg + k, K, start, add, False, result,
                    (chunk * groups + g) * n_steps * Kp + k, places, min(block, Kp - k),
                )  # fmt: skip


@jit(apart=True)
def _join_weights(task, sums, dW):  # type: ignore[no-untyped-def]
    """The sum over the chunks, in their order, of some channels of a group's filters, as in dW."""
    chunks, groups, n_steps, Kp = sums.shape
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
def conv2d_backward_weights(x, dout, stride, padding, dilation, groups, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C / G, KH, KW) and db (K,), or (0,) for none, from x and dout."""
    N, OH, OW, K = dout.shape
    _, Cg, KH, KW = dW.shape
    C, Kg, T = x.shape[3], K // groups, KH * KW
    extent = _extent(dW, dilation)
    direct = _is_direct(x, OH, OW, stride, padding, extent)
    n_steps, vector = T * Cg, lanes(dW)
    steps = np.zeros(rounded(n_steps, ROWS) + ROWS, np.int64)
    width = x.shape[2] if direct else (OW - 1) * stride[1] + extent[1]
    filter_steps(np.arange(T), KW, dilation, width, C, Cg, steps)
    Kp = rounded(Kg, vector)
    size = unit_size(N, OH, OW, C * stride[0] * stride[1])
    units = pieces(N, size[0]) * pieces(OH, size[1])
    chunks = max(1, min(units, CHUNKS, PARTIAL // (groups * n_steps * Kp)))
    parts = max(1, min(groups * pieces(Kg, 2 * vector), PARTS // chunks))
    sums = np.empty((chunks, groups, n_steps, Kp), dW.dtype)
    bias_sums = np.empty((chunks if db.size else 0, K), dW.dtype)
    cut, joins = (chunks, parts), groups * pieces(Cg, JOINED)
    if N * OH * OW * dW.size < SMALL:
        for task in range(chunks * parts):
            _weights_task(task, cut, size, x, dout, steps, stride, padding, extent, groups, direct,
                          sums, bias_sums)  # fmt: skip
        for task in range(joins):
            _join_weights(task, sums, dW)
    else:
        before = set_task_size(1)
        for task in prange(chunks * parts):  # each task owns a chunk's sums of some columns
            _weights_task(np.int64(task), cut, size, x, dout, steps, stride, padding, extent,
                          groups, direct, sums, bias_sums)  # fmt: skip
        set_task_size(before)
        for task in prange(joins):  # each task owns some channels of a group's filters
            _join_weights(np.int64(task), sums, dW)
    for k in range(db.size):
        db[k] = bias_sums[0, k]
        for chunk in range(1, chunks):
            db[k] += bias_sums[chunk, k]
