"""What a finished training leaves: metrics, a picture and a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from .data import LogEncoder, labels
from .data.cut_table import CutTable
from .data.split import Part
from .files import write_json
from .importance import column_groups, permutation_importance
from .inspection import described_columns
from .job import Job
from .models.ctr import CTRModel, CTRPredictionNetwork
from .progressive import ProgressiveValidation
from .report import curves, loss_curve, plot_run, write_page
from .runs import METRICS
from .scoring import score
from .trainer import Trainer

if TYPE_CHECKING:
    from pyarrow import Table

PICTURE, PAGE = "report.png", "report.html"


@dataclass
class Outcome:
    """A finished job: metrics of the test rows and where the run folder is."""

    model: dict[str, Any]
    base: dict[str, Any]
    best: dict[str, Any] | None
    folder: Path
    tested_on: str = "test"  # or "validation", where there were no rows for a test
    skipped: list[dict[str, Any]] = field(default_factory=list)  # bad rows, by file and reason


@dataclass
class Parts:
    """The rows that train, those that decide when to stop, and those that test, if any."""

    train: Part
    validation: Part
    test: Part | None
    skipped: list[dict[str, Any]]  # entries of the logs' ``Skipped``

    def named(self) -> dict[str, Part]:
        """The parts by name."""
        found = {"train": self.train, "validation": self.validation}
        return found if self.test is None else {**found, "test": self.test}


@dataclass
class Prepared:
    """A network, its encoder, and what the Trainer takes."""

    network: CTRPredictionNetwork | CTRModel
    encoder: Any
    rate: float  # share of clicks in the rows that train
    x: Any
    t: Any
    x_val: Any
    t_val: Any


def report(
    job: Job, folder: Path, trainer: Trainer, parts: Parts, prepared: Prepared,
    progressive: ProgressiveValidation | None, seconds: float,
) -> Outcome:  # fmt: skip
    """Test the trained network and write metrics.json, the picture and the page."""
    tested = parts.test or parts.validation
    sample: list[Table] = []
    pieces = tested.tables() if isinstance(prepared.encoder, LogEncoder) else tested.pieces()
    if job.importance:
        pieces = _sampled(pieces, -(-tested.rows // job.importance), sample)
    y, probability, true = score(prepared.network, prepared.encoder, pieces)
    model = metrics.evaluate(y, probability)
    base = metrics.evaluate(y, np.full(len(y), prepared.rate))
    best = None if true is None else metrics.evaluate(y, true)
    on = "test" if parts.test else "validation"
    steps = len(trainer.loss_history) // max(1, len(trainer.history["epoch"]))
    results = {
        "test": model, "base_rate": base, "best_possible": best, "tested_on": on,
        "history": trainer.history, "job": job.to_dict(),
        "loss_curve": loss_curve(trainer.loss_history, steps),
        "curves": curves(y, probability, true),
        "progressive": progressive.table() if progressive else None,
        "importance": _importance(prepared, sample, job.seed) if job.importance else None,
        "columns": described_columns(prepared.encoder), "skipped": parts.skipped,
        "facts": _facts(trainer, parts, seconds, on),
    }  # fmt: skip
    write_json(folder / METRICS, results)
    history = {"step_loss": trainer.loss_history, "steps_per_epoch": steps}
    history |= {name: trainer.history[name] for name in ("epoch", "val_loss")}
    name = Path(job.data).name if job.data else "generated ad log"
    plot_run(folder / PICTURE, history=history, label=y, probability=probability,
             title=f"fastdl: {name}", best_possible=true)  # fmt: skip
    write_page(folder / PAGE, results)
    return Outcome(model, base, best, folder, on, parts.skipped)


def _facts(trainer: Trainer, parts: Parts, seconds: float, on: str) -> dict[str, Any]:
    rows = {f"{name} rows": part.rows for name, part in parts.named().items()}
    epochs = sum(trainer.history["seconds"])
    trained = parts.train.rows * len(trainer.history["epoch"])
    if parts.skipped:
        rows["skipped rows"] = sum(entry["rows"] for entry in parts.skipped)
    return {
        **rows, "metrics of": f"{on} rows", "seconds in all": round(seconds, 1),
        "rows trained a second": round(trained / epochs) if epochs else None,
        "fastdl": version("fastdl"), "NumPy": np.__version__, "numba": version("numba"),
    }  # fmt: skip


def _importance(prepared: Prepared, sample: list[Table], seed: int) -> dict[str, Any]:
    """Permutation importance of the log's columns, on some of the tested rows."""
    import pyarrow as pa

    table = pa.concat_tables(sample)
    encoder, names = prepared.encoder, None
    if isinstance(encoder, LogEncoder):
        names = encoder.feature_names_
    return permutation_importance(
        prepared.network, encoder.transform(table), labels(table), names=names,
        groups=column_groups(encoder), rng=np.random.default_rng(seed),
    )  # fmt: skip


def _sampled(pieces: Iterator[Any], every: int, sample: list[Table]) -> Iterator[Any]:
    """The pieces; every so many-th row is kept in ``sample`` in passing."""
    first = 0
    for piece in pieces:
        own = piece.filter((np.arange(first, first + len(piece)) % every) == 0)
        sample.append(own.to_arrow() if isinstance(own, CutTable) else own)
        first += len(piece)
        yield piece
