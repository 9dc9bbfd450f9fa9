"""Gated recurrent unit in its first form (Cho et al. 2014): the reset gate before the product.

r, z = sigmoid(x W + h U + b), n = tanh(x W + (r h) U + b), h' = (1 - z) n + z h.
Columns of W (D, 3H), U (H, 3H) and b (3H,) are those of r, z, n, in this order. A step has two
products one after the other, forward and backward: PyTorch's form, kernels/gru.py, is faster.
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
    fill,
    first_state,
    gru_parts,
    input_gradient,
    keep_state,
    length_of,
    longest_of,
    multiply,
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

KERNELS = ("gru_reset_first_forward", "gru_reset_first_backward")


@jit(apart=True)
def _gates(H, gates, h, reset):  # type: ignore[no-untyped-def]
    """One row: r and z from their products, and reset = r h."""
    for j in range(2 * H):
        gates[j] = sigmoid(gates[j])
    for j in range(H):
        reset[j] = gates[j] * h[j]


@jit(apart=True)
def _state(H, one, gates, h, h_next):  # type: ignore[no-untyped-def]
    """One row: n from its product, and the next state."""
    z, n = at(gates, H), at(gates, 2 * H)
    for j in range(H):
        n[j] = tanh(n[j])
    for j in range(H):
        h_next[j] = (one - z[j]) * n[j] + z[j] * h[j]


@jit(apart=True)
def _forward_task(task, x, lengths, both, input_n, state_n, start, h0, inputs, gates, reset, out):  # type: ignore[no-untyped-def]
    B, T, D = x.shape
    P, H, G, one = inputs.shape[2], h0.shape[1], gates.shape[2], inputs.dtype.type(1)
    first, last = task_rows(task, B)
    R = last - first
    rows, places, resets, steps = row_table(R, P), row_table(R, G), row_table(R, H), np.arange(P)
    longest = longest_of(lengths, first, last, T)
    a, z, p, to = inputs.reshape(-1), gates.reshape(-1), reset.reshape(-1), out.reshape(-1)
    first_state(h0, first, last, inputs)
    for t in range(T):
        take_inputs(x, t, lengths, first, last, inputs)
        now = t * B + first
        if t < longest:
            multiply(a, now * P, rows, R, steps, both, 0, 2 * H, start, False, z, now * G,
                     places)  # fmt: skip
            multiply(a, now * P + H, rows, R, steps[:D], input_n, 0, H, start[2 * H :], False, z,
                     now * G + 2 * H, places)  # fmt: skip
        for i in range(now, now + R):
            if t < length_of(lengths, i - t * B, T):
                _gates(H, at(z, i * G), at(a, i * P), at(p, i * H))
            else:
                fill(at(p, i * H), 0, H)
        if t < longest:
            multiply(p, now * H, resets, R, steps[:H], state_n, 0, H, start[2 * H :], True, z,
                     now * G + 2 * H, places)  # fmt: skip
        for r in range(first, last):
            h, h_next = at(a, (t * B + r) * P), at(a, ((t + 1) * B + r) * P)
            own, place = at(z, (t * B + r) * G), (r * T + t) * H
            if t < length_of(lengths, r, T):
                _state(H, one, own, h, h_next)
                put_out(h_next, to, place, H)
            else:
                fill(own, 0, G)
                keep_state(h, h_next, to, place, H)


@jit(parallel=True)
def gru_reset_first_forward(x, lengths, W, U, b, h0, inputs, gates, reset, out):  # type: ignore[no-untyped-def]
    """All steps of x (B, T, D) from the state h0 (B, H); lengths (B,), or (0,) for T of all.

    inputs (T + 1, B, H + D); gates (T, B, 3H) with r, z, n; reset (T, B, H) = r h; out (B, T, H),
    or (B, 0, H) for none. The final state is inputs[T]'s.
    """
    B, T, D = x.shape
    H = U.shape[0]
    both = packed_like(H + D, 2 * H, U)
    input_n, state_n = packed_like(D, H, U), packed_like(H, H, U)
    pack(U, 0, 2 * H, 0, H + D, both)
    pack(W, 0, 2 * H, H, H + D, both)
    pack(W, 2 * H, H, 0, D, input_n)
    pack(U, 2 * H, H, 0, H, state_n)
    start = start_of(b, 0, 3 * H)
    tasks = pieces(B, ROWS)
    if tasks <= 1 or B * T * (H + D) * 3 * H < SMALL:
        for task in range(tasks):
            _forward_task(
                task, x, lengths, both, input_n, state_n, start, h0, inputs, gates, reset, out
            )
    else:
        before = set_task_size(1)  # rows differ in length
        for task in prange(tasks):  # each task owns some rows of the batch
            _forward_task(
                np.int64(task),
                x,
                lengths,
                both,
                input_n,
                state_n,
                start,
                h0,
                inputs,
                gates,
                reset,
                out,
            )
        set_task_size(before)


@jit(apart=True)
def _state_backward(H, one, gates, h, dh, dgates):  # type: ignore[no-untyped-def]
    """One row: dh at the next state gives dz and dn, and what of dh goes on by z."""
    z, n, dz, dn = at(gates, H), at(gates, 2 * H), at(dgates, H), at(dgates, 2 * H)
    for j in range(H):
        dz[j] = dh[j] * (h[j] - n[j]) * z[j] * (one - z[j])
    for j in range(H):
        dn[j] = dh[j] * (one - z[j]) * (one - n[j] * n[j])
    for j in range(H):
        dh[j] *= z[j]


@jit(apart=True)
def _reset_backward(H, one, r, h, dreset, dh, dr):  # type: ignore[no-untyped-def]
    """One row: the gradient at r h gives dr, and more of dh."""
    for j in range(H):
        dr[j] = dreset[j] * h[j] * r[j] * (one - r[j])
    for j in range(H):
        dh[j] += dreset[j] * r[j]


@jit(apart=True)
def _backward_task(
    task, truncate, lengths, both, state_n, packed_W, inputs, gates, dout, dh, dx, dgates, dh0
):  # type: ignore[no-untyped-def]
    T, B, G = gates.shape
    P, H, one = inputs.shape[2], dh0.shape[1], gates.dtype.type(1)
    first, last = task_rows(task, B)
    R = last - first
    rows, places, steps = row_table(R, G), row_table(R, H), np.arange(G)
    longest = longest_of(lengths, first, last, T)
    zeros = np.zeros(max(H, dx.shape[2]) + lanes(gates), gates.dtype)
    a, z, given = inputs.reshape(-1), gates.reshape(-1), dout.reshape(-1)
    dz, d, dreset = dgates.reshape(-1), dh0.reshape(-1), np.empty(R * H, gates.dtype)
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
            _state_backward(H, one, at(z, now * G), at(a, now * P), own, at(dz, now * G))
        if t < longest:
            at_t = (t * B + first) * G
            multiply(dz, at_t + 2 * H, rows, R, steps[:H], state_n, 0, H, zeros, False, dreset, 0,
                     places)  # fmt: skip
            for r in range(first, last):
                own, now = at(d, r * H), t * B + r
                if t < length_of(lengths, r, T):
                    _reset_backward(H, one, at(z, now * G), at(a, now * P),
                                    at(dreset, (r - first) * H), own, at(dz, now * G))  # fmt: skip
                    if cut:
                        fill(own, 0, H)
            if not cut:
                multiply(dz, at_t, rows, R, steps[: 2 * H], both, 0, H, zeros, True, d, first * H,
                         places)  # fmt: skip
        if dx.shape[0] and t % STEPS == 0:
            input_gradient(t, min(STEPS, T - t), first, last, dgates, steps, packed_W, zeros, dx)
    restore_denormals(denormals)


@jit(apart=True)
def _weights_task(task, inputs, reset, dgates, dW, dU, db):  # type: ignore[no-untyped-def]
    """Some columns of dW, dU and db: first those of r and z, then of n in dW, then of n in dU."""
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
    column = 2 * H + (task - bands) % bands_n * block_n
    columns = min(block_n, 3 * H - column)
    if task < bands + bands_n:
        sums, width = weight_sums(a, H, P - H, gates, column, columns, db)
        put_sums(sums, width, P - H, 0, P - H, column, columns, dW)
    else:
        again = np.empty_like(db)  # db is the other task's
        sums, width = weight_sums(reset.reshape((T * B, H)), 0, H, gates, column, columns, again)
        put_sums(sums, width, H, 0, H, column, columns, dU)


@jit(parallel=True)
def gru_reset_first_backward(
    truncate, lengths, W, U, inputs, gates, reset, dout, dh, dx, dgates, dW, dU, db, dh0
):  # type: ignore[no-untyped-def]
    """Gradients from dout (B, T, H), or (B, 0, H) for none, and dh (B, H) at the final state.

    dx (B, T, D), or (0, T, D) to leave it out; dgates (T, B, 3H); dW, dU, db; dh0 (B, H).
    With ``truncate`` > 0 no gradient passes through the state before its every multiple.
    """
    T, B, G = gates.shape
    D, H = W.shape[0], U.shape[0]
    both, state_n = packed_like(2 * H, H, U), packed_like(H, H, U)
    packed_W = packed_like(G, D if dx.shape[0] else 0, U)
    pack_turned(U, 0, 2 * H, 0, 2 * H, both)
    pack_turned(U, 2 * H, H, 0, H, state_n)
    if dx.shape[0]:
        pack_turned(W, 0, G, 0, G, packed_W)
    parts = gru_parts(H, lanes(U))
    tasks, bands = pieces(B, ROWS), parts[0][0] + 2 * parts[1][0]
    if B * T * (H + D) * G < SMALL:
        for task in range(tasks):
            _backward_task(task, truncate, lengths, both, state_n, packed_W, inputs, gates, dout,
                           dh, dx, dgates, dh0)  # fmt: skip
        for band in range(bands):
            _weights_task(band, inputs, reset, dgates, dW, dU, db)
    else:
        before = set_task_size(1)
        for task in prange(tasks):  # each task owns some rows of the batch
            _backward_task(np.int64(task), truncate, lengths, both, state_n, packed_W, inputs,
                           gates, dout, dh, dx, dgates, dh0)  # fmt: skip
        for band in prange(bands):  # each task owns some columns of the weights' gradients
            _weights_task(np.int64(band), inputs, reset, dgates, dW, dU, db)
        set_task_size(before)
