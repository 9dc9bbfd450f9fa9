"""What the CTR models with embeddings share: their inputs, their options, probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastdl import initializers
from fastdl.calibration import Calibrator, as_calibrator
from fastdl.config import resolve_dtype
from fastdl.features import Batch, FeatureSpec
from fastdl.graph import Graph, Node
from fastdl.initializers import Xavier
from fastdl.layers import (
    GELU,
    BatchNormalization,
    Dense,
    Dropout,
    Layer,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Tanh,
)
from fastdl.layers.combine import Concat, Flatten
from fastdl.layers.fusion import BilinearFusion
from fastdl.layers.table import Embedding, Linear, NumericEmbedding, NumericInput
from fastdl.losses import SigmoidCrossEntropy
from fastdl.parameters import Gradients
from fastdl.stream import RowStream
from fastdl.validation import as_real, check_number, check_size

ACTIVATIONS = {
    "relu": ReLU, "leaky_relu": LeakyReLU, "sigmoid": Sigmoid, "tanh": Tanh, "gelu": GELU,
}  # fmt: skip


class CTRModel(Graph):
    """Base of the CTR models: features in, the logit of a click out (N, 1).

    spec: the features. embedding_dim: numbers in each id's vector. hidden: widths of the tower's
    layers. dropout, batch_norm, activation: of the tower. embedding_l2: lambda of the penalty
    lambda / 2 ||E||^2 over whole tables; embedding_l2_in_batch: the same over the rows that a batch
    touches; net_l2: the same over all other parameters. Penalties are in the gradients; the loss
    that is shown is that of the data. embedding_initializer and initializer fill tables and dense
    weights: N(0, 1e-4) and Xavier's normal by default.

    Train it with labels t (N,) or (N, 1) of 0 and 1; x is what ``FeatureSpec.batch`` takes.
    Raises ValueError and TypeError for options out of range, MemoryError for tables that do not
    fit.
    """

    options: ClassVar[dict[str, Any]] = {}  # a model's own options and their defaults

    def __init__(
        self,
        spec: FeatureSpec,
        embedding_dim: int = 16,
        hidden: Sequence[int] = (400, 400, 400),
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        embedding_l2: float = 0.0,
        embedding_l2_in_batch: float = 0.0,
        net_l2: float = 0.0,
        embedding_initializer: Any = None,
        initializer: Any = None,
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(spec, FeatureSpec):
            raise TypeError(f"spec is {type(spec).__name__}; expected a fastdl.FeatureSpec.")
        if not spec.columns:
            raise ValueError(
                f"{type(self).__name__} needs a field with ids. For numbers alone use "
                "CTRPredictionNetwork, or put them into buckets and give the buckets as ids."
            )
        unknown = set(options) - set(self.options)
        if unknown:
            known = ", ".join(self.options) or "no options of its own"
            raise TypeError(f"{type(self).__name__} has no {sorted(unknown)}; it has {known}.")
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is {activation!r}; expected one of {', '.join(ACTIVATIONS)}."
            )
        if embedding_l2 and embedding_l2_in_batch:
            raise ValueError("Give embedding_l2 or embedding_l2_in_batch, not both.")
        self.spec = spec
        self.embedding_dim = check_size(embedding_dim, "embedding_dim")
        self.hidden = tuple(check_size(width, "hidden's widths") for width in hidden)
        self.activation, self.batch_norm = activation, bool(batch_norm)
        self.dropout = check_number(dropout, "dropout", high=1.0, open_high=True)
        self.embedding_l2 = check_number(embedding_l2, "embedding_l2")
        self.embedding_l2_in_batch = check_number(embedding_l2_in_batch, "embedding_l2_in_batch")
        self.net_l2 = check_number(net_l2, "net_l2")
        for name, value in {**self.options, **options}.items():
            setattr(self, name, value)
        self._dtype = resolve_dtype(dtype)
        self.calibrators: list[Calibrator] = []  # applied to probabilities, in this order
        inputs = Inputs(self, embedding_initializer, initializer or Xavier("normal"), rng)
        super().__init__(self.build(inputs), SigmoidCrossEntropy(), self.prepared)

    def build(self, x: Inputs) -> Node:
        """The logit's node, from the inputs; each model's own."""
        raise NotImplementedError(f"{type(self).__name__} does not define build.")

    def prepared(self, x: Any) -> Batch:
        """x as a batch of our features, checked."""
        return self.spec.batch(x, self._dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The parameters' dtype."""
        return self._dtype

    def gradient(self, x: Any, t: Any, sample_weight: Any = None) -> Gradients:
        """Gradients by parameter name, penalties included; tables' are ``SparseGradient``."""
        grads = super().gradient(x, t, sample_weight)
        if self.net_l2 and grads.flat is not None:
            grads.flat += grads.flat.dtype.type(self.net_l2) * self.store().flat
        return grads

    def predict_proba(self, x: Any, *, batch_size: int = 8192) -> np.ndarray:
        """Probabilities of no click and click, (N, 2), in batches of bounded memory.

        What ``calibrators`` holds is applied to them.
        """
        batch = self.prepared(x)
        from fastdl.network import evaluation

        out = np.empty((len(batch), 2), self._dtype)
        with evaluation(self):
            for start in range(0, len(batch), batch_size):
                rows = slice(start, start + batch_size)
                logit = self.predict(batch[rows])
                out[rows, 1:] = Sigmoid().forward(logit)
        for calibrator in self.calibrators:
            out[:, 1] = calibrator.predict(out[:, 1])
        out[:, 0] = 1 - out[:, 1]
        return out

    def calibrate(
        self, x: Any, t: ArrayLike | None, method: str | Calibrator = "isotonic",
        sample_weight: ArrayLike | None = None,
    ) -> Calibrator:  # fmt: skip
        """Fit a calibrator on rows that were not trained on, and keep it with the model.

        x: what ``predict_proba`` takes, or a ``RowStream``, which has its labels (t is None then).
        method: "isotonic", "platt" or "temperature", or one of ``fastdl.calibration``'s. It comes
        behind those that are there already; ``save`` writes them all.
        """
        calibrator = as_calibrator(method)
        if isinstance(x, RowStream):
            scored = [(rows.t, self.predict_proba(rows.x)[:, 1]) for rows in x.blocks()]
            label, probability = (np.concatenate(parts) for parts in zip(*scored, strict=True))
        else:
            label, probability = np.asarray(t).reshape(-1), self.predict_proba(x)[:, 1]
        calibrator.fit(label, probability, sample_weight)
        self.calibrators.append(calibrator)
        return calibrator

    def start_from_rate(self, t: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Set the bias of the output so that an untrained model predicts the share of clicks in t.

        Without it the first epoch is spent on learning that clicks are rare.
        """
        labels = as_real(t, np.dtype(np.float64), "t").reshape(-1)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        rate = float(np.average(labels, weights=weights))
        if not 0 < rate < 1:
            raise ValueError(f"The share of clicks in t is {rate}; it needs clicks and non-clicks.")
        outputs = [
            layer for layer in self.layers if isinstance(layer, Linear | Dense | BilinearFusion)
            and layer.b.shape[1] == 1
        ]  # fmt: skip
        for layer in outputs:
            layer.b = np.zeros_like(layer.b)
        outputs[0].b = np.full((1, 1), np.log(rate / (1 - rate)))

    def config(self) -> dict[str, Any]:
        """The constructor's arguments and the calibrators, as JSON can hold them."""
        names = (
            "embedding_dim", "hidden", "activation", "dropout", "batch_norm", "embedding_l2",
            "embedding_l2_in_batch", "net_l2", *self.options,
        )  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        found |= {"spec": self.spec.to_dict(), "dtype": self._dtype.name}
        if self.calibrators:
            found["calibrators"] = [calibrator.to_dict() for calibrator in self.calibrators]
        return found

    @classmethod
    def from_description(cls, config: dict[str, Any], layers: Any, loss: Any) -> CTRModel:
        """A model of this configuration with all weights 0."""
        calibrators = [Calibrator.from_dict(known) for known in config.get("calibrators", [])]
        config = {k: v for k, v in config.items() if k != "calibrators"}
        config = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        with initializers.left_at_zero():
            model = cls(**{**config, "spec": FeatureSpec.from_dict(config["spec"])})
        model.calibrators = calibrators
        return model


class Inputs:
    """The nodes that models start from, and the towers that they end in."""

    def __init__(
        self, model: CTRModel, table: Any, dense: Any, rng: np.random.Generator | None
    ) -> None:
        self.model, self.spec, self.rng = model, model.spec, rng
        self.batch = Node.input()
        self._table, self._dense = table, dense
        in_batch = model.embedding_l2_in_batch
        self._penalty: dict[str, Any] = {
            "penalty": in_batch or model.embedding_l2, "whole": not in_batch, "dtype": model.dtype,
        }  # fmt: skip

    def linear(self) -> Node:
        """The wide part: a weight for each id and number, (N, 1)."""
        return Linear(self.spec, **self._penalty)(self.batch)

    def embeddings(self, dim: int | None = None) -> Node:
        """The vectors of the fields with ids, (N, F, dim)."""
        dim = self.model.embedding_dim if dim is None else dim
        layer = Embedding(self.spec, dim, initializer=self._table, rng=self.rng, **self._penalty)
        return layer(self.batch)

    def numeric(self) -> Node:
        """The numbers as they are, (N, D)."""
        return NumericInput()(self.batch)

    def fields(self, dim: int | None = None) -> Node:
        """One vector for every feature, of numbers x_d v_d: (N, F + D, dim)."""
        e = self.embeddings(dim)
        if not self.spec.numeric:
            return e
        width = self.model.embedding_dim if dim is None else dim
        numbers = NumericEmbedding(
            self.spec, width, initializer=self._table, dtype=self.model.dtype, rng=self.rng
        )
        return Concat()(e, numbers(self.batch))

    def flat(self) -> Node:
        """The fields' vectors side by side, and the numbers as they are: (N, width)."""
        e = Flatten()(self.embeddings())
        return Concat()(e, self.numeric()) if self.spec.numeric else e

    @property
    def flat_width(self) -> int:
        """Columns of ``flat``."""
        return len(self.spec.columns) * self.model.embedding_dim + len(self.spec.numeric)  # type: ignore[arg-type]

    @property
    def field_count(self) -> int:
        """Vectors in ``fields``."""
        return len(self.spec.names)

    @property
    def vector_names(self) -> list[str]:
        """The features' names in the order of ``fields``."""
        numeric = self.spec.numeric
        return [*(f.name for f in self.spec.columns), *numeric]  # type: ignore[misc]

    def make(self, layer: Callable[..., Layer], *sizes: Any, **options: Any) -> Any:
        """A layer with dense weights: its initializer, dtype and randomness are the model's."""
        return layer(
            *sizes, initializer=self._dense, dtype=self.model.dtype, rng=self.rng, **options
        )

    def dense(self, node: Node, inputs: int, outputs: int) -> Node:
        """A fully connected layer."""
        return self.make(Dense, inputs, outputs)(node)

    def hidden(self, node: Node, inputs: int, widths: Sequence[int]) -> Node:
        """Layers of these widths with batch normalization, activation and dropout behind each."""
        model = self.model
        for width in widths:
            node = self.dense(node, inputs, width)
            if model.batch_norm:
                node = BatchNormalization(num_features=width, dtype=model.dtype)(node)
            node = ACTIVATIONS[model.activation]()(node)
            if model.dropout:
                node = Dropout(model.dropout, rng=self.rng)(node)
            inputs = width
        return node

    def tower(self, node: Node, inputs: int, widths: Sequence[int] | None = None) -> Node:
        """The hidden layers, of the model's widths by default, and one output: (N, 1)."""
        widths = self.model.hidden if widths is None else widths
        return self.dense(self.hidden(node, inputs, widths), [inputs, *widths][-1], 1)
