"""NumPy twins of the kernels that scale and shift the channels of images."""

from __future__ import annotations

from ..activation import NONE
from .activation import activation_backward, activation_forward


def modulate_forward(kind, slope, x, scale, shift, out):  # type: ignore[no-untyped-def]
    """out (N, P, C) = f(x (N, P, C) scale (N, C) + shift (N, C)); kind and slope are f's."""
    out[...] = x * scale[:, None] + shift[:, None]
    if kind != NONE:
        activation_forward(kind, slope, out.copy(), out)


def modulate_backward(kind, slope, x, scale, out, dout, dx, dscale, dshift):  # type: ignore[no-untyped-def]
    """dx (N, P, C), dscale and dshift (N, C) from dout (N, P, C); f is told by its out."""
    dx[...] = dout
    if kind != NONE:
        activation_backward(kind, slope, out, dout, dx)
    dscale[...] = (dx * x).sum(axis=1)
    dshift[...] = dx.sum(axis=1)
    dx *= scale[:, None]
