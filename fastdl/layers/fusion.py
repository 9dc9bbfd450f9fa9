"""Layers of the two-stream models: gates, a learned constant, the bilinear fusion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..initializers import Normal, Xavier, get_initializer
from ..validation import check_size
from .base import Layer, required


class SelectFields(Layer):
    """Some of the fields' vectors, (N, len(fields), K) from (N, F, K)."""

    config_names = ("fields",)

    def __init__(self, fields: list[int]) -> None:
        self.fields = list(fields)
        self._shape: tuple[int, ...] = ()

    def forward(self, e: np.ndarray) -> np.ndarray:
        """The chosen fields."""
        self._shape = e.shape
        return np.ascontiguousarray(e[:, self.fields])

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """Zero for the others."""
        de = np.zeros(self._shape, dout.dtype)
        for place, field in enumerate(self.fields):
            de[:, field] += dout[:, place]
        return de


class Constant(Layer):
    """A learned vector c (1, dim) for every row, whatever the input: (N, dim)."""

    parameter_names = ("c",)
    config_names = ("dim",)

    c: Any

    def __init__(
        self, dim: int, *, initializer: Any = None, dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.dim = check_size(dim, "dim")
        self.dtype = resolve_dtype(dtype)
        fill = get_initializer(Normal(std=1.0) if initializer is None else initializer)
        self.c = fill((1, dim), dim, dim, rng, self.dtype)
        self.dc: np.ndarray | None = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        """c for each row of x."""
        return np.repeat(self.c, len(x), axis=0)

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Keeps dc; x has no part in it."""
        self.dc = dout.sum(axis=0, keepdims=True)


class Gate(Layer):
    """2 sigmoid(g) x for g, x (N, D): gates that begin at 1 (Mao et al. 2023, FinalMLP)."""

    _saved: Any = None

    def forward(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """The gated x."""
        gate = 2 / (1 + np.exp(-g))
        self._saved = gate, x
        return gate * x

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dg, dx)."""
        gate, x = required(self._saved, self)
        return dout * x * gate * (1 - gate / 2), dout * gate


class BilinearFusion(Layer):
    """b + x w1 + y w2 + sum over heads of x_h W_h y_h, (N, 1), for x (N, D1) and y (N, D2).

    Both are cut into ``heads`` equal parts. w1 (D1, 1), w2 (D2, 1), b (1, 1), and W (heads,
    D1 / heads, D2 / heads). Mao et al. 2023, FinalMLP, equations 9 to 11.
    """

    parameter_names = ("w1", "w2", "W", "b")
    config_names = ("left", "right", "heads")

    w1: Any
    w2: Any
    W: Any
    b: Any

    def __init__(
        self, left: int, right: int, heads: int = 1, *, initializer: Any = None,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.left, self.right = check_size(left, "left"), check_size(right, "right")
        self.heads = check_size(heads, "heads")
        if left % heads or right % heads:
            raise ValueError(f"Widths {left} and {right} cannot be cut into {heads} equal heads.")
        self.dtype = resolve_dtype(dtype)
        fill = get_initializer(Xavier("normal") if initializer is None else initializer)
        a, b = left // heads, right // heads
        self.w1 = fill((left, 1), left, 1, rng, self.dtype)
        self.w2 = fill((right, 1), right, 1, rng, self.dtype)
        self.W = fill((heads, a, b), a, b, rng, self.dtype)
        self.b = np.zeros((1, 1), self.dtype)
        self._saved: Any = None

    def forward(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """(N, 1)."""
        xs, ys = self._cut(x), self._cut(y)
        xw = xs @ self.W  # (heads, N, D2 / heads)
        self._saved = x, y, xs, ys, xw
        bilinear = np.einsum("hnb,hnb->n", xw, ys)[:, None]
        return self.b + x @ self.w1 + y @ self.w2 + bilinear

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dx, dy)."""
        x, y, xs, ys, xw = required(self._saved, self)
        self.db = dout.sum(axis=0, keepdims=True)
        self.dw1, self.dw2 = x.T @ dout, y.T @ dout
        scaled = ys * dout
        self.dW = xs.transpose(0, 2, 1) @ scaled
        dx = self._join(scaled @ self.W.transpose(0, 2, 1)) + dout @ self.w1.T
        dy = self._join(xw * dout) + dout @ self.w2.T
        return dx, dy

    def _cut(self, x: np.ndarray) -> np.ndarray:
        """(N, D) as (heads, N, D / heads)."""
        return x.reshape(len(x), self.heads, -1).transpose(1, 0, 2)

    def _join(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(1, 0, 2).reshape(x.shape[1], -1)
