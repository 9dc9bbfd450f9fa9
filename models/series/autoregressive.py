"""One step after the other, each from the ones before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fastdl.forecast_losses import ForecastLoss
from fastdl.graph import Node
from fastdl.layers.combine import Flatten
from fastdl.layers.windows import LastSteps, PastSteps
from fastdl.network import evaluation
from fastdl.validation import check_size

from .base import RECURRENT, ForecastModel, _choice

if TYPE_CHECKING:
    from fastdl.data.series.windows import WindowBatch

_BLOCK = 4096  # paths that are drawn together


class AutoregressiveForecaster(ForecastModel):
    """DeepAR: a recurrent network that is fed its own past (Salinas et al. 2020).

    At each step it sees the value before, those of ``lags`` (()) steps ago, and what is known of
    the step; the head gives the step's distribution. It learns on the true past; forecasts are
    paths in which each step is drawn from its distribution and then fed to the next. The encoder
    has to be recurrent, the head a distribution.
    """

    options: ClassVar[dict[str, Any]] = {"lags": ()}
    heads: ClassVar[tuple[str, ...]] = ("student_t", "gaussian", "negative_binomial")

    lags: tuple[int, ...]

    def build(self, x: Node, loss: ForecastLoss) -> Node:
        _choice(self.encoder, "The encoder of an autoregressive model", tuple(RECURRENT))
        self.lags = tuple(check_size(lag, "lags' numbers") for lag in self.lags)
        self._past = PastSteps(self.lags)
        inputs = 2 * (1 + len(self.lags)) + self.channels - 2
        steps, inputs = self.with_static(self._past(x), inputs, x)
        self._layer = self.recurrent(inputs, True)
        out = self.dense_steps(self._layer(steps), self.hidden, loss.outputs)
        self._head: Any = out.layer
        return Flatten()(LastSteps(self.context - 1)(out))

    def distribution(self, windows: WindowBatch) -> np.ndarray:
        """As in ``ForecastModel``; it needs the values ``ahead`` of the horizon but the last."""
        if windows.ahead.shape[1] != self.horizon:
            raise ValueError(
                "The windows do not have the horizon's values, from which an autoregressive model "
                "gives each step's distribution; draw paths instead."
            )
        return super().distribution(windows)

    def paths(
        self, windows: WindowBatch, count: int = 200, rng: np.random.Generator | None = None
    ) -> np.ndarray:  # fmt: skip
        """(N, count, horizon) float64: what may come, in units of the scale (of counts: counts).

        The windows may reach further than the horizon that was trained.
        """
        rng = np.random.default_rng() if rng is None else rng
        count, rows = check_size(count, "count"), max(1, _BLOCK // count)
        with evaluation(self):
            return np.concatenate([
                self._drawn(windows[start : start + rows], count, rng)
                for start in range(0, len(windows), rows)
            ])  # fmt: skip

    def _drawn(self, windows: WindowBatch, count: int, rng: np.random.Generator) -> np.ndarray:
        from fastdl.forecasting.heads import (
            draw,
        )  # it imports pyarrow, which `import fastdl` need not

        B, C = len(windows), self.context
        H, own = windows.x.shape[1] - C, np.repeat(np.arange(B), count)
        known = windows[own]
        static = self._static_of(known)
        values = np.zeros((len(own), C + H, 2), self.dtype)
        values[:, :C] = known.x[:, :C, :2]
        scale = known.scale if self.head == "negative_binomial" else np.ones(len(own))
        found = np.empty((len(own), H))
        for t, out in self._steps(windows, known, values, static, own, H):
            found[:, t] = draw(self.loss_layer, out, scale, rng)
            values[:, C + t, 0], values[:, C + t, 1] = found[:, t] / scale, 1
        return found.reshape(B, count, H)

    def _steps(
        self, windows: WindowBatch, known: WindowBatch, values: np.ndarray, static: np.ndarray,
        own: np.ndarray, H: int,
    ) -> Iterator[tuple[int, np.ndarray]]:  # fmt: skip
        """(step of the horizon, the head's outputs (rows, P)); values are filled in between."""
        C, layer = self.context, self._layer
        state: Any = None
        layer.return_state = True
        try:
            if C > 1:  # the context is the same for all paths of a window
                first = np.unique(own, return_index=True)[1]
                given = self._past.of(values[first], windows.x[:, 1:C, 2:], 1)
                _, state = layer.forward(self._joined(given, static[first]))
                parts = state if isinstance(state, tuple) else (state,)
                parts = tuple(np.ascontiguousarray(part[:, own]) for part in parts)
                state = parts if len(parts) > 1 else parts[0]
            for t in range(H):
                given = self._past.of(values, known.x[:, C + t : C + t + 1, 2:], C + t)
                out, state = layer.forward(self._joined(given, static), state=state)
                yield t, self._head.forward(out)[:, 0]
        finally:
            layer.return_state = False

    def _static_of(self, windows: WindowBatch) -> np.ndarray:
        """(N, S): what is appended to every step."""
        if self._static_node is None:
            return np.empty((len(windows), 0), self.dtype)
        return _value(self._static_node, windows)

    def _joined(self, steps: np.ndarray, static: np.ndarray) -> np.ndarray:
        B, T, _ = steps.shape
        if not static.shape[1]:
            return np.ascontiguousarray(steps, self.dtype)
        behind = np.broadcast_to(static[:, None], (B, T, static.shape[1]))
        return np.concatenate([steps, behind], axis=2).astype(self.dtype)


def _value(node: Node, windows: WindowBatch) -> np.ndarray:
    """A node's output for windows."""
    if node.layer is None:
        return windows  # type: ignore[return-value]
    return node.layer.forward(*(_value(parent, windows) for parent in node.parents))
