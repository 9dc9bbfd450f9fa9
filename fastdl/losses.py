"""Losses: the mean over a batch, in float64, and its gradient at the network's output.

With ``sample_weight`` w (N,), the loss is sum w_i loss_i / sum w_i.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .kernels import loss as kinds
from .layers.activation import floating
from .layers.base import Layer, ops, required
from .validation import (
    as_real,
    check_batch,
    check_finite,
    check_number,
    check_sample_weight,
)


class Loss(Layer):
    """Base of the losses; ``kind`` names the formula to the kernels."""

    kind: ClassVar[int]
    one_hot: ClassVar[bool] = False  # whether rows of t must be one-hot
    delta: float = 1.0

    y: np.ndarray | None = None  # what backward needs, as (N, C)
    t: np.ndarray | None = None
    row_scale: np.ndarray | None = None
    shape: tuple[int, ...] = ()

    def forward(  # type: ignore[override]
        self, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """The batch's loss for outputs x and targets t.

        Raises ValueError where shapes do not fit, or values are not finite or not as the loss
        expects them; TypeError for dtypes that are not real numbers.
        """
        x = floating(x, "x")
        self.shape = x.shape
        rows = self.rows(x)
        check_batch(rows, "x")
        self.t = self.targets(t, rows.shape, rows.dtype)
        check_finite(self.t, "t", self.one_hot)
        self.row_scale = row_scale(sample_weight, len(rows))
        self.y = np.empty_like(rows)
        row_loss = np.empty(len(rows))
        ops.loss_forward(self.kind, self.delta, rows, self.t, self.y, row_loss)
        return float(np.sum(row_loss * self.row_scale))

    def backward(self, dout: float = 1.0) -> np.ndarray:  # type: ignore[override]
        """dout times the gradient of the loss, of x's shape."""
        y, t, scale = required(self.y, self), self.t, required(self.row_scale, self)
        dx = np.empty_like(y)
        ops.loss_backward(self.kind, self.delta, y, t, scale * float(dout), dx)
        return dx.reshape(self.shape)

    def rows(self, x: np.ndarray) -> np.ndarray:
        """x as (N, C)."""
        return x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(-1, 1)

    def targets(self, t: ArrayLike, rows: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """t as (N, C), the shape ``rows``, in the output's dtype."""
        array = as_real(t, dtype, "t")
        if array.shape == rows:
            return array
        beside = array.ndim <= 2 and array.size == rows[0] * rows[1]  # (N,) beside (N, 1)
        if array.shape != self.shape and not beside:
            raise ValueError(f"t has shape {array.shape}; expected {self.shape}, the output's.")
        return array.reshape(rows)


def row_scale(sample_weight: ArrayLike | None, rows: int) -> np.ndarray:
    """Each row's share of the mean, as float64 (rows,)."""
    weight = check_sample_weight(sample_weight, rows)
    return np.full(rows, 1.0 / rows) if weight is None else weight / weight.sum()


class Softmax(Loss):
    """Softmax and cross entropy as in the course: -mean over rows of sum t log(y + 1e-7).

    x (N, C) or (C,); t one-hot of x's shape. ``backward`` returns (y - t) / N, the gradient
    without the 1e-7, times ``dout``. After forward, ``y`` holds the probabilities.

    >>> import numpy as np, fastdl
    >>> round(fastdl.Softmax().forward(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]])), 4)
    0.6931
    """

    kind = kinds.SOFTMAX
    one_hot = True

    def rows(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(1, -1) if x.ndim == 1 else super().rows(x)


class SoftmaxCrossEntropy(Loss):
    """-mean over rows of sum t log softmax(x), computed from the logits x (N, C) without overflow.

    t: class indices, an integer array (N,), or a distribution over the classes for each row (N, C).
    """

    kind = kinds.SOFTMAX_CROSS_ENTROPY

    def targets(self, t: ArrayLike, rows: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        array = np.asarray(t)
        N, C = rows
        if array.ndim == 1 and array.dtype.kind in "iub" and C > 1:
            if array.shape != (N,):
                raise ValueError(f"t has shape {array.shape}; expected ({N},) class indices.")
            if not (array.min() >= 0 and array.max() < C):
                raise ValueError(
                    f"t has class indices from {array.min()} to {array.max()}; expected 0 to "
                    f"{C - 1} for an output of {C} columns."
                )
            return np.eye(C, dtype=dtype)[array.astype(np.intp)]
        found = super().targets(t, rows, dtype)
        if (found < 0).any():
            raise ValueError("t has negative values; expected class indices or distributions.")
        return found


class SigmoidCrossEntropy(Loss):
    """mean of softplus(x) - t x, the cross entropy of sigmoid(x), from logits x of any shape.

    t: click or no click, or a probability, in [0, 1], of x's shape.
    """

    kind = kinds.SIGMOID_CROSS_ENTROPY

    def targets(self, t: ArrayLike, rows: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        found = super().targets(t, rows, dtype)
        if (found < 0).any() or (found > 1).any():
            raise ValueError(
                f"t has values from {found.min()} to {found.max()}; SigmoidCrossEntropy expects "
                "labels or probabilities in [0, 1]."
            )
        return found


class MeanSquaredError(Loss):
    """mean of (x - t)^2 over all elements."""

    kind = kinds.SQUARED_ERROR


class MeanAbsoluteError(Loss):
    """mean of |x - t| over all elements; its derivative at 0 is 0."""

    kind = kinds.ABSOLUTE_ERROR


class Huber(Loss):
    """mean of r^2/2 where |r| <= delta, else delta (|r| - delta/2), r = x - t (Huber 1964)."""

    kind = kinds.HUBER
    config_names = ("delta",)

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = check_number(delta, "delta", open_low=True)


def as_loss(loss: Any) -> Layer:
    """The loss itself, or a new one from its class."""
    return loss() if isinstance(loss, type) else loss
