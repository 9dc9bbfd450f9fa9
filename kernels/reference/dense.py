"""NumPy twins of the dense kernels."""

from __future__ import annotations


def dense_forward(x, W, b, out):  # type: ignore[no-untyped-def]
    """out = x W + b; x (N, D), W (D, H), b (H,), out (N, H)."""
    out[...] = x @ W + b


def dense_backward(x, W, dout, dx, dW, db):  # type: ignore[no-untyped-def]
    """dx = dout W^T, dW = x^T dout, db = sum of dout's rows; dx, dW without rows are left out."""
    if len(dx):
        dx[...] = dout @ W.T
    if len(dW):
        dW[...] = x.T @ dout
        db[...] = dout.sum(axis=0)
