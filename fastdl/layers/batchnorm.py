"""The batch normalization layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..validation import as_real, check_batch, check_number, check_size
from .base import Layer, ops, required


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
            self._create(check_size(num_features, "num_features"))

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The normalized batch (N, D)."""
        x = as_real(x, self.dtype, "x")
        check_batch(x, "x", 2)
        if self.gamma is None:
            self._create(x.shape[1])
        if x.shape[1] != len(self.gamma):
            raise ValueError(f"{self} got x of shape {x.shape}; expected (N, {len(self.gamma)}).")
        mean, var = required(self.running_mean, self), required(self.running_var, self)
        if self.training:
            mean, var = np.empty_like(self.gamma), np.empty_like(self.gamma)
        out, self.x_normalized = np.empty_like(x), np.empty_like(x)
        ops.batchnorm_forward(
            self.training, x, self.gamma, self.beta, self.epsilon, mean, var, out, self.x_normalized
        )
        self._var, self._trained = var, self.training
        if self.training:
            keep = self.dtype.type(self.momentum)
            rest = self.dtype.type(1 - self.momentum)
            self.running_mean = keep * self.running_mean + rest * mean
            self.running_var = keep * self.running_var + rest * var
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

    def _create(self, D: int) -> None:
        self.gamma, self.beta = np.ones(D, self.dtype), np.zeros(D, self.dtype)
        self.running_mean, self.running_var = np.zeros(D, self.dtype), np.ones(D, self.dtype)
