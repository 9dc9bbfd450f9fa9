"""The compressed interaction network of xDeepFM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..initializers import Xavier, get_initializer
from ..validation import check_size
from .base import Layer, ops, required


class FieldsFirst(Layer):
    """(N, F, K) as (F, N, K): each field's numbers of all rows lie together."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """A copy in the other order."""
        return np.ascontiguousarray(x.transpose(1, 0, 2))

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """The way back."""
        return np.ascontiguousarray(dout.transpose(1, 0, 2))


class CompressedInteraction(Layer):
    """maps_o = sum over h, m of W[o, h M + m] xk_h x0_m, elementwise over rows and dimensions.

    xk (H, N, K) are the maps of the layer before, x0 (M, N, K) the fields; the output is
    (O, N, K), W (O, H M). Lian et al. 2018, xDeepFM, equation 6.
    """

    parameter_names = ("W",)
    config_names = ("maps_in", "fields", "maps_out")

    W: Any

    def __init__(
        self, maps_in: int, fields: int, maps_out: int, *, initializer: Any = None,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.maps_in = check_size(maps_in, "maps_in")
        self.fields = check_size(fields, "fields")
        self.maps_out = check_size(maps_out, "maps_out")
        self.dtype = resolve_dtype(dtype)
        pairs = maps_in * fields
        initializer = Xavier("normal") if initializer is None else initializer
        self.W = get_initializer(initializer)((maps_out, pairs), pairs, maps_out, rng, self.dtype)
        self.dW: np.ndarray | None = None
        self._saved: Any = None

    def forward(self, xk: np.ndarray, x0: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """(O, N, K)."""
        out = np.empty((self.maps_out, *xk.shape[1:]), self.dtype)
        ops.cin_forward(_two(xk), _two(x0), self.W, _two(out))
        self._saved = xk, x0
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """(dxk, dx0); keeps dW."""
        xk, x0 = required(self._saved, self)
        dxk, dx0, self.dW = np.empty_like(xk), np.empty_like(x0), np.empty_like(self.W)
        ops.cin_backward(_two(xk), _two(x0), self.W, _two(dout), _two(dxk), _two(dx0), self.dW)
        return dxk, dx0


class SumPooling(Layer):
    """The sum of each map's numbers, (N, O) from maps (O, N, K)."""

    _shape: tuple[int, ...] = ()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """(N, O)."""
        self._shape = x.shape
        return np.ascontiguousarray(x.sum(axis=2).T)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """Each number of a map gets its sum's gradient: (O, N, K)."""
        return np.ascontiguousarray(np.broadcast_to(dout.T[:, :, None], self._shape))


def _two(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).reshape(len(x), -1)
