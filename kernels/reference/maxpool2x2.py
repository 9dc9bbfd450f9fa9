"""NumPy twins of the kernels of 2 x 2 maximum pooling."""

from __future__ import annotations

import numpy as np

from .maxpool import maxpool_backward, maxpool_forward

_WINDOW = (2, 2), (2, 2), (0, 0), (1, 1)


def maxpool2x2_forward(x, out, index):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), out and index, uint8, (N, H // 2, W // 2, C)."""
    maxpool_forward(x, *_WINDOW, out, index)


def maxpool2x2_backward(dout, out, index, gated, dx):  # type: ignore[no-untyped-def]
    """dout, out, index (N, H // 2, W // 2, C), dx (N, H, W, C); gated: 0 where out is 0 or less."""
    d = np.where(out <= 0, dout.dtype.type(0), dout) if gated else dout
    maxpool_backward(d, index, *_WINDOW, dx)
