"""NumPy twins of the compressed interaction network's kernels."""

from __future__ import annotations

import numpy as np


def cin_forward(xk, x0, W, out):  # type: ignore[no-untyped-def]
    """xk (H, C), x0 (M, C), W (O, H M), out (O, C)."""
    out[...] = W @ (xk[:, None] * x0).reshape(-1, x0.shape[1])


def cin_backward(xk, x0, W, dout, dxk, dx0, dW):  # type: ignore[no-untyped-def]
    """dxk (H, C), dx0 (M, C), dW (O, H M) from dout (O, C)."""
    dW[...] = dout @ (xk[:, None] * x0).reshape(-1, x0.shape[1]).T
    dproducts = (W.T @ dout).reshape(len(xk), *x0.shape)
    dxk[...] = np.sum(dproducts * x0, axis=1)
    dx0[...] = np.sum(dproducts * xk[:, None], axis=0)
