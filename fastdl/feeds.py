"""Where the Trainer takes its rows from: arrays in memory, or a stream from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .features import Batch
from .graph import Graph
from .kernels.backend import ops
from .losses import Loss
from .network import Network
from .prefetch import prefetched
from .sequences import Sequences
from .stream import Rows, RowStream, Window
from .validation import check_finite, check_sample_weight, row_problem

if TYPE_CHECKING:
    from .run import Run

_GATHERED = ("float32", "float64", "int32", "int64", "uint8")  # dtypes that kernels take rows from
_CHECKED = 1 << 16  # rows whose ids are checked at a time


class Feed(Protocol):
    """Rows for epoch after epoch; ``run.order`` is what an epoch's order follows from."""

    rows: int

    def first_order(self) -> np.ndarray:
        """``run.order`` before the first epoch."""

    def start_epoch(self, run: Run) -> None:
        """Draw the epoch's order, unless it came from a checkpoint, and go to ``epoch_step``."""

    def batch(self, run: Run) -> tuple[Any, np.ndarray, tuple[np.ndarray, ...]]:
        """x, t and, if there are, weights of the step ``run.epoch_step``."""

    def close(self) -> None:
        """Nothing more is taken."""


class ArrayFeed:
    """Arrays in memory, whose rows an epoch takes in a random order."""

    def __init__(self, network: Any, x: Any, t: ArrayLike, weight: ArrayLike | None) -> None:
        self.x, self.t = as_rows(network, x, "x_train"), numeric_rows(t, "t_train")
        self.rows = len(self.x)
        if len(self.t) != self.rows:
            raise ValueError(f"x_train has {self.rows} rows, t_train {len(self.t)}.")
        self.weight = check_sample_weight(weight, self.rows)
        self._flat: np.ndarray | None = None
        plain = isinstance(network, Network) and not isinstance(network, Graph)
        if plain and not isinstance(self.x, Sequences):
            self._flat = gatherable(self.x, network.dtype or self.x.dtype)
            self._dtype = network.dtype or self.x.dtype

    def first_order(self) -> np.ndarray:
        return np.arange(self.rows)

    def start_epoch(self, run: Run) -> None:
        if run.epoch_step == 0:
            draw = np.random.permutation if run.rng is None else run.rng.permutation
            run.order = run.order[draw(self.rows)]

    def batch(self, run: Run) -> tuple[Any, np.ndarray, tuple[np.ndarray, ...]]:
        first = run.epoch_step * run.batch_size
        rows = run.order[first : first + run.batch_size]
        weight = () if self.weight is None else (self.weight[rows],)
        return self._take(rows), self.t[rows], weight

    def _take(self, rows: np.ndarray) -> Any:
        if self._flat is None:
            return self.x[rows]
        out = np.empty((len(rows), self._flat.shape[1]), self._dtype)
        gather(self._flat, rows, out, "x_train", False)
        return out.reshape(len(rows), *self.x.shape[1:])

    def close(self) -> None:
        pass

    def check_targets(self, loss: Any) -> None:
        """All at once before the first step: the row in the message is then the user's."""
        if isinstance(loss, Loss):
            check_finite(self.t.reshape(self.rows, -1), "t_train", loss.one_hot)

    def scales(self, order: np.ndarray, batch: int) -> np.ndarray:
        """Each row's share of its batch's mean, for rows in this order."""
        if self.weight is None:
            return np.full(len(order), 1.0 / batch)
        weights = self.weight[order].reshape(-1, batch)
        sums = weights.sum(axis=1, keepdims=True)
        if (sums <= 0).any():
            raise ValueError("A batch has rows of sample_weight 0 only; use larger batches.")
        return (weights / sums).reshape(-1)


class StreamFeed:
    """Rows of a stream, which a thread makes ahead of the training."""

    def __init__(self, network: Any, stream: RowStream) -> None:
        check_stream(network, stream)
        self.stream, self.rows = stream, stream.rows
        self._windows: Any = None

    def first_order(self) -> np.ndarray:
        return np.zeros(1, np.int64)

    def start_epoch(self, run: Run) -> None:
        self.close()
        if run.epoch_step == 0:  # one number: an order of all rows would not stay small
            draw = np.random.randint if run.rng is None else run.rng.integers
            run.order = np.array([draw(1 << 31)], np.int64)
        first = run.epoch_step * run.batch_size
        seed = int(run.order[0])
        self._windows = prefetched(self.stream.windows(run.epoch, seed, run.batch_size, first))
        self._window: Window | None = None

    def batch(self, run: Run) -> tuple[Any, np.ndarray, tuple[np.ndarray, ...]]:
        first = run.epoch_step * run.batch_size
        if self._window is None or first >= self._window.stop:
            self._window = None  # before the next one comes: its memory is free
            self._window = next(self._windows)
        rows: Rows = self._window.take(first, run.batch_size)
        return rows.x, rows.t, () if rows.weight is None else (rows.weight,)

    def close(self) -> None:
        if self._windows is not None:
            self._windows.close()
        self._windows = self._window = None


def feed(network: Any, x: Any, t: ArrayLike | None, weight: ArrayLike | None) -> Feed:
    """The feed for what the user trains on."""
    if isinstance(x, RowStream):
        if t is not None or weight is not None:
            raise ValueError("A stream has its labels: leave t_train and sample_weight out.")
        return StreamFeed(network, x)
    if t is None:
        raise ValueError("t_train is missing; only a stream goes without.")
    return ArrayFeed(network, x, t, weight)


def check_stream(network: Any, stream: RowStream) -> None:
    """TypeError where a stream of features meets a network that has no embeddings."""
    if stream.features and not isinstance(network, Graph):
        raise TypeError(
            f"A {type(stream).__name__} is for models with embeddings, such as DeepFM; the network "
            f"is a {type(network).__name__}. Pass it arrays."
        )


def numeric_rows(values: ArrayLike, name: str) -> np.ndarray:
    """An array of real numbers that has rows; TypeError and ValueError for anything else."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers.")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} is empty or has no rows: shape {array.shape}.")
    return array


def as_rows(network: Any, x: Any, name: str) -> Any:
    """x with rows that can be counted and taken: array, sequences, a graph's batch of features."""
    if isinstance(x, Sequences):
        return x
    if not isinstance(network, Graph):
        return numeric_rows(x, name)
    batch = network.prepare(x)
    for start in range(0, len(batch), _CHECKED):  # so that a bad id is found before the first step
        if isinstance(batch, Batch):
            batch[start : start + _CHECKED].rows()
    return batch


def gatherable(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The array as (N, D) that the gather kernel takes; copied only if it has to be."""
    rows = array.reshape(len(array), -1)
    if rows.dtype.name in _GATHERED and rows.flags.c_contiguous and rows.flags.aligned:
        return rows
    return np.require(rows, dtype, ["C", "A"])


def gather(
    source: np.ndarray, order: np.ndarray, out: np.ndarray, name: str, one_hot: bool
) -> None:
    """out = source[order]; ValueError for rows that are not finite, or not one-hot."""
    problem = np.empty(2, np.int64)
    ops.gather_rows(source, order, out, one_hot, problem)
    if problem[0]:
        raise ValueError(row_problem(name, int(problem[0]), int(order[problem[1]])))
