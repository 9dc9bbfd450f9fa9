"""Layers of the two-stream models: gates, a learned constant, the bilinear fusion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..initializers import Normal, Xavier, get_initializer
from ..kernels.dense import ROWS
from ..validation import check_size
from .base import Layer, ops, required


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
    """A learned vector c (1, dim), whatever the input: one row, which ``Gate`` takes for all."""

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
        """c, (1, dim)."""
        return self.c.copy()

    def backward(self, dout: np.ndarray) -> None:  # type: ignore[override]
        """Keeps dc; x has no part in it."""
        self.dc = dout


class Gate(Layer):
    """2 sigmoid(g) x for x (N, D) and g (N, D) or (1, D): gates that begin at 1.

    Mao et al. 2023, FinalMLP.
    """

    _saved: Any = None

    def forward(self, g: np.ndarray, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """The gated x."""
        if g.shape[1:] != x.shape[1:] or len(g) not in (1, len(x)):
            raise ValueError(f"Gate got g {g.shape} and x {x.shape}; expected as many columns.")
        gate, out = np.empty_like(g), np.empty_like(x)
        ops.gate_forward(g, x, gate, out)
        self._saved = gate, x
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dg, dx)."""
        gate, x = required(self._saved, self)
        shared = len(gate) == 1
        dg = np.empty((-(-len(x) // ROWS) if shared else len(x), x.shape[1]), x.dtype)
        dx = np.empty_like(x)
        ops.gate_backward(gate, x, dout, dg, dx)
        return dg.sum(axis=0, keepdims=True) if shared else dg, dx


class BilinearFusion(Layer):
    """b + x wx + y wy + sum over heads of x_h W_h y_h, (N, 1), for x (N, D1) and y (N, D2).

    Both are cut into ``heads`` equal parts. wx (D1, 1), wy (D2, 1), b (1, 1), and W (heads,
    D1 / heads, D2 / heads). Mao et al. 2023, FinalMLP, equations 9 to 11.
    """

    parameter_names = ("wx", "wy", "W", "b")
    config_names = ("left", "right", "heads")

    wx: Any
    wy: Any
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
        self.wx = fill((left, 1), left, 1, rng, self.dtype)
        self.wy = fill((right, 1), right, 1, rng, self.dtype)
        self.W = fill((heads, a, b), a, b, rng, self.dtype)
        self.b = np.zeros((1, 1), self.dtype)
        self._saved: Any = None

    def forward(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """(N, 1)."""
        u, out = np.empty_like(y), np.empty((len(x), 1), self.dtype)
        ops.bilinear_forward(
            x, y, self.wx.reshape(-1), self.wy.reshape(-1), self.b.reshape(-1), self.W, u,
            out.reshape(-1),
        )  # fmt: skip
        self._saved = x, y, u
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dx, dy); keeps dwx, dwy, dW and db."""
        x, y, u = required(self._saved, self)
        dx, dy, du, self.dW = (np.empty_like(array) for array in (x, y, y, self.W))
        parts = -(-len(x) // ROWS)
        dw1, dw2 = np.empty((parts, self.left), x.dtype), np.empty((parts, self.right), x.dtype)
        ops.bilinear_backward(
            x, y, self.wx.reshape(-1), self.wy.reshape(-1), self.W, u, dout.reshape(-1), du, dx,
            dy, self.dW, dw1, dw2,
        )  # fmt: skip
        self.dwx, self.dwy = dw1.sum(axis=0)[:, None], dw2.sum(axis=0)[:, None]
        self.db = dout.sum(axis=0, keepdims=True)
        return dx, dy
