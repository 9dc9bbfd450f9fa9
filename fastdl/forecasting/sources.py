"""The series that a forecast is asked for, read and checked, and the folds that they allow."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Skipped
from ..data.series import BacktestFolds, SeriesSet, check_known, check_series, read_series
from ..data.series.generate import generate_ad_series
from ..files import write_json
from .job import ForecastJob

DATA = "data.json"
_FOLDS = 7  # by default, if they take no more than _SHARE of the time
_SHARE = 0.3


@dataclass(frozen=True)
class ForecastData:
    """The series, the folds of their backtest, the steps of a context, and what was left out."""

    series: SeriesSet
    folds: BacktestFolds
    context: int
    skipped: Skipped

    @property
    def negative(self) -> bool:
        """Whether a value before the first origin is below 0."""
        return is_negative(self.folds.before(self.series))

    def save(self, folder: Path) -> None:
        """Write data.json; ValueError where the run in the folder was begun with other data."""
        import json

        mine, path = self._fingerprint(), folder / DATA
        if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != mine:
            raise ValueError(
                f"The run in {folder} cannot be resumed: its series were other ones. Give the same "
                "data, or another --out."
            )
        write_json(path, mine)

    def _fingerprint(self) -> dict[str, Any]:
        series, crc = self.series, 0
        for i in range(len(series)):
            for array in (series.values_of(i), series.known_of(i), series.past_of(i)):
                crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), crc)
            crc = zlib.crc32(f"{series.ids[i]}{series.start[i]}".encode(), crc)
        return {
            "series": len(series), "steps": series.rows, "frequency": str(series.frequency),
            "zone": series.zone, "folds": self.folds.folds, "step": self.folds.step,
            "context": self.context, "checksum": f"{crc:08x}",
        }  # fmt: skip


def is_negative(series: SeriesSet) -> bool:
    """Whether a value is below 0."""
    return any(bool((series.values_of(i) < 0).any()) for i in range(len(series)))


def read_job(job: ForecastJob) -> ForecastData:
    """Read and check what a job names.

    Raises ValueError as ``read_series``, ``check_known`` and ``check_series``, and for folds that
    leave nothing to train on.
    """
    skipped = Skipped()
    series = job_series(job, skipped)
    try:
        check_known(series, job.horizon)
    except ValueError as error:
        raise ValueError(f"{error} Columns that nobody knows ahead are for --past.") from None
    recipe = job.estimator().recipe()
    for _ in range(2):  # series that are left out may move the origins
        context = recipe.steps_of_context(series)
        folds = chosen_folds(job, series, context)
        before = folds.before(series)
        context = min(context, recipe.steps_of_context(before))
        found = _fit_for(job, series, before, context, recipe.counts, skipped)
        if len(found) == len(series):
            break
        series = found
    return ForecastData(series, folds, context, skipped)


def job_series(job: ForecastJob, skipped: Skipped) -> SeriesSet:
    """The series of a job's table, or generated ones."""
    if job.data is None:
        frequency = job.frequency or job.resample or "h"
        ads = generate_ad_series(
            job.accounts, job.steps, frequency, job.seed, future=job.horizon, outages=0.02
        )
        return ads.series(job.figure)
    return read_table_series(job, job.data, skipped)


def read_table_series(job: ForecastJob, data: Any, skipped: Skipped) -> SeriesSet:
    """The series of a table with a job's columns and options."""
    value: Any = (job.value[0] if len(job.value) == 1 else job.value) or None
    found = read_series(
        data, time=job.time, value=value, series_id=job.series_id or None, known=job.known,
        past=job.past, static=job.static, frequency=job.frequency, resample=job.resample,
        how=job.how, fill=job.fill, time_format=job.time_format, time_zone=job.time_zone,
        sort=job.sort, format=job.format, on_error=job.on_error, report=skipped,
    )  # fmt: skip
    return without_tail(found, skipped)


def without_tail(series: SeriesSet, skipped: Skipped) -> SeriesSet:
    """Without the steps at the end at which no series has a value: rows of the future, mostly."""
    ticks = series.ticks
    last = max(
        int(ticks[i] + np.flatnonzero(~np.isnan(series.values_of(i)))[-1])
        for i in range(len(series))
    )
    empty = ticks + series.length - (last + 1)
    if not (empty > 0).any():
        return series
    text = f"{int(empty.max())} steps from {series.place(0, int(last + 1 - ticks[0]))} on"
    skipped.add("series", "no series has a value", int(np.maximum(empty, 0).sum()), [text])
    return series.cut(last + 1 - ticks)


def chosen_folds(job: ForecastJob, series: SeriesSet, context: int) -> BacktestFolds:
    """As many folds as are asked for, or up to seven that leave enough to train on.

    They take at most 30 % of the time, and leave a window before the first origin.
    """
    if job.folds is not None:
        return BacktestFolds(job.horizon, job.step, job.folds)
    step = job.horizon if job.step is None else job.step
    ticks = series.ticks
    total = int((ticks + series.length).max() - ticks.min())
    room = min(int(_SHARE * total), total - context - job.horizon) - job.horizon
    return BacktestFolds(job.horizon, job.step, 1 + max(0, min(_FOLDS - 1, room // step)))


def _fit_for(
    job: ForecastJob, series: SeriesSet, before: SeriesSet, context: int, counts: bool,
    skipped: Skipped,
) -> SeriesSet:  # fmt: skip
    """The series that can be trained on, now and before the first origin."""
    fine = check_series(series, context, job.horizon, counts=counts, on_error=job.on_error,
                        report=skipped)  # fmt: skip
    known = set(fine.ids)
    own = before[np.array([name in known for name in before.ids], bool)]
    try:
        kept = check_series(own, context, job.horizon, counts=counts, on_error=job.on_error,
                            report=skipped)  # fmt: skip
    except ValueError as error:
        raise ValueError(f"Before the first origin of the backtest: {error}") from None
    bad = set(own.ids) - set(kept.ids)
    if not bad and len(fine) == len(series):
        return series
    return fine[np.array([name not in bad for name in fine.ids], bool)]
