"""The commands of GANs: train-gan and generate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..flags import (
    OnError,
    OptionsFile,
    Out,
    Resume,
    Seed,
    Threads,
    begun,
)

if TYPE_CHECKING:
    from .results import GANOutcome


def _text(text: str) -> Any:
    return typer.Option(help=text)


def train_gan(
    context: typer.Context,
    data: Annotated[
        str | None, _text("Folder of images, or with a folder for each class; CSV of paths, .npz, "
                          "or folder of MNIST's or CIFAR-10's files; none: generated creatives.")
    ] = None,
    path_column: Annotated[str | None, _text("Of a CSV: the paths.")] = None,
    label_column: Annotated[str | None, _text("Of a CSV: the labels.")] = None,
    class_names: Annotated[
        str | None, _text("Of labels 0, 1 ... in MNIST's or .npz files: names, by comma.")
    ] = None,
    out: Out = None,
    on_error: OnError = "stop",
    options: OptionsFile = None,
    rows: Annotated[int, _text("How many creatives are generated.")] = 6000,
    difficulty: Annotated[float, _text("Of generated creatives, 0 to 1.")] = 0.0,
    labels: Annotated[
        str, _text("Of generated creatives: product, layout or action.")
    ] = "product",
    layouts: Annotated[
        str | None, _text("Of generated creatives: names by comma, or 'all'; default: centre.")
    ] = None,
    classes: Annotated[
        str, _text("'auto': images by class, where there are two or more; or 'none'.")
    ] = "auto",
    size: Annotated[
        int | None, _text("Pixels of a side: 28, 32 or 64; default: by the images.")
    ] = None,
    fit: Annotated[str, _text("Other aspect ratios: 'crop', 'pad' or 'stretch'.")] = "crop",
    latent: Annotated[int, _text("Random numbers that an image is made from.")] = 100,
    width: Annotated[int, _text("Channels of the largest maps.")] = 32,
    loss: Annotated[
        str, _text("non-saturating, minimax, least-squares, hinge or wasserstein.")
    ] = "hinge",
    normalization: Annotated[
        str, _text("Of the discriminator: batch, spectral or none.")
    ] = "spectral",
    minibatch_stddev: Annotated[
        bool, _text("The discriminator sees how much images differ.")
    ] = True,
    augment: Annotated[
        str, _text("Changes that the discriminator sees images with, for few of them: light, "
                   "standard or photographs, which are mirrored too.")
    ] = "none",
    average: Annotated[
        float | None, _text("What the average of the generator's weights keeps at a step; 0: no "
                            "average.")
    ] = 0.999,
    epochs: Annotated[int, _text("Passes over the images.")] = 40,
    batch_size: Annotated[int, _text("Images of one training step.")] = 64,
    optimizer: Annotated[
        str | None, _text("adam or rmsprop; default: by the loss.")
    ] = None,
    lr: Annotated[
        float | None, _text("Learning rate; default: 0.0002, or RMSprop's 0.00005.")
    ] = None,
    discriminator_lr: Annotated[
        float | None, _text("The discriminator's own learning rate.")
    ] = None,
    beta1: Annotated[float, _text("Adam's decay of the mean gradient.")] = 0.5,
    discriminator_steps: Annotated[
        int | None, _text("Of it for each of the generator; default: 1, for wasserstein 5.")
    ] = None,
    judge: Annotated[
        int, _text("Generated images that are compared with held-out ones; 0: none.")
    ] = 2000,
    judge_every: Annotated[int, _text("Epochs from one comparison to the next.")] = 5,
    patience: Annotated[int, _text("Epochs of a collapse before training stops.")] = 5,
    pictures: Annotated[int, _text("Images of each epoch's grid; 0: no pictures.")] = 64,
    keep: Annotated[
        str, _text("Decoded images are kept in 'memory', on 'disk' or 'nowhere'.")
    ] = "memory",
    seed: Seed = 0,
    threads: Threads = None,
    resume: Resume = False,
) -> None:  # fmt: skip
    """Train a GAN on images, judge what it makes, and leave model and pictures in a folder."""
    from ..data.skipped import skipped_table
    from ..report import facts_table
    from .job import GANJob
    from .pipeline import train_gan as train

    job, folder, console = begun(GANJob, context, options, out, threads, resume)

    def show(parts: Any) -> None:
        counts = parts.train.counts() if parts.classes else {"images": len(parts.train)}
        shown = {name: f"{count:,} images" for name, count in list(counts.items())[:30]}
        shown["held out"] = f"{len(parts.held):,} images"
        console.print(facts_table(shown, ("class" if parts.classes else "", "trains on")))

    outcome = train(job, folder, resume=resume, progress=console.is_terminal, on_data=show)
    if outcome.skipped:
        console.print(skipped_table(outcome.skipped))
    _print_outcome(console, outcome)


def _print_outcome(console: Any, outcome: GANOutcome) -> None:
    from ..report import judged_table
    from .results import PAGE

    if outcome.judged:
        console.print(judged_table(outcome.judged))
    for event in outcome.events:
        console.print(f"After epoch {event['epoch']}: {event['message']}", markup=False)
    text = f"Model, pictures and {PAGE} are in {outcome.folder}"
    console.print(text, soft_wrap=True, markup=False)


def generate(
    model: Annotated[Path, _text("Run folder of `fastdl train-gan`.")],
    out: Annotated[Path, _text("Folder for the images, which is made.")],
    count: Annotated[int, _text("How many images.")] = 64,
    class_: Annotated[
        str | None, typer.Option("--class", help="Of this class; default: of all, in turn.")
    ] = None,
    seed: Annotated[int, _text("Another seed gives other images.")] = 0,
    truncation: Annotated[
        float | None, _text("Farthest random number, such as 1: better images, more alike.")
    ] = None,
    grid: Annotated[bool, _text("All of them in grid.png, too.")] = False,
    threads: Threads = None,
) -> None:
    """Make new images with a trained GAN, as PNG files."""
    from .. import set_num_threads
    from .generate import generate_images

    if threads is not None:
        set_num_threads(threads)
    generate_images(
        model, count, out, class_name=class_, seed=seed, truncation=truncation, as_grid=grid
    )
    print(f"Wrote {count:,} images{f' of {class_}' if class_ else ''} to {out}")
