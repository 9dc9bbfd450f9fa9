"""NumPy twins of the layer normalization kernels."""

from __future__ import annotations

import numpy as np


def layernorm_forward(x, gamma, beta, epsilon, out, normalized, inverse):  # type: ignore[no-untyped-def]
    """x, out, normalized (N, D); gamma, beta (D,); inverse (N,) = 1 / sqrt(var + epsilon)."""
    inverse[...] = 1 / np.sqrt(x.var(axis=1) + epsilon)
    normalized[...] = (x - x.mean(axis=1, keepdims=True)) * inverse[:, None]
    out[...] = gamma * normalized + beta


def layernorm_backward(normalized, inverse, gamma, dout, dx, dgamma, dbeta):  # type: ignore[no-untyped-def]
    """normalized, dout, dx (N, D); inverse (N,); gamma, dgamma, dbeta (D,)."""
    dgamma[...] = np.sum(dout * normalized, axis=0)
    dbeta[...] = dout.sum(axis=0)
    d = gamma * dout
    along = (d * normalized).mean(axis=1, keepdims=True)
    dx[...] = inverse[:, None] * (d - d.mean(axis=1, keepdims=True) - normalized * along)
