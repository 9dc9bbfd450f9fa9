"""All steps of the horizon at once, from the context alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastdl.forecast_losses import ForecastLoss
from fastdl.graph import Node
from fastdl.layers import ReLU, ScaledDotProductAttention, TimeDistributed
from fastdl.layers.combine import Concat, Flatten
from fastdl.layers.windows import (
    AddLinear,
    ContextSteps,
    ContextValues,
    HorizonSteps,
    LastStep,
    StepDecoder,
)

from .base import ForecastModel


class DirectForecaster(ForecastModel):
    """An encoder of the context and one decoder for all steps of the horizon (Wen et al. 2017).

    The encoder's last state, what is known of a step, and a vector of the step's own go through two
    hidden layers of ``width`` (64) numbers. ``attention`` (False) adds what the encoder's last
    state finds among all its steps. ``linear`` (True) adds a linear function of the context's
    values, the same for all series, to each step's quantiles or mean.
    """

    options: ClassVar[dict[str, Any]] = {"width": 64, "attention": False, "linear": True}

    width: int
    attention: bool
    linear: bool

    def build(self, x: Node, loss: ForecastLoss) -> Node:
        steps, inputs = self.with_static(ContextSteps()(x), self.channels, x)
        state, size = self.encoded(steps, inputs, self.attention), self.hidden
        if self.attention:
            last = LastStep()(state)
            found = ScaledDotProductAttention(dtype=self.dtype)(last, state)
            state, size = Concat()(last, found), 2 * size
        known = self.channels - self.unknown
        decoder = self.make(StepDecoder, size, known, self.horizon, self.width)
        out = self.dense_steps(
            decoder(state, HorizonSteps(self.unknown)(x)), self.width, self.width
        )
        out = self.dense_steps(TimeDistributed(ReLU())(out), self.width, loss.outputs)
        self._head: Any = out.layer
        self.line: AddLinear | None = None
        if self.linear:
            columns = loss.outputs if self.head == "quantile" else 1
            self.line = AddLinear(self.context, self.horizon, columns, dtype=self.dtype)
            out = self.line(out, ContextValues()(x))
        return Flatten()(out)

    def start_from_line(self, W: np.ndarray, errors: np.ndarray) -> None:
        """Let the untrained network forecast what a linear model does, if it has a linear part.

        W (1 + context, horizon), a row of constants first, and the model's errors (R, horizon),
        both of scaled values. Encoder and decoder then learn what a line does not say. Of counts
        nothing is set: the head puts the line through a softplus.
        """
        if self.line is None or self.head == "negative_binomial":
            return
        self.line.W, self.line.b = W[1:], W[:1]
        self._head.W = np.zeros_like(self._head.W)
        bias = np.zeros(self._head.b.size)
        if self.head == "quantile":
            bias[:] = np.quantile(errors, self.quantiles)
        else:
            spread = max(float(errors.std()), 1e-3)
            bias[1] = np.log(np.expm1(spread)) if spread < 20 else spread
        self._head.b = bias.reshape(1, -1)
