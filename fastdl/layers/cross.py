"""Cross layers: explicit feature crosses of a bounded degree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..initializers import Xavier, get_initializer
from ..kernels.cross import ROWS
from ..validation import check_size
from .base import Layer, ops, required


class CrossVector(Layer):
    """x0 <x, w> + b + x for x0, x (N, dim): one cross layer of DCN (Wang et al. 2017).

    w, b (1, dim).
    """

    parameter_names = ("w", "b")
    config_names = ("dim",)

    w: Any
    b: Any

    def __init__(
        self, dim: int, *, initializer: Any = None, dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.dim = check_size(dim, "dim")
        self.dtype = resolve_dtype(dtype)
        initializer = Xavier("normal") if initializer is None else initializer
        self.w = get_initializer(initializer)((1, dim), dim, 1, rng, self.dtype)
        self.b = np.zeros((1, dim), self.dtype)
        self.dw: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self._saved: Any = None

    def forward(self, x0: np.ndarray, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """(N, dim)."""
        s, out = np.empty(len(x), self.dtype), np.empty_like(x)
        ops.cross_forward(x0, x, self.w.reshape(-1), self.b.reshape(-1), s, out)
        self._saved = x0, x, s
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dx0, dx); keeps dw and db."""
        x0, x, s = required(self._saved, self)
        dout = np.ascontiguousarray(dout)  # columns of a Concat's: one more kernel to compile
        dx0, dx = np.empty_like(x), np.empty_like(x)
        dw, db = np.empty((2, -(-len(x) // ROWS), self.dim), self.dtype)
        ops.cross_backward(x0, x, self.w.reshape(-1), s, dout, dx0, dx, dw, db)
        self.dw, self.db = dw.sum(axis=0)[None], db.sum(axis=0)[None]
        return dx0, dx


class CrossMatrix(Layer):
    """x0 (x W + b) + x for x0, x (N, dim): one cross layer of DCN-V2 (Wang et al. 2021).

    W (dim, dim), b (1, dim).
    """

    parameter_names = ("W", "b")
    config_names = ("dim",)

    W: Any
    b: Any

    def __init__(
        self, dim: int, *, initializer: Any = None, dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.dim = check_size(dim, "dim")
        self.dtype = resolve_dtype(dtype)
        initializer = Xavier("normal") if initializer is None else initializer
        self.W = get_initializer(initializer)((dim, dim), dim, dim, rng, self.dtype)
        self.b = np.zeros((1, dim), self.dtype)
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self._saved: Any = None

    def forward(self, x0: np.ndarray, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """(N, dim)."""
        u, out = np.empty_like(x), np.empty_like(x)
        ops.dense_forward(x, self.W, self.b.reshape(-1), u)
        ops.multiply_add(x0.reshape(-1), u.reshape(-1), x.reshape(-1), out.reshape(-1))
        self._saved = x0, x, u
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dx0, dx); keeps dW and db."""
        x0, x, u = required(self._saved, self)
        dx0, du, dx = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        ops.multiply_add_backward(
            x0.reshape(-1), u.reshape(-1), dout.reshape(-1), dx0.reshape(-1), du.reshape(-1)
        )
        self.dW, self.db = np.empty_like(self.W), np.empty_like(self.b)
        ops.dense_backward(x, self.W, du, dx, self.dW, self.db.reshape(-1))
        dx += dout
        return dx0, dx
