"""A layer of rows applied to every step of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_batch
from .base import Layer, Parameter, described, registry, required


class _Shared(Parameter):
    """A parameter of the inner layer, which holds the same array."""

    def __set__(self, layer: Layer, value: Any) -> None:
        super().__set__(layer, value)
        layer.layer.__dict__[self.name] = layer.__dict__[self.name]  # type: ignore[attr-defined]

    def bind(self, layer: Layer, view: np.ndarray) -> None:
        super().bind(layer, view)
        layer.layer.__dict__[self.name] = view  # type: ignore[attr-defined]


class TimeDistributed(Layer):
    """out[:, t] = layer(x[:, t]) for every step of x (B, T, ...), as one batch of B T rows.

    The parameters, their gradients and the states are the layer's own, under the same names. Raises
    TypeError for what is not a layer, ValueError for x without steps.

    >>> import numpy as np, fastdl
    >>> fastdl.TimeDistributed(fastdl.Dense(3, 2)).forward(np.ones((4, 5, 3))).shape
    (4, 5, 2)
    """

    config_names = ("layer",)

    layer: Any

    def __init__(self, layer: Any) -> None:
        if isinstance(layer, dict):  # what config() told
            layer = registry[layer["class"]](**layer["config"])
        if not isinstance(layer, Layer):
            raise TypeError(f"Got {layer!r}; expected a fastdl layer.")
        self.layer = layer
        self.dtype = layer.dtype
        self.__dict__["parameter_names"] = tuple(layer.parameter_names)
        self.__dict__["state_names"] = tuple(layer.state_names)
        for name in layer.parameter_names:
            if not isinstance(getattr(type(self), name, None), Parameter):
                setattr(type(self), name, _Shared(name))
        self._adopt()
        self._shape: tuple[int, int] | None = None

    def _adopt(self) -> None:
        """Share the inner layer's parameters, which some layers make in their first forward."""
        for name in self.parameter_names:
            if self.__dict__.get(name) is None and getattr(self.layer, name) is not None:
                setattr(self, name, getattr(self.layer, name))

    def forward(self, x: ArrayLike) -> np.ndarray:
        """out (B, T, ...) for x (B, T, ...)."""
        array = np.asarray(x)
        if array.ndim < 3:
            raise ValueError(f"{self} got x of shape {array.shape}; expected (B, T, ...).")
        check_batch(array, "x")
        B, T = array.shape[:2]
        self.layer.training = self.training
        out = self.layer.forward(array.reshape(B * T, *array.shape[2:]))
        self._adopt()
        self._shape = B, T
        return out.reshape(B, T, *out.shape[1:])

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (B, T, ...); sets the parameters' gradients."""
        B, T = required(self._shape, self)
        dx = self.layer.backward(self._rows(dout))
        self._take_gradients()
        return dx.reshape(B, T, *dx.shape[1:])

    def backward_parameters(self, dout: ArrayLike) -> None:
        """Sets the parameters' gradients only."""
        self.layer.backward_parameters(self._rows(dout))
        self._take_gradients()

    def backward_inputs(self, dout: ArrayLike) -> np.ndarray:
        """dx only."""
        B, T = required(self._shape, self)
        dx = self.layer.backward_inputs(self._rows(dout))
        return dx.reshape(B, T, *dx.shape[1:])

    def _rows(self, dout: ArrayLike) -> np.ndarray:
        shape, array = required(self._shape, self), np.asarray(dout)
        if array.shape[:2] != shape:
            raise ValueError(f"{self} got dout of shape {array.shape}; expected {(*shape, '...')}.")
        return array.reshape(shape[0] * shape[1], *array.shape[2:])

    def _take_gradients(self) -> None:
        for name in self.parameter_names:
            setattr(self, f"d{name}", getattr(self.layer, f"d{name}"))

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("state_names", ()):
            return getattr(self.layer, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")

    def __setattr__(self, name: str, value: Any) -> None:
        own = name not in self.__dict__.get("state_names", ())
        object.__setattr__(self if own else self.layer, name, value)

    def config(self) -> dict[str, Any]:
        """The inner layer's description."""
        return {"layer": described(self.layer)}
