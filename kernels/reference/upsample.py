"""NumPy twins of the upsampling kernels."""

from __future__ import annotations

import numpy as np


def weights(size, scale, bilinear, dtype):  # type: ignore[no-untyped-def]
    """(size scale, size): what every output takes of every input along an axis."""
    output = np.arange(size * scale)
    if bilinear:
        position = (output + 0.5) / scale - 0.5
        first = np.floor(position).astype(int)
        weight = position - first
    else:
        first, weight = output // scale, np.zeros(len(output))
    found = np.zeros((len(output), size))
    np.add.at(found, (output, np.clip(first, 0, size - 1)), 1 - weight)
    np.add.at(found, (output, np.clip(first + 1, 0, size - 1)), weight)
    return found.astype(dtype)


def upsample_forward(x, scale, bilinear, out):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), scale (SH, SW), out (N, SH H, SW W, C)."""
    if not bilinear:
        out[...] = x.repeat(scale[0], axis=1).repeat(scale[1], axis=2)
        return
    rows = weights(x.shape[1], scale[0], bilinear, x.dtype)
    columns = weights(x.shape[2], scale[1], bilinear, x.dtype)
    out[...] = np.einsum("oh,pw,nhwc->nopc", rows, columns, x, optimize=True)


def upsample_backward(dout, scale, bilinear, dx):  # type: ignore[no-untyped-def]
    """dout (N, SH H, SW W, C), scale (SH, SW), dx (N, H, W, C)."""
    rows = weights(dx.shape[1], scale[0], bilinear, dx.dtype)
    columns = weights(dx.shape[2], scale[1], bilinear, dx.dtype)
    dx[...] = np.einsum("oh,pw,nopc->nhwc", rows, columns, dout, optimize=True)
