"""What a finished forecast leaves: tables, metrics, a picture and a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.series import SeriesSet
from ..data.series.frequency import shown
from ..files import write_atomically, write_json
from ..report import write_page
from ..report.series_picture import plot_series_run
from ..runs import METRICS
from .anomaly import anomaly_columns, columns_table
from .backtest import Backtest
from .forecast import Forecast
from .job import ForecastJob
from .shown import residuals, series_pictures, shown_series
from .sources import ForecastData
from .tested import JUDGE, calibration, judged, steps_judged

if TYPE_CHECKING:
    from pyarrow import Table

    from ..estimators.series_forecaster import AdSeriesForecaster

PICTURE, PAGE = "report.png", "report.html"
FORECAST, BACKTEST, ANOMALIES = "forecast.csv", "backtest.csv", "anomalies.csv"
_WORST = 100  # anomalies that metrics.json lists
_LISTED = 200  # series whose resampling it lists


@dataclass
class ForecastOutcome:
    """A finished forecast: metrics of the backtest by forecaster, and where the run folder is."""

    models: dict[str, dict[str, Any]]
    name: str
    forecast: Forecast
    backtests: dict[str, Backtest]
    folder: Path
    anomalies: int
    skipped: list[dict[str, Any]] = field(default_factory=list)


def report(
    job: ForecastJob, folder: Path, data: ForecastData, own: AdSeriesForecaster,
    tested: dict[str, Backtest], ahead: Forecast, seconds: dict[str, float],
) -> ForecastOutcome:  # fmt: skip
    """Write forecast.csv, backtest.csv, anomalies.csv, metrics.json, the picture and the page."""
    name, mine = own.name, tested[own.name]
    models = judged(tested)
    write_table(folder / FORECAST, ahead.table())
    scored = anomaly_columns(mine, job.anomaly_threshold)
    everything = columns_table(scored, data.series.zone)
    write_table(folder / BACKTEST, backtest_table(tested, everything))
    write_table(folder / ANOMALIES, everything.filter(everything["flagged"]))
    anomalies = _anomalies(scored, data.series.zone, job.anomaly_threshold)
    chosen = shown_series(mine, job.seed)
    results = {
        "kind": "series", "name": name, "judge": JUDGE, "test": models[name], "models": models,
        "by_step": {key: steps_judged(tested[key]) for key in dict.fromkeys((name, JUDGE))},
        "calibration": calibration(mine), "residuals": residuals(mine), "anomalies": anomalies,
        "shown": series_pictures(data.series, mine, ahead, chosen, job.anomaly_threshold),
        "resampling": resampling(data.series), "skipped": data.skipped.entries(),
        "history": own.history_, "job": job.to_dict(),
        "facts": _facts(data, own, mine, seconds),
    }  # fmt: skip
    write_json(folder / METRICS, results)
    plot_series_run(folder / PICTURE, results, f"fastdl: {Path(job.source).name}")
    write_page(folder / PAGE, results)
    return ForecastOutcome(models, name, ahead, tested, folder, anomalies["count"],
                           data.skipped.entries())  # fmt: skip


def write_table(path: Path, table: Table) -> None:
    """A table as CSV or, by the name, Parquet, atomically."""
    from pyarrow import csv, parquet

    if path.suffix.lower() == ".parquet":
        write_atomically(path, lambda temporary: parquet.write_table(table, temporary))
    else:
        write_atomically(path, lambda temporary: csv.write_csv(table, temporary))


def backtest_table(tested: dict[str, Backtest], own: Table) -> Table:
    """Every fold, series and step: the own forecast with its interval, the baselines' points."""
    points = {
        f"point of {name}": np.concatenate([f.point.reshape(-1) for f in found.forecasts])
        for name, found in list(tested.items())[1:]
    }
    for name, column in points.items():
        own = own.append_column(name, [column])
    return own


def resampling(series: SeriesSet) -> dict[str, Any] | None:
    """The report of the resampling, if there was one: a sentence, and counts of each series."""
    if series.report is None:
        return None
    found = series.report.to_dict()
    return {"summary": series.report.summary(), **found, "series": found["series"][:_LISTED]}


def _anomalies(found: dict[str, Any], zone: str | None, threshold: float) -> dict[str, Any]:
    rows = np.flatnonzero(found["flagged"])
    rows = rows[np.argsort(-found["score"][rows], kind="stable")]
    worst = [
        {"series": str(found["series"][r]), "time": shown(found["time"][r].astype(np.int64), zone),
         "step": int(found["step"][r]),
         **{k: float(f"{found[k][r]:.6g}") for k in ("actual", "point", "lower", "upper", "score")}}
        for r in rows[:_WORST]
    ]  # fmt: skip
    values = int((~np.isnan(found["score"])).sum())
    return {"threshold": threshold, "count": len(rows), "values": values, "worst": worst}


def _facts(
    data: ForecastData, own: AdSeriesForecaster, tested: Backtest, seconds: dict[str, float]
) -> dict[str, Any]:
    series, made = data.series, own.forecaster_
    shortest, longest = int(series.length.min()), int(series.length.max())
    weights = sum(a.size for layer in own.model_.layers for a in layer.parameters().values())
    last = int(series.frequency.after(series.start, series.length - 1).max())
    return {
        "series": len(series), "frequency": str(series.frequency), "zone": series.zone,
        "steps of a series": longest if shortest == longest else f"{shortest:,} to {longest:,}",
        "values": int((~np.isnan(series.values)).sum()), "last step": shown(last, series.zone),
        "folds of the backtest": len(tested.folds),
        "first origin": str(tested.folds[0].time).replace("T", " ").removesuffix(".000000"),
        "context": data.context, "scaling": made.preparation.maker.scaling,
        "parameters": weights,
        **{f"seconds of {what}": round(value, 1) for what, value in seconds.items()},
        "fastdl": version("fastdl"), "NumPy": np.__version__, "numba": version("numba"),
    }  # fmt: skip
