"""NumPy twin of Winograd's convolution: the convolution that it computes, by products."""

from __future__ import annotations

from .convolution import conv2d_forward

_ONE = (1, 1)


def winograd_convolve(m, x, W, b, turned, padding, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C, 3, 3), b (K,) or (0,)."""
    filters = W[:, :, ::-1, ::-1].transpose(1, 0, 2, 3) if turned else W
    conv2d_forward(x, filters, b, _ONE, padding, _ONE, 1, relu, out)
