"""Convolution over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..initializers import get_initializer
from ..memory import step_array
from ..validation import as_real, check_batch, check_size
from .activation import before_relu
from .base import ops, required
from .convolution_products import GradientsApart

ONE = (1, 1)


class Conv1D(GradientsApart):
    """out[t, k] = b[k] + sum over c, j of W[k, c, j] x[t - (kernel_size - 1 - j) dilation, c].

    The cross-correlation over time of x (B, T, in_channels) with zeros before the first step, so
    that a step of out (B, T, out_channels) sees no later one (van den Oord et al. 2016, WaveNet).
    Without ``causal`` the zeros lie half before and half behind. W has shape (out_channels,
    in_channels, kernel_size), as PyTorch's. ``activation="relu"`` applies max(0, out) in the same
    pass. Raises ValueError for sizes below one and x of another shape.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.Conv1D(1, 1, 2, dilation=2)
    >>> layer.W = [[[10.0, 1.0]]]
    >>> layer.forward(np.arange(1.0, 6.0).reshape(1, 5, 1)).ravel().tolist()
    [1.0, 2.0, 13.0, 24.0, 35.0]
    """

    parameter_names = ("W", "b")
    config_names = (
        "in_channels", "out_channels", "kernel_size", "dilation", "causal", "activation",
    )  # fmt: skip

    W: Any
    b: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        causal: bool = True,
        activation: str | None = None,
        *,
        initializer: Any = "he",
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_channels = check_size(in_channels, "in_channels")
        self.out_channels = check_size(out_channels, "out_channels")
        self.kernel_size = check_size(kernel_size, "kernel_size")
        self.dilation = check_size(dilation, "dilation")
        if activation not in (None, "relu"):
            raise ValueError(f"activation is {activation!r}; expected None or 'relu'.")
        self.causal, self.activation = bool(causal), activation
        self.dtype = resolve_dtype(dtype)
        C, K, k = self.in_channels, self.out_channels, self.kernel_size
        self.W = get_initializer(initializer)((K, C, k), C * k, K * k, rng, self.dtype)
        self.b = np.zeros(K, self.dtype)
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self._saved: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def _geometry(self) -> tuple[Any, ...]:
        """Stride, padding before the first step, dilation and groups: a sequence is a low image."""
        around = (self.kernel_size - 1) * self.dilation
        return ONE, (0, around if self.causal else around // 2), (1, self.dilation), 1

    def forward(self, x: ArrayLike) -> np.ndarray:
        """out (B, T, out_channels) for x (B, T, in_channels)."""
        x = as_real(x, self.dtype, "x")
        if x.ndim != 3 or x.shape[2] != self.in_channels:
            raise ValueError(
                f"{self} got x of shape {x.shape}; expected (B, T, {self.in_channels})."
            )
        check_batch(x, "x")
        B, T, C = x.shape
        out = step_array((B, T, self.out_channels), self.dtype)
        ops.conv2d_forward(
            x.reshape(B, 1, T, C), self._filters(self.W), self.b, *self._geometry,
            self.activation == "relu", out.reshape(B, 1, T, -1),
        )  # fmt: skip
        self._saved = x, out
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (B, T, in_channels); sets dW and db."""
        return super().backward(dout)

    def _before(self, dout: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """x, and the gradient before the activation, as images (B, 1, T, channels)."""
        x, out = required(self._saved, self)
        d = as_real(dout, self.dtype, "dout")
        if d.shape != out.shape:
            raise ValueError(f"{self} got dout of shape {d.shape}; expected {out.shape}.")
        if self.activation == "relu":
            d = before_relu(out, d)
        B, T, C = x.shape
        return x.reshape(B, 1, T, C), d.reshape(B, 1, T, self.out_channels)

    def _dx(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        dx = step_array(x.shape, self.dtype)
        ops.conv2d_backward_data(self._filters(self.W), d, *self._geometry, dx)
        return dx.reshape(len(dx), dx.shape[2], dx.shape[3])

    def _parameter_gradients(self, x: np.ndarray, d: np.ndarray) -> None:
        self.dW, self.db = np.empty_like(self.W), np.empty_like(self.b)
        ops.conv2d_backward_weights(x, d, *self._geometry, self._filters(self.dW), self.db)

    def _filters(self, W: np.ndarray) -> np.ndarray:
        """W as the filters (K, C, 1, kernel_size) of images, without a copy."""
        return W.reshape(self.out_channels, self.in_channels, 1, self.kernel_size)
