"""NumPy twins of the attention kernels."""

from __future__ import annotations

import numpy as np


def attention_forward(heads, scale, x, p, out):  # type: ignore[no-untyped-def]
    """x (N, F, 4 W); p (N, heads, F, F), which backward needs; out (N, F, W). scale > 0."""
    q, k, v = _heads(x, heads)
    scores = scale * q @ k.transpose(0, 1, 3, 2)
    e = np.exp(scores - scores.max(axis=3, keepdims=True))
    p[...] = e / e.sum(axis=3, keepdims=True)
    out[...] = np.maximum(_side_by_side(p @ v) + x[:, :, 3 * out.shape[2] :], 0)


def attention_backward(heads, scale, x, p, out, dout, dx):  # type: ignore[no-untyped-def]
    """dx (N, F, 4 W) from dout (N, F, W), with x, p and out of the forward pass."""
    (q, k, v), W = _heads(x, heads), out.shape[2]
    dx[:, :, 3 * W :] = np.where(out > 0, dout, 0)
    N, F, _ = x.shape
    above = dx[:, :, 3 * W :].reshape(N, F, heads, -1).transpose(0, 2, 1, 3)
    dp = above @ v.transpose(0, 1, 3, 2)
    dscores = scale * p * (dp - np.sum(dp * p, axis=3, keepdims=True))
    dx[:, :, :W] = _side_by_side(dscores @ k)
    dx[:, :, W : 2 * W] = _side_by_side(dscores.transpose(0, 1, 3, 2) @ q)
    dx[:, :, 2 * W : 3 * W] = _side_by_side(p.transpose(0, 1, 3, 2) @ above)


def _heads(x, heads):  # type: ignore[no-untyped-def]
    """q, k and v of x (N, F, 4 W), each (N, heads, F, A)."""
    N, F, width = x.shape
    return x.reshape(N, F, 4, heads, width // (4 * heads)).transpose(2, 0, 3, 1, 4)[:3]


def _side_by_side(x):  # type: ignore[no-untyped-def]
    """(N, heads, F, A) as (N, F, heads * A)."""
    N, heads, F, A = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, F, heads * A)
