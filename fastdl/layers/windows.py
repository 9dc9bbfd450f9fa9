"""What forecasters take of windows of series, and what they make of it step by step.

Their input is a ``WindowBatch`` of ``fastdl.data.series``: B windows of a context and a horizon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..features import FeatureSpec
from ..initializers import Normal, Xavier, get_initializer
from ..validation import check_size
from .base import Layer, required
from .table import TableLayer

if TYPE_CHECKING:
    from ..data.series.windows import WindowBatch


class WindowPart(Layer):
    """Base of the layers that take a batch of windows; nothing learns in them."""

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Windows have no gradient."""


class ContextSteps(WindowPart):
    """All channels of the context, (B, context, D)."""

    def forward(self, windows: WindowBatch) -> np.ndarray:  # type: ignore[override]
        """The channels of the steps that are known."""
        return windows.x[:, : windows.context]


class ContextValues(WindowPart):
    """The scaled values of the context, (B, context); missing ones are 0."""

    def forward(self, windows: WindowBatch) -> np.ndarray:  # type: ignore[override]
        """The first channel."""
        return np.ascontiguousarray(windows.x[:, : windows.context, 0])


class HorizonSteps(WindowPart):
    """The channels from ``first`` on of the horizon: what is known of it, (B, H, D - first)."""

    config_names = ("first",)

    def __init__(self, first: int) -> None:
        self.first = first

    def forward(self, windows: WindowBatch) -> np.ndarray:  # type: ignore[override]
        """Known and calendar covariates."""
        return np.ascontiguousarray(windows.x[:, windows.context :, self.first :])


class PastSteps(WindowPart):
    """What an autoregressive network sees before each step but the first: (B, T - 1, D').

    For the step t it is the value of t - 1 and whether it was observed, the same of t - lag for
    each of ``lags`` (0 where that is before the window), and t's own channels from 2 on. In the
    horizon values are those of ``ahead``.
    """

    config_names = ("lags",)

    def __init__(self, lags: tuple[int, ...] = ()) -> None:
        self.lags = tuple(lags)

    def forward(self, windows: WindowBatch) -> np.ndarray:  # type: ignore[override]
        """The inputs of steps 1 to T - 1, as far as values are known."""
        x, C = windows.x, windows.context
        known = C + windows.ahead.shape[1]
        values = np.concatenate([x[:, :C, :2], windows.ahead.astype(x.dtype)], axis=1)
        last = min(known + 1, x.shape[1])  # the first step whose value is not known, or the end
        return self.of(values, x[:, 1:last, 2:], 1)

    def of(self, values: np.ndarray, own: np.ndarray, first: int) -> np.ndarray:
        """The inputs of the steps from ``first`` on: values (B, >= t, 2), own (B, n, D - 2)."""
        n = own.shape[1]
        parts = []
        for lag in (1, *self.lags):
            part = np.zeros((len(own), n, 2), own.dtype)
            begin = min(max(0, lag - first), n)  # of these steps the first that has the lag
            part[:, begin:] = values[:, first + begin - lag : max(0, first + n - lag)]
            parts.append(part)
        return np.concatenate([*parts, own], axis=2)


class StaticNumbers(WindowPart):
    """The numbers that belong to the windows' series, (B, F)."""

    def forward(self, windows: WindowBatch) -> np.ndarray:  # type: ignore[override]
        """The static numbers."""
        return windows.numbers


