"""What the kernels of recurrent networks have in common: products of states and weights.

A task owns some rows of the batch and runs all their time steps. Arrays over time are time-major,
so that a task's rows of one step lie side by side:

inputs (T + 1, B, H + D): the state before step t and the input x of step t, side by side, so that
    one product serves both weights; the last step has the final state, and 0 for x
gates (T, B, G): the gates after their activation, 0 behind a row's length
dgates (T, B, G): gradients at the gates before their activation

The weights' gradients are sums over (steps x rows) and run at the end, each task on columns of its
own: nothing is added up across tasks. All cuts follow from the shapes alone.
"""

from __future__ import annotations

import numpy as np

from .dense import pieces
from .jit import jit
from .patches import block_width, column_block, empty_aligned, fill_places, product, table_size
from .vectors import lanes

ROWS = 16  # of the batch in one task: two tiles, and enough tasks for some threads
STEPS = 4  # whose gradients at the input are computed at a time: they are still in cache
NEAR = 128  # rows whose products are added up at a time: both sides are in the first-level cache


@jit(inline=True)
def task_rows(task, B):  # type: ignore[no-untyped-def]
    """(first, one behind the last) row of the batch that a task owns."""
    tasks = pieces(B, ROWS)
    return B * task // tasks, B * (task + 1) // tasks


@jit(inline=True)
def length_of(lengths, row, T):  # type: ignore[no-untyped-def]
    """Steps of a row of the batch; ``lengths`` (B,), or (0,) where all have T."""
    return min(lengths[row], T) if lengths.size else np.int64(T)


@jit(apart=True)
def longest_of(lengths, first, last, T):  # type: ignore[no-untyped-def]
    """The most steps of any row of a task."""
    longest = np.int64(0)
    for row in range(first, last):
        longest = max(longest, length_of(lengths, row, T))
    return longest


# ---------------------------------------------------------------------------- products
@jit(inline=True)
def packed_like(depth, columns, like):  # type: ignore[no-untyped-def]
    """Memory for weights (depth, columns) as ``multiply`` takes them."""
    return empty_aligned(depth * pieces(columns, lanes(like)) * lanes(like), like)


@jit(apart=True)
def pack(W, column, columns, before, depth, packed):  # type: ignore[no-untyped-def]
    """Some columns of all rows of W, as the rows from ``before`` on of ``depth`` packed ones."""
    vector = lanes(packed)
    block = block_width(columns, False, vector)
    for k in range(0, columns, block):
        own, width = column_block(k, block, columns, vector)
        for i in range(W.shape[0]):
            row, place = W[i, column + k : column + k + own], k * depth + (before + i) * width
            to = packed[place : place + width]
            for j in range(own):
                to[j] = row[j]
            for j in range(own, width):
                to[j] = 0


@jit(apart=True)
def pack_turned(W, column, count, before, depth, packed):  # type: ignore[no-untyped-def]
    """``count`` columns of W as rows from ``before`` on of ``depth`` packed ones."""
    vector, columns = lanes(packed), W.shape[0]
    block = block_width(columns, False, vector)
    for k in range(0, columns, block):
        own, width = column_block(k, block, columns, vector)
        start = k * depth + before * width
        to = packed[start : start + count * width]
        for j in range(own):
            row = W[k + j, column : column + count]
            for i in range(count):
                to[i * width + j] = row[i]
        for j in range(own, width):
            for i in range(count):
                to[i * width + j] = 0


@jit(inline=True)
def row_table(n, step):  # type: ignore[no-untyped-def]
    """Places of n rows, ``step`` numbers apart."""
    table = np.empty(table_size(n), np.int64)
    fill_places(table, 0, 1, 0, n, step, 1, 0)
    return table


@jit(inline=True)
def start_of(b, column, columns):  # type: ignore[no-untyped-def]
    """A part of the bias (or 0, where b is empty) with room for the last vector."""
    start = np.zeros(columns + lanes(b), b.dtype)
    for j in range(columns if b.size else 0):
        start[j] = b[column + j]
    return start


@jit(apart=True)
def multiply(a, a0, rows, n, steps, packed, columns, start, add, out, out0, places):  # type: ignore[no-untyped-def]
    """out[places[i] + j] = start[j] + sum over k of a[rows[i] + steps[k]] weights[k, j].

    For n rows; a and out are flat and begin at a0 and out0. ``add``: to what out has, no start.
    """
    vector = lanes(out)
    block = block_width(columns, False, vector)
    for k in range(0, columns, block):
        own, width = column_block(k, block, columns, vector)
        product(a, a0, rows, n, steps, packed, k * steps.size, width, start[k:], add, False, out,
                out0 + k, places, own, False)  # fmt: skip


