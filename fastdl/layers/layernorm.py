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
    _inverse: np.ndarray  # 1 / sqrt(var + epsilon) of the last forward's rows
    _shape: tuple[int, ...]  # of its x

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
            self._arrays((check_size(num_features, "num_features"),))

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The normalized x, of its shape."""
        x = as_real(x, self.dtype, "x")
        check_batch(x, "x")
        if x.ndim == 0:
            raise ValueError(f"{self} got a single number for x; expected shape (..., D).")
        gamma, beta = self._arrays(x.shape)
        rows = x.reshape(-1, x.shape[-1])
        out, self.x_normalized = np.empty_like(rows), np.empty_like(rows)
        self._inverse = np.empty(len(rows), self.dtype)
        ops.layernorm_forward(
            rows, gamma, beta, self.epsilon, out, self.x_normalized, self._inverse
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

    def _arrays(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """gamma and beta (D,), made if they do not exist yet."""
        D = shape[-1]
        for name in self.parameter_names:
            held = getattr(self, name)
            if held is not None and held.shape != (D,):
                raise ValueError(
                    f"{self} got x of shape {shape}, but its {name} has shape {held.shape}; "
                    f"expected ({D},)."
                )
        if self.gamma is None:
            self.gamma = np.ones(D, self.dtype)
        if self.beta is None:
            self.beta = np.zeros(D, self.dtype)
        return self.gamma, self.beta
