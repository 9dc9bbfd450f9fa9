"""NumPy twins of the gated recurrent unit in PyTorch's form."""

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


def gru_forward(x, lengths, W, U, b, h0, inputs, gates, out):  # type: ignore[no-untyped-def]
    """r, z = sigmoid(x W + h U + b), m = h U + b, n = tanh(x W + b + r m), h' = (1-z) n + z h."""
    B, T, _ = x.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    begin(x, inside, h0, inputs)
    for t in range(T):
        h = inputs[t, :, :H]
        r, z, n = np.split(inputs[t, :, H:] @ W + b[: 3 * H], 3, axis=1)
        hr, hz, m = np.split(h @ U, 3, axis=1)
        r, z, m = sigmoid(r + hr), sigmoid(z + hz), m + b[3 * H :]
        n = np.tanh(n + r * m)
        gates[t] = np.where(inside[t], np.hstack((r, z, n, m)), 0)
        inputs[t + 1, :, :H] = end_step(inside[t], h, (1 - z) * n + z * h, out, t)


def gru_backward(truncate, lengths, W, U, inputs, gates, dout, dh, dx, dgates, dW, dU, db, dh0):  # type: ignore[no-untyped-def]
    """Gradients through time, from the last step to the first."""
    T, B, _ = gates.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    of_x, of_h = np.arange(3 * H), np.r_[: 2 * H, 3 * H : 4 * H]  # columns of r, z, n; of r, z, m
    dh0[...] = dh
    for t in reversed(range(T)):
        (r, z, n, m), h, d = (
            np.split(gates[t], 4, axis=1),
            inputs[t, :, :H],
            with_dout(dh0, dout, t),
        )
        dn = d * (1 - z) * (1 - n**2)
        parts = (dn * m * r * (1 - r), d * (h - n) * z * (1 - z), dn, dn * r)
        dgates[t] = np.where(inside[t], np.hstack(parts), 0)
        on = 0 if is_cut(truncate, t) else 1
        dh0[...] = np.where(inside[t], on * (d * z + dgates[t][:, of_h] @ U.T), dh0)
    input_gradient(dgates[:, :, of_x], W, dx)
    dU[...] = summed(inputs[:T, :, :H], dgates[:, :, of_h])
    dW[...] = summed(inputs[:T, :, H:], dgates[:, :, of_x])
    db[...] = dgates.sum(axis=(0, 1))
