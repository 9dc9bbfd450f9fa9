"""The Trainer: epochs over shuffled batches, validation, the course's printed lines."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .callbacks import Callback
from .features import Batch
from .graph import Graph
from .kernels.backend import get_backend, ops
from .kernels.dense import PASS, ROWS
from .layers import Sigmoid
from .losses import Loss, SigmoidCrossEntropy
from .metrics import roc_auc
from .network import Network, classes_of_output, classes_of_target, evaluation
from .optimizers import KernelOptimizer
from .optimizers import registry as our_optimizers
from .run import Run
from .validation import (
    check_finite,
    check_sample_weight,
    check_size,
    check_values,
    row_problem,
)

_GATHERED = ("float32", "float64", "int32", "int64", "uint8")  # dtypes that kernels take rows from
_BLOCK_BYTES = 4 << 20  # of gathered rows: several small batches go through one compiled call
_CHECKED = 1 << 16  # rows whose ids are checked at a time
_CALL_SECONDS = 0.05  # of one compiled call, so that Ctrl-C and progress are prompt


class DivergedError(FloatingPointError):
    """The loss became NaN or infinite."""


class Trainer:
    """Trains a network with an optimizer.

    ``loss_history`` holds the loss of every step, ``history`` a column of figures for each epoch.

    >>> import numpy as np, fastdl
    >>> x = np.random.default_rng(0).standard_normal((64, 3))
    >>> t = np.eye(2)[(x[:, 0] > 0).astype(int)]
    >>> trainer = fastdl.Trainer(fastdl.CTRPredictionNetwork(3, [8]), fastdl.Adam(0.01))
    >>> trainer.train(x, t, x, t, epochs=50, verbose=False)
    >>> trainer.history["val_accuracy"][-1] > 0.9
    True
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        self.network = network
        self.optimizer = optimizer
        self.loss_history: list[float] = []
        self.history: dict[str, list[Any]] = {}

    def train(
        self,
        x_train: Any,
        t_train: ArrayLike,
        x_val: Any = None,
        t_val: ArrayLike | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        *,
        callbacks: Sequence[Callback] = (),
        drop_last: bool = True,
        rng: np.random.Generator | None = None,
        loss_at: str | None = None,
        sample_weight: ArrayLike | None = None,
        val_sample_weight: ArrayLike | None = None,
        verbose: bool = True,
        resume: str | PathLike[str] | None = None,
    ) -> None:
        """Train for ``epochs`` passes over x_train (N, ...) and t_train (N, ...).

        Every epoch shuffles the rows, with NumPy's global random state or ``rng``, and takes steps
        on batches of ``batch_size`` rows; ``drop_last`` leaves out a last batch that is smaller
        (fewer than ``batch_size`` rows in all make one batch). A step's loss is taken again after
        its update, as in the course, or with ``loss_at="before"`` at no cost before it; for models
        with embeddings that is the default, as reading every table again would cost more than the
        step. Validation runs in evaluation mode and prints a line unless ``verbose`` is False; it
        has an AUC where the network's output is one logit. Models with embeddings take as x what
        ``FeatureSpec.batch`` takes.
        ``sample_weight`` and ``val_sample_weight`` (rows,) weigh the rows of means.
        ``resume`` goes on from a ``Checkpoint``'s folder, or starts there if it has none yet.

        Raises ValueError or TypeError for data and options that do not fit, and DivergedError
        (a FloatingPointError) when the loss is NaN or infinite.
        """
        if loss_at is None:
            loss_at = "before" if isinstance(self.network, Graph) else "after"
        if loss_at not in ("after", "before"):
            raise ValueError(f"loss_at is {loss_at!r}; expected 'after' or 'before'.")
        data = _Data(self.network, x_train, t_train, sample_weight)
        validation = _validation_data(self.network, x_val, t_val, val_sample_weight)
        batch = min(check_size(batch_size, "batch_size"), data.rows)
        steps = data.rows // batch if drop_last else -(-data.rows // batch)
        settings = {
            "epochs": check_size(epochs, "epochs"), "batch_size": batch, "rows": data.rows,
            "steps_per_epoch": steps, "loss_at": loss_at,
        }  # fmt: skip
        run = Run(self.network, self.optimizer, rng, list(callbacks), settings)
        if resume is not None:
            run.resume(resume)
        self.loss_history, self.history = run.losses, run.history
        if isinstance(self.network, Network) and isinstance(self.optimizer, KernelOptimizer):
            self.optimizer.attach(self.network.store())
        steps_of = _FusedSteps if _FusedSteps.fits(self.network, self.optimizer) else _LayeredSteps
        taker = steps_of(run, data, loss_at)
        try:
            for callback in run.callbacks:
                callback.on_begin(run)
            while run.epoch < run.epochs and not run.stop:
                self._epoch(run, data, taker, validation, verbose)
            run.finished = True
        finally:
            for callback in run.callbacks:
                callback.on_end(run)

    def _epoch(self, run: Run, data: _Data, taker: Any, validation: Any, verbose: bool) -> None:
        start = time.perf_counter()
        if run.epoch_step == 0:  # else the order came from a checkpoint
            draw = np.random.permutation if run.rng is None else run.rng.permutation
            run.order = run.order[draw(data.rows)]
        while run.epoch_step < run.steps_per_epoch:
            target = run.step + run.steps_per_epoch - run.epoch_step
            for callback in run.callbacks:
                wanted = callback.next_step(run.step)
                target = target if wanted is None else min(target, wanted)
            losses = taker.take(target - run.step)
            run.losses.extend(losses)
            run.step += len(losses)
            run.epoch_step += len(losses)
            if losses and not np.isfinite(losses[-1]):
                raise DivergedError(_diverged(run))
            for callback in run.callbacks:
                callback.on_steps(run)
        run.epoch, run.epoch_step = run.epoch + 1, 0
        self._finish_epoch(run, validation, time.perf_counter() - start, verbose)

    def _finish_epoch(self, run: Run, validation: Any, seconds: float, verbose: bool) -> None:
        loss = sum(run.losses[-run.steps_per_epoch :]) / run.steps_per_epoch
        val_loss = val_accuracy = val_auc = None
        if validation is not None:
            val_loss, val_accuracy, val_auc = evaluate(self.network, *validation)
        run.undefined = ""
        if val_auc is not None and np.isnan(val_auc):
            val_auc, run.undefined = None, "val_auc"
        lr = getattr(self.optimizer, "lr", None)
        figures = (run.epoch, loss, val_loss, val_accuracy, val_auc, lr, seconds)
        for column, value in zip(run.history.values(), figures, strict=True):
            column.append(value)
        schedule = getattr(self.optimizer, "schedule", None)
        if schedule is not None:
            watched = schedule.watched
            if watched == "val_loss" and validation is None:
                watched = "loss"
            value = run.watched(watched, type(schedule).__name__)
            if value is not None:
                schedule.update(value)
        if verbose:
            line = f"Epoch {run.epoch}/{run.epochs} - Loss: {loss:.4f}"
            if val_loss is not None:
                line += f", Val Loss: {val_loss:.4f}, Val Acc: {val_accuracy:.4f}"
            if val_auc is not None:
                line += f", Val AUC: {val_auc:.4f}"
            print(line)
        for callback in run.callbacks:
            callback.on_epoch(run)


