"""What a training is asked for."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .calibration import as_calibrator
from .data.split import SPLITS
from .files import FORMAT_VERSION, check_version, write_json
from .models.ctr import BY_NAME, CTRPredictionNetwork
from .validation import check_size

DENSE = CTRPredictionNetwork.__name__.lower()
MODELS = {DENSE: CTRPredictionNetwork, **BY_NAME}
JOB = "job.json"
_MAY_CHANGE = ("epochs", "patience", "importance")  # when a run is resumed


@dataclass(frozen=True)
class Job:
    """What ``fastdl train`` is asked for; the defaults are the command's."""

    data: str | None = None  # a file, folder or pattern, or None for a generated log
    valid: str | None = None  # a log that decides when to stop, in place of a share of data
    test: str | None = None  # a log that tests, in place of a share of data
    format: str | None = None
    model: str = "deepfm"
    label: str | None = None
    positive: str | None = None
    rows: int = 100_000  # of a generated log
    split: str = "order"
    on_error: str = "stop"  # or "skip" bad rows, which are counted
    hidden: tuple[int, ...] = (64, 32)
    buckets: int = 32  # indicator columns of a category, for the dense network
    embedding_dim: int = 16  # of the other models, as the rest
    embedding_l2: float = 1e-5
    min_count: int = 2
    numbers: str = "buckets"
    categories: str = "category"
    hash_size: int = 100_000  # ids of a hashed category
    columns: Mapping[str, Any] | None = None  # kinds of some, as FeatureEncoder takes them
    fit_rows: int | None = None  # rows that the encoder learns from; all that train by default
    calibrate: str | None = None
    warm_start: str | None = None  # the folder of the run that training goes on from
    cache: bool = True  # encoded rows on disk while training
    importance: int = 5000  # rows by which the columns' importance is told; 0: it is not
    epochs: int = 20
    batch_size: int = 256
    lr: float = 0.001
    patience: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model.lower() not in MODELS:
            raise ValueError(f"model is {self.model!r}; expected one of {', '.join(MODELS)}.")
        if self.importance and self.importance < 2:
            raise ValueError(f"importance is {self.importance}; expected 0, or 2 rows and more.")
        for name, known in (("split", SPLITS), ("on_error", ("stop", "skip"))):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} is {value!r}; expected {' or '.join(map(repr, known))}.")
        if self.fit_rows is not None:
            check_size(self.fit_rows, "fit_rows")
        if self.calibrate is not None:
            as_calibrator(self.calibrate)
            self._needs_embeddings("--calibrate")
        if self.warm_start is not None:
            self._needs_embeddings("--warm-start")

    @property
    def is_dense(self) -> bool:
        """Whether it is the network without embeddings."""
        return self.model.lower() == DENSE

    def _needs_embeddings(self, option: str) -> None:
        if self.is_dense:
            raise ValueError(f"{option} needs a model with embeddings, such as --model deepfm.")

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON holds them."""
        return dict(json.loads(json.dumps(dataclasses.asdict(self))))

    def save(self, folder: Path) -> None:
        """Write job.json into a run folder."""
        write_json(folder / JOB, {"format_version": FORMAT_VERSION, "job": self.to_dict()})

    def check_same(self, folder: Path) -> None:
        """ValueError where the run in a folder was asked for something else."""
        path = folder / JOB
        if not path.is_file():
            return
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            version, theirs = known["format_version"], dict(known["job"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path} is damaged; train anew in another folder.") from None
        check_version(version, str(path))
        mine = self.to_dict()
        for name in mine:
            if name not in _MAY_CHANGE and theirs.get(name) != mine[name]:
                raise ValueError(
                    f"The run in {folder} cannot be resumed with {name} {mine[name]!r}: it was "
                    f"begun with {theirs.get(name)!r}. Give the same options, or another --out."
                )


def read_options(path: Path) -> dict[str, Any]:
    """Options of a TOML file by name; "-" and "_" are the same, as in ``embedding-dim = 16``.

    Raises FileNotFoundError, and ValueError for a file that is not TOML or has unknown options.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no options file {path}.")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from None
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def job_from(options: Mapping[str, Any], where: str) -> Job:
    """A job from options by name; ValueError for unknown ones, TypeError for wrong types."""
    fields = {f.name: f for f in dataclasses.fields(Job)}
    unknown = [name for name in options if name not in fields]
    if unknown:
        raise ValueError(
            f"{where} has the unknown option {', '.join(unknown)}; options are {', '.join(fields)}."
        )
    return Job(**{name: _checked(name, v, fields[name].default) for name, v in options.items()})


def _checked(name: str, value: Any, usual: Any) -> Any:
    """The value as the option's type."""
    if name == "hidden":
        return sizes(value)
    if name == "columns":
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"columns is {value!r}; expected a table of columns and their kinds.")
        return value
    kind = int if name == "fit_rows" else str if usual is None else type(usual)
    if value is None and usual is None:
        return None
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and name == "positive" and type(value) in (int, float, bool):
        return str(value)
    if type(value) is not kind:
        raise TypeError(f"{name} is {value!r}; expected a value such as {usual or 'text'!r}.")
    return value


def sizes(given: Any) -> tuple[int, ...]:
    """Widths of hidden layers, from text such as 64,32 or a list of ints."""
    parts = given.split(",") if isinstance(given, str) else given
    try:
        return tuple(int(part) for part in parts if str(part).strip())
    except (TypeError, ValueError):
        raise ValueError(f"hidden is {given!r}; expected sizes such as 64,32.") from None
