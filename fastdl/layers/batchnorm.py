"""The batch normalization layer, of columns and of images' channels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..kernels import activation as kinds
from ..validation import as_real, check_batch, check_number, check_size
from .base import Layer, ops, required
from .layout import as_pixels, from_pixels

KINDS = {
    None: kinds.NONE,
    "relu": kinds.RELU,
    "leaky_relu": kinds.LEAKY_RELU,
    "sigmoid": kinds.SIGMOID,
    "tanh": kinds.TANH,
    "gelu": kinds.GELU,
}
_START = {"gamma": 1.0, "beta": 0.0, "running_mean": 0.0, "running_var": 1.0}


class BatchNormalization(Layer):
    """out = gamma (x - mean) / sqrt(var + epsilon) + beta by column of x (N, D).

    Of images x (N, C, H, W) by channel. Ioffe & Szegedy 2015. In training mean and (biased)
    variance are the batch's, and the running ones move: running = momentum running + (1 - momentum)
    batch; in evaluation the running ones serve. gamma, beta, running_mean and running_var (D,) or
    (C,) exist from the first forward on, or with ``num_features`` from the start.

    With ``parts`` > 1 a batch in training is so many equal parts of rows, one behind the other,
    each normalised by its own statistics, such as a GAN's real and generated images; the running
    ones move once for each. It may be changed between steps.

    ``activation`` ("relu", "leaky_relu" with slope ``negative_slope``, "sigmoid", "tanh", "gelu")
    is applied to the result, after a shortcut is added to it (He et al. 2016): ``forward(x,
    shortcut)``, or in a graph ``layer(node, shortcut)``. All of that is one pass over memory, and
    what is kept for backward are x and out themselves (do not change them in place between the
    two); ``x_normalized`` is kept of plain columns only. Raises ValueError for inputs of other
    shapes, and for rows that the parts do not divide.

    >>> import numpy as np, fastdl
    >>> out = fastdl.BatchNormalization().forward(np.array([[1.0], [3.0]]))
    >>> out.round(3).tolist()
    [[-1.0], [1.0]]
    """

    parameter_names = ("gamma", "beta")
    state_names = ("running_mean", "running_var")
    config_names: ClassVar[tuple[str, ...]] = (
        "momentum",
        "epsilon",
        "activation",
        "negative_slope",
        "parts",
    )
    takes_several = True

    gamma: Any
    beta: Any
    _trained: bool  # whether the last forward took the batch's statistics
    _mean: np.ndarray  # what it subtracted from each part (parts, D)
    _var: np.ndarray  # the variances that it divided them by
    _slices: list[slice]  # where the parts lie
    _kept: tuple[np.ndarray, ...] | None = None  # (x, saved, shortcut) of pixels (M, C)
    _shape: tuple[int, ...] | None = None  # of the last input
    _joined: bool = False  # whether it came with a shortcut

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        *,
        num_features: int | None = None,
        activation: str | None = None,
        negative_slope: float = 0.01,
        parts: int = 1,
        dtype: DTypeLike | None = None,
    ) -> None:
        if activation not in KINDS:
            known = ", ".join(repr(name) for name in KINDS)
            raise ValueError(f"activation is {activation!r}; expected one of {known}.")
        self.activation = activation
        self.negative_slope = check_number(negative_slope, "negative_slope")
        self.parts = check_size(parts, "parts")
        self.momentum = check_number(momentum, "momentum", high=1.0)
        self.epsilon = check_number(epsilon, "epsilon", open_low=True)
        self.dtype = resolve_dtype(dtype)
        self.training = True
        self.running_mean: np.ndarray | None = None
        self.running_var: np.ndarray | None = None
        self.x_normalized: np.ndarray | None = None
        self.dgamma: np.ndarray | None = None
        self.dbeta: np.ndarray | None = None
        if num_features is not None:
            self._arrays((0, check_size(num_features, "num_features")))

    def forward(self, x: ArrayLike, shortcut: ArrayLike | None = None) -> np.ndarray:  # type: ignore[override]
        """The normalized batch, of x's shape; shortcut has that shape too."""
        if not isinstance(x, np.ndarray):
            x = as_real(x, self.dtype, "x")
        if x.ndim == 4 or shortcut is not None or self.activation is not None:
            return self._forward_pixels(x, shortcut)
        x = as_real(x, self.dtype, "x")
        check_batch(x, "x", 2)
        gamma, beta, running_mean, running_var = self._arrays(x.shape)
        mean, var = self._statistics(running_mean, running_var)
        out, self.x_normalized = np.empty_like(x), np.empty_like(x)
        for p, own in enumerate(self._parts(len(x), len(x))):
            ops.batchnorm_forward(
                self._trained, x[own], gamma, beta, self.epsilon, mean[p], var[p], out[own],
                self.x_normalized[own],
            )  # fmt: skip
        self._shape, self._kept, self._joined = x.shape, None, False
        self._move(running_mean, running_var)
        return out

    def _forward_pixels(self, x: ArrayLike, shortcut: ArrayLike | None) -> np.ndarray:
        pixels, shape = as_pixels(x, self.dtype, "x")
        gamma, beta, running_mean, running_var = self._arrays(shape)
        extra = pixels[:0]
        if shortcut is not None:
            extra, other = as_pixels(shortcut, self.dtype, "shortcut")
            if other != shape:
                raise ValueError(f"{self} got x of shape {shape} and a shortcut of shape {other}.")
        mean, var = self._statistics(running_mean, running_var)
        out, kind = np.empty_like(pixels), KINDS[self.activation]
        for p, own in enumerate(self._parts(shape[0], len(pixels))):
            ops.batchnorm_images_forward(
                self._trained, kind, self.negative_slope, pixels[own], extra[own], gamma, beta,
                self.epsilon, mean[p], var[p], out[own],
            )  # fmt: skip
        # where the derivative is found from x, which is kept anyway
        of_input = kind in (kinds.NONE, kinds.GELU) or (kind == kinds.RELU and shortcut is None)
        self._kept = pixels, pixels if of_input else out, extra if kind == kinds.GELU else extra[:0]
        self._shape, self._joined, self.x_normalized = shape, shortcut is not None, None
        self._move(running_mean, running_var)
        return from_pixels(out, shape)

    def backward(self, dout: ArrayLike, more: ArrayLike | None = None) -> Any:
        """dx, with a shortcut (dx, dshortcut); sets dgamma and dbeta.

        ``more`` is another gradient of the same out, which is added to dout. After an evaluation
        the statistics are constants.
        """
        required(self._shape, self)
        if more is not None and not (self._joined and self.activation is not None):
            dout, more = np.add(dout, more), None
        if self._kept is not None:
            return self._backward_pixels(dout, more, *self._kept)
        normalized = required(self.x_normalized, self)
        dout = as_real(dout, self.dtype, "dout")
        self._check_dout(dout.shape)
        dx = np.empty_like(dout)
        dgamma, dbeta = np.empty_like(self._var), np.empty_like(self._var)
        for p, own in enumerate(self._slices):
            ops.batchnorm_backward(
                self._trained, normalized[own], self.gamma, self._var[p], self.epsilon, dout[own],
                dx[own], dgamma[p], dbeta[p],
            )  # fmt: skip
        self._add_up(dgamma, dbeta)
        return dx

    def _backward_pixels(
        self, dout: ArrayLike, more: ArrayLike | None, x: np.ndarray, saved: np.ndarray,
        shortcut: np.ndarray,
    ) -> Any:  # fmt: skip
        shape, kind = required(self._shape, self), KINDS[self.activation]
        self._check_dout(np.shape(dout))
        d, _ = as_pixels(dout, self.dtype, "dout")
        second = x[:0]
        if more is not None:
            self._check_dout(np.shape(more))
            second, _ = as_pixels(more, self.dtype, "more")
        dx = np.empty_like(x)
        # without an activation the shortcut's gradient is dout itself
        dextra = np.empty_like(x) if self._joined and kind != kinds.NONE else x[:0]
        dgamma, dbeta = np.empty_like(self._var), np.empty_like(self._var)
        for p, own in enumerate(self._slices):
            ops.batchnorm_images_backward(
                self._trained, kind, self.negative_slope, x[own], saved[own], shortcut[own],
                self.gamma, self.beta, self._mean[p], self._var[p], self.epsilon, d[own],
                second[own], dx[own], dextra[own], dgamma[p], dbeta[p],
            )  # fmt: skip
        self._add_up(dgamma, dbeta)
        if not self._joined:
            return from_pixels(dx, shape)
        return from_pixels(dx, shape), from_pixels(dextra if len(dextra) else d, shape)

    def _statistics(self, *running: np.ndarray) -> tuple[np.ndarray, ...]:
        """mean and var (parts, D): arrays for the batch's in training, else the running ones."""
        self._trained = bool(self.training)
        found = tuple(r[None] for r in running)
        if self._trained:
            found = tuple(np.empty((self.parts, r.size), r.dtype) for r in running)
        self._mean, self._var = found
        return found

    def _parts(self, rows: int, length: int) -> list[slice]:
        """Where the parts of a batch lie in arrays of this length."""
        parts = len(self._mean)
        if rows % parts:
            raise ValueError(f"{self} got {rows} rows; expected a multiple of {parts}.")
        self._slices = [slice(p * length // parts, (p + 1) * length // parts) for p in range(parts)]
        return self._slices

    def _add_up(self, dgamma: np.ndarray, dbeta: np.ndarray) -> None:
        """The parts' gradients as the parameters'."""
        self.dgamma, self.dbeta = dgamma.sum(axis=0), dbeta.sum(axis=0)

    def _move(self, mean: np.ndarray, var: np.ndarray) -> None:
        """The running statistics towards the batch's, into new arrays."""
        if self._trained:
            keep, rest = self.dtype.type(self.momentum), self.dtype.type(1 - self.momentum)
            for own_mean, own_var in zip(self._mean, self._var, strict=True):
                mean, var = keep * mean + rest * own_mean, keep * var + rest * own_var
            self.running_mean, self.running_var = mean, var

    def _check_dout(self, shape: tuple[int, ...]) -> None:
        if shape != self._shape:
            raise ValueError(f"{self} got dout of shape {shape}; expected {self._shape}.")

    def _arrays(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """gamma, beta and the running statistics (D,); those that do not exist yet are made."""
        D = shape[1]
        for name in _START:
            held = getattr(self, name)
            if held is not None and np.shape(held) != (D,):
                raise ValueError(
                    f"{self} got x of shape {shape}, but its {name} has shape {np.shape(held)}; "
                    f"expected ({D},)."
                )
        for name, value in _START.items():
            if getattr(self, name) is None:
                setattr(self, name, np.full(D, value, self.dtype))
        return [as_real(getattr(self, name), self.dtype, name) for name in _START]
