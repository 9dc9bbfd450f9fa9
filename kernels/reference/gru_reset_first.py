"""NumPy twins of the gated recurrent unit in its first form."""

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


def gru_reset_first_forward(x, lengths, W, U, b, h0, inputs, gates, reset, out):  # type: ignore[no-untyped-def]
    """r, z = sigmoid(x W + h U + b), n = tanh(x W + (r h) U + b), h' = (1 - z) n + z h."""
    B, T, _ = x.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    begin(x, inside, h0, inputs)
    for t in range(T):
        h = inputs[t, :, :H]
        r, z, n = np.split(inputs[t, :, H:] @ W + b, 3, axis=1)
        r, z = sigmoid(r + h @ U[:, :H]), sigmoid(z + h @ U[:, H : 2 * H])
        n = np.tanh(n + (r * h) @ U[:, 2 * H :])
        gates[t] = np.where(inside[t], np.hstack((r, z, n)), 0)
        reset[t] = np.where(inside[t], r * h, 0)
        inputs[t + 1, :, :H] = end_step(inside[t], h, (1 - z) * n + z * h, out, t)


def gru_reset_first_backward(
    truncate, lengths, W, U, inputs, gates, reset, dout, dh, dx, dgates, dW, dU, db, dh0
):  # type: ignore[no-untyped-def]
    """Gradients through time, from the last step to the first."""
    T, B, _ = gates.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    dh0[...] = dh
    for t in reversed(range(T)):
        (r, z, n), h, d = np.split(gates[t], 3, axis=1), inputs[t, :, :H], with_dout(dh0, dout, t)
        dn = d * (1 - z) * (1 - n**2)
        dreset = dn @ U[:, 2 * H :].T
        parts = (dreset * h * r * (1 - r), d * (h - n) * z * (1 - z), dn)
        dgates[t] = np.where(inside[t], np.hstack(parts), 0)
        on = 0 if is_cut(truncate, t) else 1
        before = d * z + dreset * r + dgates[t][:, : 2 * H] @ U[:, : 2 * H].T
        dh0[...] = np.where(inside[t], on * before, dh0)
    input_gradient(dgates, W, dx)
    dU[:, : 2 * H] = summed(inputs[:T, :, :H], dgates[:, :, : 2 * H])
    dU[:, 2 * H :] = summed(reset, dgates[:, :, 2 * H :])
    dW[...] = summed(inputs[:T, :, H:], dgates)
    db[...] = dgates.sum(axis=(0, 1))
