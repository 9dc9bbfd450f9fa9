"""NumPy twins of the cross kernels."""

from __future__ import annotations

import numpy as np

from ..cross import ROWS


def cross_forward(x0, x, w, b, s, out):  # type: ignore[no-untyped-def]
    """x0, x, out (N, D); w, b (D,); s (N,) = <x, w>, which backward needs."""
    s[...] = x @ w
    out[...] = x0 * s[:, None] + b + x


def cross_backward(x0, x, w, s, dout, dx0, dx, dw, db):  # type: ignore[no-untyped-def]
    """dx0, dx (N, D), and dw, db (pieces of ROWS rows, D) whose sums over the pieces they are."""
    ds = np.sum(dout * x0, axis=1, keepdims=True)
    dx0[...] = dout * s[:, None]
    dx[...] = dout + ds * w
    starts = np.arange(0, len(x), ROWS)
    dw[...] = np.add.reduceat(ds * x, starts)
    db[...] = np.add.reduceat(dout, starts)


def multiply_add(x0, u, x, out):  # type: ignore[no-untyped-def]
    """out = x0 u + x, all (n,)."""
    out[...] = x0 * u + x


def multiply_add_backward(x0, u, dout, dx0, du):  # type: ignore[no-untyped-def]
    """dx0 = dout u and du = dout x0, all (n,); dx is dout itself."""
    dx0[...] = dout * u
    du[...] = dout * x0
