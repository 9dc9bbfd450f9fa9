"""What every layer is: forward, backward, and one description of itself.

A layer names its parameters, states and configuration once, in three class attributes. Saving,
checkpoints, summaries and networks read those; nothing else knows a layer's inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from ..kernels.backend import ops  # noqa: F401  (what subclasses compute with)

if TYPE_CHECKING:
    from ..graph import Node

Context = dict[str, Any]

registry: dict[str, type[Layer]] = {}


class Parameter:
    """A parameter of a layer; assigning an array writes through to wherever its values live."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layer: Layer | None, owner: type[Layer]) -> Any:
        return self if layer is None else layer.__dict__.get(self.name)

    def __set__(self, layer: Layer, value: Any) -> None:
        held = layer.__dict__.get(self.name)
        if held is value and held is not None:
            return
        if value is None or held is None:
            layer.__dict__[self.name] = None if value is None else np.array(value, layer.dtype)
            Layer.bindings += 1
            return
        value = np.asarray(value)
        if value.dtype.kind not in "fiub":
            raise TypeError(f"{layer}.{self.name} got dtype {value.dtype}; expected real numbers.")
        if value.shape != held.shape and value.size != held.size:
            raise ValueError(
                f"{layer}.{self.name} has shape {held.shape}, got an array of shape {value.shape}."
            )
        held[...] = value.reshape(held.shape)

    def bind(self, layer: Layer, view: np.ndarray) -> None:
        """Move the values into ``view`` and hold it from now on."""
        view[...] = layer.__dict__[self.name]
        layer.__dict__[self.name] = view
        Layer.bindings += 1


class Layer:
    """Base of all layers; a subclass defines ``forward(x)`` and ``backward(dout)``.

    A subclass of your own needs no more than the two methods. To have its weights trained, saved
    and checkpointed, name them in ``parameter_names``, keep each gradient under ``"d" + name``,
    and name further arrays that belong to its state in ``state_names``. ``config_names`` are the
    constructor's arguments, kept under the same attribute names.

    >>> import numpy as np
    >>> from fastdl import Layer, Sequential, Dense
    >>> class Scale(Layer):
    ...     parameter_names = ("factor",)
    ...     def __init__(self):
    ...         self.factor = np.ones(1)
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x * self.factor
    ...     def backward(self, dout):
    ...         self.dfactor = np.sum(dout * self.x).reshape(1)
    ...         return dout * self.factor
    >>> sorted(Sequential(Dense(3, 2), Scale()).parameters())
    ['W0', 'b0', 'factor1']
    """

    parameter_names: ClassVar[tuple[str, ...]] = ()
    table_names: ClassVar[tuple[str, ...]] = ()  # those of them whose gradients are sparse
    state_names: ClassVar[tuple[str, ...]] = ()
    config_names: ClassVar[tuple[str, ...]] = ()
    takes_several: ClassVar[bool] = False  # whether backward takes two gradients and adds them up
    takes_lengths: ClassVar[bool] = False  # whether forward(x, lengths) knows rows that end early
    bindings: ClassVar[int] = 0  # counts every change of which array a parameter lives in

    takes_classes: bool = False  # whether forward(x, classes) treats rows by their class
    runs_again: bool = True  # whether another forward may come before the backward
    training: bool = True
    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in cls.parameter_names:
            if not isinstance(getattr(cls, name, None), Parameter):
                setattr(cls, name, Parameter(name))
        registry[cls.__name__] = cls

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The layer's output for a batch x."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward.")

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """The gradient at the input from the gradient ``dout`` at the output."""
        raise NotImplementedError(f"{type(self).__name__} does not define backward.")

    def backward_parameters(self, dout: np.ndarray) -> None:
        """``backward`` where nobody asks for the gradient at the input: it may be left out."""
        self.backward(dout)

    def backward_inputs(self, dout: np.ndarray) -> np.ndarray:
        """``backward`` where nobody asks for the parameters' gradients: they may be left out."""
        return self.backward(dout)

    def kept(self) -> dict[str, Any]:
        """What the last forward left for backward, until ``put_back`` brings it back.

        These are all attributes but parameters, their gradients, states and configuration, and the
        same of layers among them. It holds as long as forward makes new arrays instead of writing
        into those of the forward before; a layer of which that is not true says so by ``runs_again
        = False``.
        """
        lasting = {*self.parameter_names, *(f"d{name}" for name in self.parameter_names)}
        lasting |= {*self.state_names, *self.config_names, *_LASTING} - {*_inner_layers(self)}
        return {name: _kept(value) for name, value in self.__dict__.items() if name not in lasting}

    def put_back(self, kept: dict[str, Any]) -> None:
        """Make ``backward`` that of the forward after which ``kept`` was called."""
        for name, value in kept.items():
            _put_back(self.__dict__, name, value)

    def __call__(self, *nodes: Node) -> Node:
        """The layer's place in a graph, behind the nodes that it takes (see ``fastdl.graph``)."""
        from ..graph import Node

        return Node(self, nodes)

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters; may be set at any time."""
        return bool(self.__dict__.get("_trainable", True))

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self.__dict__["_trainable"] = bool(trainable)
        Layer.bindings += 1  # networks look again at what they train

    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters that exist so far, by name."""
        found = {name: getattr(self, name) for name in self.parameter_names}
        return {name: value for name, value in found.items() if value is not None}

    def states(self) -> dict[str, np.ndarray]:
        """Arrays that are not trained but belong to the layer, such as running means."""
        found = {name: getattr(self, name, None) for name in self.state_names}
        return {name: value for name, value in found.items() if value is not None}

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        found = {name: getattr(self, name) for name in self.config_names}
        if self.parameter_names and "dtype" in self.__dict__:
            found["dtype"] = self.dtype.name
        return found

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.config_names)
        return f"{type(self).__name__}({inside})"


_LASTING = ("training", "dtype", "rng", "_trainable", "parameter_names", "state_names")


class _Inner(NamedTuple):
    """A layer inside of another one, and what it keeps."""

    layer: Layer
    kept: dict[str, Any]


def _inner_layers(layer: Layer) -> list[str]:
    return [name for name, value in layer.__dict__.items() if isinstance(value, Layer)]


def _kept(value: Any) -> Any:
    if isinstance(value, Layer):
        return _Inner(value, value.kept())
    if isinstance(value, list):
        return [_kept(part) for part in value]
    return value


def _put_back(place: Any, name: Any, value: Any) -> None:
    if isinstance(value, _Inner):
        place[name] = value.layer
        value.layer.put_back(value.kept)
    elif isinstance(value, list):
        place[name] = [None] * len(value)
        for i, part in enumerate(value):
            _put_back(place[name], i, part)
    else:
        place[name] = value


def required(saved: Any, layer: Layer) -> Any:
    """What forward kept for backward; an error that says so where there was no forward."""
    if saved is None:
        raise ValueError(f"{type(layer).__name__}.backward was called before forward.")
    return saved


def described(layer: Any) -> dict[str, Any]:
    """Class and configuration as a dict for JSON, from which the layer can be made again."""
    if not isinstance(layer, Layer):
        raise TypeError(f"{layer!r} cannot be saved: it is not a subclass of fastdl.Layer.")
    return {"class": type(layer).__name__, "config": layer.config(), "trainable": layer.trainable}
