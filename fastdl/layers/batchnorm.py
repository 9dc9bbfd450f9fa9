"""The batch normalization layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..validation import as_real, check_batch, check_number, check_size
from .base import Layer, ops, required

_START = {"gamma": 1.0, "beta": 0.0, "running_mean": 0.0, "running_var": 1.0}


class BatchNormalization(Layer):
    """out = gamma (x - mean) / sqrt(var + epsilon) + beta by column of x (N, D).

    Ioffe & Szegedy 2015. In training mean and (biased) variance are the batch's, and the running
    ones move: running = momentum running + (1 - momentum) batch; in evaluation the running ones
    serve. gamma, beta, running_mean and running_var (D,) exist from the first forward on, or with
    ``num_features`` from the start. Raises ValueError for inputs of another shape.

    >>> import numpy as np, fastdl
    >>> out = fastdl.BatchNormalization().forward(np.array([[1.0], [3.0]]))
    >>> out.round(3).tolist()
    [[-1.0], [1.0]]
    """

    parameter_names = ("gamma", "beta")
    state_names = ("running_mean", "running_var")
    config_names = ("momentum", "epsilon")

    gamma: Any
    beta: Any
    _trained: bool  # whether the last forward took the batch's statistics
    _var: np.ndarray  # the variance that it divided by

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        *,
        num_features: int | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
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
            self._arrays((check_size(num_features, "num_features"),))

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The normalized batch (N, D)."""
        x = as_real(x, self.dtype, "x")
        check_batch(x, "x", 2)
        gamma, beta, running_mean, running_var = self._arrays(x.shape)
        self._trained = bool(self.training)
        mean, var = running_mean, running_var
        if self._trained:
            mean, var = np.empty_like(gamma), np.empty_like(gamma)
        out, self.x_normalized, self._var = np.empty_like(x), np.empty_like(x), var
        ops.batchnorm_forward(
            self._trained, x, gamma, beta, self.epsilon, mean, var, out, self.x_normalized
        )
        if self._trained:
            keep, rest = self.dtype.type(self.momentum), self.dtype.type(1 - self.momentum)
            self.running_mean = keep * running_mean + rest * mean
            self.running_var = keep * running_var + rest * var
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, D); sets dgamma and dbeta. After an evaluation the statistics are constants."""
        normalized = required(self.x_normalized, self)
        dout = as_real(dout, self.dtype, "dout")
        if dout.shape != normalized.shape:
            raise ValueError(f"{self} got dout of shape {dout.shape}; expected {normalized.shape}.")
        dx = np.empty_like(dout)
        self.dgamma, self.dbeta = np.empty_like(self.gamma), np.empty_like(self.beta)
        ops.batchnorm_backward(
            self._trained, normalized, self.gamma, self._var, self.epsilon, dout, dx, self.dgamma,
            self.dbeta,
        )  # fmt: skip
        return dx

    def _arrays(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """gamma, beta and the running statistics (D,); those that do not exist yet are made."""
        D = shape[-1]
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
