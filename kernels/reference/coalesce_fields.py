"""NumPy twin of the coalescing kernel for fields with tables of their own."""

from __future__ import annotations

import numpy as np


def coalesce_fields(rows, offsets, sizes, packed, found, order, unique, starts, count):  # type: ignore[no-untyped-def]
    """``coalesce`` of the rows of N x F ids, column f of which lies in a table of its own."""
    flat = rows.reshape(-1)
    different = np.unique(flat)
    order[...] = np.argsort(flat, kind="stable")
    count[0] = different.size
    unique[: different.size] = different
    starts[: different.size] = np.searchsorted(flat[order], different)
    starts[different.size] = flat.size
