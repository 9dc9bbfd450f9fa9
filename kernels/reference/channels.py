"""NumPy twins of the kernels of whole channels."""

from __future__ import annotations


def global_avgpool_forward(x, out):  # type: ignore[no-untyped-def]
    """out (N, C) = the mean over the pixels of x (N, P, C)."""
    out[...] = x.mean(axis=1)


def global_avgpool_backward(dout, dx):  # type: ignore[no-untyped-def]
    """dx (N, P, C) = dout (N, C) / P at every pixel."""
    dx[...] = dout[:, None] / dx.shape[1]


def scale_channels(x, factor, out):  # type: ignore[no-untyped-def]
    """out (N, P, C) = x (N, P, C) times factor (N, C) at every pixel."""
    out[...] = x * factor[:, None]


def sum_pixels(x, out):  # type: ignore[no-untyped-def]
    """out (N, C) = the sum over the pixels of x (N, P, C)."""
    out[...] = x.sum(axis=1)


def add_to_channels(x, b, relu):  # type: ignore[no-untyped-def]
    """x (N, P, C) += b (C,) at every pixel, in place, then max(0, x) where ``relu``."""
    x += b
    if relu:
        x[x < 0] = 0
