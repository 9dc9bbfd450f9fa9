"""What a training is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .calibration import as_calibrator
from .data.split import SPLITS
from .models.ctr import BY_NAME, CTRPredictionNetwork
from .options import Options, options_from
from .validation import check_size

DENSE = CTRPredictionNetwork.__name__.lower()
MODELS = {DENSE: CTRPredictionNetwork, **BY_NAME}


@dataclass(frozen=True)
class Job(Options):
    """What ``fastdl train`` is asked for; the defaults are the command's."""

    may_change: ClassVar = ("epochs", "patience", "importance")

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
        self.check_choices(split=SPLITS, on_error=("stop", "skip"))
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

    @classmethod
    def checked(cls, name: str, value: Any, usual: Any) -> Any:
        if name == "hidden":
            return sizes(value)
        if name == "columns":
            if value is not None and not isinstance(value, Mapping):
                raise TypeError(f"columns is {value!r}; expected a table of columns and kinds.")
            return value
        if name == "fit_rows" and value is not None:
            return Options.checked(name, value, 1)
        if name == "positive" and type(value) in (int, float, bool):
            return str(value)
        return Options.checked(name, value, usual)


def job_from(options: Mapping[str, Any], where: str) -> Job:
    """A job from options by name; ValueError for unknown ones, TypeError for wrong types."""
    return options_from(Job, options, where)


def sizes(given: Any) -> tuple[int, ...]:
    """Widths of hidden layers, from text such as 64,32 or a list of ints."""
    parts = given.split(",") if isinstance(given, str) else given
    try:
        return tuple(int(part) for part in parts if str(part).strip())
    except (TypeError, ValueError):
        raise ValueError(f"hidden is {given!r}; expected sizes such as 64,32.") from None
