"""The command line: train, predict, the same on images, forecast, evaluate, inspect, bench ..."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .flags import (
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
from .forecasting.commands import forecast, predict_series
from .generation.commands import generate, train_gan
from .vision.commands import predict_image, train_image

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Neural networks on compiled CPU kernels: an ad log in, a calibrated model out.",
)  # fmt: skip
app.command("train-image")(train_image)
app.command("predict-image")(predict_image)
app.command("forecast")(forecast)
app.command("predict-series")(predict_series)
app.command("train-gan")(train_gan)
app.command("generate")(generate)

DataFile = Annotated[
    str | None,
    typer.Option(help="A file, folder or pattern; none: a generated log."),
]
Format = Annotated[
    str | None,
    typer.Option(help="criteo, avazu, csv, tsv, parquet, libsvm, libffm; default: by the name."),
]


@app.command()
def train(
    context: typer.Context,
    data: DataFile = None,
    valid: Annotated[
        str | None, typer.Option(help="Log that decides when to stop, in place of a share of data.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Log that tests, in place of a share of data.")
    ] = None,
    format: Format = None,
    model: Annotated[
        str,
        typer.Option(help="deepfm, dcnv2 ...: a model with embeddings; or ctrpredictionnetwork."),
    ] = "deepfm",
    label: Annotated[str | None, typer.Option(help="Name of the label column.")] = None,
    positive: Annotated[str | None, typer.Option(help="Label value that means a click.")] = None,
    out: Out = None,
    on_error: OnError = "stop",
    options: OptionsFile = None,
    rows: Annotated[int, typer.Option(help="Rows of the generated log.")] = 100_000,
    epochs: Annotated[int, typer.Option(help="At most so many passes over the data.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Rows of one training step.")] = 256,
    hidden: Annotated[str, typer.Option(help="Hidden layer sizes.")] = "64,32",
    buckets: Annotated[int, typer.Option(help="Indicator columns of one category column.")] = 32,
    embedding_dim: Annotated[int, typer.Option(help="Numbers in an id's vector.")] = 16,
    embedding_l2: Annotated[float, typer.Option(help="Penalty on embeddings.")] = 1e-5,
    min_count: Annotated[int, typer.Option(help="Rarer values of a field share an id.")] = 2,
    numbers: Annotated[
        str, typer.Option(help="Numeric columns as 'buckets' (of quantiles) or 'number' (scaled).")
    ] = "buckets",
    categories: Annotated[
        str, typer.Option(help="Other columns: values listed ('category') or 'hashed'.")
    ] = "category",
    hash_size: Annotated[int, typer.Option(help="Ids of a hashed column.")] = 100_000,
    fit_rows: Annotated[
        int | None, typer.Option(help="Rows that the encoder learns from; default: all that train.")
    ] = None,
    calibrate: Annotated[
        str | None, typer.Option(help="Calibrate on validation rows: platt, isotonic, temperature.")
    ] = None,
    warm_start: Annotated[
        str | None, typer.Option(help="Run folder whose model and encoder are trained further.")
    ] = None,
    cache: Annotated[
        bool, typer.Option(help="Keep encoded rows on disk while training, for later epochs.")
    ] = True,
    importance: Annotated[
        int, typer.Option(help="Test rows whose columns are shuffled for importance; 0: none.")
    ] = 5000,
    lr: Annotated[float, typer.Option(help="Adam's learning rate.")] = 0.001,
    patience: Patience = 2,
    split: Annotated[
        str, typer.Option(help="Test rows: the last in 'order', or 'random'.")
    ] = "order",
    seed: Seed = 0,
    threads: Threads = None,
    resume: Resume = False,
) -> None:
    """Train a CTR network, test it, and leave model, metrics and a picture in a run folder."""
    from .data import FeatureEncoder
    from .data.skipped import skipped_table
    from .job import Job
    from .pipeline import train_ctr
    from .report import columns_table, metrics_table
    from .results import PAGE

    job, folder, console = begun(Job, context, options, out, threads, resume)

    def show(encoder: object) -> None:
        if isinstance(encoder, FeatureEncoder):
            console.print(columns_table(encoder.describe()))

    outcome = train_ctr(job, folder, resume=resume, progress=console.is_terminal, on_encoder=show)
    if outcome.skipped:
        console.print(skipped_table(outcome.skipped))
    console.print(metrics_table(outcome.model, outcome.base, outcome.best, outcome.tested_on))
    console.print(f"Model, metrics and {PAGE} are in {outcome.folder}", soft_wrap=True)


@app.command()
def predict(
    model: Annotated[Path, typer.Option(help="Run folder of `fastdl train`.")],
    data: Annotated[str, typer.Option(help="Log to predict.")],
    out: Annotated[str, typer.Option(help="File for the probabilities, .csv or .parquet.")],
    format: Format = None,
    on_error: OnError = "stop",
) -> None:
    """Write the click probability of every row of a log."""
    from .data import Skipped
    from .scoring import predict_ctr

    report = Skipped()
    rows = predict_ctr(model, data, out, format=format, on_error=on_error, report=report)
    print_skipped(report)
    print(f"Wrote {rows:,} probabilities to {out}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="Run folder of `train` or `train-image`.")],
    data: Annotated[str, typer.Option(help="Log with labels, or images with classes.")],
    by: Annotated[
        str, typer.Option(help="Columns, by comma, whose values are evaluated singly.")
    ] = "",
    format: Format = None,
    label: Annotated[str | None, typer.Option(help="Default: as in training.")] = None,
    positive: Annotated[str | None, typer.Option(help="Default: as in training.")] = None,
    on_error: OnError = "stop",
    out: Annotated[str | None, typer.Option(help="JSON file for all metrics.")] = None,
) -> None:
    """Tell how good a model's probabilities are, overall and for each value of columns or class."""
    from rich.console import Console

    from .data import Skipped
    from .files import write_json
    from .report import metrics_table, values_table
    from .scoring import evaluate_ctr
    from .vision.trained import is_image_run

    columns = [name.strip() for name in by.split(",") if name.strip()]
    report = Skipped()
    if is_image_run(model):
        from .vision.commands import evaluate_image

        evaluate_image(model, data, out, on_error, {"by": by, "format": format, "label": label,
                                                    "positive": positive})  # fmt: skip
        return
    found = evaluate_ctr(model, data, format=format, label=label, positive=positive, by=columns,
                         on_error=on_error, report=report)  # fmt: skip
    found["skipped"] = report.entries()
    print_skipped(report)
    console = Console()
    console.print(metrics_table(found["test"], found["base_rate"]))
    for name, values in found["by"].items():
        console.print(values_table(name, values))
    if out is not None:
        write_json(out, found)


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(help="Run folder of training, finished or not.")],
    html: Annotated[
        Path | None, typer.Option(help="Write the results as a page, a file ending in .html.")
    ] = None,
) -> None:
    """Tell what is in a run folder: model, columns, epochs, metrics, checkpoints and files."""
    from rich.console import Console

    from .inspection import inspect_run, page_results
    from .report import run_tables, write_page

    found = inspect_run(run)
    console = Console()
    for table in run_tables(found):
        console.print(table)
    if found["problems"]:
        raise ValueError(" ".join(found["problems"]))
    if not found["finished"]:
        console.print("Training has not finished; --resume with the same --out goes on.")
    if html is not None:
        write_page(html, page_results(found), pictures=run / "pictures")
        console.print(f"The page is in {html}", soft_wrap=True, markup=False)


