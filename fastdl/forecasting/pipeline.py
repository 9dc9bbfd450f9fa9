"""From a table of series to a trained forecaster, its backtest and a forecast in a run folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..callbacks import Callback, Checkpoint, ProgressBar
from ..data.series import SeriesSet
from ..estimators.series_forecaster import FORECASTER, AdSeriesForecaster
from ..inspection import CHECKPOINTS
from ..options import run_folder
from .job import ForecastJob
from .results import ForecastOutcome, report
from .sources import ForecastData, read_job
from .tested import Prepared, backtests

TESTED = "backtest"  # the folder of the forecaster that the backtest judged
AGAIN = f"{CHECKPOINTS}-refit"
_CHECKPOINT_SECONDS = 120.0


def forecast_series(
    job: ForecastJob, folder: str | os.PathLike[str], *, resume: bool = False,
    progress: bool = False, verbose: bool = True,
    on_data: Callable[[ForecastData], None] | None = None, callbacks: Sequence[Callback] = (),
) -> ForecastOutcome:  # fmt: skip
    """Fit a forecaster, backtest it beside the baselines, forecast what comes; fills ``folder``.

    The last folds are held back: the forecaster of the backtest is fitted on what lies before the
    first origin. With ``job.refit`` a second one is fitted on everything, and forecasts the steps
    to come. ``on_data`` is called before training begins; ``callbacks`` go to the Trainer.

    Raises ValueError, TypeError or OSError for series and options that cannot be used, and
    FileExistsError where the folder holds something already and ``resume`` is False.
    """
    start = time.perf_counter()
    job.estimator()  # parameters out of range are told before anything is read
    folder = run_folder(Path(folder), resume)
    if resume:
        job.check_same(folder)
    data = read_job(job)
    data.save(folder)
    job.save(folder)
    if on_data is not None:
        on_data(data)
    training = Training(job, data.context, progress, verbose, resume, callbacks)
    lower = None if job.allow_negative or data.negative else 0.0
    judged = Prepared(
        job.estimator(), lambda series: training.fit(series, folder / CHECKPOINTS, folder / TESTED)
    )
    tested = backtests(judged, data.series, data.folds, job.season, lower)
    seconds = {"fit and backtest": time.perf_counter() - start}
    own: AdSeriesForecaster = judged.forecaster
    if job.refit:
        if verbose:
            print("Fitting on all steps for the forecast:")
        own = training.fit(data.series, folder / AGAIN, None)
    own.save(folder)
    ahead = own.predict(data.series, job.horizon)
    ahead = ahead if lower is None else ahead.clipped(lower)
    seconds["all"] = time.perf_counter() - start
    return report(job, folder, data, own, tested, ahead, seconds)


class Training:
    """Fits the forecasters of a job with checkpoints; those of an earlier run are loaded."""

    def __init__(
        self, job: ForecastJob, context: int, progress: bool, verbose: bool, resume: bool,
        callbacks: Sequence[Callback],
    ) -> None:  # fmt: skip
        self.job, self.context, self.resume = job, context, resume
        self.verbose = verbose
        self.callbacks = [*callbacks, *([ProgressBar()] if progress else [])]

    def fit(self, series: SeriesSet, checkpoints: Path, done: Path | None) -> AdSeriesForecaster:
        """A forecaster of these series; ``done`` is the folder that keeps it, if one does."""
        if self.resume and done is not None and (done / FORECASTER).is_file():
            return AdSeriesForecaster.load(done)
        made = self.job.estimator().set_params(context=self.context, verbose=self.verbose)
        keep = Checkpoint(checkpoints, every_seconds=_CHECKPOINT_SECONDS)
        made.fit(
            series, callbacks=[keep, *self.callbacks], resume=checkpoints if self.resume else None
        )
        if done is not None:
            made.save(done)
        return made  # type: ignore[no-any-return]
