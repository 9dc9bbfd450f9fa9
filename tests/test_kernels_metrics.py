"""The metrics' sums against their twins, on 1 and 2 threads."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels.metrics import ROWS
from test_kernels_twins import compare

LIMITS = {"rtol": 1e-11, "atol": 1e-9}


def data(n, levels, weighted, dtype, rng):
    y = rng.random(n) < 0.4
    y[: n // 2] = True if n == 1 else y[: n // 2]
    p = rng.random(n)
    p = (np.round(p * levels) / levels if levels else p).astype(dtype)
    return y, p, rng.exponential(size=n) if weighted else np.empty(0)


@pytest.mark.parametrize("n", [1, 7, 2 * ROWS + 5])
@pytest.mark.parametrize("levels", [0, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_sums_over_rows_and_bins(n, levels, weighted, dtype, rng, two_thread_counts):
    y, p, w = data(n, levels, weighted, dtype, rng)
    partial = np.empty((-(-n // ROWS), 6))
    arguments = (y, p, w, 1e-7, 0.5, partial)
    compare("metrics", "row_sums", arguments, [5], two_thread_counts, **LIMITS)
    for edges in (np.empty(0), np.array([0.2, 1 / 3, 1 / 3, 0.9])):
        partial = np.empty((-(-n // ROWS), len(edges) + 1, 3))
        arguments = (y, p, w, edges, partial)
        compare("metrics", "bin_sums", arguments, [4], two_thread_counts, **LIMITS)


@pytest.mark.parametrize("n", [2, 9, 3000])
@pytest.mark.parametrize("levels", [0, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_sums_over_rankings(n, levels, weighted, dtype, rng, two_thread_counts):
    y, p, w = data(n, levels, weighted, dtype, rng)
    y[: n // 2 + 1] = True  # every group has a click
    bits = p.view(np.uint32 if dtype == np.float32 else np.uint64)
    keys = (bits << bits.dtype.type(1)) | y
    compare("metrics", "ranked_sums", (np.sort(keys), w, np.empty(5)), [2], two_thread_counts,
            **LIMITS)  # fmt: skip
    bounds = np.array([0, n // 2, n // 2 + 1])
    parts = np.concatenate([np.sort(keys[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)])
    arguments = (parts, w, bounds, np.empty((2, 5)))
    compare("metrics", "ranked_sums_of_groups", arguments, [3], two_thread_counts, **LIMITS)
