"""Patches of images as matrices, for the twins of convolution."""

from __future__ import annotations

import numpy as np


def patches_of(x, shape, stride, padding, dilation, kernel):  # type: ignore[no-untyped-def]
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


def in_groups(patches, groups):  # type: ignore[no-untyped-def]
    """The patches as one matrix (G, N OH OW, KH KW C / G) for each group."""
    N, OH, OW, KH, KW, C = patches.shape
    parts = patches.reshape(N * OH * OW, KH * KW, groups, C // groups)
    return np.ascontiguousarray(parts.transpose(2, 0, 1, 3)).reshape(groups, N * OH * OW, -1)


def filter_matrices(W, groups):  # type: ignore[no-untyped-def]
    """W (K, C / G, KH, KW) as matrices (G, KH KW C / G, K / G)."""
    K = len(W)
    return W.transpose(2, 3, 1, 0).reshape(-1, groups, K // groups).transpose(1, 0, 2)
