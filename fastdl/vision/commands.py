"""The commands on images: train-image and predict-image."""

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


def train_image(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder with a folder for each class, CSV of paths and labels, .npz, or folder "
            "of MNIST's or CIFAR-10's files; none: generated ad creatives."
        ),
    ] = None,
    valid: Annotated[
        str | None, typer.Option(help="Images that decide when to stop, in place of a share.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Images that test, in place of a share of data.")
    ] = None,
    path_column: Annotated[str | None, typer.Option(help="Of a CSV: the paths.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Of a CSV: the labels.")] = None,
    class_names: Annotated[
        str | None,
        typer.Option(help="Of labels 0, 1 ... in MNIST's or .npz files: names, by comma."),
    ] = None,
    out: Out = None,
    on_error: OnError = "stop",
    options: OptionsFile = None,
    rows: Annotated[int, typer.Option(help="How many creatives are generated.")] = 3000,
    difficulty: Annotated[float, typer.Option(help="Of generated creatives, 0 to 1.")] = 0.5,
    labels: Annotated[
        str, typer.Option(help="Of generated creatives: product, layout or action.")
    ] = "product",
    model: Annotated[str, typer.Option(help="adimagecnn, resnet or mobilenet.")] = "adimagecnn",
    size: Annotated[
        int | None, typer.Option(help="Pixels of a side; default: the images' own, or 64.")
    ] = None,
    fit: Annotated[
        str, typer.Option(help="Other aspect ratios: 'crop', 'pad' or 'stretch'.")
    ] = "crop",
    augment: Annotated[
        str, typer.Option(help="Random changes in training: none, light or standard.")
    ] = "light",
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of a target spread over all classes.")
    ] = None,
    mixup: Annotated[float | None, typer.Option(help="Alpha of mixing pairs of images.")] = None,
    class_weight: Annotated[
        str | None, typer.Option(help="'balanced': rare classes count more.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="At most so many passes over the images.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Images of one training step.")] = 64,
    optimizer: Annotated[str, typer.Option(help="adamw, or sgd with momentum 0.9.")] = "adamw",
    lr: Annotated[float, typer.Option(help="Largest rate; it warms up, then decays.")] = 0.003,
    weight_decay: Annotated[float, typer.Option(help="Decay of the weights.")] = 0.01,
    warmup: Annotated[float, typer.Option(help="Epochs in which the rate rises.")] = 1.0,
    patience: Patience = 10,
    keep: Annotated[
        str, typer.Option(help="Decoded images are kept in 'memory', on 'disk' or 'nowhere'.")
    ] = "memory",
    pictures: Annotated[
        int, typer.Option(help="Most wrong images in the report; 0: no images at all.")
    ] = 12,
    seed: Seed = 0,
    threads: Threads = None,
    resume: Resume = False,
) -> None:
    """Train an image classifier, test it, and leave model, metrics and pictures in a folder."""
    from ..data.skipped import skipped_table
    from ..report import class_table, facts_table, image_metrics_table
    from .job import ImageJob
    from .pipeline import train_images
    from .results import PAGE

    job, folder, console = begun(ImageJob, context, options, out, threads, resume)

    def show(parts: Any, preparation: Any) -> None:
        counts = parts.train.counts()
        shown = {name: f"{count:,} images" for name, count in list(counts.items())[:30]}
        console.print(facts_table(shown, ("class", "trains on")))

    outcome = train_images(job, folder, resume=resume, progress=console.is_terminal, on_data=show)
    if outcome.skipped:
        console.print(skipped_table(outcome.skipped))
    console.print(class_table(outcome.model))
    console.print(image_metrics_table(outcome.model, outcome.base, outcome.tested_on))
    console.print(f"Model, metrics and {PAGE} are in {outcome.folder}", soft_wrap=True)


def predict_image(
    model: Annotated[Path, typer.Option(help="Run folder of `fastdl train-image`.")],
    data: Annotated[
        list[str], typer.Option(help="Images, folders, CSV or .npz files; may be repeated.")
    ],
    out: Annotated[str, typer.Option(help="CSV file for classes and probabilities.")],
    on_error: OnError = "stop",
) -> None:
    """Write the class of every image and the probability of each class."""
    from ..data import Skipped
    from .predict import predict_images

    report = Skipped()
    rows = predict_images(model, data, out, on_error=on_error, report=report)
    print_skipped(report)
    print(f"Wrote the classes of {rows:,} images to {out}")


def evaluate_image(
    model: Path, data: str, out: str | None, on_error: str, not_taken: dict[str, Any]
) -> None:
    """What ``fastdl evaluate`` does for a model of images."""
    from rich.console import Console

    from ..data import Skipped
    from ..files import write_json
    from ..report import class_table, image_metrics_table
    from .predict import evaluate_images

    given = [f"--{name}" for name, value in not_taken.items() if value]
    if given:
        raise ValueError(f"{', '.join(given)}: options of logs; {model} is a model of images.")
    report = Skipped()
    found = evaluate_images(model, data, on_error=on_error, report=report)
    found["skipped"] = report.entries()
    print_skipped(report)
    console = Console()
    console.print(class_table(found["test"]))
    console.print(image_metrics_table(found["test"], found["base_rate"], "given"))
    if out is not None:
        write_json(out, found)
