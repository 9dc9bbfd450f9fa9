"""Spectral normalization of another layer's weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_size
from .base import Layer, Parameter, described, ops, registry, required
from .class_projection import ClassProjection
from .convolution import Conv2D
from .convolution_transpose import ConvTranspose2D
from .dense import Dense

# the normalised parameters of a layer, and the axis of each that counts its outputs
_MATRICES: dict[type[Layer], dict[str, int]] = {
    Conv2D: {"W": 0}, ConvTranspose2D: {"W": 1}, Dense: {"W": 1},
    ClassProjection: {"W": 1, "V": 0},
}  # fmt: skip
_FIRST_ITERATIONS = 15  # from a random u, before the first forward
_SMALL = 1e-12  # a norm below it counts as this


class SpectralNormalization(Layer):
    """A layer with W / sigma in the place of W, sigma the largest singular value of W as a matrix.

    The layer is then no steeper than 1 (Miyato et al. 2018). It is a ``Conv2D``,
    ``ConvTranspose2D``, ``Dense`` or ``ClassProjection``, whose W (and V) is taken as a matrix with
    a row for each output. In training each forward first takes ``iterations`` steps of the power
    method, u = W v / |W v|, v = W^T u / |W^T u|; sigma = u W v. u and v are states, and constants
    in the gradient, as in PyTorch's ``parametrizations.spectral_norm``. They start from ``rng``, or
    NumPy's global random state.

    Parameters and gradients have the layer's names; W is what training changes. Raises TypeError
    for other layers.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.SpectralNormalization(fastdl.Dense(4, 3))
    >>> layer.forward(np.ones((2, 4))).shape
    (2, 3)
    >>> bool(np.linalg.norm(layer.layer.W, 2) < 1.1)
    True
    """

    config_names = ("layer", "iterations")

    layer: Any

    def __init__(
        self, layer: Any, iterations: int = 1, *, rng: np.random.Generator | None = None
    ) -> None:
        if isinstance(layer, dict):  # what config() told
            layer = registry[layer["class"]](**layer["config"])
        if type(layer) not in _MATRICES:
            known = ", ".join(kind.__name__ for kind in _MATRICES)
            raise TypeError(f"Got {layer!r}; expected one of {known}.")
        self.layer, self.iterations = layer, check_size(iterations, "iterations")
        self.dtype, self.takes_classes = layer.dtype, layer.takes_classes
        self._axes = _MATRICES[type(layer)]
        self.__dict__["parameter_names"] = tuple(layer.parameter_names)
        self.__dict__["state_names"] = tuple(
            f"{side}_{name}" for name in self._axes for side in "uv"
        )
        for name in layer.parameter_names:
            if not isinstance(getattr(type(self), name, None), Parameter):
                setattr(type(self), name, Parameter(name))
            setattr(self, name, getattr(layer, name))
            setattr(self, f"d{name}", None)
        for name in self._axes:
            self._start(name, rng)
        # of the last forward, by name: W / sigma, sigma, u and v
        self._used: dict[str, tuple[np.ndarray, float, np.ndarray, np.ndarray]] | None = None

    def _start(self, name: str, rng: np.random.Generator | None) -> None:
        draw = np.random.standard_normal if rng is None else rng.standard_normal
        matrix = self._matrix(name, getattr(self, name))
        A, B, T = matrix.shape
        for side, size in (("u", B), ("v", A * T)):
            setattr(self, f"{side}_{name}", _unit(np.asarray(draw(size), self.dtype)))
        self._iterate(name, matrix, _FIRST_ITERATIONS)

    def _matrix(self, name: str, W: np.ndarray) -> np.ndarray:
        """W (A, B, T), seen with its B outputs in the middle."""
        axis = self._axes[name]
        return W.reshape(int(np.prod(W.shape[:axis])), W.shape[axis], -1)

    def _iterate(self, name: str, matrix: np.ndarray, times: int) -> None:
        u, v = getattr(self, f"u_{name}"), getattr(self, f"v_{name}")
        for _ in range(times):
            u = _unit(_rows(matrix, v))
            v = np.empty_like(v)
            ops.spectral_columns(matrix, u, v.reshape(len(matrix), -1))
            v = _unit(v)
        setattr(self, f"u_{name}", u)
        setattr(self, f"v_{name}", v)

    def forward(self, x: ArrayLike, classes: ArrayLike | None = None) -> np.ndarray:
        """What the layer makes of x with its normalised weights."""
        used = {}
        for name in self._axes:
            W = getattr(self, name)
            matrix = self._matrix(name, W)
            if self.training:
                self._iterate(name, matrix, self.iterations)
            u, v = getattr(self, f"u_{name}"), getattr(self, f"v_{name}")
            sigma = max(float(np.sum(u * _rows(matrix, v))), _SMALL)
            used[name] = (W / self.dtype.type(sigma), sigma, u, v)
        self._used = used
        self._lend()
        self.layer.training = self.training
        found: np.ndarray = self.layer.forward(x) if classes is None else (
            self.layer.forward(x, classes)
        )  # fmt: skip
        return found

    def _lend(self) -> None:
        """Let the layer have the last forward's weights, and our parameters besides them."""
        for name in self.parameter_names:
            held = required(self._used, self).get(name)
            vars(self.layer)[name] = getattr(self, name) if held is None else held[0]

    def put_back(self, kept: dict[str, Any]) -> None:
        super().put_back(kept)
        self._lend()

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx; sets the gradients of the layer's parameters."""
        dx: np.ndarray = self.layer.backward(dout)
        self._take_gradients()
        return dx

    def backward_parameters(self, dout: ArrayLike) -> None:
        """Sets the gradients only."""
        self.layer.backward_parameters(dout)
        self._take_gradients()

    def backward_inputs(self, dout: ArrayLike) -> np.ndarray:
        """dx only."""
        dx: np.ndarray = self.layer.backward_inputs(dout)
        return dx

    def _take_gradients(self) -> None:
        """dW = (d - sum(d W / sigma) u v^T) / sigma, with d the gradient at W / sigma."""
        for name in self.parameter_names:
            d = getattr(self.layer, f"d{name}")
            if name in self._axes and d is not None:
                W, sigma, u, v = required(self._used, self)[name]
                whole = np.empty_like(W)
                views = (self._matrix(name, own) for own in (np.ascontiguousarray(d), W))
                ops.spectral_gradient(
                    *views, u, v.reshape(-1, self._matrix(name, W).shape[2]), sigma,
                    self._matrix(name, whole),
                )  # fmt: skip
                d = whole
            setattr(self, f"d{name}", d)

    def config(self) -> dict[str, Any]:
        """The layer's description, and iterations."""
        return {"layer": described(self.layer), "iterations": self.iterations}


def _unit(vector: np.ndarray) -> np.ndarray:
    found: np.ndarray = vector / max(float(np.sqrt(np.sum(vector * vector))), _SMALL)
    return found.astype(vector.dtype)


def _rows(matrix: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The matrix times v, in an order of sums that does not depend on threads."""
    u = np.empty(matrix.shape[1], matrix.dtype)
    ops.spectral_rows(matrix, v.reshape(len(matrix), -1), u)
    return u
