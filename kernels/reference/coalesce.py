"""NumPy twin of the coalescing kernel."""

from __future__ import annotations

import numpy as np


def coalesce(rows, bits, work, counts, order, unique, starts, count):  # type: ignore[no-untyped-def]
    """Sort the row numbers ``rows`` (n,) int64, which are below 2^bits, and find the equal ones."""
    found = np.unique(rows)
    order[...] = np.argsort(rows, kind="stable")
    count[0] = found.size
    unique[: found.size] = found
    starts[: found.size] = np.searchsorted(rows[order], found)
    starts[found.size] = rows.size
