"""NumPy twins of the kernels of spectral normalization."""

from __future__ import annotations

import numpy as np


def spectral_rows(W, v, u):  # type: ignore[no-untyped-def]
    """u (B,) = W v; W (A, B, T), v (A, T)."""
    u[...] = np.einsum("abt,at->b", W, v)


def spectral_columns(W, u, v):  # type: ignore[no-untyped-def]
    """v (A, T) = W^T u; W (A, B, T), u (B,)."""
    v[...] = np.einsum("abt,b->at", W, u)


def spectral_gradient(d, W, u, v, sigma, dW):  # type: ignore[no-untyped-def]
    """dW = (d - (sum of d W) u v^T) / sigma, d at W, which is divided by sigma."""
    share = np.sum(d * W, dtype=np.float64).astype(W.dtype)
    dW[...] = (d - share * u[:, None] * v[:, None]) / W.dtype.type(sigma)