# ---------------------------------------------------------------------------- the inputs' side
@jit(apart=True)
def first_state(h0, first, last, inputs):  # type: ignore[no-untyped-def]
    """The state before step 0, and 0 for the input behind the last step."""
    H, T = h0.shape[1], inputs.shape[0] - 1
    for i in range(first, last):
        given, row, end = h0[i], inputs[0, i], inputs[T, i]
        for j in range(H):
            row[j] = given[j]
        for j in range(H, end.size):
            end[j] = 0


@jit(apart=True)
def take_inputs(x, t, lengths, first, last, inputs):  # type: ignore[no-untyped-def]
    """x's step t beside the states; 0 behind a row's length, where x may hold anything."""
    _, T, D = x.shape
    H = inputs.shape[2] - D
    for i in range(first, last):
        given, row = x[i, t], inputs[t, i, H:]
        if t < length_of(lengths, i, T):
            for j in range(D):
                row[j] = given[j]
        else:
            for j in range(D):
                row[j] = 0


@jit(apart=True)
def input_gradient(t, steps_now, first, last, dgates, columns, packed, zeros, dx):  # type: ignore[no-untyped-def]
    """dx of some steps from t on: their dgates' ``columns`` times the packed weights."""
    _, B, G = dgates.shape
    _, T, D = dx.shape
    R, dgates, dx = last - first, dgates.reshape(-1), dx.reshape(-1)
    rows = np.empty(table_size(steps_now * R), np.int64)
    places = np.empty(table_size(steps_now * R), np.int64)
    n = fill_places(rows, 0, steps_now, B * G, R, G, 1, 0)
    fill_places(places, 0, steps_now, D, R, T * D, 1, 0)
    multiply(dgates, (t * B + first) * G, rows, n, columns, packed, D, zeros, False, dx,
             (first * T + t) * D, places)  # fmt: skip


# ---------------------------------------------------------------------------- the weights' side
@jit(apart=True)
def _take_columns(gates, k, n, column, columns, width, strip, sums):  # type: ignore[no-untyped-def]
    """strip (n, width) = some columns of n of the gates' rows, added up in sums (columns,)."""
    for i in range(n):
        row, to = gates[k + i, column : column + columns], strip[i * width : (i + 1) * width]
        for j in range(columns):
            to[j] = row[j]
        for j in range(columns):
            sums[j] += row[j]


@jit(apart=True)
def weight_columns(a, cut, gates, column, columns, dU, column_U, dW, column_W, db):  # type: ignore[no-untyped-def]
    """dU and dW [:, some columns] = a[:, h]^T gates[:, columns] and a[:, x]^T gates[:, columns].

    a (N, P), gates (N, G). cut = (first number of h in a row of a, its numbers, first number of x,
    its numbers), no numbers for no product. db (G,) gets the sums of the gates' columns.
    """
    N, P = a.shape
    h, H, x, D = cut
    vector = lanes(dU)
    width = pieces(columns, vector) * vector
    strip, zeros = empty_aligned(NEAR * width, dU), np.zeros(width, dU.dtype)
    strip[:] = 0  # behind the columns too
    rows_U, rows_W = row_table(H, 1), row_table(D, 1)
    places_U, places_W = row_table(H, dU.shape[1]), row_table(D, dW.shape[1])
    flat, to_U, to_W = a.reshape(-1), dU.reshape(-1), dW.reshape(-1)
    steps = np.empty(NEAR, np.int64)
    for k in range(NEAR):
        steps[k] = k * P
    sums = db[column : column + columns]
    sums[:] = 0
    for k in range(0, N, NEAR):
        n = min(NEAR, N - k)
        _take_columns(gates, k, n, column, columns, width, strip, sums)
        if H:
            product(flat, k * P + h, rows_U, H, steps[:n], strip, 0, width, zeros, k > 0, False,
                    to_U, column_U, places_U, columns, False)  # fmt: skip
        if D:
            product(flat, k * P + x, rows_W, D, steps[:n], strip, 0, width, zeros, k > 0, False,
                    to_W, column_W, places_W, columns, False)  # fmt: skip
