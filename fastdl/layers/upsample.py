"""The upsampling layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_pair
from .activation import floating
from .base import Layer, ops, required
from .layout import channels_first, channels_last

MODES = ("nearest", "bilinear")


class Upsample2D(Layer):
    """Images (N, C, H, W) enlarged to (N, C, SH H, SW W) by the whole factors scale_factor.

    ``scale_factor`` is an int or a pair (SH, SW). "nearest" repeats every pixel; "bilinear"
    interpolates between the centres of pixels and goes on with the edge beyond the outer ones, as
    PyTorch with align_corners=False. Raises ValueError for another mode.

    >>> import numpy as np, fastdl
    >>> fastdl.Upsample2D(2).forward(np.array([[[[1.0, 2.0]]]])).tolist()
    [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """

    config_names = ("scale_factor", "mode")

    def __init__(self, scale_factor: int | tuple[int, int], mode: str = "nearest") -> None:
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; expected 'nearest' or 'bilinear'.")
        self.scale_factor = check_pair(scale_factor, "scale_factor")
        self.mode = mode
        self._given: tuple[tuple[int, ...], np.dtype[Any]] | None = None  # (N, H, W, C) and dtype

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The enlarged images (N, C, SH H, SW W)."""
        values = floating(x, "x")
        last = channels_last(values, values.dtype, "x")
        (N, H, W, C), (SH, SW) = last.shape, self.scale_factor
        self._given, out = (last.shape, last.dtype), np.empty((N, SH * H, SW * W, C), last.dtype)
        ops.upsample_forward(last, self.scale_factor, self.mode == "bilinear", out)
        return channels_first(out)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, C, H, W): every pixel's shares of dout."""
        (N, H, W, C), dtype = required(self._given, self)
        expected = (N, C, self.scale_factor[0] * H, self.scale_factor[1] * W)
        if np.shape(dout) != expected:
            raise ValueError(f"{self} got dout of shape {np.shape(dout)}; expected {expected}.")
        dx = np.empty((N, H, W, C), dtype)
        d = channels_last(dout, dtype, "dout")
        ops.upsample_backward(d, self.scale_factor, self.mode == "bilinear", dx)
        return channels_first(dx)
