"""A network judged on rows that it is not trained on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .feeds import as_rows, check_stream, numeric_rows
from .forecast_losses import ForecastLoss
from .graph import Graph
from .kernels.backend import get_backend
from .kernels.dense import PASS, ROWS
from .layers import Sigmoid
from .losses import SigmoidCrossEntropy
from .memory import rows_at_once
from .metrics import roc_auc
from .network import Network, classes_of_output, classes_of_target, evaluation
from .sequences import Sequences
from .stream import RowStream
from .validation import check_sample_weight, check_values

Validation = tuple[Any, Any, np.ndarray | None]  # x, t (None with a stream) and weights


def evaluate(
    network: Any, x: Any, t: ArrayLike | None, sample_weight: np.ndarray | None = None
) -> tuple[float, float | None, float | None]:
    """(mean loss, accuracy, AUC) in evaluation mode, in batches of bounded memory.

    The accuracy is None where the loss is one of forecasts, which have no classes. The AUC is None
    where the output is not the one logit of a click, and NaN, with a warning, where the rows are
    all of one class.
    """
    with evaluation(network):
        if not has_our_methods(network) and not isinstance(network, Graph):
            if sample_weight is not None or isinstance(x, RowStream):
                raise ValueError(
                    "A stream or val_sample_weight needs a network with fastdl's own methods."
                )
            return float(network.loss(x, t)), float(network.accuracy(x, t)), None
        loss = hits = weight = 0.0
        classifies = not isinstance(network.loss_layer, ForecastLoss)
        logits, labels, weights = [], [], []
        for x_rows, t_rows, own in _batches(network, x, t, sample_weight):
            out, its_loss = _outputs_and_loss(network, x_rows, t_rows, own)
            loss += its_loss
            if classifies:
                right = classes_of_output(out) == classes_of_target(t_rows, len(out))
                hits += float(np.sum(right if own is None else own[right]))
            weight += len(out) if own is None else float(np.sum(own))
            if isinstance(network.loss_layer, SigmoidCrossEntropy) and out.size == len(out):
                logits.append(out.reshape(-1).astype(np.float64))
                labels.append(t_rows.reshape(-1))
                weights += [] if own is None else [own]
        if weight <= 0:
            raise ValueError("The validation rows all have the weight 0.")
    accuracy = hits / weight if classifies else None
    return loss / weight, accuracy, _auc(logits, labels, weights)


def _batches(
    network: Any, x: Any, t: ArrayLike | None, weights: np.ndarray | None
) -> Iterator[tuple[Any, np.ndarray, np.ndarray | None]]:
    most = PASS
    plan = network.plan()
    if plan is not None and plan.is_small(ROWS):
        most = ROWS  # the kernel that training uses: no other need be compiled
    if isinstance(x, RowStream):
        for block in x.blocks():
            size = _bounded(block.x, most)
            for start in range(0, len(block), size):
                rows = block[start : start + size]
                yield rows.x, rows.t, rows.weight
        return
    if not isinstance(x, Sequences):
        x = network.prepare(x) if isinstance(network, Graph) else numeric_rows(x, "x")
    t = np.asarray(t)
    most = _bounded(x, most)
    for start in range(0, len(x), most):
        own = slice(start, start + most)
        yield x[own], t[own], None if weights is None else weights[own]


def _bounded(x: Any, most: int) -> int:
    """At most ``most`` rows, of images and series fewer."""
    x = getattr(x, "x", x)  # of sequences
    if not isinstance(x, np.ndarray) or x.ndim < 3:
        return most
    return min(most, rows_at_once(x[0].size))


def _auc(
    logits: list[np.ndarray], labels: list[np.ndarray], weights: list[np.ndarray]
) -> float | None:
    if not logits:
        return None
    t = np.concatenate(labels)
    if not np.isin(t, (0, 1)).all():
        return None
    if t.min() == t.max():
        warnings.warn(
            f"All {len(t)} validation rows have the label {t[0]:g}: their AUC is not "
            "defined and is left out. Training goes on.",
            stacklevel=2,
        )
        return float("nan")
    probability = Sigmoid().forward(np.concatenate(logits))
    return roc_auc(t, probability, np.concatenate(weights) if weights else None)


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


def has_our_methods(network: Any) -> bool:
    """Whether a network's passes are those of ``Network``, not a subclass's own."""
    own = type(network)
    return isinstance(network, Network) and all(
        getattr(own, name) is getattr(Network, name)
        for name in ("predict", "loss", "gradient", "accuracy")
    )


def validation_data(
    network: Any, x: Any, t: ArrayLike | None, weight: ArrayLike | None
) -> Validation | None:
    """What ``evaluate`` takes after the network, checked; None where there is no validation."""
    if isinstance(x, RowStream):
        if t is not None or weight is not None:
            raise ValueError("A stream has its labels: leave t_val and val_sample_weight out.")
        check_stream(network, x)
        return x, None, None
    if (x is None) != (t is None):
        raise ValueError("Give both x_val and t_val, or neither.")
    if x is None or t is None:
        if weight is not None:
            raise ValueError("val_sample_weight was given without x_val and t_val.")
        return None
    checked = as_rows(network, x, "x_val")
    rows = len(checked)
    if len(numeric_rows(t, "t_val")) != rows:
        raise ValueError(f"x_val has {rows} rows, t_val {len(np.asarray(t))}.")
    return checked if isinstance(network, Graph) else x, t, check_sample_weight(weight, rows)
