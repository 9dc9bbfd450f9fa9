"""Where the pixels of pooling windows lie, for the NumPy twins."""

from __future__ import annotations

import numpy as np


def window_indices(sizes, outputs, kernel, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """(rows, columns, inside), each (OH, OW, KH KW): what every window takes, and whether it is
    within the image; rows and columns that are not are clipped."""
    axes = [
        np.arange(O)[:, None] * s - p + np.arange(K) * d
        for O, K, s, p, d in zip(outputs, kernel, stride, padding, dilation, strict=True)
    ]
    full = (*outputs, *kernel)
    rows = np.broadcast_to(axes[0][:, None, :, None], full).reshape(*outputs, -1)
    columns = np.broadcast_to(axes[1][None, :, None, :], full).reshape(*outputs, -1)
    inside = (rows >= 0) & (rows < sizes[0]) & (columns >= 0) & (columns < sizes[1])
    return np.clip(rows, 0, sizes[0] - 1), np.clip(columns, 0, sizes[1] - 1), inside
