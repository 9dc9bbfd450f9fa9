"""NumPy twins of the maximum pooling kernels."""

from __future__ import annotations

import numpy as np

from .windows import window_indices


def maxpool_forward(x, kernel, stride, padding, dilation, out, index):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), out and index (N, OH, OW, C); the others are pairs of ints."""
    rows, columns, inside = window_indices(
        x.shape[1:3], out.shape[1:3], kernel, stride, padding, dilation
    )
    out[...] = -np.inf
    index[...] = np.argmax(inside, axis=-1)[..., None]
    for place in range(inside.shape[-1]):
        values = x[:, rows[..., place], columns[..., place]]
        larger = inside[..., place, None] & ((values > out) | np.isnan(values))
        out[...] = np.where(larger, values, out)
        index[...] = np.where(larger, place, index)


def maxpool_backward(dout, index, kernel, stride, padding, dilation, dx):  # type: ignore[no-untyped-def]
    """dout and index (N, OH, OW, C), dx (N, H, W, C); the others are pairs of ints."""
    rows, columns, inside = window_indices(
        dx.shape[1:3], dout.shape[1:3], kernel, stride, padding, dilation
    )
    dx[...] = 0
    for place in range(inside.shape[-1]):
        own = (index == place) & inside[..., place, None]
        np.add.at(dx, (slice(None), rows[..., place], columns[..., place]), np.where(own, dout, 0))
