"""NumPy twin of the gradient of an input of few channels: the general one."""

from __future__ import annotations

from .convolution_data import conv2d_backward_data


def few_channels_backward_data(W, dout, stride, padding, dilation, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K) and W (K, C, KH, KW)."""
    conv2d_backward_data(W, dout, stride, padding, dilation, 1, dx)
