"""From an ad log to a trained CTR model in a run folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from .calibration import as_calibrator
from .callbacks import Callback, Checkpoint, EarlyStopping, ProgressBar
from .checkpoint import save
from .data import FeatureEncoder, LogEncoder, generate_ad_log, labels, one_hot, read_log
from .files import FORMAT_VERSION, write_json
from .models import ctr
from .models.ctr import CTRModel, CTRPredictionNetwork
from .optimizers import Adam
from .report import plot_run
from .scoring import ENCODER, FEATURES, METRICS, MODEL
from .trainer import Trainer

if TYPE_CHECKING:
    from pyarrow import Table

MODELS = {name.lower(): getattr(ctr, name) for name in ctr.__all__ if name != "CTRModel"}
DENSE = CTRPredictionNetwork.__name__.lower()
PICTURE = "report.png"


@dataclass(frozen=True)
class Job:
    """What ``fastdl train`` is asked for; the defaults are the command's."""

    data: str | None = None  # a file, or None for a generated log
    format: str | None = None
    model: str = DENSE
    label: str | None = None
    positive: str | None = None
    rows: int = 100_000  # of a generated log
    split: str = "order"
    hidden: tuple[int, ...] = (64, 32)
    buckets: int = 32  # indicator columns of a category, for the dense network
    embedding_dim: int = 16  # of the other models, as the next four
    embedding_l2: float = 1e-5
    min_count: int = 2
    numbers: str = "buckets"
    calibrate: str | None = None
    epochs: int = 20
    batch_size: int = 256
    lr: float = 0.001
    patience: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model.lower() not in MODELS:
            raise ValueError(f"model is {self.model!r}; expected one of {', '.join(MODELS)}.")
        if self.calibrate is not None:
            as_calibrator(self.calibrate)
            if self.model.lower() == DENSE:
                raise ValueError("--calibrate needs a model with embeddings: --model deepfm, say.")


@dataclass
class Outcome:
    """A finished job: metrics of the test rows and where the run folder is."""

    model: dict[str, Any]
    base: dict[str, Any]
    best: dict[str, Any] | None
    folder: Path


def train_ctr(
    job: Job, folder: str | os.PathLike[str], *, resume: bool = False, progress: bool = False,
    verbose: bool = True, on_encoder: Callable[[Any], None] | None = None,
) -> Outcome:  # fmt: skip
    """Train on 80 % of the log, stop on 10 %, test on the last 10 %; fills ``folder``.

    With ``job.calibrate`` probabilities are calibrated on the rows that decide when to stop.
    ``on_encoder`` is called with the encoder before training begins.

    Raises ValueError or TypeError for a log that cannot be used, and FileExistsError where the
    folder holds something already and ``resume`` is False.
    """
    folder = _run_folder(Path(folder), resume)
    table = _read(job)
    train, validation, test = _split(table, job)
    rng = np.random.default_rng(job.seed)
    network, encoder = _model(job, train, rng)
    if on_encoder is not None:
        on_encoder(encoder)
    x, y = encoder.transform(train), labels(train)
    x_val, y_val = encoder.transform(validation), labels(validation)
    target: Callable[[np.ndarray], np.ndarray] = one_hot
    if isinstance(network, CTRModel):
        network.start_from_rate(y)
        target = np.asarray
    trainer = Trainer(network, Adam(job.lr))
    callbacks: list[Callback] = [
        EarlyStopping(patience=job.patience), Checkpoint(folder / "checkpoints", every_steps=2000),
    ]  # fmt: skip
    trainer.train(
        x, target(y), x_val, target(y_val), job.epochs, job.batch_size, rng=rng,
        callbacks=[*callbacks, *([ProgressBar()] if progress else [])], loss_at="before",
        verbose=verbose, resume=folder / "checkpoints" if resume else None,
    )  # fmt: skip
    if isinstance(network, CTRModel) and job.calibrate is not None:
        network.calibrate(x_val, y_val, job.calibrate)
    save(network, folder / MODEL)
    described: Any = FEATURES
    if isinstance(encoder, FeatureEncoder):
        encoder.save(folder)
    else:
        described = encoder.to_dict()
    write_json(folder / ENCODER, {"format_version": FORMAT_VERSION, "encoder": described,
                                   "format": job.format})  # fmt: skip
    probability = network.predict_proba(encoder.transform(test))[:, 1]
    return _report(job, folder, trainer, float(y.mean()), test, probability)


def _model(
    job: Job, train: Table, rng: np.random.Generator
) -> tuple[CTRPredictionNetwork | CTRModel, Any]:
    """The network that is asked for, and the encoder that feeds it, fitted."""
    if job.model.lower() == DENSE:
        indicators = LogEncoder(buckets=job.buckets).fit(train)
        size = len(indicators.feature_names_)
        return CTRPredictionNetwork(size, list(job.hidden), rng=rng), indicators
    features = FeatureEncoder(numbers=job.numbers, min_count=job.min_count).fit(train)
    model = MODELS[job.model.lower()](
        features.spec_, job.embedding_dim, job.hidden, embedding_l2=job.embedding_l2, rng=rng
    )
    return model, features


def _run_folder(folder: Path, resume: bool) -> Path:
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"The run folder {folder} is a file; choose another with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not resume:
        raise FileExistsError(
            f"The run folder {folder} is not empty; choose another with --out, or go on with it by "
            "--resume."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(job: Job) -> Table:
    if job.data is None:
        return generate_ad_log(job.rows, seed=job.seed)
    return read_log(job.data, job.format, label=job.label, positive=job.positive)


def _split(table: Table, job: Job) -> Sequence[Table]:
    """80, 10 and 10 percent of the rows, in the log's order (time) or at random."""
    rows = len(table)
    if rows < 20:
        raise ValueError(f"The log has {rows} rows; training, validation and test need 20 or more.")
    if job.split not in ("order", "random"):
        raise ValueError(f"split is {job.split!r}; expected 'order' or 'random'.")
    if job.split == "random":
        table = table.take(np.random.default_rng(job.seed).permutation(rows))
    first, second = int(rows * 0.8), int(rows * 0.9)
    return table[:first], table[first:second], table[second:]


def _report(
    job: Job, folder: Path, trainer: Trainer, base_rate: float, test: Table,
    probability: np.ndarray,
) -> Outcome:  # fmt: skip
    y = labels(test)
    model = metrics.evaluate(y, probability)
    base = metrics.evaluate(y, np.full(len(y), base_rate))
    best, true = None, None
    if "click_probability" in test.column_names:
        true = test["click_probability"].to_numpy()
        best = metrics.evaluate(y, true)
    steps = len(trainer.loss_history) // max(1, len(trainer.history["epoch"]))
    history = {"step_loss": trainer.loss_history, "steps_per_epoch": steps}
    history |= {name: trainer.history[name] for name in ("epoch", "val_loss")}
    plot_run(folder / PICTURE, history=history, label=y, probability=probability,
             title=f"fastdl: {Path(job.data).name if job.data else 'generated ad log'}",
             best_possible=true)  # fmt: skip
    write_json(folder / METRICS, {"test": model, "base_rate": base, "best_possible": best,
                                   "history": trainer.history, "job": asdict(job)})  # fmt: skip
    return Outcome(model, base, best, folder)
