"""What a trained model in a run folder says of a log: probabilities, and how good they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from .checkpoint import load
from .data import FeatureEncoder, LogEncoder, Skipped, iter_log, labels
from .data.columns import is_number
from .data.fetch import column_of
from .data.formats import resolve_format
from .data.learners import distinct
from .data.parts import Paths, find_parts
from .files import entries_of, read_described, write_atomically, write_described
from .models.ctr import CTRModel, CTRPredictionNetwork
from .runs import LOG as ENCODER
from .runs import METRICS, MODEL, require_complete
from .validation import check_number

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

FEATURES = {"kind": "features"}  # in the place of an encoder that is kept in files of its own
MOST_VALUES = 20  # of a column by which a log is evaluated; the rarer ones count as one


def predict_ctr(
    folder: str | os.PathLike[str], data: Paths, out: str, *, format: str | None = None,
    on_error: str = "stop", report: Skipped | None = None,
) -> int:  # fmt: skip
    """Write the click probability of every row of ``data`` to ``out``, CSV or Parquet; rows.

    The log is read in pieces of bounded memory. With on_error="skip" rows that cannot be read get
    no line, and ``report`` counts them. Raises FileNotFoundError and ValueError for a
    model folder that is incomplete or damaged, and for a log that does not fit the model.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    network, encoder, trained_format = load_model(folder)
    if Path(out).suffix not in (".csv", ".parquet"):
        raise ValueError(f"The output file is {out}; expected a name ending in .csv or .parquet.")
    pieces = _scored(
        network, encoder, data, format, trained_format, require_label=False, on_error=on_error,
        report=report,
    )  # fmt: skip
    schema = pa.schema([("probability", pa.float32())])
    writer_class = csv.CSVWriter if Path(out).suffix == ".csv" else parquet.ParquetWriter
    rows = 0

    def write(temporary: Path) -> None:
        nonlocal rows
        with writer_class(str(temporary), schema) as writer:
            for _, probability in pieces:
                writer.write_table(pa.table([pa.array(probability, pa.float32())], schema))
                rows += len(probability)

    write_atomically(out, write)
    return rows


def load_model(
    folder: str | os.PathLike[str],
) -> tuple[CTRPredictionNetwork | CTRModel, Any, str | None]:
    """Network, encoder and log format of a run folder."""
    folder = Path(folder)
    require_complete(folder, ENCODER)
    network = load(folder / MODEL)
    if not isinstance(network, CTRPredictionNetwork | CTRModel):
        raise ValueError(f"{folder / MODEL} holds a {type(network).__name__}, not a CTR network.")
    described, log_format = read_described(
        folder / ENCODER, lambda known: (known["encoder"], known["format"]), "; train again."
    )
    encoder: Any
    if isinstance(network, CTRModel):
        encoder = FeatureEncoder.load(folder) if described == FEATURES else None
        fits = encoder is not None and encoder.spec_ == network.spec
    else:
        encoder = LogEncoder.from_dict(described)
        fits = len(encoder.feature_names_) == network.layers[0].W.shape[0]  # type: ignore[attr-defined]
    if not fits:
        raise ValueError(f"In {folder} the model and the encoder do not belong together.")
    return network, encoder, log_format


def save_encoder(
    encoder: FeatureEncoder | LogEncoder, folder: Path, log_format: str | None, rate: float
) -> None:
    """Write an encoder into a run folder; ``rate`` is the share of clicks in its rows."""
    described: Any = FEATURES
    if isinstance(encoder, FeatureEncoder):
        encoder.save(folder)
    else:
        described = encoder.to_dict()
    content = {"encoder": described, "format": log_format, "click_rate": rate}
    write_described(folder / ENCODER, content)