@app.command()
def info() -> None:
    """Tell CPU, BLAS core, threads, threading layer, cache folder and measured peak."""
    from .warm import info as facts

    for name, text in facts().items():
        print(f"{name + ':':<26}{text}")


@app.command()
def warmup(
    what: Annotated[
        str,
        typer.Argument(
            help="ctr: the CTR network's; image: train-image's; series: forecast's; gan: "
            "train-gan's; or all."
        ),
    ] = "ctr",
) -> None:
    """Compile kernels into the cache, so that no training has to wait for them."""
    from .warm import warmup as compile_kernels

    print(f"Kernels are ready after {compile_kernels(what=what):.1f} s.")


@app.command()
def bench(
    suite: Annotated[
        str,
        typer.Argument(
            help="all, training, optimizers, start, kernels, encoder, stream, plain ..."
        ),
    ] = "training",
) -> None:
    """Run a benchmark suite of the source checkout and print its table."""
    from .bench import run_suite

    raise typer.Exit(run_suite(suite))


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors that the user can mend are one line, without a traceback."""
    try:
        return app(args=arguments, standalone_mode=True)
    except (ValueError, TypeError, OSError, ArithmeticError, ImportError, MemoryError) as error:
        print(f"fastdl: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("fastdl: interrupted; --resume with the same --out goes on.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
