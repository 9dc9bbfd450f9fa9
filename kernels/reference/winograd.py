"""NumPy twins of Winograd's convolution: the convolution that it computes, by products."""

from __future__ import annotations

from .convolution import conv2d_forward
from .convolution_data import conv2d_backward_data
from .convolution_weights import conv2d_backward_weights

_ONE = (1, 1)


def winograd_forward(m, x, W, b, padding, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C, 3, 3), b (K,) or (0,)."""
    conv2d_forward(x, W, b, _ONE, padding, _ONE, 1, relu, out)


def winograd_backward_data(m, W, dout, padding, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K)."""
    conv2d_backward_data(W, dout, _ONE, padding, _ONE, 1, dx)


def winograd_backward_weights(m, x, dout, padding, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C, 3, 3) and db (K,), or (0,) for none, from x and dout."""
    conv2d_backward_weights(x, dout, _ONE, padding, _ONE, 1, dW, db)