def click_rate(folder: str | os.PathLike[str]) -> float:
    """The share of clicks in the rows that the run in a folder was trained on."""
    path = Path(folder) / ENCODER
    try:
        rate = json.loads(path.read_text(encoding="utf-8"))["click_rate"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is missing, damaged, or of an older fastdl.") from None
    return check_number(rate, f"click_rate in {path}", high=1.0, open_low=True, open_high=True)


def score(
    network: Any, encoder: Any, tables: Iterable[Table]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Labels, click probabilities, and, of generated logs, the true ones: each (rows,)."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    true = []
    for table in tables:
        found.append((labels(table), network.predict_proba(encoder.transform(table))[:, 1]))
        known = "click_probability" in table.column_names
        if known and is_number(table["click_probability"].type):
            true.append(table["click_probability"].to_numpy())
    y, probability = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return y, probability, np.concatenate(true) if true else None


def evaluate_ctr(
    folder: str | os.PathLike[str], data: Paths, *, format: str | None = None,
    label: str | None = None, positive: str | None = None, by: Sequence[str] = (),
    on_error: str = "stop", report: Skipped | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``fastdl.metrics.evaluate`` of a model on a log, overall and for each value of some columns.

    Returns {"test": metrics, "base_rate": metrics of the log's own share of clicks, "by": {column:
    {value: metrics}}}, values in the order of their rows; a column's values beyond the 20 most
    frequent are together "all others", missing ones "missing". label and positive are by default
    those of the training. Raises as ``predict_ctr``, and ValueError for a column that is not there.
    """
    import pyarrow as pa

    network, encoder, trained_format = load_model(folder)
    job = _job(Path(folder))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    values: dict[str, list[Any]] = {name: [] for name in by}
    for table, probability in _scored(
        network, encoder, data, format, trained_format, label=label or job.get("label"),
        positive=positive or job.get("positive"), on_error=on_error, report=report,
    ):  # fmt: skip
        found.append((labels(table), probability))
        for name in by:
            if name not in table.column_names:
                raise ValueError(
                    f"The log has no column {name}; it has {', '.join(table.column_names)}."
                )
            values[name] += column_of(table, name, False).cast(pa.string()).chunks
    y, probability = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return {
        "test": metrics.evaluate(y, probability),
        "base_rate": metrics.evaluate(y, np.full(len(y), y.mean())),
        "by": {
            name: _by_value(y, probability, pa.chunked_array(own, pa.string()))
            for name, own in values.items()
        },
    }


def _scored(
    network: Any, encoder: Any, data: Paths, format: str | None, trained: str | None,
    **options: Any,
) -> Iterator[tuple[Any, np.ndarray]]:  # fmt: skip
    """Pieces of a log of bounded memory, and each row's click probability."""
    parts = find_parts(data)
    format = _format(parts[0], format, trained)
    if format not in ("criteo", "avazu"):  # those have fixed types; others follow the training
        options |= {"categorical": encoder.categorical_names, "numeric": encoder.numeric_names}
    for table in iter_log(parts, format, **options):
        yield table, network.predict_proba(encoder.transform(table))[:, 1]


def _format(path: Path, given: str | None, trained: str | None) -> str:
    """The log's format; files without a header whose name does not tell are as in training."""
    if given is None and trained is not None:
        try:
            told = resolve_format(path, None)
        except ValueError:
            return trained
        return trained if told == "tsv" else told
    return resolve_format(path, given)


def _by_value(y: np.ndarray, probability: np.ndarray, column: ChunkedArray) -> dict[str, Any]:
    texts, codes = distinct(column.fill_null("missing"))
    counts = np.bincount(codes, minlength=len(texts))
    order = sorted(np.flatnonzero(counts), key=lambda code: (-counts[code], texts[code]))
    shown, rest = order[:MOST_VALUES], order[MOST_VALUES:]
    groups = [(texts[code], codes == code) for code in shown]
    if rest:
        groups.append(("all others", np.isin(codes, rest)))
    return {name: metrics.evaluate(y[rows], probability[rows]) for name, rows in groups}


def _job(folder: Path) -> dict[str, Any]:
    """What the training was asked for, as far as the run folder still tells."""
    (found,) = entries_of(folder / METRICS, "job")
    return found
