"""The choices that an estimator makes before it trains: rows, batches, buckets, optimizers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from ..models.ctr import BY_NAME, CTRModel
from ..optimizers import KernelOptimizer
from ..optimizers import registry as optimizers
from ..validation import check_number, check_sample_weight, check_size

if TYPE_CHECKING:
    from pyarrow import Table

    from ..features import FeatureSpec

# multiplications; more threads win nothing, and lose much where cores are busy
SMALL_STEP = 1 << 24
LEAST_VALIDATION = 50  # rows; fewer say too little of when to stop


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: features, labels t (N,) of 0 and 1, weights (N,) or None."""

    table: Table
    t: np.ndarray
    weight: np.ndarray | None = None

    def where(self, chosen: np.ndarray) -> Rows:
        """The rows where ``chosen`` (N,) is True."""
        import pyarrow as pa

        weight = None if self.weight is None else self.weight[chosen]
        return Rows(self.table.filter(pa.array(chosen)), self.t[chosen], weight)


def model_class(model: Any) -> type[CTRModel]:
    """The CTR model of a name in lower case, or the class itself; TypeError, ValueError."""
    if isinstance(model, type) and issubclass(model, CTRModel):
        return model
    if not isinstance(model, str):
        raise TypeError(f"model is {model!r}; expected a name or a subclass of CTRModel.")
    if model.lower() not in BY_NAME:
        raise ValueError(f"model is {model!r}; expected one of {', '.join(BY_NAME)}.")
    return BY_NAME[model.lower()]


def make_model(
    kind: type[CTRModel], spec: FeatureSpec, t: np.ndarray, weight: np.ndarray | None,
    hidden: Any, rng: np.random.Generator, **options: Any,
) -> CTRModel:  # fmt: skip
    """A model that is not trained, and predicts the share of clicks in t (N,)."""
    if not isinstance(hidden, Sequence | np.ndarray) or isinstance(hidden, str):
        raise TypeError(f"hidden is {hidden!r}; expected widths of layers, such as (64, 32).")
    model = kind(spec, hidden=tuple(hidden), rng=rng, **options)
    if 0 < t.mean() < 1:
        model.start_from_rate(t, weight)
    return model


def make_optimizer(name: Any, lr: Any, options: Mapping[str, Any] | None) -> KernelOptimizer:
    """The optimizer of a name in lower case, with a schedule of its own where lr is one."""
    known = {own.lower(): kind for own, kind in optimizers.items()}
    if not isinstance(name, str) or name.lower() not in known:
        raise ValueError(f"optimizer is {name!r}; expected one of {', '.join(known)}.")
    return known[name.lower()](copy.deepcopy(lr), **(options or {}))


def generator(random_state: Any) -> np.random.Generator:
    """Randomness from a seed, a RandomState, or NumPy's global state for None."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None:
        return np.random.default_rng(np.random.randint(2**31))
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer):
        raise TypeError(
            f"random_state is {random_state!r}; expected an int, a RandomState, a Generator or None"
        )
    if random_state < 0:
        raise ValueError(f"random_state is {random_state}; expected an int of at least 0.")
    return np.random.default_rng(int(random_state))


def row_weights(sample_weight: Any, rows: int) -> np.ndarray | None:
    """Weights as float64 (rows,), or None; one number stands for all rows."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if weight.ndim == 0:
        return None
    if weight.shape == (rows,) and not np.any(weight):
        raise ValueError("sample_weight is zero in all rows: there is nothing to learn from.")
    return check_sample_weight(weight, rows)


def batch_rows(batch_size: Any, rows: int) -> int:
    """Rows of a step; for None a 64th of all, from 32 to 256, if less an 8th (from 4)."""
    if batch_size is not None:
        return check_size(batch_size, "batch_size")
    return max(4, min(256, max(32, rows // 64), rows // 8))


def bucket_columns(
    table: Table, numbers: str, buckets: Any, columns: Mapping[str, Any] | None
) -> dict[str, Any]:
    """``columns`` of an encoder, with the number of buckets of numeric columns beside."""
    from ..data.columns import is_id, is_number
    from ..data.feature_encoder import NOT_FEATURES

    if columns is not None and not isinstance(columns, Mapping):
        raise TypeError(f"columns is {columns!r}; expected a dict of column names and kinds.")
    asked = dict(columns or {})
    if buckets is not None:
        buckets = check_size(buckets, "buckets")
    if numbers != "buckets":
        return asked
    # few rows in a bucket say little: 64, the encoder's own number, is for logs
    buckets = buckets or max(8, min(64, len(table) // 64))
    usual = {
        field.name: {"kind": "buckets", "buckets": buckets} for field in table.schema
        if is_number(field.type) and not is_id(field.name) and field.name not in NOT_FEATURES
    }  # fmt: skip
    return {**usual, **asked}


def split(rows: Rows, fraction: Any, rng: np.random.Generator) -> tuple[Rows, Rows | None]:
    """Rows to train on, and a share of both classes that decides when to stop, if any."""
    fraction = check_number(fraction, "validation_fraction", high=1.0, open_high=True)
    if len(rows.t) * fraction < LEAST_VALIDATION:
        return rows, None
    chosen = []
    for label in (0, 1):
        own = np.flatnonzero(rows.t == label)
        chosen.append(rng.permutation(own)[: round(len(own) * fraction)])
    if not all(map(len, chosen)):
        return rows, None
    outside = np.zeros(len(rows.t), bool)
    outside[np.concatenate(chosen)] = True
    return rows.where(~outside), rows.where(outside)


@contextmanager
def threads_for(model: CTRModel, rows: int) -> Iterator[None]:
    """One thread for steps of so few rows that a second one only waits; results are the same.

    It is the Python thread's own number, which ``fastdl.set_num_threads`` overrules.
    """
    dense = sum(slot.stop - slot.start for slot in model.store().slots)
    if rows * dense > SMALL_STEP:
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)
