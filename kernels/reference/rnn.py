"""NumPy twins of the plain recurrent network."""

from __future__ import annotations

import numpy as np

from .recurrent import begin, end_step, input_gradient, is_cut, steps_inside, summed, with_dout


def rnn_forward(relu, x, lengths, W, U, b, h0, inputs, out):  # type: ignore[no-untyped-def]
    """h' = tanh(x W + h U + b), or max(0, .) with ``relu``."""
    B, T, _ = x.shape
    H, inside = len(U), steps_inside(lengths, B, T)
    begin(x, inside, h0, inputs)
    for t in range(T):
        h = inputs[t, :, :H]
        z = inputs[t, :, H:] @ W + h @ U + b
        h_next = np.where(z < 0, 0, z) if relu else np.tanh(z)
        inputs[t + 1, :, :H] = end_step(inside[t], h, h_next, out, t)


def rnn_backward(relu, truncate, lengths, W, U, inputs, dout, dh, dx, dgates, dW, dU, db, dh0):  # type: ignore[no-untyped-def]
    """Gradients through time, from the last step to the first."""
    T, B, H = dgates.shape
    inside = steps_inside(lengths, B, T)
    dh0[...] = dh
    for t in reversed(range(T)):
        h_next, d = inputs[t + 1, :, :H], with_dout(dh0, dout, t)
        dgates[t] = np.where(inside[t], d * ((h_next > 0) if relu else 1 - h_next**2), 0)
        on = 0 if is_cut(truncate, t) else 1
        dh0[...] = np.where(inside[t], on * (dgates[t] @ U.T), dh0)
    input_gradient(dgates, W, dx)
    dU[...], dW[...] = summed(inputs[:T, :, :H], dgates), summed(inputs[:T, :, H:], dgates)
    db[...] = dgates.sum(axis=(0, 1))
