"""What the commands share: their common options, the run folder, what was left out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from .data import Skipped
    from .options import Options

Kind = TypeVar("Kind", bound="Options")

OnError = Annotated[str, typer.Option(help="Bad rows and files: 'stop', or 'skip' and count them.")]
Out = Annotated[Path | None, typer.Option(help="Run folder; default runs/<time>.")]
OptionsFile = Annotated[
    Path | None, typer.Option(help="TOML file with options; those given here go before.")
]
Patience = Annotated[int, typer.Option(help="Epochs without gain before stopping.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Threads = Annotated[int | None, typer.Option(help="Number of threads.")]
Resume = Annotated[bool, typer.Option(help="Go on with the run in --out.")]

_NOT_OF_THE_JOB = ("out", "options", "threads", "resume")


def chosen_folder(out: Path | None, resume: bool) -> Path:
    """The run folder: --out, or by default one named by the time."""
    if resume and out is None:
        raise ValueError("--resume needs --out, the folder of the run to go on with.")
    return out or Path("runs") / datetime.now().strftime("%Y%m%d-%H%M%S")


def asked_options(context: typer.Context, options: Path | None) -> tuple[dict[str, Any], str]:
    """Options of flags and, where a flag was not given, of an options file; and where from."""
    from .options import read_options

    flags = {n: v for n, v in context.params.items() if n not in _NOT_OF_THE_JOB}
    sources = {name: context.get_parameter_source(name) for name in flags}
    given = {n: v for n, v in flags.items() if getattr(sources[n], "name", "") != "DEFAULT"}
    if options is None:
        return flags, "The command line"
    return {**flags, **read_options(options), **given}, str(options)


def compiling_note(console: Console) -> None:
    """Say so where nothing has been compiled for this machine."""
    from .kernels.jit import cache_folder

    folder = cache_folder()
    if folder is None or not any(folder.glob("*.nbi")):
        console.print("Compiling kernels for this machine, which takes about half a minute ...")


def begun(
    kind: type[Kind], context: typer.Context, options: Path | None, out: Path | None,
    threads: int | None, resume: bool,
) -> tuple[Kind, Path, Console]:  # fmt: skip
    """How a command that trains begins: what it is asked for, its run folder, and a console."""
    from rich.console import Console

    from . import set_num_threads
    from .options import options_from

    if threads is not None:
        set_num_threads(threads)
    job = options_from(kind, *asked_options(context, options))
    folder = chosen_folder(out, resume)
    console = Console()
    compiling_note(console)
    return job, folder, console


def print_skipped(report: Skipped) -> None:
    """A table of what was left out, if anything was."""
    if report:
        from rich.console import Console

        from .data.skipped import skipped_table

        Console().print(skipped_table(report.entries()))
