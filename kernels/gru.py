"""Gated recurrent unit in PyTorch's and cuDNN's form: the reset gate behind the product with U.

r, z = sigmoid(x W + h U + b), m = h U + b, n = tanh(x W + b + r m), h' = (1 - z) n + z h.
Columns of W (D, 3H) and U (H, 3H) are those of r, z, n, in this order, as PyTorch's; b (4H,) is
that of r, z, n and m. kernels/recurrent.py tells the layout of arrays over time and who owns what.
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
    fill,
    first_state,
    gru_parts,
    input_gradient,
    keep_state,
    length_of,
    longest_of,
    multiply,
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

KERNELS = ("gru_forward", "gru_backward")


@jit(apart=True)
def _cell(H, one, gates, h, h_next):  # type: ignore[no-untyped-def]
    """One row: gates (4H,) from their products, h_next the next state."""
    r, z, n, m = gates, at(gates, H), at(gates, 2 * H), at(gates, 3 * H)
    for j in range(2 * H):
        gates[j] = sigmoid(gates[j])
    for j in range(H):
        n[j] = tanh(n[j] + r[j] * m[j])
    for j in range(H):
        h_next[j] = (one - z[j]) * n[j] + z[j] * h[j]


@jit(apart=True)
def _forward_task(task, x, lengths, both, input_n, state_n, start, h0, inputs, gates, out):  # type: ignore[no-untyped-def]
    B, T, D = x.shape
    P, H, G, one = inputs.shape[2], h0.shape[1], gates.shape[2], inputs.dtype.type(1)
    first, last = task_rows(task, B)
    R = last - first
    rows, places, steps = row_table(R, P), row_table(R, G), np.arange(P)
    longest = longest_of(lengths, first, last, T)
    a, z, to = inputs.reshape(-1), gates.reshape(-1), out.reshape(-1)
    first_state(h0, first, last, inputs)
    for t in range(T):
        take_inputs(x, t, lengths, first, last, inputs)
        if t < longest:
            at_a, at_z = (t * B + first) * P, (t * B + first) * G
            then, half = (min(t + 1, T - 1) * B + first) * G, R * G // 2
            multiply_ahead(a, at_a, rows, R, steps, both, 0, 2 * H, start, False, z, at_z, places,
                           z, then, z, then + half, half)  # fmt: skip
            multiply(a, at_a + H, rows, R, steps[:D], input_n, 0, H, start[2 * H :], False, z,
                     at_z + 2 * H, places)  # fmt: skip
            multiply(a, at_a, rows, R, steps[:H], state_n, 0, H, start[3 * H :], False, z,
                     at_z + 3 * H, places)  # fmt: skip
        for r in range(first, last):
            h, h_next = at(a, (t * B + r) * P), at(a, ((t + 1) * B + r) * P)
            own, place = at(z, (t * B + r) * G), (r * T + t) * H
            if t < length_of(lengths, r, T):
                _cell(H, one, own, h, h_next)
                put_out(h_next, to, place, H)
            else:
                fill(own, 0, G)
                keep_state(h, h_next, to, place, H)


@jit(parallel=True)
def gru_forward(x, lengths, W, U, b, h0, inputs, gates, out):  # type: ignore[no-untyped-def]
    """All steps of x (B, T, D) from the state h0 (B, H); lengths (B,), or (0,) for T of all.

    inputs (T + 1, B, H + D); gates (T, B, 4H) with r, z, n, m; out (B, T, H), or (B, 0, H) for
    none. The final state is inputs[T]'s.
    """
    B, T, D = x.shape
    H = U.shape[0]
    both = packed_like(H + D, 2 * H, U)
    input_n, state_n = packed_like(D, H, U), packed_like(H, H, U)
    pack(U, 0, 2 * H, 0, H + D, both)
    pack(W, 0, 2 * H, H, H + D, both)
    pack(W, 2 * H, H, 0, D, input_n)
    pack(U, 2 * H, H, 0, H, state_n)
    start = start_of(b, 0, 4 * H)
    tasks = pieces(B, ROWS)
    if tasks <= 1 or B * T * (H + D) * 3 * H < SMALL:
        for task in range(tasks):
            _forward_task(task, x, lengths, both, input_n, state_n, start, h0, inputs, gates, out)
    else:
        before = set_task_size(1)  # rows differ in length
        for task in prange(tasks):  # each task owns some rows of the batch
            _forward_task(
                np.int64(task), x, lengths, both, input_n, state_n, start, h0, inputs, gates, out
            )
        set_task_size(before)


@jit(apart=True)
def _cell_backward(H, one, gates, h, dh, dgates):  # type: ignore[no-untyped-def]
    """One row: dh at the next state gives dgates (4H,), and what of dh goes on by z."""
    r, z, n, m = gates, at(gates, H), at(gates, 2 * H), at(gates, 3 * H)
    dr, dz, dn, dm = dgates, at(dgates, H), at(dgates, 2 * H), at(dgates, 3 * H)
    for j in range(H):
        dz[j] = dh[j] * (h[j] - n[j]) * z[j] * (one - z[j])
    for j in range(H):
        dn[j] = dh[j] * (one - z[j]) * (one - n[j] * n[j])
    for j in range(H):
        dr[j] = dn[j] * m[j] * r[j] * (one - r[j])
    for j in range(H):
        dm[j] = dn[j] * r[j]
    for j in range(H):
        dh[j] *= z[j]


@jit(apart=True)
def _backward_task(
    task, truncate, lengths, packed_U, packed_W, inputs, gates, dout, dh, dx, dgates, dh0
):  # type: ignore[no-untyped-def]
    T, B, G = gates.shape
    P, H, one = inputs.shape[2], dh0.shape[1], gates.dtype.type(1)
    first, last = task_rows(task, B)
    rows, places, input_steps = (
        row_table(last - first, G),
        row_table(last - first, H),
        np.arange(3 * H),
    )
    state_steps = np.arange(3 * H)
    state_steps[2 * H :] += H  # of r, z and m
    longest = longest_of(lengths, first, last, T)
    zeros = np.zeros(max(H, dx.shape[2]) + lanes(gates), gates.dtype)
    a, z, given = inputs.reshape(-1), gates.reshape(-1), dout.reshape(-1)
    dz, d = dgates.reshape(-1), dh0.reshape(-1)
    take_rows(dh, first, last, dh0)
    denormals = flush_denormals()
    for t in range(T - 1, -1, -1):
        cut = truncate > 0 and t > 0 and t % truncate == 0
        for r in range(first, last):
            own, now = at(d, r * H), t * B + r
            if t >= length_of(lengths, r, T):
                fill(at(dz, now * G), 0, G)
                continue
            if given.size:
                add(own, at(given, (r * T + t) * H), H)
            _cell_backward(H, one, at(z, now * G), at(a, now * P), own, at(dz, now * G))
            if cut:
                fill(own, 0, H)
        if not cut and t < longest:
            before = (max(t - 1, 0) * B + first) * G
            multiply_ahead(dz, (t * B + first) * G, rows, last - first, state_steps, packed_U, 0,
                           H, zeros, True, d, first * H, places, z, before, dz, before,
                           (last - first) * G)  # fmt: skip
        if dx.shape[0] and t % STEPS == 0:
            input_gradient(t, min(STEPS, T - t), first, last, dgates, input_steps, packed_W, zeros,
                           dx)  # fmt: skip
    restore_denormals(denormals)


@jit(apart=True)
def _weights_task(task, inputs, dgates, dW, dU, db):  # type: ignore[no-untyped-def]
    """Some columns of dW, dU and db: first those of r and z, then of n, then of m."""
    T, B, G = dgates.shape
    P, H = inputs.shape[2], dU.shape[0]
    a, gates = inputs[:T].reshape((T * B, P)), dgates.reshape((T * B, G))
    (bands, block), (bands_n, block_n) = gru_parts(H, lanes(db))
    if task < bands:
        column, columns = task * block, min(block, 2 * H - task * block)
        sums, width = weight_sums(a, 0, P, gates, column, columns, db)
        put_sums(sums, width, P, 0, H, column, columns, dU)
        put_sums(sums, width, P, H, P - H, column, columns, dW)
        return
    column = (task - bands) % bands_n * block_n
    columns = min(block_n, H - column)
    if task < bands + bands_n:
        sums, width = weight_sums(a, H, P - H, gates, 2 * H + column, columns, db)
        put_sums(sums, width, P - H, 0, P - H, 2 * H + column, columns, dW)
    else:
        sums, width = weight_sums(a, 0, H, gates, 3 * H + column, columns, db)
        put_sums(sums, width, H, 0, H, 2 * H + column, columns, dU)


@jit(parallel=True)
def gru_backward(truncate, lengths, W, U, inputs, gates, dout, dh, dx, dgates, dW, dU, db, dh0):  # type: ignore[no-untyped-def]
    """Gradients from dout (B, T, H), or (B, 0, H) for none, and dh (B, H) at the final state.

    dx (B, T, D), or (0, T, D) to leave it out; dgates (T, B, 4H); dW, dU, db (4H,); dh0 (B, H).
    With ``truncate`` > 0 no gradient passes through the state before its every multiple.
    """
    T, B, _ = gates.shape
    D, H = W.shape[0], U.shape[0]
    packed_U, packed_W = packed_like(3 * H, H, U), packed_like(3 * H, D if dx.shape[0] else 0, U)
    pack_turned(U, 0, 3 * H, 0, 3 * H, packed_U)
    if dx.shape[0]:
        pack_turned(W, 0, 3 * H, 0, 3 * H, packed_W)
    parts = gru_parts(H, lanes(U))
    tasks, bands = pieces(B, ROWS), parts[0][0] + 2 * parts[1][0]
    if B * T * (H + D) * 3 * H < SMALL:
        for task in range(tasks):
            _backward_task(task, truncate, lengths, packed_U, packed_W, inputs, gates, dout, dh,
                           dx, dgates, dh0)  # fmt: skip
        for band in range(bands):
            _weights_task(band, inputs, dgates, dW, dU, db)
    else:
        before = set_task_size(1)
        for task in prange(tasks):  # each task owns some rows of the batch
            _backward_task(np.int64(task), truncate, lengths, packed_U, packed_W, inputs, gates,
                           dout, dh, dx, dgates, dh0)  # fmt: skip
        for band in prange(bands):  # each task owns some columns of the weights' gradients
            _weights_task(np.int64(band), inputs, dgates, dW, dU, db)
        set_task_size(before)
