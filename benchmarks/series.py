"""Forecasts of real series, ETTh1 (column OT) and NAB's ad exchange, and of 10,000 generated ones.

ETTh1: 12, 4 and 4 months of 30 days to train, validate and test, scaled by mean and standard
deviation of the first part; the mean squared error of all windows of the test part, beside those
published by Zhou et al. 2021 (Informer, table 1) for LSTMa and DeepAR.

NAB: a backtest with daily origins, skill against the seasonal naive and coverage, pooled.

memory: the peak of a process that trains on 10,000 series of 1,000 steps and forecasts them all.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

import fastdl
from fastdl.data.series import BacktestFolds, SeriesSet, WindowStream, read_series
from fastdl.forecasting import LinearWindow
from fastdl.forecasting.training import WINDOWS_PER_EPOCH
from fastdl.metrics.forecast import evaluate_forecast, interval_of, skill_score

SERIES = Path(__file__).parents[2] / "shared" / "data" / "series"
MONTH = 30 * 24
PUBLISHED = {  # horizon: LSTMa, DeepAR
    24: (0.114, 0.107), 48: (0.193, 0.162), 168: (0.236, 0.239), 336: (0.590, 0.445),
    720: (0.683, 0.658),
}  # fmt: skip
ETT: dict[str, Any] = {
    "context": 336, "encoder": "gru", "hidden": 32, "epochs": 6, "patience": 2, "lr": 5e-4,
    "scaling": "last", "validation_fraction": 0.25, "windows_per_epoch": 8192,
}  # fmt: skip
LEVELS = fastdl.forecast_losses.QUANTILES


def etth1() -> tuple[SeriesSet, float]:
    """OT up to the end of the test part, and the standard deviation of the training part."""
    series = read_series(SERIES / "ETTh1.csv", time="date", value="OT", frequency="h")
    series = series.cut(np.array([20 * MONTH]))
    return series, float(series.values[: 12 * MONTH].std())


def ett_error(horizon: int, seed: int | None) -> tuple[float, float]:
    """(MSE, MAE) of the test part's windows; seed None: the linear baseline's."""
    series, std = etth1()
    known = series.cut(np.array([16 * MONTH]))
    test = series.cut(series.length, 0, np.array([16 * MONTH]))
    if seed is None:
        model: Any = LinearWindow(336, scaling="last")
        maker, W, _ = model.solve(known.cut(np.array([12 * MONTH])), horizon)
    else:
        model = fastdl.AdSeriesForecaster(horizon=horizon, random_state=seed, **ETT).fit(known)
        maker = model.forecaster_.preparation.maker
    stream = WindowStream(test, maker)
    square = absolute = count = 0.0
    for start in range(0, stream.all_rows, 256):
        rows, origins = stream.place_of(np.arange(start, min(start + 256, stream.all_rows)))
        windows, _, seen = maker.make(test, rows, origins, stream.calendar)
        at = test.first[rows][:, None] + origins[:, None] + np.arange(horizon)
        if seed is None:
            x = np.ones((len(rows), 1 + maker.context))
            x[:, 1:] = windows.x[:, : maker.context, 0]
            point = windows.inverse(x @ W)
        else:
            point = model.forecaster_.of_windows(windows.blind(), np.array([0.5]))[0]
        miss = (test.values[at] - point)[seen > 0] / std
        square += float((miss**2).sum())
        absolute += float(np.abs(miss).sum())
        count += miss.size
    return square / count, absolute / count


def nab(seeds: list[int], folds_of: int = 14, **options: Any) -> None:
    """The pooled backtest of the four ad exchange series."""
    pooled: dict[str, list[tuple[Any, ...]]] = {}
    for name in ("2_cpc", "2_cpm", "3_cpc", "3_cpm"):
        series = read_series(SERIES / f"nab_exchange-{name}_results.csv", time="timestamp",
                             value="value", resample="h")  # fmt: skip
        folds = BacktestFolds(24, step=24, folds=folds_of)
        for seed in seeds:
            model = fastdl.AdSeriesForecaster(horizon=24, random_state=seed, **options)
            found = model.backtest(series, folds, baselines=seed == seeds[0])
            for key, test in found.items():
                actual, point, quantiles, scale = test.pooled()
                own = f"{key}, seed {seed}" if key == model.name else key
                pooled.setdefault(own, []).append((actual, point, quantiles, scale))
                if key in (model.name, "seasonal naive", "linear"):
                    m = test.metrics(found.get("seasonal naive"))
                    print(f"  {name} {own}: MAE {m['mae']:.4g}, CRPS {m['crps']:.4g}, "
                          f"coverage {coverage_of(m):.1%}", flush=True)  # fmt: skip
    totals = {key: pooled_metrics(parts) for key, parts in pooled.items()}
    naive = totals["seasonal naive"]
    for key, own in totals.items():
        print(f"NAB {key}: skill MAE {skill_score(own['mae'], naive['mae']):+.3f}, "
              f"CRPS {skill_score(own['crps'], naive['crps']):+.3f}, "
              f"80 % interval covers {coverage_of(own):.1%}", flush=True)  # fmt: skip


def coverage_of(metrics: dict[str, Any]) -> float:
    return float(interval_of(metrics)["covered"])


def pooled_metrics(parts: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Metrics of all series together, each in units of its mean absolute seasonal difference."""
    actual, point, quantiles = [], [], []
    for a, p, q, scale in parts:
        s = scale[:, None]
        actual.append(a / s)
        point.append(p / s)
        quantiles.append(q / s[..., None])
    return evaluate_forecast(*map(np.concatenate, (actual, point, quantiles)), LEVELS)


