"""The transposed convolution layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..kernels import activation as kinds
from ..validation import check_pair
from .base import ops
from .convolution_products import Convolution, Pair
from .layout import channels_first


class ConvTranspose2D(Convolution):
    """out[c, h s + kh d - p, w s + kw d - p] += W[k, c, kh, kw] x[k, h, w], plus b[c].

    The transpose of ``Conv2D``: its exact gradient at its images as a layer that enlarges (Dumoulin
    & Visin 2016, A guide to convolution arithmetic for deep learning, chapter 4). x is (N, K, H, W)
    with K = in_channels, W (K, C / groups, KH, KW) as in PyTorch, out (N, C, OH, OW) with C =
    out_channels and OH = (H - 1) s - 2 p + d (KH - 1) + q + 1, stride s, padding p, dilation d.
    ``output_padding`` q, less than stride or dilation, adds rows and columns at the bottom and on
    the right: a convolution with a stride makes the same maps of images of several sizes.
    ``kernel_size``, ``stride``, ``padding``, ``output_padding`` and ``dilation`` are an int or one
    for each axis. ``activation="relu"`` applies max(0, out). Other arguments, algorithms and memory
    are as in ``Conv2D``.

    ``backward`` returns dx and keeps dW and db. Raises ValueError for channels that ``groups`` does
    not divide, for other shapes, and for images that the padding leaves nothing of.

    >>> import numpy as np, fastdl
    >>> fastdl.ConvTranspose2D(8, 3, 4, stride=2, padding=1).forward(np.ones((2, 8, 7, 7))).shape
    (2, 3, 14, 14)
    """

    config_names = (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding",
        "groups", "dilation", "bias", "activation",
    )  # fmt: skip
    of_images, of_maps = "backward data", "forward"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        groups: int = 1,
        dilation: int | Pair = 1,
        *,
        bias: bool = True,
        activation: str | None = None,
        initializer: Any = "he",
        dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._begin(
            in_channels, out_channels, kernel_size, stride, dilation, groups, bias, activation
        )
        self.padding = check_pair(padding, "padding", low=0)
        self.output_padding = check_pair(output_padding, "output_padding", low=0)
        for more, step, dilated in zip(
            self.output_padding, self.stride, self.dilation, strict=True
        ):
            if more >= max(step, dilated):
                raise ValueError(
                    f"output_padding is {self.output_padding}; expected less than the stride "
                    f"{self.stride} or the dilation {self.dilation}."
                )
        self._fill((self.in_channels, self.out_channels // self.groups), initializer, rng, dtype)

    @property
    def _edges(self) -> tuple[Pair, Pair]:
        return self.padding, self.padding

    @property
    def _channels(self) -> Pair:
        return self.out_channels, self.in_channels

    def output_shape(self, height: int, width: int) -> Pair:
        """(OH, OW) for x of this size; ValueError where the padding leaves nothing."""
        found = []
        for axis, size in enumerate((height, width)):
            extent = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
            whole = (size - 1) * self.stride[axis] + extent + self.output_padding[axis]
            found.append(whole - 2 * self.padding[axis])
        if min(found) < 1:
            raise ValueError(
                f"{self} got x of {height} x {width}; its padding leaves {found[0]} x {found[1]} "
                "pixels of the output."
            )
        return found[0], found[1]

    def forward(self, x: ArrayLike) -> np.ndarray:
        """out (N, C, OH, OW) for x (N, K, H, W)."""
        x = self._given(x)
        out = self._images(x, self.output_shape(*x.shape[1:3]))
        if self.bias:
            ops.add_to_channels(_pixels(out), self.b, self.activation == "relu")
        elif self.activation == "relu":
            flat = out.reshape(-1)
            ops.activation_forward(kinds.RELU, 0.0, flat, flat)
        self.x, self._out = x, out
        return channels_first(out)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, K, H, W) for dout (N, C, OH, OW); sets dW and db."""
        return super().backward(dout)

    def _dx(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        return channels_first(self._maps(d, x.shape[1:3], np.empty(0, self.dtype), False))

    def _parameter_gradients(self, x: np.ndarray, d: np.ndarray) -> None:
        self.db = np.empty(0, self.dtype)
        if self.bias:
            sums = np.empty((len(d), self.out_channels), self.dtype)
            ops.sum_pixels(_pixels(d), sums)
            self.db = sums.sum(axis=0)
        self._weights(d, x, np.empty(0, self.dtype))


def _pixels(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) as (N, P, C)."""
    return images.reshape(len(images), -1, images.shape[3])
