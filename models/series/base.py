"""What the forecasters share: their inputs, their heads, forecasts in the series' units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from fastdl import initializers
from fastdl.config import resolve_dtype
from fastdl.forecast_losses import (
    QUANTILES,
    ForecastLoss,
    GaussianLikelihood,
    NegativeBinomialLikelihood,
    QuantileLoss,
    StudentTLikelihood,
)
from fastdl.graph import Graph, Node
from fastdl.layers import GRU, LSTM, RNN, Conv1D, Dense, Dropout, TimeDistributed
from fastdl.layers.combine import Concat
from fastdl.layers.windows import AppendToSteps, StaticEmbedding, StaticNumbers
from fastdl.validation import check_number, check_size

if TYPE_CHECKING:
    from fastdl.data.series.windows import WindowBatch

HEADS: dict[str, type[ForecastLoss]] = {
    "quantile": QuantileLoss, "gaussian": GaussianLikelihood, "student_t": StudentTLikelihood,
    "negative_binomial": NegativeBinomialLikelihood,
}  # fmt: skip
RECURRENT: dict[str, Callable[..., Any]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
_KERNEL = 3  # steps of one convolution


class ForecastModel(Graph):
    """Base of the forecasters: windows of series in, what describes each step's distribution out.

    context, horizon: steps. channels: of a window (``WindowMaker.channels``), of which the first
    ``unknown`` are not known in the horizon: the value, whether it was observed, past covariates.
    numbers: static numbers of a series; categories: how many values each of its static categories
    has. encoder: "lstm", "gru", "rnn" or "conv" (dilated causal convolutions, as far back as the
    context), of ``hidden`` numbers in ``num_layers`` layers with ``dropout``. head: "quantile" of
    the levels ``quantiles``, "gaussian", "student_t" or "negative_binomial". embedding_dim: numbers
    in a category's vector. dtype and rng: as in ``fastdl.Dense``. options: the model's own.

    Train it on a ``WindowStream`` with ``batches=True``. Outputs are (N, horizon P), in units of
    each window's scale. Raises ValueError and TypeError for options out of range, and for windows
    of other sizes.
    """

    options: ClassVar[dict[str, Any]] = {}  # a model's own options and their defaults
    heads: ClassVar[tuple[str, ...]] = tuple(HEADS)

    def __init__(
        self, context: int, horizon: int, channels: int, *, unknown: int = 2, numbers: int = 0,
        categories: Sequence[int] = (), encoder: str = "lstm", hidden: int = 64,
        num_layers: int = 1, dropout: float = 0.0, head: str | None = None,
        quantiles: Sequence[float] = QUANTILES, embedding_dim: int = 8,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None, **options: Any,
    ) -> None:  # fmt: skip
        extra = set(options) - set(self.options)
        if extra:
            known = ", ".join(self.options) or "no options of its own"
            raise TypeError(f"{type(self).__name__} has no {sorted(extra)}; it has {known}.")
        self.context, self.horizon = check_size(context, "context"), check_size(horizon, "horizon")
        self.channels, self.unknown = (
            check_size(channels, "channels"),
            check_size(unknown, "unknown"),
        )
        if not 2 <= self.unknown <= self.channels:
            raise ValueError(
                f"unknown is {unknown}; expected 2 (the value, and whether it was observed) to "
                f"{channels}, the channels."
            )
        self.numbers = int(check_number(numbers, "numbers"))
        self.categories = tuple(check_size(size, "categories' sizes") for size in categories)
        self.encoder = _choice(encoder, "encoder", (*RECURRENT, "conv"))
        self.hidden = check_size(hidden, "hidden")
        self.num_layers = check_size(num_layers, "num_layers")
        self.dropout = check_number(dropout, "dropout", high=1.0, open_high=True)
        self.head = _choice(self.heads[0] if head is None else head, "head", self.heads)
        self.quantiles = [float(level) for level in quantiles]
        self.embedding_dim = check_size(embedding_dim, "embedding_dim")
        for name, value in {**self.options, **options}.items():
            setattr(self, name, value)
        self._dtype, self._rng = resolve_dtype(dtype), rng
        quantile = self.head == "quantile"
        loss = QuantileLoss(self.quantiles) if quantile else HEADS[self.head]()
        super().__init__(self.build(Node.input(), loss), loss, self.prepared)

    def build(self, x: Node, loss: ForecastLoss) -> Node:
        """The outputs' node, from the windows'; each model's own."""
        raise NotImplementedError(f"{type(self).__name__} does not define build.")

    def distribution(self, windows: WindowBatch) -> np.ndarray:
        """What the head says of each step, (N, horizon, P) float64, in units of the scale."""
        out = self.predict(windows)
        return out.reshape(len(out), self.horizon, -1).astype(np.float64)

    # ------------------------------------------------------------------------ parts of models
    def make(self, layer: Callable[..., Any], *sizes: Any, **options: Any) -> Any:
        """A layer whose dtype and randomness are the model's."""
        return layer(*sizes, dtype=self._dtype, rng=self._rng, **options)

    def static(self, x: Node) -> tuple[Node | None, int]:
        """The series' own numbers and vectors, (N, width), and the width."""
        parts, width = [], self.numbers
        if self.numbers:
            parts.append(StaticNumbers()(x))
        if self.categories:
            parts.append(self.make(StaticEmbedding, self.categories, self.embedding_dim)(x))
            width += len(self.categories) * self.embedding_dim
        if not parts:
            return None, 0
        return parts[0] if len(parts) == 1 else Concat()(*parts), width

    def with_static(self, steps: Node, inputs: int, x: Node) -> tuple[Node, int]:
        """The steps with what belongs to the series behind each, and how many numbers they have."""
        static, width = self.static(x)
        self._static_node = static
        return (
            (steps, inputs) if static is None else (AppendToSteps()(steps, static), inputs + width)
        )

    def encoded(self, steps: Node, inputs: int, sequence: bool) -> Node:
        """The encoder's output at all steps, (N, T, hidden), or at the last one, (N, hidden)."""
        if self.encoder in RECURRENT:
            return self.recurrent(inputs, sequence)(steps)
        return self._convolved(steps, inputs, sequence)

    def recurrent(self, inputs: int, sequence: bool) -> Any:
        """The recurrent layers."""
        return self.make(
            RECURRENT[self.encoder], inputs, self.hidden, num_layers=self.num_layers,
            dropout=self.dropout, return_sequences=sequence,
        )  # fmt: skip

    def _convolved(self, steps: Node, inputs: int, sequence: bool) -> Node:
        """Blocks of a dilated causal convolution and a shortcut (Bai, Kolter & Koltun 2018)."""
        from fastdl.layers.windows import LastStep

        dilation, seen = 1, 1
        while seen < self.context:
            convolution = self.make(
                Conv1D, inputs, self.hidden, _KERNEL, dilation, activation="relu"
            )
            out = convolution(steps)
            if self.dropout:
                out = Dropout(self.dropout, rng=self._rng)(out)
            steps = out if inputs != self.hidden else steps + out
            inputs, seen = self.hidden, seen + (_KERNEL - 1) * dilation
            dilation *= 2
        return steps if sequence else LastStep()(steps)

    def dense_steps(self, steps: Node, inputs: int, outputs: int) -> Node:
        """One dense layer for every step."""
        return TimeDistributed(self.make(Dense, inputs, outputs, initializer="xavier"))(steps)

    # ------------------------------------------------------------------------ what a network is
    def prepared(self, windows: Any) -> Any:
        """The windows, checked."""
        shape = getattr(getattr(windows, "x", None), "shape", None)
        if shape is None:
            raise TypeError(
                f"{self} takes windows, as WindowMaker and WindowStream(batches=True) make them; "
                f"got {type(windows).__name__}."
            )
        wanted = (self.context + self.horizon, self.channels)
        if shape[1:] != wanted or windows.context != self.context:
            raise ValueError(
                f"{self} got windows of shape {shape} with {windows.context} steps of context; "
                f"expected (N, {wanted[0]}, {wanted[1]}) with {self.context}."
            )
        sizes = windows.numbers.shape[1], windows.codes.shape[1]
        if sizes != (self.numbers, len(self.categories)):
            raise ValueError(
                f"{self} got windows with {sizes[0]} static numbers and {sizes[1]} categories; "
                f"expected {self.numbers} and {len(self.categories)}."
            )
        return windows

    def __str__(self) -> str:
        return type(self).__name__

    @property
    def dtype(self) -> np.dtype[Any]:
        """The parameters' dtype."""
        return self._dtype

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        names = (
            "context", "horizon", "channels", "unknown", "numbers", "categories", "encoder",
            "hidden", "num_layers", "dropout", "head", "quantiles", "embedding_dim", *self.options,
        )  # fmt: skip
        return {**{name: getattr(self, name) for name in names}, "dtype": self._dtype.name}

    @classmethod
    def from_description(cls, config: dict[str, Any], layers: Any, loss: Any) -> ForecastModel:
        """A model of this configuration with all weights 0."""
        config = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        with initializers.left_at_zero():
            return cls(**config)


def _choice(value: str, name: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
    return value
