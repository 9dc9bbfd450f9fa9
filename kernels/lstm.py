"""Long short-term memory (Hochreiter & Schmidhuber 1997, with Gers' forget gate), all time steps.

i, f, o = sigmoid(x W + h U + b), g = tanh(x W + h U + b); c' = f c + i g, h' = o tanh(c').
Columns of W (D, 4H), U (H, 4H) and b (4H,) are those of i, f, g, o, in this order, as PyTorch's.
kernels/recurrent.py tells the layout of arrays over time and who owns what.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .denormals import flush_denormals, restore_denormals
from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .math import sigmoid, tanh
from .recurrent import (
    ROWS,
    STEPS,
    add,
    column_parts,
    copy,
    fill,
    first_state,
    input_gradient,
    keep_state,
    length_of,
    longest_of,
    multiply_ahead,
    pack,
    pack_turned,
    packed_like,
    put_out,
    put_sums,
    row_table,
    start_of,
    take_inputs,
    take_rows,
    task_rows,
    weight_sums,
)
from .vectors import at, lanes

KERNELS = ("lstm_forward", "lstm_backward")


@jit(apart=True)
def _cell(H, z, c, c_next, h_next):  # type: ignore[no-untyped-def]
    """One row: z (4H,) becomes the gates, c_next and h_next the next state."""
    i, f, g, o = z, at(z, H), at(z, 2 * H), at(z, 3 * H)
    for j in range(2 * H):
        z[j] = sigmoid(z[j])
    for j in range(H):
        g[j] = tanh(g[j])
    for j in range(H):
        o[j] = sigmoid(o[j])
    for j in range(H):
        c_next[j] = f[j] * c[j] + i[j] * g[j]
    for j in range(H):
        h_next[j] = o[j] * tanh(c_next[j])


@jit(apart=True)
def _cells(t, lengths, first, last, inputs, gates, cells, out):  # type: ignore[no-untyped-def]
    """Step t of a task's rows, from the gates' products to the next state and out."""
    T, B, G = gates.shape
    P, H = inputs.shape[2], cells.shape[2]
    a, z, c, to = inputs.reshape(-1), gates.reshape(-1), cells.reshape(-1), out.reshape(-1)
    for r in range(first, last):
        now, then = t * B + r, (t + 1) * B + r
        own, h_next = at(z, now * G), at(a, then * P)
        if t < length_of(lengths, r, T):
            _cell(H, own, at(c, now * H), at(c, then * H), h_next)
            put_out(h_next, to, (r * T + t) * H, H)
        else:
            fill(own, 0, G)
            copy(at(c, then * H), at(c, now * H), H)
            keep_state(at(a, now * P), h_next, to, (r * T + t) * H, H)


@jit(apart=True)
def _forward_task(task, x, lengths, packed, start, h0, c0, inputs, gates, cells, out):  # type: ignore[no-untyped-def]
    B, T, _ = x.shape
    P, G = inputs.shape[2], gates.shape[2]
    first, last = task_rows(task, B)
    rows, places, steps = row_table(last - first, P), row_table(last - first, G), np.arange(P)
    longest = longest_of(lengths, first, last, T)
    flat, products = inputs.reshape(-1), gates.reshape(-1)
    first_state(h0, first, last, inputs)
    take_rows(c0, first, last, cells[0])
    for t in range(T):
        take_inputs(x, t, lengths, first, last, inputs)
        if t < longest:
            then, half = (min(t + 1, T - 1) * B + first) * G, (last - first) * G // 2
            multiply_ahead(flat, (t * B + first) * P, rows, last - first, steps, packed, 0, G,
                           start, False, products, (t * B + first) * G, places, products, then,
                           products, then + half, half)  # fmt: skip
        _cells(t, lengths, first, last, inputs, gates, cells, out)


@jit(parallel=True)
def lstm_forward(x, lengths, W, U, b, h0, c0, inputs, gates, cells, out):  # type: ignore[no-untyped-def]
    """All steps of x (B, T, D) from the state h0, c0 (B, H); lengths (B,), or (0,) for T of all.

    inputs (T + 1, B, H + D), gates (T, B, 4H), cells (T + 1, B, H); out (B, T, H), or (B, 0, H) for
    none. The final state is that of inputs[T] and cells[T].
    """
    B, T, D = x.shape
    H, G = U.shape
    packed, start = packed_like(H + D, G, U), start_of(b, 0, G)
    pack(U, 0, G, 0, H + D, packed)
    pack(W, 0, G, H, H + D, packed)
    tasks = pieces(B, ROWS)
    if tasks <= 1 or B * T * (H + D) * G < SMALL:
        for task in range(tasks):
            _forward_task(task, x, lengths, packed, start, h0, c0, inputs, gates, cells, out)
    else:
        before = set_task_size(1)  # rows differ in length
        for task in prange(tasks):  # each task owns some rows of the batch
            _forward_task(np.int64(task), x, lengths, packed, start, h0, c0, inputs, gates, cells,
                          out)  # fmt: skip
        set_task_size(before)


@jit(apart=True)
def _cell_backward(H, one, z, c, c_next, dh, dc, dz):  # type: ignore[no-untyped-def]
    """One row: dh and dc at the next state give dz (4H,), and dc at the state before."""
    i, f, g, o = z, at(z, H), at(z, 2 * H), at(z, 3 * H)
    di, df, dg, do = dz, at(dz, H), at(dz, 2 * H), at(dz, 3 * H)
    for j in range(H):
        dg[j] = tanh(c_next[j])
    for j in range(H):
        do[j] = dh[j] * dg[j] * o[j] * (one - o[j])
    for j in range(H):
        dc[j] += dh[j] * o[j] * (one - dg[j] * dg[j])
    for j in range(H):
        di[j] = dc[j] * g[j] * i[j] * (one - i[j])
    for j in range(H):
        df[j] = dc[j] * c[j] * f[j] * (one - f[j])
    for j in range(H):
        dg[j] = dc[j] * i[j] * (one - g[j] * g[j])
    for j in range(H):
        dc[j] *= f[j]


@jit(apart=True)
def _cells_backward(t, cut, lengths, first, gates, cells, dout, dh, dc, dgates):  # type: ignore[no-untyped-def]
    """Step t of a task's rows; dh is left at 0, or as it was where the step did nothing."""
    T, B, G = gates.shape
    R, H = dh.shape
    z, c, given, dz = gates.reshape(-1), cells.reshape(-1), dout.reshape(-1), dgates.reshape(-1)
    d, e = dh.reshape(-1), dc.reshape(-1)
    for i in range(R):
        r = first + i
        now, then = t * B + r, (t + 1) * B + r
        if t >= length_of(lengths, r, T):
            fill(at(dz, now * G), 0, G)
            continue
        own, other = at(d, i * H), at(e, i * H)
        if given.size:
            add(own, at(given, (r * T + t) * H), H)
        _cell_backward(H, gates.dtype.type(1), at(z, now * G), at(c, now * H), at(c, then * H),
                       own, other, at(dz, now * G))  # fmt: skip
        fill(own, 0, H)
        if cut:
            fill(other, 0, H)