def evaluate(
    network: Any, x: Any, t: ArrayLike, sample_weight: np.ndarray | None = None
) -> tuple[float, float, float | None]:
    """(mean loss, accuracy, AUC) in evaluation mode, in batches of bounded memory.

    The AUC is None where the output is not the one logit of a click, and NaN, with a warning,
    where the rows are all of one class.
    """
    with evaluation(network):
        if not _has_our_methods(network) and not isinstance(network, Graph):
            if sample_weight is not None:
                raise ValueError("val_sample_weight needs a network with fastdl's own methods.")
            return float(network.loss(x, t)), float(network.accuracy(x, t)), None
        x, t = (network.prepare(x) if isinstance(network, Graph) else _rows(x, "x")), np.asarray(t)
        total = hits = 0.0
        most = PASS
        plan = network.plan()
        if plan is not None and plan.is_small(ROWS):
            most = ROWS  # the kernel that training uses: no other need be compiled
        logits = []
        for start in range(0, len(x), most):
            rows = slice(start, start + most)
            own = None if sample_weight is None else sample_weight[rows]
            out, loss = _outputs_and_loss(network, x[rows], t[rows], own)
            total += loss
            right = classes_of_output(out) == classes_of_target(t[rows], len(out))
            hits += float(np.sum(right if own is None else own[right]))
            if isinstance(network.loss_layer, SigmoidCrossEntropy) and out.size == len(out):
                logits.append(out.reshape(-1).astype(np.float64))
    weight = len(x) if sample_weight is None else float(np.sum(sample_weight))
    return total / weight, hits / weight, _auc(logits, t, sample_weight)


