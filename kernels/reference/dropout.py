"""NumPy twins of the dropout kernels."""

from __future__ import annotations


def dropout_forward(x, random, ratio, out, mask):  # type: ignore[no-untyped-def]
    """x, out (n,); random (n,) float64 in [0, 1); mask (n,) bool receives random > ratio."""
    mask[...] = random > ratio
    out[...] = x * mask / (1.0 - ratio)


def dropout_backward(dout, ratio, mask, dx):  # type: ignore[no-untyped-def]
    """dout, dx (n,); mask (n,) bool of the forward."""
    dx[...] = dout * mask / (1.0 - ratio)
