"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..initializers import get_initializer
from ..validation import as_real, check_batch, check_size
from .base import Layer, ops, required


class Dense(Layer):
    """out = x W + b for x (N, input_dim); W (input_dim, output_dim), b (1, output_dim).

    ``initializer`` fills W ("he", "xavier", "normal", "uniform", or an object of
    ``fastdl.initializers``), with NumPy's global random state unless ``rng`` is given; b is zero.
    ``backward(dout)`` returns dx = dout W^T and keeps dW = x^T dout and db = sum of dout's rows.
    Raises ValueError for sizes below one or inputs of another shape, TypeError for other dtypes.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.Dense(3, 2)
    >>> layer.forward(np.ones((4, 3))).shape
    (4, 2)
    """

    parameter_names = ("W", "b")
    config_names = ("input_dim", "output_dim")

    W: Any
    b: Any

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *,
        initializer: Any = "he",
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_dim = check_size(input_dim, "input_dim")
        self.output_dim = check_size(output_dim, "output_dim")
        self.dtype = resolve_dtype(dtype)
        shape = (self.input_dim, self.output_dim)
        self.W = get_initializer(initializer)(shape, *shape, rng, self.dtype)
        self.b = np.zeros((1, self.output_dim), self.dtype)
        self.x: np.ndarray | None = None
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None

    def forward(self, x: ArrayLike) -> np.ndarray:
        """out (N, output_dim) for x (N, input_dim)."""
        x = as_real(x, self.dtype, "x")
        if x.ndim != 2 or x.shape[1] != self.input_dim:
            raise ValueError(f"{self} got x of shape {x.shape}; expected (N, {self.input_dim}).")
        check_batch(x, "x")
        self.x = x
        out = np.empty((len(x), self.output_dim), self.dtype)
        ops.dense_forward(x, self.W, self.b.reshape(-1), out)
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, input_dim) for dout (N, output_dim); sets dW and db."""
        return self._backward(dout, len(required(self.x, self)))

    def backward_parameters(self, dout: ArrayLike) -> None:
        """Sets dW and db only."""
        self._backward(dout, 0)

    def backward_inputs(self, dout: ArrayLike) -> np.ndarray:
        """dx only."""
        dout = self._checked(dout)
        dx = np.empty_like(required(self.x, self))
        none = np.empty((0, 0), self.dtype)
        ops.dense_backward(dx[:0], self.W, dout, dx, none, none.reshape(-1))
        return dx

    def _checked(self, dout: ArrayLike) -> np.ndarray:
        dout = as_real(dout, self.dtype, "dout")
        expected = len(required(self.x, self)), self.output_dim
        if dout.shape != expected:
            raise ValueError(f"{self} got dout of shape {dout.shape}; expected {expected}.")
        return dout

    def _backward(self, dout: ArrayLike, rows: int) -> np.ndarray:
        """Parameter gradients, and dx of all rows or of none."""
        x, dout = required(self.x, self), self._checked(dout)
        dx = np.empty_like(x[:rows])
        self.dW = np.empty_like(self.W)
        self.db = np.empty_like(self.b)
        ops.dense_backward(x, self.W, dout, dx, self.dW, self.db.reshape(-1))
        return dx
