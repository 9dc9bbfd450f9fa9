"""NumPy twins of the convolution kernels: im2col, then one product of matrices for each group."""

from __future__ import annotations

import numpy as np


def _columns(x, shape, stride, padding, dilation, kernel):  # type: ignore[no-untyped-def]
    """The patches (N, OH, OW, KH, KW, C) of x (N, H, W, C); ``shape`` is (OH, OW)."""
    N, H, W, C = x.shape
    (OH, OW), (KH, KW) = shape, kernel
    rows, columns = (
        (OH - 1) * stride[0] + (KH - 1) * dilation[0] + 1,
        (OW - 1) * stride[1] + (KW - 1) * dilation[1] + 1,
    )
    top, left = padding
    padded = np.zeros((N, max(rows, top + H), max(columns, left + W), C), x.dtype)
    padded[:, top : top + H, left : left + W] = x
    patches = np.empty((N, OH, OW, KH, KW, C), x.dtype)
    for kh in range(KH):
        for kw in range(KW):
            h, w = kh * dilation[0], kw * dilation[1]
            patches[:, :, :, kh, kw] = padded[
                :, h : h + (OH - 1) * stride[0] + 1 : stride[0],
                w : w + (OW - 1) * stride[1] + 1 : stride[1],
            ]  # fmt: skip
    return patches


def _in_groups(patches, groups):  # type: ignore[no-untyped-def]
    """The patches as one matrix (G, N OH OW, KH KW C / G) for each group."""
    N, OH, OW, KH, KW, C = patches.shape
    parts = patches.reshape(N * OH * OW, KH * KW, groups, C // groups)
    return np.ascontiguousarray(parts.transpose(2, 0, 1, 3)).reshape(groups, N * OH * OW, -1)


def _weights(W, groups):  # type: ignore[no-untyped-def]
    """W (K, C / G, KH, KW) as matrices (G, KH KW C / G, K / G)."""
    K = len(W)
    return W.transpose(2, 3, 1, 0).reshape(-1, groups, K // groups).transpose(1, 0, 2)


def conv2d_forward(x, W, b, stride, padding, dilation, groups, relu, out):  # type: ignore[no-untyped-def]
    """out (N, OH, OW, K) from x (N, H, W, C), W (K, C / G, KH, KW), b (K,) or (0,)."""
    N, OH, OW, K = out.shape
    patches = _columns(x, (OH, OW), stride, padding, dilation, W.shape[2:])
    found = _in_groups(patches, groups) @ _weights(W, groups)
    out[...] = found.transpose(1, 0, 2).reshape(N, OH, OW, K)
    if b.size:
        out += b
    if relu:
        out[out < 0] = 0


def conv2d_backward_data(W, dout, stride, padding, dilation, groups, dx):  # type: ignore[no-untyped-def]
    """dx (N, H, W, C) from dout (N, OH, OW, K)."""
    N, OH, OW, K = dout.shape
    _, height, width, C = dx.shape
    KH, KW = W.shape[2:]
    d = dout.reshape(N * OH * OW, groups, K // groups).transpose(1, 0, 2)
    patches = d @ _weights(W, groups).transpose(0, 2, 1)
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


def conv2d_backward_weights(x, dout, stride, padding, dilation, groups, dW, db):  # type: ignore[no-untyped-def]
    """dW (K, C / G, KH, KW) and db (K,), or (0,) for none, from x and dout."""
    N, OH, OW, K = dout.shape
    KH, KW = dW.shape[2:]
    patches = _in_groups(_columns(x, (OH, OW), stride, padding, dilation, (KH, KW)), groups)
    d = dout.reshape(N * OH * OW, groups, K // groups).transpose(1, 0, 2)
    found = patches.transpose(0, 2, 1) @ d  # (G, KH KW C / G, K / G)
    found = found.reshape(groups, KH, KW, dW.shape[1], K // groups)
    dW[...] = found.transpose(0, 4, 3, 1, 2).reshape(dW.shape)
    if db.size:
        db[...] = dout.sum(axis=(0, 1, 2))
