"""Windows of series against the NumPy twin, and against fancy indexing of the whole batch.

pytest -o addopts="" benchmarks/bench_series_windows.py --benchmark-columns=median
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastdl.kernels.backend import use_backend

from fastdl.data.series import SeriesSet, WindowBatch, WindowMaker

R = np.random.default_rng(0)
SIZES = [(32, 30, 1), (64, 96, 24), (128, 336, 96)]  # windows, context, horizon
SERIES = SeriesSet.from_arrays(R.standard_normal((1000, 1000)).astype(np.float32), frequency="h")

Made = tuple[WindowBatch, np.ndarray, np.ndarray]


def by_kernel(maker: WindowMaker, rows: Any, origins: Any, calendar: Any) -> Made:
    return maker.make(SERIES, rows, origins, calendar)


def by_twin(maker: WindowMaker, rows: Any, origins: Any, calendar: Any) -> Made:
    with use_backend("numpy"):
        return maker.make(SERIES, rows, origins, calendar)


def by_indexing(maker: WindowMaker, rows: Any, origins: Any, calendar: Any) -> Made:
    """What a user would write, for series without covariates: all windows at once."""
    steps = np.arange(-maker.context, maker.horizon)
    values = SERIES.values[(SERIES.first[rows] + origins)[:, None] + steps]
    past = values[:, : maker.context].astype(np.float64)
    shift = np.nanmean(past, axis=1, keepdims=True)
    scale = np.nanstd(past, axis=1, keepdims=True)
    scaled, seen = np.nan_to_num((values - shift) / scale), ~np.isnan(values)
    clock = calendar.features[(calendar.row_of(SERIES)[rows] + origins)[:, None] + steps]
    x = np.concatenate([np.stack([scaled, seen], axis=-1), clock], axis=-1).astype(np.float32)
    x[:, maker.context :, :2] = 0
    y = scaled[:, maker.context :].astype(np.float32)
    made = WindowBatch(x, shift[:, 0], scale[:, 0], rows, origins, x[:, 0, :0],
                       np.empty((len(x), 0), np.int64), maker.context)  # fmt: skip
    return made, y, seen[:, maker.context :]


WAYS = {"kernel": by_kernel, "twin": by_twin, "indexing": by_indexing}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gather_windows(benchmark: Any, size: tuple[int, int, int], way: str) -> None:
    B, context, horizon = size
    maker = WindowMaker(context, horizon, "standard").fit(SERIES)
    calendar = maker.calendar(SERIES)
    rows, origins = R.integers(0, 1000, B), R.integers(context, 1001 - horizon, B)
    results = [found(maker, rows, origins, calendar) for found in WAYS.values()]
    for made, y, _ in results[1:]:
        np.testing.assert_allclose(made.x, results[0][0].x, atol=1e-4)
        np.testing.assert_allclose(y, results[0][1], atol=1e-4)
    benchmark.group = f"gather_windows {size}"
    benchmark(WAYS[way], maker, rows, origins, calendar)
