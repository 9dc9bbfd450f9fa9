"""Fitting a classifier to files that are too many to hold in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callbacks import Callback, EarlyStopping
from ..data import EncodedLog, FeatureEncoder
from ..data.labels import counted
from ..data.log import Log
from ..data.split import Part, split
from ..optimizers import KernelOptimizer
from ..trainer import Trainer
from ..validation import check_number
from .fitting import LEAST_VALIDATION, batch_rows, bucket_columns, make_model, model_class
from .samples import Source, is_path, log_of

if TYPE_CHECKING:
    from .table_classifier import TableClassifier

LEAST_ROWS = 1_000_000  # of files; fewer are read into memory as frames are


def large_log(X: Any, source: Source, sample_weight: Any, eval_set: Any) -> Log | None:
    """The log that X names, if its rows are to be streamed."""
    if sample_weight is not None or not is_path(X) or not (eval_set is None or is_path(eval_set)):
        return None
    log = log_of(X, source)
    return log if log.count() >= LEAST_ROWS else None


def fit_stream(
    classifier: TableClassifier, log: Log, source: Source, eval_set: Any,
    optimizer: KernelOptimizer, rng: np.random.Generator, going_on: bool,
) -> None:  # fmt: skip
    """As ``fit``, with blocks of encoded rows in a temporary folder in the place of arrays."""
    parts = _parts(classifier, log, source, eval_set, rng)
    if not going_on:
        _begin(classifier, parts[0], source, rng)
    with tempfile.TemporaryDirectory(prefix="fastdl-") as folder:
        logs = [
            EncodedLog(part.pieces, classifier.encoder_, part.rows, folder=Path(folder) / str(i))
            for i, part in enumerate(parts)
        ]
        _train(classifier, logs, optimizer, rng)


def _parts(
    classifier: Any, log: Log, source: Source, eval_set: Any, rng: np.random.Generator
) -> list[Part]:
    """The rows that train and, if there are, those that decide when to stop."""
    fraction = check_number(
        classifier.validation_fraction, "validation_fraction", high=1.0, open_high=True
    )
    total = log.count()
    if eval_set is not None:
        held = log_of(eval_set, source)
        return [Part(log, total), Part(held, held.count())]
    if total * fraction < LEAST_VALIDATION:
        classifier._check_calibrate(None)
        return [Part(log, total)]
    return split(log, total, "random", (1 - fraction, fraction), int(rng.integers(1 << 31)))


def _begin(
    classifier: TableClassifier, part: Part, source: Source, rng: np.random.Generator
) -> None:
    """Learn classes, names, encoder and share of clicks; build the model."""
    first = next(part.tables())
    classifier._forget()
    classifier.classes_ = np.array([0, 1])
    features = [name for name in first.column_names if name != "label"]
    classifier.n_features_in_ = len(features)
    classifier.feature_names_in_ = np.array(features, object)
    classifier.label_, classifier.format_, classifier.by_name_ = source.label, source.format, True
    classifier.positive_ = source.positive
    columns = bucket_columns(
        first, classifier.numbers, classifier.buckets or 64, classifier.columns
    )
    counts = [0.0, 0.0]
    classifier.encoder_ = FeatureEncoder(
        numbers=classifier.numbers, min_count=classifier.min_count, columns=columns
    ).fit(counted(part.pieces(), counts))
    rate = np.array([counts[1] / counts[0]])
    classifier.model_ = make_model(
        model_class(classifier.model), classifier.encoder_.spec_, rate, None,
        classifier.hidden, rng, embedding_dim=classifier.embedding_dim,
        dropout=classifier.dropout, embedding_l2=classifier.embedding_l2,
        **(classifier.model_options or {}),
    )  # fmt: skip


def _train(
    classifier: TableClassifier, logs: list[EncodedLog], optimizer: KernelOptimizer,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    model, held = classifier.model_, logs[1] if len(logs) > 1 else None
    callbacks: list[Callback] = [EarlyStopping(patience=classifier.patience)] if held else []
    trainer = Trainer(model, optimizer)
    trainer.train(
        logs[0], None, held, None, classifier.epochs,
        batch_rows(classifier.batch_size, logs[0].rows), callbacks=callbacks, rng=rng,
        loss_at="before", verbose=bool(classifier.verbose),
    )  # fmt: skip
    classifier.history_, classifier.n_iter_ = trainer.history, len(trainer.history["epoch"])
    model.calibrators.clear()
    if held is not None and classifier.calibrate is not None:
        model.calibrate(held, None, classifier.calibrate)
