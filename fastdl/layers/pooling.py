"""Pooling layers: the maximum or the mean of windows of images, or of whole images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..kernels.vectors import BYTES
from ..validation import as_real, check_pair
from .activation import before_relu, floating
from .base import Layer, ops, required
from .layout import channels_first, channels_last
from .rectified import is_rectified, remember_passed

Pair = tuple[int, int]


class _Pooling(Layer):
    """What windows have in common: their sizes, and the images that they were moved over."""

    kernel_size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair = (1, 1)
    _given: tuple[tuple[int, ...], np.dtype[Any]] | None = None  # shape (N, H, W, C) and dtype

    def _set(self, kernel_size: Any, stride: Any, padding: Any) -> None:
        self.kernel_size = check_pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else check_pair(stride, "stride")
        self.padding = check_pair(padding, "padding", low=0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"padding is {self.padding}; expected at most half of kernel_size "
                f"{self.kernel_size}."
            )

    def _images(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """x as (N, H, W, C), and an empty array for the outputs (N, OH, OW, C)."""
        values = floating(x, "x")
        last = channels_last(values, values.dtype, "x")
        N, H, W, C = last.shape
        spans = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        found = []
        for size, span, s, p in zip((H, W), spans, self.stride, self.padding, strict=True):
            if size + 2 * p < span:
                raise ValueError(
                    f"{self} got images of {H} x {W} pixels, smaller than its window of "
                    f"{spans[0]} x {spans[1]} with padding {self.padding}; use larger images, a "
                    "smaller kernel_size, or fewer pooling layers."
                )
            found.append((size + 2 * p - span) // s + 1)
        self._given = last.shape, last.dtype
        return last, np.empty((N, *found, C), last.dtype)

    def _upstream(self, dout: ArrayLike, spatial: Pair) -> tuple[np.ndarray, np.ndarray]:
        """dout as (N, OH, OW, C), and an empty array for dx (N, H, W, C)."""
        (N, H, W, C), dtype = required(self._given, self)
        if np.shape(dout) != (N, C, *spatial):
            raise ValueError(
                f"{self} got dout of shape {np.shape(dout)}; expected {(N, C, *spatial)}."
            )
        return channels_last(dout, dtype, "dout"), np.empty((N, H, W, C), dtype)


class MaxPool2D(_Pooling):
    """The maximum of each window of images: (N, C, H, W) to (N, C, OH, OW).

    OH = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1. Sizes are ints or
    pairs (height, width), ``stride`` by default ``kernel_size``. Padding counts as -infinity and is
    at most half of the kernel; NaN is the maximum of its window; of equal numbers the first one
    gets the gradient. For backward one byte an output is kept (four where a window has more than
    256 places). Raises ValueError for images smaller than the window.

    >>> import numpy as np, fastdl
    >>> fastdl.MaxPool2D(2).forward(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    config_names = ("kernel_size", "stride", "padding", "dilation")

    def __init__(
        self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0,
        dilation: int | Pair = 1,
    ) -> None:  # fmt: skip
        self._set(kernel_size, stride, padding)
        self.dilation = check_pair(dilation, "dilation")
        self._index: np.ndarray | None = None  # the place of each maximum in its window
        self._rectified: tuple[np.ndarray, np.ndarray] | None = None  # x and out, of a ReLU

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The maxima (N, C, OH, OW)."""
        images, out = self._images(x)
        places = self.kernel_size[0] * self.kernel_size[1]
        self._index = np.empty(out.shape, np.uint8 if places <= 256 else np.int32)
        self._rectified = (images, out) if is_rectified(images) else None
        if self._in_vectors:
            ops.maxpool2x2_forward(images, out, self._index)
        else:
            ops.maxpool_forward(images, *self._window, out, self._index)
        return channels_first(out)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, C, H, W): dout at the maxima."""
        index = required(self._index, self)
        d, dx = self._upstream(dout, index.shape[1:3])
        x, out = self._rectified or (dx, d)
        if self._in_vectors:
            ops.maxpool2x2_backward(d, out, index, self._rectified is not None, dx)
        else:
            d = before_relu(out, d) if self._rectified else d
            ops.maxpool_backward(d, index, *self._window, dx)
        if self._rectified:
            remember_passed(x, dx)
        return channels_first(dx)

    @property
    def _window(self) -> tuple[Pair, Pair, Pair, Pair]:
        return self.kernel_size, self.stride, self.padding, self.dilation

    @property
    def _in_vectors(self) -> bool:
        """Whether the kernels for windows of 2 x 2 serve the last images."""
        (_, _, _, C), dtype = required(self._given, self)
        plain = self._window == ((2, 2), (2, 2), (0, 0), (1, 1))
        return plain and C * dtype.itemsize % BYTES == 0


class AvgPool2D(_Pooling):
    """The mean of each window of images: (N, C, H, W) to (N, C, OH, OW).

    Sizes as ``MaxPool2D``'s. Padding counts as zeros, or with ``count_include_pad=False`` not at
    all. Raises ValueError for images smaller than the window.

    >>> import numpy as np, fastdl
    >>> fastdl.AvgPool2D(2).forward(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    config_names = ("kernel_size", "stride", "padding", "count_include_pad")

    def __init__(
        self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        self._set(kernel_size, stride, padding)
        self.count_include_pad = bool(count_include_pad)
        self._spatial: Pair | None = None

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The means (N, C, OH, OW)."""
        images, out = self._images(x)
        self._spatial = out.shape[1], out.shape[2]
        ops.avgpool_forward(
            images, self.kernel_size, self.stride, self.padding, self.count_include_pad, out
        )
        return channels_first(out)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, C, H, W): every pixel's shares of dout."""
        d, dx = self._upstream(dout, required(self._spatial, self))
        ops.avgpool_backward(
            d, self.kernel_size, self.stride, self.padding, self.count_include_pad, dx
        )
        return channels_first(dx)


class GlobalAvgPool2D(Layer):
    """The mean of each channel of images: (N, C, H, W) to (N, C) (Lin et al. 2014).

    >>> import numpy as np, fastdl
    >>> fastdl.GlobalAvgPool2D().forward(np.arange(8.0).reshape(1, 2, 2, 2)).tolist()
    [[1.5, 5.5]]
    """

    def __init__(self) -> None:
        self._given: tuple[tuple[int, ...], np.dtype[Any]] | None = None  # (N, H, W, C) and dtype

    def forward(self, x: ArrayLike) -> np.ndarray:
        """The means (N, C)."""
        values = floating(x, "x")
        last = channels_last(values, values.dtype, "x")
        N, H, W, C = last.shape
        self._given, out = (last.shape, last.dtype), np.empty((N, C), last.dtype)
        ops.global_avgpool_forward(last.reshape(N, H * W, C), out)
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, C, H, W): dout / (H W) at every pixel."""
        (N, H, W, C), dtype = required(self._given, self)
        d = as_real(dout, dtype, "dout")
        if d.shape != (N, C):
            raise ValueError(f"{self} got dout of shape {d.shape}; expected {(N, C)}.")
        dx = np.empty((N, H, W, C), dtype)
        ops.global_avgpool_backward(d, dx.reshape(N, H * W, C))
        return channels_first(dx)