def _auc(logits: list[np.ndarray], t: np.ndarray, weights: np.ndarray | None) -> float | None:
    labels = t.reshape(-1)
    if not logits or not np.isin(labels, (0, 1)).all():
        return None
    if labels.min() == labels.max():
        warnings.warn(
            f"All {len(labels)} validation rows have the label {labels[0]:g}: their AUC is not "
            "defined and is left out. Training goes on.",
            stacklevel=2,
        )
        return float("nan")
    return roc_auc(labels, Sigmoid().forward(np.concatenate(logits)), weights)


def _outputs_and_loss(
    network: Network, x: Any, t: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Outputs of a batch and the weighted sum of its losses."""
    plan = network.plan()
    if plan is None or get_backend() == "numpy":
        out = network.predict(x)
        if weights is None:
            return out, network.loss_layer.forward(out, t) * len(out)
        weight = float(np.sum(weights))
        return out, network.loss_layer.forward(out, t, weights) * weight if weight > 0 else 0.0
    x, t = network.checked_batch(plan, x, t)
    check_values(x, t, network.loss_layer.one_hot)
    out, row_loss = plan.evaluate(x, t, network.loss_layer)
    return out, float(np.sum(row_loss if weights is None else row_loss * weights))


def _has_our_methods(network: Any) -> bool:
    own = type(network)
    return isinstance(network, Network) and all(
        getattr(own, name) is getattr(Network, name)
        for name in ("predict", "loss", "gradient", "accuracy")
    )


class _Data:
    """Training data as kernels can take rows from it."""

    def __init__(self, network: Any, x: Any, t: ArrayLike, weight: ArrayLike | None) -> None:
        self.x, self.t = _as_rows(network, x, "x_train"), _rows(t, "t_train")
        self.rows = len(self.x)
        if len(self.t) != self.rows:
            raise ValueError(f"x_train has {self.rows} rows, t_train {len(self.t)}.")
        self.weight = check_sample_weight(weight, self.rows)

    def scales(self, order: np.ndarray, batch: int) -> np.ndarray:
        """Each row's share of its batch's mean, for rows in this order."""
        if self.weight is None:
            return np.full(len(order), 1.0 / batch)
        weights = self.weight[order].reshape(-1, batch)
        sums = weights.sum(axis=1, keepdims=True)
        if (sums <= 0).any():
            raise ValueError("A batch has rows of sample_weight 0 only; use larger batches.")
        return (weights / sums).reshape(-1)


def _rows(values: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers.")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} is empty or has no rows: shape {array.shape}.")
    return array


def _as_rows(network: Any, x: Any, name: str) -> Any:
    """x with rows that can be counted and taken: an array, or a graph's batch of features."""
    if not isinstance(network, Graph):
        return _rows(x, name)
    batch = network.prepare(x)
    for start in range(0, len(batch), _CHECKED):  # so that a bad id is found before the first step
        if isinstance(batch, Batch):
            batch[start : start + _CHECKED].rows()
    return batch


def _validation_data(
    network: Any, x: Any, t: ArrayLike | None, weight: ArrayLike | None
) -> tuple[Any, ArrayLike, np.ndarray | None] | None:
    if (x is None) != (t is None):
        raise ValueError("Give both x_val and t_val, or neither.")
    if x is None or t is None:
        if weight is not None:
            raise ValueError("val_sample_weight was given without x_val and t_val.")
        return None
    checked = _as_rows(network, x, "x_val")
    rows = len(checked)
    if len(_rows(t, "t_val")) != rows:
        raise ValueError(f"x_val has {rows} rows, t_val {len(np.asarray(t))}.")
    return checked if isinstance(network, Graph) else x, t, check_sample_weight(weight, rows)


def _gatherable(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The array as (N, D) that the gather kernel takes; copied only if it has to be."""
    rows = array.reshape(len(array), -1)
    if rows.dtype.name in _GATHERED and rows.flags.c_contiguous and rows.flags.aligned:
        return rows
    return np.require(rows, dtype, ["C", "A"])


def _gather(
    source: np.ndarray, order: np.ndarray, out: np.ndarray, name: str, one_hot: bool
) -> None:
    problem = np.empty(2, np.int64)
    ops.gather_rows(source, order, out, one_hot, problem)
    if problem[0]:
        raise ValueError(row_problem(name, int(problem[0]), int(order[problem[1]])))


def _diverged(run: Run) -> str:
    where = f"The loss is {run.losses[-1]} at step {run.step} (epoch {run.epoch + 1})."
    kept = run.last_checkpoint
    tail = f"The last good checkpoint is {kept}." if kept else "There is no checkpoint."
    return f"{where} {tail} Try a smaller learning rate, clip_norm, or scaled inputs."


class _FusedSteps:
    """Many steps in one compiled call."""

    def __init__(self, run: Run, data: _Data, loss_at: str) -> None:
        self.run, self.data = run, data
        self.network, self.optimizer = run.network, run.optimizer
        self.loss, self.after = self.network.loss_layer, loss_at == "after"
        plan = self.network.plan()
        self.network.checked_batch(plan, data.x[:1], data.t[:1])
        self.dtype = plan.store.dtype
        self.x = _gatherable(data.x, self.dtype)
        self.loss.shape = (data.rows, plan.outputs)
        self.t = self.loss.targets(data.t, self.loss.shape, self.dtype)
        row_bytes = (self.x.shape[1] + self.t.shape[1]) * self.dtype.itemsize
        batch = run.batch_size
        self.most = max(1, _BLOCK_BYTES // (batch * row_bytes))
        self.xs = np.empty(
            (min(self.most, run.steps_per_epoch) * batch, self.x.shape[1]), self.dtype
        )
        self.ts = np.empty((len(self.xs), self.t.shape[1]), self.dtype)
        self.at_once = 1

    @staticmethod
    def fits(network: Any, optimizer: Any) -> bool:
        """Whether everything about network and optimizer is ours."""
        return (
            _has_our_methods(network)
            and type(optimizer) in our_optimizers.values()
            and network.plan() is not None
        )

    def take(self, most: int) -> list[float]:
        """At most ``most`` steps; returns their losses."""
        run, batch = self.run, self.run.batch_size
        first = run.epoch_step * batch
        steps = min(most, self.at_once, len(self.xs) // batch)
        rows = run.order[first : first + steps * batch]
        if len(rows) < steps * batch:  # the smaller last batch goes alone
            steps = max(1, len(rows) // batch)
            rows = rows[: steps * batch]
            batch = min(batch, len(rows))
        start = time.perf_counter()
        losses = self._call(rows, batch, steps)
        spent = time.perf_counter() - start
        if steps == self.at_once and spent < _CALL_SECONDS:
            self.at_once = min(2 * self.at_once, self.most)
        elif spent > 2 * _CALL_SECONDS:
            self.at_once = max(1, self.at_once // 2)
        return losses

    def _call(self, rows: np.ndarray, batch: int, steps: int) -> list[float]:
        plan, optimizer = self.network.plan(), self.optimizer
        x, t = self.xs[: len(rows)], self.ts[: len(rows)]
        _gather(self.x, rows, x, "x_train", False)
        _gather(self.t, rows, t, "t_train", self.loss.one_hot)
        scales = self.data.scales(rows, batch)
        states = optimizer.flat_states(plan.store)
        none = np.empty(0, self.dtype)
        rates = np.full(steps, optimizer.lr, np.float64)
        if optimizer.schedule is not None:
            rates = optimizer.schedule.rates(optimizer.t, optimizer.t + steps)
        losses = np.full(steps, np.nan)
        scratch = plan.take_scratch(batch)
        plan.train_kernel(batch)(
            plan.blocks, plan.slopes, plan.tiles, plan.store.flat, x, t, self.loss.kind,
            self.loss.delta, scales, batch, self.after, optimizer.kind, optimizer.settings(), rates,
            optimizer.t, np.empty_like(plan.store.flat), states.get("m", none),
            states.get("v", none), losses, np.empty(len(rows)), scratch[1], scratch[2],
        )  # fmt: skip
        plan.give_back(scratch)
        plan.forget()
        finite = np.isfinite(losses)
        taken = steps if finite.all() else int(np.argmin(finite)) + 1
        optimizer.t += taken
        optimizer.lr = float(rates[taken - 1])
        return losses[:taken].tolist()


class _LayeredSteps:
    """One step at a time through the network's and the optimizer's own methods."""

    def __init__(self, run: Run, data: _Data, loss_at: str) -> None:
        self.run, self.data = run, data
        self.after = loss_at == "after"
        self.ours = isinstance(run.network, Network)
        self.arrays = self.ours and not isinstance(run.network, Graph)
        self.x = data.x
        if self.arrays:
            self.dtype = run.network.dtype or data.x.dtype
            self.x = _gatherable(data.x, self.dtype)
        if isinstance(getattr(run.network, "loss_layer", None), Loss):
            targets = data.t.reshape(data.rows, -1)  # all at once: the row is then the user's
            check_finite(targets, "t_train", run.network.loss_layer.one_hot)

    def take(self, most: int) -> list[float]:
        """One step; returns its loss."""
        run, data, network = self.run, self.data, self.run.network
        first = run.epoch_step * run.batch_size
        rows = run.order[first : first + run.batch_size]
        x, t = self._x(rows), data.t[rows]
        weight = () if data.weight is None else (data.weight[rows],)
        if not self.after and not self.ours:
            loss = network.loss(x, t, *weight)
        grads = network.gradient(x, t, *weight)
        params = _parameters(network, grads)
        if not self.after and self.ours:
            loss = network.latest_loss
            if not np.isfinite(loss):
                return [float(loss)]
        run.optimizer.update(params, grads)
        _put_back(network, params)
        if self.after:
            with evaluation(network):
                loss = network.loss(x, t, *weight)
        return [float(loss)]

    def _x(self, rows: np.ndarray) -> Any:
        if not self.arrays:
            return self.data.x[rows]
        out = np.empty((len(rows), self.x.shape[1]), self.dtype)
        _gather(self.x, rows, out, "x_train", False)
        return out.reshape(len(rows), *self.data.x.shape[1:])


def _parameters(network: Any, grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters that the gradients' names mean: "W0" is ``network.layers[0].W``."""
    if isinstance(network, Network):
        return network.parameters()
    found = {}
    for key in grads:
        name = key.rstrip("0123456789")
        found[key] = getattr(network.layers[int(key[len(name) :])], name)
    return found


def _put_back(network: Any, params: dict[str, np.ndarray]) -> None:
    """Assign the parameters, for optimizers that put new arrays into the dict."""
    if isinstance(network, Network):
        store = network.store()
        for key, layer, name in (*(slot[:3] for slot in store.slots), *store.tables):
            setattr(layer, name, params[key])
        return
    for key, array in params.items():
        name = key.rstrip("0123456789")
        setattr(network.layers[int(key[len(name) :])], name, array)
