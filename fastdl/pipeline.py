"""From an ad log to a trained CTR model in a run folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .callbacks import Callback, Checkpoint, EarlyStopping, ProgressBar
from .checkpoint import save
from .data import EncodedLog, FeatureEncoder, LogEncoder, labels, one_hot
from .data.generated_log import GeneratedLog
from .data.labels import counted
from .data.log import Log
from .data.split import Part, RowSource, split
from .files import write_json
from .inspection import CHECKPOINTS
from .job import MODELS, Job
from .memory import available_memory
from .models.ctr import CTRModel, CTRPredictionNetwork
from .models.ctr.growth import grown
from .optimizers import Adam
from .options import run_folder
from .progressive import ProgressiveValidation
from .results import Outcome, Parts, Prepared, report
from .runs import MODEL
from .scoring import ENCODER, click_rate, load_model, save_encoder
from .trainer import Trainer

LOG, CACHE = "log.json", "cache"
_LEAST_ROWS = 20
_POINTS = 100  # of the progressive validation
_CHECKPOINT_SECONDS = 120.0


def train_ctr(
    job: Job, folder: str | os.PathLike[str], *, resume: bool = False, progress: bool = False,
    verbose: bool = True, on_encoder: Callable[[Any], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Outcome:  # fmt: skip
    """Train on 80 % of the log, stop on 10 %, test on the last 10 %; fills ``folder``.

    Rows of ``job.valid`` and ``job.test``, if given, take the place of such shares; with valid and
    without test the metrics are those of the validation rows. Models with embeddings are fed from
    blocks of encoded rows, with memory bounded whatever the log's size; the dense network holds
    its rows in memory. With ``job.calibrate`` probabilities are calibrated on the rows that decide
    when to stop. ``on_encoder`` is called with the encoder before training begins; ``callbacks`` go
    to the Trainer.

    Raises ValueError or TypeError for a log that cannot be used, and FileExistsError where the
    folder holds something already and ``resume`` is False.
    """
    start = time.perf_counter()
    folder = run_folder(Path(folder), resume)
    if resume:
        job.check_same(folder)
    parts = _parts(job, folder)
    job.save(folder)
    rng = np.random.default_rng(job.seed)
    prepared = (_dense if job.is_dense else _streamed)(job, parts, folder, rng, resume)
    if on_encoder is not None:
        on_encoder(prepared.encoder)
    network = prepared.network
    trainer = Trainer(network, Adam(job.lr))
    own: list[Callback] = [EarlyStopping(patience=job.patience)]
    progressive = None
    if isinstance(network, CTRModel):
        progressive = ProgressiveValidation(max(1000, parts.train.rows // _POINTS))
        own.append(progressive)
    own.append(Checkpoint(folder / CHECKPOINTS, every_seconds=_CHECKPOINT_SECONDS))
    trainer.train(
        prepared.x, prepared.t, prepared.x_val, prepared.t_val, job.epochs, job.batch_size,
        rng=rng, callbacks=[*own, *callbacks, *([ProgressBar()] if progress else [])],
        loss_at="before", verbose=verbose, resume=folder / CHECKPOINTS if resume else None,
    )  # fmt: skip
    if isinstance(network, CTRModel) and job.calibrate is not None:
        network.calibrate(prepared.x_val, None, job.calibrate)
    save(network, folder / MODEL)
    seconds = time.perf_counter() - start
    outcome = report(job, folder, trainer, parts, prepared, progressive, seconds)
    for log in (prepared.x, prepared.x_val):
        if isinstance(log, EncodedLog):
            log.remove()
    if (folder / CACHE).is_dir():
        (folder / CACHE).rmdir()
    return outcome


# ---------------------------------------------------------------------------- rows
def _source(job: Job, data: str | None) -> RowSource:
    if data is None:
        return GeneratedLog(job.rows, job.seed)
    return Log(data, job.format, label=job.label, positive=job.positive, on_error=job.on_error)


def _parts(job: Job, folder: Path) -> Parts:
    """Who trains, stops and tests; log.json remembers it, and the files as they were then."""
    logs = {"data": _source(job, job.data)}
    logs |= {n: _source(job, p) for n, p in (("valid", job.valid), ("test", job.test)) if p}
    known = _known_log(folder)
    if known is None:
        known = {
            name: {"rows": log.count(), "fingerprint": log.fingerprint(),
                   "skipped": log.skipped.entries()}
            for name, log in logs.items()
        }  # fmt: skip
        write_json(folder / LOG, known)
    for name, log in logs.items():
        log.check_unchanged(known[name]["fingerprint"])
    rows = {name: int(entry["rows"]) for name, entry in known.items()}
    if rows["data"] < _LEAST_ROWS:
        raise ValueError(
            f"The log has {rows['data']} rows; training, validation and test need 20 or more."
        )
    shares = (1.0,) if job.valid else (0.9, 0.1) if job.test else (0.8, 0.1, 0.1)
    own = split(logs["data"], rows["data"], job.split, shares, job.seed)
    valid = Part(logs["valid"], rows["valid"]) if job.valid else own[1]
    test = Part(logs["test"], rows["test"]) if job.test else None if job.valid else own[2]
    skipped = [entry for known_log in known.values() for entry in known_log["skipped"]]
    return Parts(own[0], valid, test, skipped)


def _known_log(folder: Path) -> dict[str, Any] | None:
    path = folder / LOG
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ValueError(f"{path} is damaged; train anew in another folder.") from None


def _fixed_format(parts: Parts) -> str | None:
    """The format, if its files need not say it by themselves: of those without a header."""
    found = parts.train.log.format
    return found if found in ("criteo", "avazu") else None


# ---------------------------------------------------------------------------- networks and data
def _dense(
    job: Job, parts: Parts, folder: Path, rng: np.random.Generator, resume: bool
) -> Prepared:
    """The network without embeddings, on arrays."""
    import pyarrow as pa

    _require_memory(job, parts.train)
    train, validation = (
        pa.concat_tables(part.tables()).unify_dictionaries()
        for part in (parts.train, parts.validation)
    )
    encoder = LogEncoder(buckets=job.buckets).fit(train)
    network = CTRPredictionNetwork(len(encoder.feature_names_), list(job.hidden), rng=rng)
    y = labels(train)
    rate = float(y.mean())
    save_encoder(encoder, folder, _fixed_format(parts), rate)
    x_val, t_val = encoder.transform(validation), one_hot(labels(validation))
    return Prepared(network, encoder, rate, encoder.transform(train), one_hot(y), x_val, t_val)


def _require_memory(job: Job, part: Part) -> None:
    columns = len(LogEncoder(buckets=job.buckets).fit(next(part.tables())).feature_names_)
    need, free = part.rows * columns * 4, available_memory()
    if free is not None and need > free:
        raise MemoryError(
            f"The network without embeddings holds its rows in memory: {part.rows:,} of {columns} "
            f"numbers need {need / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are available. A model with "
            "embeddings, such as --model deepfm, takes a log of any size."
        )


def _streamed(
    job: Job, parts: Parts, folder: Path, rng: np.random.Generator, resume: bool
) -> Prepared:
    """A model with embeddings, on blocks of encoded rows."""
    begun = None if job.warm_start is None else _begun_elsewhere(job.warm_start)
    encoder, rate = _encoder(job, parts, folder, resume, begun and begun[1])
    network: CTRModel
    if begun is not None:
        network = grown(begun[0], encoder.spec_, rng)
    else:
        network = MODELS[job.model.lower()](
            encoder.spec_, job.embedding_dim, job.hidden, embedding_l2=job.embedding_l2, rng=rng
        )
        network.start_from_rate([rate])
    logs, known = [], _known_log(folder)
    for name, part in (("train", parts.train), ("validation", parts.validation)):
        identity = {"part": name, "log": known, "split": job.split, "seed": job.seed}
        own = folder / CACHE / name if job.cache else None
        logs.append(EncodedLog(part.pieces, encoder, part.rows, folder=own, identity=identity))
    return Prepared(network, encoder, rate, logs[0], None, logs[1], None)


def _begun_elsewhere(folder: str) -> tuple[CTRModel, FeatureEncoder]:
    """Model and encoder of the run that this one goes on from."""
    network, encoder, _ = load_model(folder)
    if not isinstance(network, CTRModel):
        raise ValueError(f"{folder} holds a network without embeddings; it cannot be gone on from.")
    return network, encoder


def _encoder(
    job: Job, parts: Parts, folder: Path, resume: bool, begun: FeatureEncoder | None
) -> tuple[FeatureEncoder, float]:
    """The encoder and the share of clicks, learnt from the rows that train, or from the disk."""
    if resume and (folder / ENCODER).is_file():  # it is the last of the encoder's files
        return FeatureEncoder.load(folder), click_rate(folder)
    counts = [0.0, 0.0]
    pieces = counted(parts.train.pieces(), counts, job.fit_rows)
    if begun is not None:
        encoder = begun.extended(pieces)
    else:
        encoder = FeatureEncoder(
            numbers=job.numbers, categories=job.categories, min_count=job.min_count,
            hash_size=job.hash_size, columns=job.columns,
        )  # fmt: skip
        encoder.fit(pieces)
    rate = counts[1] / counts[0]
    save_encoder(encoder, folder, _fixed_format(parts), rate)
    return encoder, rate