@jit(apart=True)
def _backward_task(
    task, truncate, lengths, packed_U, packed_W, gates, cells, dout, dh, dc, dx, dgates, dh0, dc0
):  # type: ignore[no-untyped-def]
    T, B, G = gates.shape
    H = cells.shape[2]
    first, last = task_rows(task, B)
    rows, places, steps = row_table(last - first, G), row_table(last - first, H), np.arange(G)
    longest = longest_of(lengths, first, last, T)
    zeros = np.zeros(max(H, dx.shape[2]) + lanes(gates), gates.dtype)
    d, e = dh0[first:last], dc0[first:last]
    take_rows(dh, first, last, dh0)
    take_rows(dc, first, last, dc0)
    flat, to, given = dgates.reshape(-1), dh0.reshape(-1), gates.reshape(-1)
    denormals = flush_denormals()
    for t in range(T - 1, -1, -1):
        cut = truncate > 0 and t > 0 and t % truncate == 0
        _cells_backward(t, cut, lengths, first, gates, cells, dout, d, e, dgates)
        if not cut and t < longest:
            before = (max(t - 1, 0) * B + first) * G
            multiply_ahead(flat, (t * B + first) * G, rows, last - first, steps, packed_U, 0, H,
                           zeros, True, to, first * H, places, given, before, flat, before,
                           (last - first) * G)  # fmt: skip
        if dx.shape[0] and t % STEPS == 0:
            input_gradient(t, min(STEPS, T - t), first, last, dgates, steps, packed_W, zeros, dx)
    restore_denormals(denormals)


@jit(apart=True)
def _weights_task(task, block, inputs, dgates, dW, dU, db):  # type: ignore[no-untyped-def]
    """Some columns of dW, dU and db."""
    T, B, G = dgates.shape
    P, H = inputs.shape[2], dU.shape[0]
    a, column = inputs[:T].reshape((T * B, P)), task * block
    columns = min(block, G - column)
    sums, width = weight_sums(a, 0, P, dgates.reshape((T * B, G)), column, columns, db)
    put_sums(sums, width, P, 0, H, column, columns, dU)
    put_sums(sums, width, P, H, P - H, column, columns, dW)


@jit(parallel=True)
def lstm_backward(
    truncate, lengths, W, U, inputs, gates, cells, dout, dh, dc, dx, dgates, dW, dU, db, dh0, dc0
):  # type: ignore[no-untyped-def]
    """Gradients from dout (B, T, H), or (B, 0, H) for none, and dh, dc (B, H) at the final state.

    dx (B, T, D), or (0, T, D) to leave it out; dgates (T, B, 4H); dW, dU, db; dh0, dc0 (B, H).
    With ``truncate`` > 0 no gradient passes through the state before its every multiple.
    """
    T, B, G = gates.shape
    H, D = U.shape[0], W.shape[0]
    packed_U, packed_W = packed_like(G, H, U), packed_like(G, D if dx.shape[0] else 0, U)
    pack_turned(U, 0, G, 0, G, packed_U)
    if dx.shape[0]:
        pack_turned(W, 0, G, 0, G, packed_W)
    tasks, (bands, block) = pieces(B, ROWS), column_parts(G, lanes(U))
    if B * T * (H + D) * G < SMALL:
        for task in range(tasks):
            _backward_task(task, truncate, lengths, packed_U, packed_W, gates, cells, dout, dh, dc,
                           dx, dgates, dh0, dc0)  # fmt: skip
        for band in range(bands):
            _weights_task(band, block, inputs, dgates, dW, dU, db)
    else:
        before = set_task_size(1)
        for task in prange(tasks):  # each task owns some rows of the batch
            _backward_task(np.int64(task), truncate, lengths, packed_U, packed_W, gates, cells,
                           dout, dh, dc, dx, dgates, dh0, dc0)  # fmt: skip
        for band in prange(bands):  # each task owns some columns of the weights' gradients
            _weights_task(np.int64(band), block, inputs, dgates, dW, dU, db)
        set_task_size(before)
