"""NumPy twins of depthwise convolution: the general ones with a group for each channel."""

from __future__ import annotations

from .convolution import conv2d_forward
from .convolution_data import conv2d_backward_data
from .convolution_weights import conv2d_backward_weights

_ONE = (1, 1)


def depthwise_forward(stride, x, W, b, turned, padding, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, C) from x (N, H, W, C), W (C, 1, 3, 3), b (C,) or (0,)."""
    filters = W[:, :, ::-1, ::-1] if turned else W
    conv2d_forward(x, filters, b, (stride, stride), padding, _ONE, len(W), relu, out)


def depthwise_backward_data(W, dout, padding, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, C), for stride 2."""
    conv2d_backward_data(W, dout, (2, 2), padding, _ONE, len(W), dx)


def depthwise_backward_weights(stride, x, dout, padding, dW, db):  # type: ignore[no-untyped-def]
    """dW (C, 1, 3, 3) and db (C,), or (0,) for none, from x and dout."""
    conv2d_backward_weights(x, dout, (stride, stride), padding, _ONE, len(dW), dW, db)
