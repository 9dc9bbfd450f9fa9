"""The plain recurrent network (Elman 1990), all time steps: h' = activation(x W + h U + b).

W (D, H), U (H, H), b (H,); the activation is tanh, or max(0, .) with ``relu``.
kernels/recurrent.py tells the layout of arrays over time and who owns what.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .denormals import flush_denormals, restore_denormals
from .dense import SMALL, pieces
from .jit import jit, set_task_size
from .math import tanh
from .recurrent import (
    ROWS,
    STEPS,
    add,
    column_parts,
    fill,
    first_state,
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

KERNELS = ("rnn_forward", "rnn_backward")


@jit(apart=True)
def _activate(relu, H, zero, h):  # type: ignore[no-untyped-def]
    if relu:
        for j in range(H):
            h[j] = zero if h[j] < zero else h[j]
    else:
        for j in range(H):
            h[j] = tanh(h[j])


@jit(apart=True)
def _forward_task(task, relu, x, lengths, packed, start, h0, inputs, out):  # type: ignore[no-untyped-def]
    B, T, _ = x.shape
    P, H = inputs.shape[2], h0.shape[1]
    first, last = task_rows(task, B)
    rows, steps, longest = (
        row_table(last - first, P),
        np.arange(P),
        longest_of(lengths, first, last, T),
    )
    a, to, zero = inputs.reshape(-1), out.reshape(-1), inputs.dtype.type(0)
    first_state(h0, first, last, inputs)
    for t in range(T):
        take_inputs(x, t, lengths, first, last, inputs)
        if t < longest:
            multiply(a, (t * B + first) * P, rows, last - first, steps, packed, 0, H, start, False,
                     a, ((t + 1) * B + first) * P, rows)  # fmt: skip
        for r in range(first, last):
            h_next, place = at(a, ((t + 1) * B + r) * P), (r * T + t) * H
            if t < length_of(lengths, r, T):
                _activate(relu, H, zero, h_next)
                put_out(h_next, to, place, H)
            else:
                keep_state(at(a, (t * B + r) * P), h_next, to, place, H)


@jit(parallel=True)
def rnn_forward(relu, x, lengths, W, U, b, h0, inputs, out):  # type: ignore[no-untyped-def]
    """All steps of x (B, T, D) from the state h0 (B, H); lengths (B,), or (0,) for T of all.

    inputs (T + 1, B, H + D); out (B, T, H), or (B, 0, H) for none. The final state is inputs[T]'s.
    """
    B, T, D = x.shape
    H = U.shape[0]
    packed, start = packed_like(H + D, H, U), start_of(b, 0, H)
    pack(U, 0, H, 0, H + D, packed)
    pack(W, 0, H, H, H + D, packed)
    tasks = pieces(B, ROWS)
    if tasks <= 1 or B * T * (H + D) * H < SMALL:
        for task in range(tasks):
            _forward_task(task, relu, x, lengths, packed, start, h0, inputs, out)
    else:
        before = set_task_size(1)  # rows differ in length
        for task in prange(tasks):  # each task owns some rows of the batch
            _forward_task(np.int64(task), relu, x, lengths, packed, start, h0, inputs, out)
        set_task_size(before)


@jit(apart=True)
def _cell_backward(relu, H, one, h_next, dh, dz):  # type: ignore[no-untyped-def]
    """One row: dh at the next state gives dz."""
    if relu:
        zero = one - one
        for j in range(H):
            dz[j] = dh[j] if h_next[j] > zero else zero
    else:
        for j in range(H):
            dz[j] = dh[j] * (one - h_next[j] * h_next[j])


@jit(apart=True)
def _backward_task(
    task, relu, truncate, lengths, packed_U, packed_W, inputs, dout, dh, dx, dgates, dh0
):  # type: ignore[no-untyped-def]
    T, B, H = dgates.shape
    P, one = inputs.shape[2], dgates.dtype.type(1)
    first, last = task_rows(task, B)
    rows, steps, longest = (
        row_table(last - first, H),
        np.arange(H),
        longest_of(lengths, first, last, T),
    )
    zeros = np.zeros(max(H, dx.shape[2]) + lanes(dgates), dgates.dtype)
    a, given, dz, d = inputs.reshape(-1), dout.reshape(-1), dgates.reshape(-1), dh0.reshape(-1)
    take_rows(dh, first, last, dh0)
    denormals = flush_denormals()
    for t in range(T - 1, -1, -1):
        cut = truncate > 0 and t > 0 and t % truncate == 0
        for r in range(first, last):
            own, to = at(d, r * H), at(dz, (t * B + r) * H)
            if t >= length_of(lengths, r, T):
                fill(to, 0, H)
                continue
            if given.size:
                add(own, at(given, (r * T + t) * H), H)
            _cell_backward(relu, H, one, at(a, ((t + 1) * B + r) * P), own, to)
            fill(own, 0, H)
        if not cut and t < longest:
            multiply(dz, (t * B + first) * H, rows, last - first, steps, packed_U, 0, H, zeros,
                     True, d, first * H, rows)  # fmt: skip
        if dx.shape[0] and t % STEPS == 0:
            input_gradient(t, min(STEPS, T - t), first, last, dgates, steps, packed_W, zeros, dx)
    restore_denormals(denormals)


@jit(apart=True)
def _weights_task(task, block, inputs, dgates, dW, dU, db):  # type: ignore[no-untyped-def]
    """Some columns of dW, dU and db."""
    T, B, H = dgates.shape
    P, column = inputs.shape[2], task * block
    columns = min(block, H - column)
    sums, width = weight_sums(inputs[:T].reshape((T * B, P)), 0, P, dgates.reshape((T * B, H)),
                              column, columns, db)  # fmt: skip
    put_sums(sums, width, P, 0, H, column, columns, dU)
    put_sums(sums, width, P, H, P - H, column, columns, dW)


@jit(parallel=True)
def rnn_backward(relu, truncate, lengths, W, U, inputs, dout, dh, dx, dgates, dW, dU, db, dh0):  # type: ignore[no-untyped-def]
    """Gradients from dout (B, T, H), or (B, 0, H) for none, and dh (B, H) at the final state.

    dx (B, T, D), or (0, T, D) to leave it out; dgates (T, B, H); dW, dU, db; dh0 (B, H).
    With ``truncate`` > 0 no gradient passes through the state before its every multiple.
    """
    T, B, H = dgates.shape
    D = W.shape[0]
    packed_U, packed_W = packed_like(H, H, U), packed_like(H, D if dx.shape[0] else 0, U)
    pack_turned(U, 0, H, 0, H, packed_U)
    if dx.shape[0]:
        pack_turned(W, 0, H, 0, H, packed_W)
    tasks, (bands, block) = pieces(B, ROWS), column_parts(H, lanes(U))
    if B * T * (H + D) * H < SMALL:
        for task in range(tasks):
            _backward_task(task, relu, truncate, lengths, packed_U, packed_W, inputs, dout, dh, dx,
                           dgates, dh0)  # fmt: skip
        for band in range(bands):
            _weights_task(band, block, inputs, dgates, dW, dU, db)
    else:
        before = set_task_size(1)
        for task in prange(tasks):  # each task owns some rows of the batch
            _backward_task(np.int64(task), relu, truncate, lengths, packed_U, packed_W, inputs,
                           dout, dh, dx, dgates, dh0)  # fmt: skip
        for band in prange(bands):  # each task owns some columns of the weights' gradients
            _weights_task(np.int64(band), block, inputs, dgates, dW, dU, db)
        set_task_size(before)
