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
from .lanes import add_row, copy_row
from .patches import block_width, column_block, empty_aligned, fill_places, table_size
from .tile import ROWS as TILE
from .tile import SQUARE, WIDE, tile_one, tile_square, tile_three, tile_two
from .vectors import at, lanes

ROWS = 16  # of the batch in one task: two tiles, and enough tasks for some threads
STEPS = 4  # whose gradients at the input are computed at a time: they are still in cache
BANDS = 8  # tasks of some columns each, if there are columns enough
NEAR = 96  # rows whose products are added up at a time: both sides are in the first-level cache


@jit(inline=True)
def task_rows(task, B):  # type: ignore[no-untyped-def]
    """(first, one behind the last) row of the batch that a task owns."""
    return task * ROWS, min((task + 1) * ROWS, B)


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


# ---------------------------------------------------------------------------- rows, as addresses
# an array's view of a row costs 20 ns, for numba counts a reference to it: a fifth of a cell's time
@jit(inline=True)
def copy(to, given, n):  # type: ignore[no-untyped-def]
    """to[:n] = given[:n]."""
    for j in range(n):
        to[j] = given[j]


@jit(inline=True)
def add(to, given, n):  # type: ignore[no-untyped-def]
    """to[:n] += given[:n]."""
    for j in range(n):
        to[j] += given[j]


@jit(inline=True)
def fill(to, number, n):  # type: ignore[no-untyped-def]
    """to[:n] = number."""
    for j in range(n):
        to[j] = number


# ---------------------------------------------------------------------------- products
@jit(inline=True)
def packed_like(depth, columns, like):  # type: ignore[no-untyped-def]
    """Memory for weights (depth, columns) as ``multiply`` takes them."""
    return empty_aligned(depth * pieces(columns, lanes(like)) * lanes(like), like)


