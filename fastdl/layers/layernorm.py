"""The layer normalization layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..validation import as_real, check_batch, check_number, check_size
from .base import Layer, ops, required


class LayerNorm(Layer):
    """out = gamma (x - mean) / sqrt(var + epsilon) + beta along the last axis of x (..., D).

    Ba, Kiros & Hinton 2016, with the biased variance. gamma and beta (D,) exist from the first
    forward on, or with ``num_features`` from the start. Training and evaluation are the same.

    >>> import numpy as np, fastdl
    >>> fastdl.LayerNorm().forward(np.array([[1.0, 3.0]])).round(3).tolist()
    [[-1.0, 1.0]]
    """

    parameter_names = ("gamma", "beta")
    config_names = ("epsilon",)

    gamma: Any
    beta: Any

    def __init__(
        self,
        num_features: int | None = None,
        epsilon: float = 1e-5,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        self.epsilon = check_number(epsilon, "epsilon", open_low=True)
        self.dtype = resolve_dtype(dtype)
        self.x_normalized: np.ndarray | None = None
        self.dgamma: np.ndarray | None = None
        self.dbeta: np.ndarray | None = None
        if num_features is not None:
            self._create(check_size(num_features, "num_features"))

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The normalized x, of its shape."""
        x = as_real(x, self.dtype, "x")
        check_batch(x, "x")
        if x.ndim < 2:
            raise ValueError(f"{self} got x of shape {x.shape}; expected (..., D).")
        if self.gamma is None:
            self._create(x.shape[-1])
        if x.shape[-1] != len(self.gamma):
            raise ValueError(f"{self} got x of shape {x.shape}; expected (..., {len(self.gamma)}).")
        rows = x.reshape(-1, x.shape[-1])
        out, self.x_normalized = np.empty_like(rows), np.empty_like(rows)
        self._inverse = np.empty(len(rows), self.dtype)
        ops.layernorm_forward(
            rows, self.gamma, self.beta, self.epsilon, out, self.x_normalized, self._inverse
        )
        self._shape = x.shape
        return out.reshape(x.shape)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx of x's shape; sets dgamma and dbeta."""
        normalized = required(self.x_normalized, self)
        dout = as_real(dout, self.dtype, "dout")
        if dout.shape != self._shape:
            raise ValueError(f"{self} got dout of shape {dout.shape}; expected {self._shape}.")
        dx = np.empty_like(normalized)
        self.dgamma, self.dbeta = np.empty_like(self.gamma), np.empty_like(self.beta)
        ops.layernorm_backward(
            normalized, self._inverse, self.gamma, dout.reshape(normalized.shape), dx, self.dgamma,
            self.dbeta,
        )  # fmt: skip
        return dx.reshape(self._shape)

    def _create(self, D: int) -> None:
        self.gamma, self.beta = np.ones(D, self.dtype), np.zeros(D, self.dtype)
