"""Long short-term memory (Hochreiter & Schmidhuber 1997, with Gers' forget gate), all time steps.

i, f, o = sigmoid(x W + h U + b), g = tanh(x W + h U + b); c' = f c + i g, h' = o tanh(c').
Columns of W (D, 4H), U (H, 4H) and b (4H,) are those of i, f, g, o, in this order, as PyTorch's.
kernels/recurrent.py tells the layout of arrays over time and who owns what.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .math import sigmoid, tanh
from .patches import block_width
from .recurrent import (
    ROWS,
    STEPS,
    first_state,
    input_gradient,
    length_of,
    longest_of,
    multiply,
    pack,
    pack_turned,
    packed_like,
    row_table,
    start_of,
    take_inputs,
    task_rows,
    weight_columns,
)
from .vectors import lanes

KERNELS = ("lstm_forward", "lstm_backward")


@jit(apart=True)
def _cell(z, c, c_next, h_next):  # type: ignore[no-untyped-def]
    """One row: z (4H,) becomes the gates, c_next and h_next the next state."""
    H = c.size
    i, f, g, o = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
    both = z[: 2 * H]
    for j in range(2 * H):
        both[j] = sigmoid(both[j])
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
    T, H = gates.shape[0], cells.shape[2]
    for r in range(first, last):
        z, c, c_next = gates[t, r], cells[t, r], cells[t + 1, r]
        h, h_next = inputs[t, r, :H], inputs[t + 1, r, :H]
        inside = t < length_of(lengths, r, T)
        if inside:
            _cell(z, c, c_next, h_next)
        else:
            for j in range(4 * H):
                z[j] = 0
            for j in range(H):
                c_next[j] = c[j]
            for j in range(H):
                h_next[j] = h[j]
        if out.shape[1]:
            to = out[r, t]
            if inside:
                for j in range(H):
                    to[j] = h_next[j]
            else:
                for j in range(H):
                    to[j] = 0


@jit(apart=True)
def _forward_task(task, x, lengths, packed, start, h0, c0, inputs, gates, cells, out):  # type: ignore[no-untyped-def]
    B, T, _ = x.shape
    P, G, H = inputs.shape[2], gates.shape[2], cells.shape[2]
    first, last = task_rows(task, B)
    rows, places, steps = row_table(last - first, P), row_table(last - first, G), np.arange(P)
    longest = longest_of(lengths, first, last, T)
    flat, products = inputs.reshape(-1), gates.reshape(-1)
    first_state(h0, first, last, inputs)
    for r in range(first, last):
        given, own = c0[r], cells[0, r]
        for j in range(H):
            own[j] = given[j]
    for t in range(T):
        take_inputs(x, t, lengths, first, last, inputs)
        if t < longest:
            multiply(flat, (t * B + first) * P, rows, last - first, steps, packed, G, start, False,
                     products, (t * B + first) * G, places)  # fmt: skip
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
def _cell_backward(z, c, c_next, dh, dc, dz):  # type: ignore[no-untyped-def]
    """One row: dh and dc at the next state give dz (4H,), and dc at the state before."""
    H = c.size
    one = c.dtype.type(1)
    i, f, g, o = z[:H], z[H : 2 * H], z[2 * H : 3 * H], z[3 * H :]
    di, df, dg, do = dz[:H], dz[H : 2 * H], dz[2 * H : 3 * H], dz[3 * H :]
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
    T, H = gates.shape[0], cells.shape[2]
    for i in range(dh.shape[0]):
        r, d, e, dz = first + i, dh[i], dc[i], dgates[t, first + i]
        if t >= length_of(lengths, r, T):
            for j in range(4 * H):
                dz[j] = 0
            continue
        if dout.shape[1]:
            given = dout[r, t]
            for j in range(H):
                d[j] += given[j]
        _cell_backward(gates[t, r], cells[t, r], cells[t + 1, r], d, e, dz)
        for j in range(H):
            d[j] = 0
        if cut:
            for j in range(H):
                e[j] = 0


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
    for i in range(last - first):
        row, given = d[i], dh[first + i]
        for j in range(H):
            row[j] = given[j]
        row, given = e[i], dc[first + i]
        for j in range(H):
            row[j] = given[j]
    flat, to = dgates.reshape(-1), dh0.reshape(-1)
    for t in range(T - 1, -1, -1):
        cut = truncate > 0 and t > 0 and t % truncate == 0
        _cells_backward(t, cut, lengths, first, gates, cells, dout, d, e, dgates)
        if not cut and t < longest:
            multiply(flat, (t * B + first) * G, rows, last - first, steps, packed_U, H, zeros, True,
                     to, first * H, places)  # fmt: skip
        if dx.shape[0] and t % STEPS == 0:
            input_gradient(t, min(STEPS, T - t), first, last, dgates, steps, packed_W, zeros, dx)


@jit(apart=True)
def _weights_task(task, block, inputs, dgates, dW, dU, db):  # type: ignore[no-untyped-def]
    """Some columns of dW, dU and db."""
    T, B, G = dgates.shape
    P, H = inputs.shape[2], dU.shape[0]
    a, column = inputs[:T].reshape((T * B, P)), task * block
    weight_columns(a, (0, H, H, P - H), dgates.reshape((T * B, G)), column, min(block, G - column),
                   dU, column, dW, column, db)  # fmt: skip


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
    block = block_width(G, False, lanes(U))
    tasks, bands = pieces(B, ROWS), pieces(G, block)
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