@jit(apart=True)
def pack(W, column, columns, before, depth, packed):  # type: ignore[no-untyped-def]
    """Some columns of all rows of W, as the rows from ``before`` on of ``depth`` packed ones."""
    vector = lanes(packed)
    block = block_width(columns, WIDE, vector)
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
    block = block_width(columns, WIDE, vector)
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
def _tiles(a, rows, n, steps, count, b, width, vectors, start, add, out, places, columns, ahead,
           other, each):  # type: ignore[no-untyped-def]  # fmt: skip
    """One block of columns of ``multiply``: all but the tables are addresses.

    Tiles in turn fetch ``each`` numbers behind ``ahead`` and ``other``, which come next.
    """
    height, pace = SQUARE if vectors == 4 else TILE, pieces(each, count)
    for i in range(0, n, height):
        own, place, valid = at(rows, i), at(places, i), min(height, n - i)
        if WIDE == 4 and vectors == 4:
            turn = i // SQUARE
            far = at(other if turn % 2 else ahead, turn // 2 * each)
            tile_square(a, own, steps, count, b, width, start, add, False, out, place, valid,
                        columns, far, pace)  # fmt: skip
        elif vectors == 3:
            tile_three(a, own, steps, count, b, width, start, add, False, out, place, valid,
                       columns)  # fmt: skip
        elif vectors == 2:
            tile_two(a, own, steps, count, b, width, start, add, False, out, place, valid, columns)
        else:
            tile_one(a, own, steps, count, b, width, start, add, False, out, place, valid, columns)


@jit(apart=True)
def multiply_ahead(a, a0, rows, n, steps, packed, p0, columns, start, add, out, out0, places, ahead,
                   ahead0, other, other0, numbers):  # type: ignore[no-untyped-def]  # fmt: skip
    """``multiply``, and meanwhile fetch what the next step writes: ``numbers`` of two flat arrays.

    A step's cells wait for memory otherwise: a sixth of the time of a backward step.
    """
    vector, count = lanes(out), steps.size
    block = block_width(columns, WIDE, vector)
    pairs = pieces(pieces(n, SQUARE), 2)
    each = pieces(numbers, pairs * pieces(columns, block))
    for k in range(0, columns, block):
        own, width = column_block(k, block, columns, vector)
        done = k // block * pairs * each
        _tiles(at(a, a0), rows, n, at(steps, 0), count, at(packed, p0 + k * count), width,
               width // vector, at(start, k), add, at(out, out0 + k), places, own,
               at(ahead, ahead0 + done), at(other, other0 + done), each)  # fmt: skip


@jit(inline=True)
def multiply(a, a0, rows, n, steps, packed, p0, columns, start, add, out, out0, places):  # type: ignore[no-untyped-def]
    """out[places[i] + j] = start[j] + sum over k of a[rows[i] + steps[k]] weights[k, j].

    For n rows; a, packed and out are flat and begin at a0, p0 and out0. ``add``: to what out has.
    """
    multiply_ahead(a, a0, rows, n, steps, packed, p0, columns, start, add, out, out0, places, out,
                   out0, out, out0, 0)  # fmt: skip


# ---------------------------------------------------------------------------- the inputs' side
@jit(inline=True)
def keep_state(h, h_next, out, place, H):  # type: ignore[no-untyped-def]
    """A step behind a row's length: the state stays, out is 0 (where there is one)."""
    copy(h_next, h, H)
    if out.size:
        fill(at(out, place), 0, H)


@jit(inline=True)
def put_out(h_next, out, place, H):  # type: ignore[no-untyped-def]
    """The state after a step as the step's out."""
    if out.size:
        copy(at(out, place), h_next, H)


@jit(apart=True)
def take_rows(given, first, last, to):  # type: ignore[no-untyped-def]
    """A task's rows of a state or its gradient: to[first:last] = given[first:last]."""
    H = given.shape[1]
    copy(at(to.reshape(-1), first * H), at(given.reshape(-1), first * H), (last - first) * H)


@jit(apart=True)
def first_state(h0, first, last, inputs):  # type: ignore[no-untyped-def]
    """The state before step 0, and 0 for the input behind the last step."""
    _, H = h0.shape
    T, B, P = inputs.shape[0] - 1, inputs.shape[1], inputs.shape[2]
    given, to = h0.reshape(-1), inputs.reshape(-1)
    for r in range(first, last):
        copy(at(to, r * P), at(given, r * H), H)
        fill(at(to, (T * B + r) * P + H), 0, P - H)


@jit(apart=True)
def take_inputs(x, t, lengths, first, last, inputs):  # type: ignore[no-untyped-def]
    """x's step t beside the states; 0 behind a row's length, where x may hold anything."""
    B, T, D = x.shape
    P = inputs.shape[2]
    given, to = x.reshape(-1), inputs.reshape(-1)
    for r in range(first, last):
        own = at(to, (t * B + r) * P + P - D)
        if t < length_of(lengths, r, T):
            copy(own, at(given, (r * T + t) * D), D)
        else:
            fill(own, 0, D)


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
    multiply(dgates, (t * B + first) * G, rows, n, columns, packed, 0, D, zeros, False,
             dx, (first * T + t) * D, places)  # fmt: skip


# ---------------------------------------------------------------------------- the weights' side
@jit(inline=True)
def column_parts(G, vector):  # type: ignore[no-untyped-def]
    """(tasks, columns of one) that G columns of the weights' gradients are cut into.

    Each task reads all inputs: two blocks at least, if that leaves four tasks, are a tenth faster.
    """
    block = block_width(G, WIDE, vector)
    blocks = pieces(G, block)
    each = max(1, blocks // BANDS, min(2, blocks // 4))
    return pieces(blocks, each), each * block


@jit(inline=True)
def gru_parts(H, vector):  # type: ignore[no-untyped-def]
    """``column_parts`` of the columns of a GRU's r and z together, and of those of its n."""
    return column_parts(2 * H, vector), column_parts(H, vector)


@jit(apart=True)
def _take_columns(gates, k, n, column, columns, width, strip, sums, place):  # type: ignore[no-untyped-def]
    """strip (n, width) = some columns of n of the gates' rows, added up in sums from place on."""
    given, G, wide = gates.reshape(-1), np.uint64(gates.shape[1]), np.uint64(columns)
    for i in range(np.uint64(n)):
        row, own = (np.uint64(k) + i) * G + np.uint64(column), i * np.uint64(width)
        copy_row(strip, own, given, row, wide)
        add_row(sums, np.uint64(place), given, row, wide)


@jit(apart=True)
def weight_sums(a, first, count, gates, column, columns, db):  # type: ignore[no-untyped-def]
    """a[:, first : first + count]^T gates[:, column : column + columns], and its place.

    a (N, P), gates (N, G). Returned are the sums, block by block of columns and in each (count,
    width). db (G,) gets the sums of the gates' columns.
    """
    N, P = a.shape
    vector = lanes(db)
    width = block_width(columns, WIDE, vector)
    blocks = pieces(columns, width)
    strip, zeros = empty_aligned(NEAR * width, db), np.zeros(width, db.dtype)
    strip[:] = 0  # behind the columns too
    sums = empty_aligned(blocks * count * width, db)
    rows, places, flat = row_table(count, 1), row_table(count, width), a.reshape(-1)
    steps = np.empty(NEAR, np.int64)
    for k in range(NEAR):
        steps[k] = k * P
    total = np.zeros(columns, db.dtype)  # not in db: two tasks would write in one cache line
    for k in range(0, N, NEAR):
        n = min(NEAR, N - k)
        for j in range(blocks):
            own = min(width, columns - j * width)
            _take_columns(gates, k, n, column + j * width, own, width, strip, total, j * width)
            _tiles(at(flat, k * P + first), rows, count, at(steps, 0), n, at(strip, 0), width,
                   width // vector, at(zeros, 0), k > 0, at(sums, j * count * width), places, own,
                   at(sums, 0), at(sums, 0), 0)  # fmt: skip
    for j in range(columns):
        db[column + j] = total[j]
    return sums, width


@jit(apart=True)
def put_sums(sums, width, count, first, rows, column, columns, out):  # type: ignore[no-untyped-def]
    """Rows from ``first`` on of what ``weight_sums`` found, as some columns of out (rows, ...)."""
    G = out.shape[1]
    to = out.reshape(-1)
    for j in range(0, columns, width):
        for i in range(rows):
            place = j * count + (first + i) * width
            copy(at(to, i * G + column + j), at(sums, place), min(width, columns - j))
