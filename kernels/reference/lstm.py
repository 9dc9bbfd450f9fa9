"""NumPy twins of long short-term memory."""

from __future__ import annotations

import numpy as np

from .recurrent import (
    begin,
    end_step,
    input_gradient,
    is_cut,
    sigmoid,
    steps_inside,
    summed,
    with_dout,
)


def lstm_forward(x, lengths, W, U, b, h0, c0, inputs, gates, cells, out):  # type: ignore[no-untyped-def]
    """i, f, o = sigmoid(x W + h U + b), g = tanh(...); c' = f c + i g, h' = o tanh(c')."""
    B, T, _ = x.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    begin(x, inside, h0, inputs)
    cells[0] = c0
    for t in range(T):
        h, c = inputs[t, :, :H], cells[t]
        i, f, g, o = np.split(inputs[t, :, H:] @ W + h @ U + b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c_next = f * c + i * g
        gates[t] = np.where(inside[t], np.hstack((i, f, g, o)), 0)
        cells[t + 1] = np.where(inside[t], c_next, c)
        inputs[t + 1, :, :H] = end_step(inside[t], h, o * np.tanh(c_next), out, t)


def lstm_backward(
    truncate, lengths, W, U, inputs, gates, cells, dout, dh, dc, dx, dgates, dW, dU, db, dh0, dc0
):  # type: ignore[no-untyped-def]
    """Gradients through time, from the last step to the first."""
    T, B, _ = gates.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    dh0[...], dc0[...] = dh, dc
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        tanh_c, d = np.tanh(cells[t + 1]), with_dout(dh0, dout, t)
        e = dc0 + d * o * (1 - tanh_c**2)
        parts = (
            e * g * i * (1 - i), e * cells[t] * f * (1 - f), e * i * (1 - g**2),
            d * tanh_c * o * (1 - o),
        )  # fmt: skip
        dgates[t] = np.where(inside[t], np.hstack(parts), 0)
        on = 0 if is_cut(truncate, t) else 1
        dh0[...] = np.where(inside[t], on * (dgates[t] @ U.T), dh0)
        dc0[...] = np.where(inside[t], on * (e * f), dc0)
    input_gradient(dgates, W, dx)
    dU[...], dW[...] = summed(inputs[:T, :, :H], dgates), summed(inputs[:T, :, H:], dgates)
    db[...] = dgates.sum(axis=(0, 1))
