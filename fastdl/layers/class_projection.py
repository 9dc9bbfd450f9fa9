"""The output of a discriminator that knows classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..initializers import get_initializer
from ..validation import as_real, check_batch, check_size
from .base import Layer, ops, required
from .classes import class_rows, sums_by_class


class ClassProjection(Layer):
    """out = x W + b + sum of V[y] x over the columns, with the class y of each row.

    x is (N, in_features), out (N, 1), W (in_features, 1), b (1, 1), V (classes, in_features): how
    real a row looks, plus how well it looks like its class (Miyato & Koyama 2018, equation 4).
    ``forward(x, classes)`` takes the classes (N,); networks give them from a ``fastdl.Conditioned``
    batch. ``initializer`` fills W and V, by default as that of ``Dense``. Raises ValueError for
    other shapes and for classes that are not there.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.ClassProjection(4, classes=3)
    >>> layer.forward(np.ones((2, 4)), [0, 2]).shape
    (2, 1)
    """

    parameter_names = ("W", "b", "V")
    config_names = ("in_features", "classes")
    takes_classes = True

    W: Any
    b: Any
    V: Any

    def __init__(
        self, in_features: int, classes: int, *, initializer: Any = "he",
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.in_features = check_size(in_features, "in_features")
        self.classes = check_size(classes, "classes")
        self.dtype = resolve_dtype(dtype)
        fill, D = get_initializer(initializer), self.in_features
        self.W = fill((D, 1), D, 1, rng, self.dtype)
        self.b = np.zeros((1, 1), self.dtype)
        self.V = fill((self.classes, D), D, 1, rng, self.dtype)
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self.dV: np.ndarray | None = None
        self.x: np.ndarray | None = None
        self._chosen: np.ndarray | None = None

    def forward(self, x: ArrayLike, classes: ArrayLike) -> np.ndarray:  # type: ignore[override]
        """out (N, 1)."""
        x = as_real(x, self.dtype, "x")
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ValueError(f"{self} got x of shape {x.shape}; expected (N, {self.in_features}).")
        check_batch(x, "x")
        self._chosen = class_rows(self, classes, len(x), self.classes)
        self.x, out = x, np.empty((len(x), 1), self.dtype)
        ops.dense_forward(x, self.W, self.b.reshape(-1), out)
        out[:, 0] += np.einsum("nd,nd->n", self.V[self._chosen], x)
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, in_features); sets dW, db and dV."""
        x, d = required(self.x, self), self._checked(dout)
        chosen = required(self._chosen, self)
        self.dW, self.db = np.empty_like(self.W), np.empty_like(self.b)
        ops.dense_backward(x, self.W, d, x[:0], self.dW, self.db.reshape(-1))
        self.dV = sums_by_class(chosen, self.classes, d * x)
        return self._dx(d, chosen)

    def backward_inputs(self, dout: ArrayLike) -> np.ndarray:
        """dx only."""
        return self._dx(self._checked(dout), required(self._chosen, self))

    def _dx(self, d: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        found: np.ndarray = d * (self.W[:, 0] + self.V[chosen])
        return found

    def _checked(self, dout: ArrayLike) -> np.ndarray:
        d, rows = as_real(dout, self.dtype, "dout"), len(required(self.x, self))
        if d.shape != (rows, 1):
            raise ValueError(f"{self} got dout of shape {d.shape}; expected ({rows}, 1).")
        return d
