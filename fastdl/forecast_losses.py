"""Losses of forecasts: quantiles, and distributions by their negative log likelihood.

The network puts out ``loss.outputs`` numbers for each step of the horizon L: x (N, L P), or of
any shape that holds as many in that order. t is (N, L), with NaN where a value is missing; a third
axis (N, L, 2) brings each value's scale s beside it, in whose units the network works (1 without).
The loss is the mean over the values that are there, weighted by the rows' ``sample_weight``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .kernels import likelihood as kinds
from .layers.activation import floating
from .layers.base import Layer, ops, required
from .validation import as_real, check_batch, check_number, check_sample_weight

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


class ForecastLoss(Layer):
    """Base of the losses; ``kind`` names the formula to the kernel, P = ``outputs``."""

    kind: ClassVar[int]
    one_hot: ClassVar[bool] = False
    outputs: int = 2
    levels: np.ndarray = np.empty(0)

    _slope: np.ndarray | None = None  # (N L, P): d loss / dx
    _shape: tuple[int, ...] = ()

    def forward(  # type: ignore[override]
        self, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """The batch's loss; 0 where no value is there.

        Raises ValueError where shapes do not fit, for infinite values, scales that are not above 0,
        and values that the distribution cannot have.
        """
        x = floating(x, "x")
        check_batch(x, "x")
        self._shape = x.shape
        steps = x.size // (len(x) * self.outputs)
        if x.size != len(x) * steps * self.outputs or not steps:
            raise ValueError(
                f"x has shape {x.shape}; {type(self).__name__} takes {self.outputs} numbers for "
                "each step."
            )
        values, scale = self._targets(t, (len(x), steps), x.dtype)
        rows = x.reshape(-1, self.outputs)
        slope, loss = np.empty_like(rows), np.empty(len(rows))
        ops.likelihood_losses(self.kind, rows, values, scale, self.levels, slope, loss)
        weight = check_sample_weight(sample_weight, len(x))
        share = np.ones(len(x)) if weight is None else weight
        share = np.where(np.isnan(values), 0, np.repeat(share, steps))
        share /= max(share.sum(), np.finfo(np.float64).tiny)
        self._slope = slope * share.astype(x.dtype)[:, None]
        return float(loss @ share)

    def backward(self, dout: float = 1.0) -> np.ndarray:  # type: ignore[override]
        """dout times the gradient of the loss, of x's shape."""
        slope = required(self._slope, self)
        return (slope * slope.dtype.type(dout)).reshape(self._shape)

    def _targets(
        self, t: ArrayLike, shape: tuple[int, int], dtype: np.dtype[Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values and scales, both (N L,)."""
        array = as_real(t, dtype, "t")
        if array.shape == shape:
            values, scale = array.reshape(-1), np.ones(array.size, dtype)
        elif array.shape == (*shape, 2):
            pairs = np.ascontiguousarray(array.reshape(-1, 2).T)
            values, scale = pairs[0], pairs[1]
        else:
            raise ValueError(f"t has shape {array.shape}; expected {shape} or {(*shape, 2)}.")
        if np.isinf(values).any():
            raise ValueError("t has infinite values; NaN stands for a missing one.")
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise ValueError(f"t has a scale of {scale.min()}; expected numbers above 0.")
        self._check_values(values)
        return np.ascontiguousarray(values), scale

    def _check_values(self, values: np.ndarray) -> None:
        pass


class QuantileLoss(ForecastLoss):
    """The mean over the levels p of max(p r, (p - 1) r), r = t / s - x (Koenker & Bassett 1978).

    It is least where x are the p-quantiles of t / s. ``quantiles``: the levels p, at least one, in
    (0, 1), ascending.

    >>> import numpy as np
    >>> QuantileLoss([0.5]).forward(np.array([[1.0]]), np.array([[3.0]]))
    1.0
    """

    kind = kinds.QUANTILES
    config_names = ("quantiles",)

    def __init__(self, quantiles: Sequence[float] = QUANTILES) -> None:
        self.quantiles = [
            check_number(p, "quantiles' numbers", open_low=True, high=1.0, open_high=True)
            for p in quantiles
        ]
        if not self.quantiles or sorted(set(self.quantiles)) != self.quantiles:
            raise ValueError(f"quantiles are {list(quantiles)}; expected ascending numbers.")
        self.levels, self.outputs = np.array(self.quantiles), len(self.quantiles)


class GaussianLikelihood(ForecastLoss):
    """-log of the normal density of t / s with mean x0 and deviation softplus(x1) + 1e-4."""

    kind = kinds.GAUSSIAN


class StudentTLikelihood(ForecastLoss):
    """-log of Student's density of t / s: location x0, scale softplus(x1) + 1e-4.

    Its degrees of freedom are 2 + softplus(x2), so that it has a variance.
    """

    kind = kinds.STUDENT_T
    outputs = 3


class NegativeBinomialLikelihood(ForecastLoss):
    """-log of the probability of the count t with mean m = s (softplus(x0) + 1e-4).

    Its variance is m + a m^2 with a = softplus(x1) + 1e-4 (Salinas et al. 2020, section 3.1).
    """

    kind = kinds.NEGATIVE_BINOMIAL

    def _check_values(self, values: np.ndarray) -> None:
        there = values[~np.isnan(values)]
        wrong = (there < 0) | (there != np.round(there))
        if wrong.any():
            raise ValueError(f"t has the value {there[wrong][0]}; expected counts, 0 or more.")