class StaticEmbedding(TableLayer):
    """A vector of ``dim`` numbers for each category of the windows' series, side by side.

    sizes: how many values each of G categories has; out is (B, G dim). Tables lie one behind the
    other in E, whose gradient is a ``SparseGradient``, as in ``Embedding``.
    """

    parameter_names = ("E",)
    table_names = ("E",)
    config_names = ("sizes", "dim")

    E: Any

    def __init__(
        self, sizes: tuple[int, ...], dim: int, *, dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.sizes, self.dim = tuple(sizes), check_size(dim, "dim")
        super().__init__(
            FeatureSpec(fields=list(self.sizes)), self.dim, initializer=Normal(std=0.1),
            penalty=0.0, whole=True, dtype=dtype, rng=rng,
        )  # fmt: skip

    def forward(self, windows: WindowBatch) -> np.ndarray:  # type: ignore[override]
        """The categories' vectors, (B, G dim)."""
        found = self.lookup(self.spec.batch({"ids": windows.codes}, self.dtype))
        return found.reshape(len(found), -1)

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Keeps dE; categories have no gradient."""
        self.keep_gradient(dout.reshape(len(dout), len(self.sizes), self.dim))


class AppendToSteps(Layer):
    """A row's numbers (B, S) behind those of each of its steps (B, T, D): (B, T, D + S)."""

    def __init__(self) -> None:
        self._width: int | None = None

    def forward(self, steps: np.ndarray, row: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """The steps with the row's numbers behind."""
        B, T, D = steps.shape
        self._width = D
        out = np.empty((B, T, D + row.shape[1]), steps.dtype)
        out[..., :D], out[..., D:] = steps, row[:, None]
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """(dsteps, drow)."""
        D = required(self._width, self)
        return np.ascontiguousarray(dout[..., :D]), dout[..., D:].sum(axis=1)


class LastStep(Layer):
    """The last step of a sequence: x[:, -1]."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] | None = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        """(B, D) of x (B, T, D)."""
        self._shape = x.shape
        return np.ascontiguousarray(x[:, -1])

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dx, 0 but for the last step."""
        dx = np.zeros(required(self._shape, self), dout.dtype)
        dx[:, -1] = dout
        return dx


class LastSteps(Layer):
    """The steps from ``first`` on: x[:, first:], flattened to (B, n D)."""

    config_names = ("first",)

    def __init__(self, first: int) -> None:
        self.first = first
        self._shape: tuple[int, ...] | None = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        """(B, n D) of x (B, T, D)."""
        self._shape = x.shape
        return x[:, self.first :].reshape(len(x), -1)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dx, 0 before the first of these steps."""
        B, T, D = required(self._shape, self)
        dx = np.zeros((B, T, D), dout.dtype)
        dx[:, self.first :] = dout.reshape(B, T - self.first, D)
        return dx


class StepDecoder(Layer):
    """out[:, h] = max(0, state W + steps[:, h] U + V[h]) for each step h of a horizon.

    One hidden layer that all steps share, from what was learnt of the context, state (B, S), what
    is known of each step, steps (B, H, K), and a vector of its own for each: the local perceptron
    of Wen et al. 2017 (A multi-horizon quantile recurrent forecaster, section 3.2), with vectors in
    the place of a context for each step. W (S, width), U (K, width), V (horizon, width); out is
    (B, horizon, width).
    """

    parameter_names = ("W", "U", "V")
    config_names = ("state_dim", "steps_dim", "horizon", "width")

    W: Any
    U: Any
    V: Any

    def __init__(
        self, state_dim: int, steps_dim: int, horizon: int, width: int, *,
        initializer: Any = None, dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.state_dim, self.steps_dim = check_size(state_dim, "state_dim"), int(steps_dim)
        self.horizon, self.width = check_size(horizon, "horizon"), check_size(width, "width")
        self.dtype = resolve_dtype(dtype)
        fill = get_initializer(initializer or Xavier())
        inputs = self.state_dim + self.steps_dim + 1
        self.W = fill((self.state_dim, width), inputs, width, rng, self.dtype)
        if self.steps_dim:  # of a step may be known nothing
            self.U = fill((self.steps_dim, width), inputs, width, rng, self.dtype)
        self.V = fill((self.horizon, width), inputs, width, rng, self.dtype)
        self.dW: np.ndarray | None = None
        self.dU: np.ndarray | None = None
        self.dV: np.ndarray | None = None
        self._saved: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def forward(self, state: np.ndarray, steps: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """out (B, horizon, width)."""
        B, H, K = steps.shape
        if state.shape != (B, self.state_dim) or (self.horizon, self.steps_dim) != (H, K):
            raise ValueError(
                f"{self} got state of shape {state.shape} and steps of shape {steps.shape}; "
                f"expected (B, {self.state_dim}) and (B, {self.horizon}, {self.steps_dim})."
            )
        out = (state @ self.W)[:, None] + self.V
        if K:
            out += (steps.reshape(B * H, K) @ self.U).reshape(out.shape)
        np.maximum(out, 0, out=out)
        self._saved = state, steps, out
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dstate, dsteps); sets dW, dU and dV."""
        state, steps, out = required(self._saved, self)
        d = np.where(out > 0, dout, 0)
        of_state = d.sum(axis=1)
        rows = d.reshape(-1, self.width)
        self.dW, self.dV = state.T @ of_state, d.sum(axis=0)
        if not self.steps_dim:
            return of_state @ self.W.T, steps
        self.dU = steps.reshape(len(rows), self.steps_dim).T @ rows
        return of_state @ self.W.T, (rows @ self.U.T).reshape(steps.shape)


class AddLinear(Layer):
    """Adds x W + b, a number for each step, to the first ``columns`` numbers of each step.

    steps (B, H, P), x (B, D), W (D, H), b (1, H): a linear model beside the network, as the
    autoregressive part of Lai et al. 2018 (LSTNet, section 3.6). W and b begin at 0.
    """

    parameter_names = ("W", "b")
    config_names = ("input_dim", "horizon", "columns")

    W: Any
    b: Any

    def __init__(
        self, input_dim: int, horizon: int, columns: int, *, dtype: DTypeLike | None = None
    ) -> None:
        self.input_dim, self.horizon, self.columns = input_dim, horizon, columns
        self.dtype = resolve_dtype(dtype)
        self.W = np.zeros((input_dim, horizon), self.dtype)
        self.b = np.zeros((1, horizon), self.dtype)
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self._x: np.ndarray | None = None

    def forward(self, steps: np.ndarray, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """(B, H, P)."""
        self._x = x
        out = steps.copy()
        out[..., : self.columns] += (x @ self.W + self.b)[..., None]
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dsteps, dx); sets dW and db."""
        x, d = required(self._x, self), dout[..., : self.columns].sum(axis=2)
        self.dW, self.db = x.T @ d, d.sum(axis=0, keepdims=True)
        return dout, d @ self.W.T
