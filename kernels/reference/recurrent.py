"""What the twins of recurrent networks have in common."""

from __future__ import annotations

import numpy as np


def sigmoid(x):  # type: ignore[no-untyped-def]
    """1 / (1 + e^-x), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def steps_inside(lengths, B, T):  # type: ignore[no-untyped-def]
    """(T, B, 1): whether a step is within its row's length."""
    ends = lengths if lengths.size else np.full(B, T)
    return (np.arange(T)[:, None] < ends)[:, :, None]


def begin(x, inside, h0, inputs):  # type: ignore[no-untyped-def]
    """All inputs beside the places of the states, of which the first is set."""
    H = h0.shape[1]
    inputs[0, :, :H] = h0
    inputs[:-1, :, H:] = np.where(inside, x.swapaxes(0, 1), 0)
    inputs[-1, :, H:] = 0


def end_step(inside, h, h_next, out, t):  # type: ignore[no-untyped-def]
    """The state after step t, h_next or the old one; and the step's out."""
    if out.shape[1]:
        out[:, t] = np.where(inside, h_next, 0)
    return np.where(inside, h_next, h)


def is_cut(truncate, t):  # type: ignore[no-untyped-def]
    """Whether no gradient passes through the state before step t."""
    return truncate > 0 and t > 0 and t % truncate == 0


def with_dout(dh, dout, t):  # type: ignore[no-untyped-def]
    """The gradient at the state after step t, of later steps and of the step's out."""
    return dh + dout[:, t] if dout.shape[1] else dh


def input_gradient(dgates, W, dx):  # type: ignore[no-untyped-def]
    """dx = dgates W^T, if dx has rows."""
    if len(dx):
        dx[...] = (dgates @ W.T).swapaxes(0, 1)


def summed(a, dgates):  # type: ignore[no-untyped-def]
    """a^T dgates over all steps and rows."""
    return a.reshape(-1, a.shape[2]).T @ dgates.reshape(-1, dgates.shape[2])
