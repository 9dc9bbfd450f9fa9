"""Self-attention between the fields of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..initializers import Xavier, get_initializer
from ..validation import check_size
from .base import Layer, ops, required


class FieldAttention(Layer):
    """ReLU of multi-head self-attention plus a projected residual, (N, F, heads * head_dim).

    In every head p = softmax over g of scale <e_f Wq, e_g Wk>, and the field's new vector is sum
    of p[f, g] (e_g Wv); heads side by side, plus e Wr, through ReLU (Song et al. 2019, AutoInt,
    equations 5 to 9, where scale is 1; Vaswani et al. 2017 have 1 / sqrt(head_dim)).
    W (dim, 4 * heads * head_dim) holds Wq, Wk, Wv and Wr side by side.
    """

    parameter_names = ("W",)
    config_names = ("dim", "heads", "head_dim", "scaled")

    W: Any

    def __init__(
        self, dim: int, heads: int, head_dim: int, *, scaled: bool = False, initializer: Any = None,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.dim, self.heads = check_size(dim, "dim"), check_size(heads, "heads")
        self.head_dim, self.scaled = check_size(head_dim, "head_dim"), bool(scaled)
        self.scale = float(head_dim**-0.5) if scaled else 1.0
        self.width = heads * head_dim
        self.dtype = resolve_dtype(dtype)
        initializer = Xavier("normal") if initializer is None else initializer
        fill = get_initializer(initializer)
        parts = [fill((dim, self.width), dim, self.width, rng, self.dtype) for _ in range(4)]
        self.W = np.concatenate(parts, axis=1)
        self.dW: np.ndarray | None = None
        self._saved: Any = None

    def forward(self, e: np.ndarray) -> np.ndarray:
        """The fields' new vectors from e (N, F, dim)."""
        e = np.ascontiguousarray(e)
        N, F, _ = e.shape
        projected = np.empty((N * F, 4 * self.width), self.dtype)
        none = np.zeros(4 * self.width, self.dtype)
        ops.dense_forward(e.reshape(N * F, self.dim), self.W, none, projected)
        x = projected.reshape(N, F, 4 * self.width)
        p = np.empty((N, self.heads, F, F), self.dtype)
        out = np.empty((N, F, self.width), self.dtype)
        ops.attention_forward(self.heads, self.scale, x, p, out)
        self._saved = e, x, p, out
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """de (N, F, dim); keeps dW."""
        e, x, p, out = required(self._saved, self)
        N, F, _ = e.shape
        dx = np.empty_like(x)
        dout = np.ascontiguousarray(dout)
        ops.attention_backward(self.heads, self.scale, x, p, out, dout, dx)
        de, self.dW = np.empty_like(e), np.empty_like(self.W)
        ops.dense_backward(
            e.reshape(N * F, self.dim), self.W, dx.reshape(N * F, -1), de.reshape(N * F, self.dim),
            self.dW, np.empty(4 * self.width, self.dtype),
        )  # fmt: skip
        return de
