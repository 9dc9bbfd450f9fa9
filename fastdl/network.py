"""Networks: layers in a row and a loss, with the course's methods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .conditioned import Conditioned
from .fused import Plan, plan_for
from .layers.base import Layer, described
from .layers.layout import as_real_in_order
from .losses import Loss, Softmax, as_loss, row_scale
from .memory import keep_step_memory
from .parameters import Gradients, Store
from .passes import Pass
from .sequences import Sequences
from .validation import check_batch, check_finite, check_values

if TYPE_CHECKING:
    from os import PathLike

registry: dict[str, type[Network]] = {}


class Network:
    """Layers applied one after the other, and a loss on their output.

    ``layers`` is a plain list that may be changed at any time; parameter names are the layer's
    attribute and its place in the list, such as "W0". Inputs are converted to the dtype of the
    parameters. Where all layers and the loss are fastdl's own dense and activation layers,
    ``gradient`` runs as one compiled call, with the same bits as layer by layer.
    """

    layers: list[Layer]
    loss_layer: Any

    _latest: tuple[Any, Any] = float("nan"), 1.0
    _store: Store | None = None
    _plan: Plan | None = None
    _planned_for: Any = None

    def __init__(self, layers: Sequence[Layer], loss: Any = Softmax) -> None:
        for layer in layers:
            if not callable(getattr(layer, "forward", None)):
                raise TypeError(f"Expected layers, got {layer!r}, which has no forward method.")
        self.layers = list(layers)
        self.loss_layer = as_loss(loss)
        keep_step_memory()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        registry[cls.__name__] = cls

    def predict(self, x: Any) -> np.ndarray:
        """The last layer's output for a batch x (N, ...), or ``Sequences``."""
        flag, beside = "", None  # what some layers take besides their input, and which ones do
        if isinstance(x, Sequences):
            x, beside, flag = x.x, x.lengths, "takes_lengths"
        elif isinstance(x, Conditioned):
            x, beside, flag = x.x, x.classes, "takes_classes"
        out = self._input(x)
        check_finite(out, "x")
        for layer in self.layers:
            own = beside is not None and getattr(layer, flag, False)
            out = layer.forward(out, beside) if own else layer.forward(out)  # type: ignore[call-arg]
        return out

    def run(self, x: Any) -> Pass:
        """A forward that is kept, so that others may run before its backward: see ``Pass``.

        >>> import numpy as np, fastdl
        >>> network = fastdl.Sequential(fastdl.Dense(3, 1), fastdl.LeakyReLU())
        >>> real, fake = network.run(np.ones((4, 3))), network.run(np.zeros((4, 3)))
        >>> grads = fake.backward(-np.ones((4, 1)), add_to=real.backward(np.ones((4, 1))))
        >>> grads["W0"].shape
        (3, 1)
        """
        return Pass(self, x)

    def loss(self, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The batch's mean loss."""
        out = self.predict(x)
        if sample_weight is None:
            return self.loss_layer.forward(out, t)
        return self.loss_layer.forward(out, t, sample_weight)

    def accuracy(self, x: ArrayLike, t: ArrayLike) -> float:
        """Share of rows whose largest output is the class that t (N, C) or (N,) names."""
        out = self.predict(x)
        return float(np.mean(classes_of_output(out) == classes_of_target(t, len(out))))

    def gradient(
        self, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, np.ndarray]:
        """Gradients of the batch's loss by parameter name, in arrays of their own."""
        plan = self.plan()
        if plan is not None:
            return self._fused_gradient(plan, x, t, sample_weight)
        self._latest = self.loss(x, t, sample_weight), 1.0
        self.backward(self.loss_layer.backward())
        return self.store().collect_gradients()

    def backward(self, dout: np.ndarray) -> None:
        """Set the gradients in the layers, from the gradient at the last forward's output."""
        for layer in reversed(self.layers[1:]):
            dout = layer.backward(dout)
        if self.layers:
            getattr(self.layers[0], "backward_parameters", self.layers[0].backward)(dout)

    def backward_inputs(self, dout: np.ndarray) -> np.ndarray:
        """The gradient at the last forward's x; those of parameters may be left out."""
        for layer in reversed(self.layers):
            dout = getattr(layer, "backward_inputs", layer.backward)(dout)
        return dout

    @property
    def latest_loss(self) -> float:
        """The loss of the batch that ``gradient`` saw last, before any update."""
        losses, scale = self._latest
        return float(np.sum(losses * scale))

    def parameters(self) -> dict[str, np.ndarray]:
        """The trainable parameters by name; the arrays are the ones that the layers use."""
        return dict(self.store().views)

    def train(self, training: bool = True) -> Network:
        """Switch every layer to training (the default), or to evaluation; returns the network."""
        for layer in self.layers:
            layer.training = training
        return self

    def eval(self) -> Network:
        """Switch every layer to evaluation: no dropout, running statistics; returns the network."""
        return self.train(False)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to one safetensors file; ``fastdl.load`` reads it."""
        from .checkpoint import save

        save(self, path)

    def config(self) -> dict[str, Any]:
        """What a subclass needs besides layers and loss, as JSON can hold it."""
        return {}

    def describe_layers(self) -> list[dict[str, Any]]:
        """What ``from_description`` needs of the layers."""
        return [described(layer) for layer in self.layers]

    @classmethod
    def from_description(cls, config: dict[str, Any], layers: list[Layer], loss: Any) -> Network:
        """A network of this class from what ``config`` and ``describe_layers`` told."""
        network = cls.__new__(cls)
        Network.__init__(network, layers, loss)
        for name, value in config.items():
            setattr(network, name, value)
        return network

    def summary(self) -> str:
        """A table of the layers, their parameter shapes and counts."""
        lines, total = [], 0
        for i, layer in enumerate(self.layers):
            arrays = layer.parameters()
            count = sum(array.size for array in arrays.values())
            shapes = ", ".join(f"{name}{i} {array.shape}" for name, array in arrays.items())
            lines.append(f"{i:>3}  {layer!r:<40} {shapes:<40} {count:>12,}")
            total += count
        return "\n".join([*lines, f"{'':>3}  {'total':<40} {'':<40} {total:>12,}"])

    def store(self) -> Store:
        """The flat array of the parameters, bound anew if layers were exchanged."""
        if self._store is None or not self._store.is_current(self.layers):
            self._store = Store(self.layers)
            self._planned_for = None
        return self._store

    def plan(self) -> Plan | None:
        """How the network runs in one compiled call, or None where it cannot."""
        store = self.store()
        if self._planned_for is not self.loss_layer:
            self._plan = plan_for(self.layers, self.loss_layer, store)
            self._planned_for = self.loss_layer
        return self._plan

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The parameters' dtype, None where there are none yet."""
        return next((layer.dtype for layer in self.layers if layer.parameter_names), None)

    def _input(self, x: ArrayLike) -> np.ndarray:
        dtype = self.dtype
        if dtype is None:
            given = getattr(x, "dtype", None)
            dtype = np.dtype(given if given in (np.float32, np.float64) else np.float64)
        array = as_real_in_order(x, dtype, "x")
        check_batch(array, "x")
        return array

    def _fused_gradient(
        self, plan: Plan, x: ArrayLike, t: ArrayLike, sample_weight: ArrayLike | None
    ) -> Gradients:
        x, t = self.checked_batch(plan, x, t)
        check_values(x, t, self.loss_layer.one_hot)
        scale = plan.even(len(x)) if sample_weight is None else row_scale(sample_weight, len(x))
        flat, row_loss = plan.gradient(x, t, self.loss_layer, scale)
        self._latest = row_loss, scale
        plan.forget()
        grads = Gradients(plan.store, flat)
        for (held, name), view in zip(plan.gradient_places, grads.kept, strict=True):
            held[name] = view
        return grads

    def checked_batch(
        self, plan: Plan, x: ArrayLike, t: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """x (N, D) and t (N, C) in the parameters' dtype; values are not looked at yet."""
        x = self._input(x)
        if x.ndim != 2 or x.shape[1] != plan.inputs:
            raise ValueError(f"x has shape {x.shape}; expected (N, {plan.inputs}).")
        loss: Loss = self.loss_layer
        loss.shape = (len(x), plan.outputs)
        return x, loss.targets(t, loss.shape, x.dtype)


class Sequential(Network):
    """A network from layers: ``Sequential(Dense(39, 64), ReLU(), Dense(64, 2), loss=Softmax)``.

    ``loss`` is a loss of ``fastdl.losses``, as an object or a class.

    >>> import fastdl
    >>> network = fastdl.Sequential(fastdl.Dense(3, 4), fastdl.Tanh(), fastdl.Dense(4, 2))
    >>> sorted(network.parameters())
    ['W0', 'W2', 'b0', 'b2']
    """

    def __init__(self, *layers: Layer, loss: Any = Softmax) -> None:
        super().__init__(layers, loss)


def classes_of_output(out: np.ndarray) -> np.ndarray:
    """The class of each row: the largest column, or for a single column whether it is above 0."""
    out = out.reshape(len(out), -1)
    return np.argmax(out, axis=1) if out.shape[1] > 1 else (out[:, 0] > 0).astype(np.intp)


def classes_of_target(t: ArrayLike, rows: int) -> np.ndarray:
    """Class indices (N,) from one-hot rows, distributions, or indices."""
    array = np.asarray(t)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"t has dtype {array.dtype}; expected real numbers.")
    if array.ndim == 0 or len(array) != rows:
        raise ValueError(f"t has shape {array.shape}; expected {rows} rows, as many as x.")
    if array.ndim == 1 or array.shape[1] == 1:
        return array.reshape(-1).astype(np.intp)
    return np.argmax(array, axis=1)


@contextmanager
def evaluation(network: Any) -> Iterator[None]:
    """Evaluation mode for the block, on any object with ``layers``; the old modes come back."""
    layers = list(getattr(network, "layers", []))
    before = [getattr(layer, "training", None) for layer in layers]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer, training in zip(layers, before, strict=True):
            if training is not None:
                layer.training = training
