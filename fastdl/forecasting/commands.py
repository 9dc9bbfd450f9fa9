"""The commands on series: forecast and predict-series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..flags import (
    OnError,
    OptionsFile,
    Out,
    Patience,
    Resume,
    Seed,
    Threads,
    begun,
    print_skipped,
)


def _text(text: str) -> Any:
    return typer.Option(help=text)


def forecast(
    context_: typer.Context,
    data: Annotated[
        str | None, _text("CSV, TSV or Parquet, long or wide; none: generated ad series.")
    ] = None,
    time: Annotated[str | None, _text("Column of times; default: time, date, hour ...")] = None,
    value: Annotated[
        str | None, _text("Column of values; several, by comma: a series in each.")
    ] = None,
    horizon: Annotated[int, _text("Steps that are forecast.")] = 24,
    series_id: Annotated[
        str | None, _text("Column, or columns by comma, that tell series apart.")
    ] = None,
    known: Annotated[
        str | None, _text("Columns known ahead, by comma: rows without a value reach into the "
                          "future.")
    ] = None,
    past: Annotated[str | None, _text("Columns known no earlier than the values.")] = None,
    static: Annotated[str | None, _text("Columns that a series has one value of.")] = None,
    frequency: Annotated[
        str | None, _text("h, 15min, D, W, MS ...; default: found from the times.")
    ] = None,
    resample: Annotated[
        str | None, _text("Frequency that irregular times and gaps are brought to.")
    ] = None,
    how: Annotated[str, _text("Several rows of a step: their mean, sum or last.")] = "mean",
    fill: Annotated[
        str | None, _text("Steps without a value: previous, interpolate or a number.")
    ] = None,
    time_format: Annotated[str | None, _text("As '%d.%m.%Y'; s, ms or us since 1970.")] = None,
    time_zone: Annotated[str | None, _text("Zone of the times, as Europe/Berlin.")] = None,
    sort: Annotated[bool, _text("Sort rows by time.")] = False,
    format: Annotated[str | None, _text("csv, tsv or parquet; default: by the name.")] = None,
    out: Out = None,
    on_error: OnError = "stop",
    options: OptionsFile = None,
    accounts: Annotated[int, _text("How many series are generated.")] = 10,
    steps: Annotated[int, _text("Steps of generated series.")] = 1000,
    figure: Annotated[
        str, _text("Of generated series: impressions, clicks, spend, cpc or cpm.")
    ] = "clicks",
    model: Annotated[str, _text("direct, or autoregressive (DeepAR).")] = "direct",
    context: Annotated[int | None, _text("Steps that a forecast sees; default: two seasons.")] = (
        None
    ),
    encoder: Annotated[str, _text("lstm, gru, rnn or conv.")] = "lstm",
    hidden: Annotated[int, _text("Numbers of the encoder's state.")] = 64,
    num_layers: Annotated[int, _text("Layers of the encoder.")] = 1,
    dropout: Annotated[float, _text("Share dropped between layers.")] = 0.0,
    head: Annotated[
        str | None, _text("quantile, gaussian, student_t or negative_binomial (counts).")
    ] = None,
    scaling: Annotated[
        str | None, _text("Of windows: none, mean_abs, standard, last ...; default: by the linear "
                          "baseline.")
    ] = None,
    attention: Annotated[bool, _text("Attention over the context's steps.")] = False,
    linear: Annotated[bool, _text("A linear part, which begins as the baseline.")] = True,
    embed_ids: Annotated[bool, _text("A learned vector for each series.")] = False,
    epochs: Annotated[int, _text("At most so many passes over the windows.")] = 20,
    batch_size: Annotated[int, _text("Windows of one training step.")] = 64,
    lr: Annotated[float, _text("Adam's first learning rate; it decays.")] = 0.003,
    patience: Patience = 3,
    validation_fraction: Annotated[
        float, _text("Share of the time, its end, that decides when to stop.")
    ] = 0.2,
    windows_per_epoch: Annotated[
        int | None, _text("Windows drawn for an epoch; default: all, up to 50,000.")
    ] = None,
    conformal: Annotated[bool, _text("Correct quantiles by the newest unseen windows.")] = True,
    folds: Annotated[
        int | None, _text("Origins of the backtest; default: up to 7, as fit.")
    ] = None,
    step: Annotated[int | None, _text("Steps between origins; default: the horizon.")] = None,
    season: Annotated[
        int | None, _text("Steps of a season, for baselines and MASE; default: the frequency's.")
    ] = None,
    refit: Annotated[bool, _text("Fit anew on all steps for the forecast.")] = True,
    allow_negative: Annotated[
        bool, _text("Forecast below 0 although no value was negative.")
    ] = False,
    anomaly_threshold: Annotated[
        float, _text("Score, -log10 of a probability, of an anomaly.")
    ] = 3.0,
    seed: Seed = 0,
    threads: Threads = None,
    resume: Resume = False,
) -> None:  # fmt: skip
    """Forecast series with bands, backtest beside baselines, flag anomalies, all in a folder."""
    from ..data.skipped import skipped_table
    from ..report import forecast_table
    from .job import ForecastJob
    from .pipeline import forecast_series
    from .results import FORECAST, PAGE

    job, folder, console = begun(ForecastJob, context_, options, out, threads, resume)
    outcome = forecast_series(
        job, folder, resume=resume, progress=console.is_terminal,
        on_data=lambda found: _print_data(console, found),
    )  # fmt: skip
    if outcome.skipped:
        console.print(skipped_table(outcome.skipped))
    own = outcome.models[outcome.name]
    console.print(forecast_table(outcome.models, own["values"]))
    skill = (own.get("skill") or {}).get("crps")
    if skill is not None:
        console.print(f"Skill against the seasonal naive (CRPS): {skill:+.1%}", highlight=False)
    print(f"{outcome.anomalies:,} of {own['values']:,} values are anomalies.")
    print(f"Model, metrics, {FORECAST} and {PAGE} are in {outcome.folder}")


def _print_data(console: Any, found: Any) -> None:
    from rich.markup import escape

    series, folds = found.series, found.folds
    console.print(escape(repr(series)), highlight=False)
    if series.report is not None:
        console.print(escape(series.report.summary()), highlight=False, soft_wrap=True)
    step = folds.horizon if folds.step is None else folds.step
    console.print(
        f"Backtest: {folds.folds} folds of {folds.horizon} steps, {step} apart; "
        f"contexts of {found.context} steps.", highlight=False,
    )  # fmt: skip


def predict_series(
    model: Annotated[Path, _text("Run folder of `fastdl forecast`.")],
    data: Annotated[str, _text("Table with the columns that the run's had.")],
    out: Annotated[Path, _text("File for the forecast, .csv or .parquet.")],
    horizon: Annotated[int | None, _text("Steps; default: as in training.")] = None,
    on_error: OnError = "stop",
) -> None:
    """Forecast what comes behind the last step of each series of further data."""
    from ..data import Skipped
    from .predict import predict_series as predict

    report = Skipped()
    found = predict(model, data, out, horizon=horizon, on_error=on_error, report=report)
    print_skipped(report)
    steps = f"{found.horizon} step{'s' * (found.horizon != 1)}"
    print(f"Wrote {steps} of {len(found):,} series to {out}")
