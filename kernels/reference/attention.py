"""NumPy twins of the attention kernels."""

from __future__ import annotations

import numpy as np


def attention_forward(heads, scale, q, k, v, p, out):  # type: ignore[no-untyped-def]
    """q, k, v, out (N, F, heads * A); p (N, heads, F, F), which backward needs. scale > 0."""
    scores = scale * _split(q, heads) @ _split(k, heads).transpose(0, 1, 3, 2)
    e = np.exp(scores - scores.max(axis=3, keepdims=True))
    p[...] = e / e.sum(axis=3, keepdims=True)
    out[...] = _join(p @ _split(v, heads))


def attention_backward(heads, scale, q, k, v, p, dout, dq, dk, dv):  # type: ignore[no-untyped-def]
    """dq, dk, dv from dout, all (N, F, heads * A)."""
    above = _split(dout, heads)
    dp = above @ _split(v, heads).transpose(0, 1, 3, 2)
    dscores = scale * p * (dp - np.sum(dp * p, axis=3, keepdims=True))
    dv[...] = _join(p.transpose(0, 1, 3, 2) @ above)
    dq[...] = _join(dscores @ _split(k, heads))
    dk[...] = _join(dscores.transpose(0, 1, 3, 2) @ _split(q, heads))


def _split(x, heads):  # type: ignore[no-untyped-def]
    """(N, F, heads * A) as (N, heads, F, A)."""
    N, F, width = x.shape
    return x.reshape(N, F, heads, width // heads).transpose(0, 2, 1, 3)


def _join(x):  # type: ignore[no-untyped-def]
    """(N, heads, F, A) as (N, F, heads * A)."""
    N, heads, F, A = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, F, heads * A)
