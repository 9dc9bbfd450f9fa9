"""NumPy twin of the gradient of a convolution's input: products, then col2im."""

from __future__ import annotations

import numpy as np

from .patches import filter_matrices


def conv2d_backward_data(W, dout, stride, padding, dilation, groups, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K)."""
    N, OH, OW, K = dout.shape
    _, height, width, C = dx.shape
    KH, KW = W.shape[2:]
    d = dout.reshape(N * OH * OW, groups, K // groups).transpose(1, 0, 2)
    patches = d @ filter_matrices(W, groups).transpose(0, 2, 1)
    patches = patches.reshape(groups, N, OH, OW, KH, KW, C // groups)
    top, left = padding
    rows = max((OH - 1) * stride[0] + (KH - 1) * dilation[0] + 1, top + height)
    columns = max((OW - 1) * stride[1] + (KW - 1) * dilation[1] + 1, left + width)
    padded = np.zeros((N, rows, columns, groups, C // groups), dx.dtype)
    for kh in range(KH):
        for kw in range(KW):
            h, w = kh * dilation[0], kw * dilation[1]
            padded[
                :, h : h + (OH - 1) * stride[0] + 1 : stride[0],
                w : w + (OW - 1) * stride[1] + 1 : stride[1],
            ] += patches[:, :, :, :, kh, kw].transpose(1, 2, 3, 0, 4)  # fmt: skip
    dx[...] = padded[:, top : top + height, left : left + width].reshape(dx.shape)
