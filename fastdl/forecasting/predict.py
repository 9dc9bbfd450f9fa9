"""Forecasts of further data with the forecaster of a run folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data import Skipped
from ..estimators.series_forecaster import AdSeriesForecaster
from ..options import JOB, options_from
from .forecast import Forecast
from .job import ForecastJob
from .results import write_table
from .sources import is_negative, read_table_series


def predict_series(
    folder: str | os.PathLike[str], data: Any, out: str | os.PathLike[str] | None = None, *,
    horizon: int | None = None, on_error: str = "stop", report: Skipped | None = None,
) -> Forecast:  # fmt: skip
    """Forecast what comes behind the last step of each series of a table; write it to ``out``.

    data: a table with the columns that the run's had, read with its options. out: .csv or .parquet.
    horizon: by default the run's. Raises FileNotFoundError and ValueError for a run folder that is
    incomplete or damaged, and as ``read_series``.
    """
    folder = Path(folder)
    if out is not None and Path(out).suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"The output file is {out}; expected a name ending in .csv or .parquet.")
    forecaster = AdSeriesForecaster.load(folder)
    job = replace(run_job(folder), on_error=on_error)
    if job.resample is None and job.frequency is None:
        job = replace(job, frequency=forecaster.forecaster_.preparation.frequency)
    series = read_table_series(job, data, Skipped() if report is None else report)
    found = forecaster.predict(series, horizon)
    if not job.allow_negative and not is_negative(series):
        found = found.clipped(0.0)
    if out is not None:
        write_table(Path(out), found.table())
    return found


def run_job(folder: Path) -> ForecastJob:
    """What the run in a folder was asked for."""
    import json

    path = folder / JOB
    if not path.is_file():
        raise FileNotFoundError(f"The run folder {folder} is incomplete: it has no {JOB}.")
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["job"]
        return options_from(ForecastJob, known, str(path))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
