"""NumPy twins of the mean pooling kernels."""

from __future__ import annotations

import numpy as np

from .windows import window_indices


def _windows(x, out, kernel, stride, padding, count_include_pad):  # type: ignore[no-untyped-def]
    """window_indices, and the number of places that count (OH, OW, 1)."""
    rows, columns, inside = window_indices(
        x.shape[1:3], out.shape[1:3], kernel, stride, padding, (1, 1)
    )
    count = inside.sum(axis=-1, keepdims=True)
    return (
        rows,
        columns,
        inside,
        np.full_like(count, inside.shape[-1]) if count_include_pad else count,
    )


def avgpool_forward(x, kernel, stride, padding, count_include_pad, out):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), out (N, OH, OW, C); the others are pairs of ints and a bool."""
    rows, columns, inside, count = _windows(x, out, kernel, stride, padding, count_include_pad)
    values = np.where(inside[..., None], x[:, rows, columns], 0)
    out[...] = values.sum(axis=3) / count


def avgpool_backward(dout, kernel, stride, padding, count_include_pad, dx):  # type: ignore[no-untyped-def]
    """dout (N, OH, OW, C), dx (N, H, W, C); the others are pairs of ints and a bool."""
    rows, columns, inside, count = _windows(dx, dout, kernel, stride, padding, count_include_pad)
    dx[...] = 0
    shared = np.where(inside[..., None], (dout / count)[:, :, :, None], 0)
    np.add.at(dx, (slice(None), rows, columns), shared)