def memory() -> None:
    """Peak memory of this process, training on 10,000 generated series of 1,000 steps."""
    rng, t = np.random.default_rng(0), np.arange(1000)
    values = np.empty((10_000, 1000), np.float32)
    for row in values:
        season = 1 + 0.4 * np.sin(2 * np.pi * t / 24 + rng.uniform(0, 6))
        row[:] = rng.gamma(2, 50) * season + 5 * rng.standard_normal(1000)
    series = SeriesSet.from_arrays(values, frequency="h")
    del values
    model = fastdl.AdSeriesForecaster(horizon=24, epochs=2, embed_ids=True, random_state=0)
    start = time.perf_counter()
    model.fit(series)
    trained = time.perf_counter() - start
    model.predict()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rows = 2 * WINDOWS_PER_EPOCH
    print(f"10,000 series of 1,000 steps: peak {peak:.2f} GB; {rows:,} windows trained and "
          f"validated in {trained:.0f} s, all forecast in "
          f"{time.perf_counter() - start - trained:.1f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["ett", "nab", "memory", "all"], nargs="?", default="all")
    parser.add_argument("--horizons", default="24,48,168,336,720")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    if asked.what == "all":
        memory()  # first: the peak is the process's
    if asked.what in ("ett", "all"):
        for horizon in map(int, asked.horizons.split(",")):
            line = ett_error(horizon, None)
            start, found = time.perf_counter(), [ett_error(horizon, s) for s in range(asked.seeds)]
            mse, mae = np.mean(found, axis=0)
            spread = ", ".join(f"{m:.4f}" for m, _ in found)
            lstma, deepar = PUBLISHED[horizon]
            seconds = (time.perf_counter() - start) / asked.seeds
            print(f"ETTh1 OT {horizon}: MSE {mse:.4f} ({spread}), MAE {mae:.4f}; linear "
                  f"{line[0]:.4f}; published LSTMa {lstma}, DeepAR {deepar}; {seconds:.0f} s",
                  flush=True)  # fmt: skip
    if asked.what in ("nab", "all"):
        nab(list(range(asked.seeds)))
    if asked.what == "memory":
        memory()
