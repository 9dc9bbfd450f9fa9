"""The two-dimensional convolution layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..validation import check_pair
from .convolution_products import Convolution, Pair
from .layout import channels_first
from .rectified import remember


class Conv2D(Convolution):
    """out[k, oh, ow] = b[k] + sum over c, kh, kw of W[k, c, kh, kw] x[c, oh s + kh d - p, ...].

    The cross-correlation of images x (N, C, H, W) with K = out_channels filters W
    (K, C / groups, KH, KW), stride s, zero padding p, dilation d; out is (N, K, OH, OW) with
    OH = floor((H + 2 p - d (KH - 1) - 1) / s) + 1. ``kernel_size``, ``stride``, ``padding`` and
    ``dilation`` are an int or one for each axis; ``padding="same"`` keeps the size where the
    stride is 1. With ``groups`` = C each channel has filters of its own (depthwise).
    ``activation="relu"`` applies max(0, out) in the same pass. ``initializer`` fills W as that of
    ``Dense``, b is zero, ``bias=False`` leaves it out.

    Filters of 3 x 3 with stride 1 run by Winograd's F(2x2, 3x3) or F(4x4, 3x3) where that is faster
    (see ``fastdl.set_winograd``), depthwise ones of 3 x 3 and stride 1 or 2 by kernels of their
    own, all others directly; ``algorithms`` tells what ran last. Memory of out is channels-last,
    and of x should be: it is copied otherwise. ``backward`` returns dx and keeps dW and db. Raises
    ValueError for channels that ``groups`` does not divide, for other shapes and for images that
    are smaller than the filters.

    >>> import numpy as np, fastdl
    >>> fastdl.Conv2D(3, 8, 3, padding=1).forward(np.ones((2, 3, 5, 5))).shape
    (2, 8, 5, 5)
    """

    config_names = (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
        "bias", "activation",
    )  # fmt: skip
    of_images, of_maps = "forward", "backward data"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | str = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
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
        self.padding = (
            padding if isinstance(padding, str) else check_pair(padding, "padding", low=0)
        )
        self._check_padding()
        self._fill((self.out_channels, self.in_channels // self.groups), initializer, rng, dtype)

    def _check_padding(self) -> None:
        if not isinstance(self.padding, str) or self.padding == "valid":
            return
        if self.padding != "same" or self.stride != (1, 1):
            raise ValueError(
                f"padding is {self.padding!r} with stride {self.stride}; expected numbers, "
                "'valid', or 'same' with stride 1."
            )

    @property
    def _edges(self) -> tuple[Pair, Pair]:
        if not isinstance(self.padding, str):
            return self.padding, self.padding
        if self.padding == "valid":
            return (0, 0), (0, 0)
        spare = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        first = spare[0] // 2, spare[1] // 2
        return first, (spare[0] - first[0], spare[1] - first[1])

    @property
    def _channels(self) -> Pair:
        return self.in_channels, self.out_channels

    def output_shape(self, height: int, width: int) -> Pair:
        """(OH, OW) for images of this size; ValueError where they are smaller than the filters."""
        found = []
        for axis, size in enumerate((height, width)):
            padded = size + self._edges[0][axis] + self._edges[1][axis]
            extent = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
            if padded < extent:
                raise ValueError(
                    f"{self} got images of {height} x {width}; with the padding they are smaller "
                    f"than its filters, which span {extent} along axis {axis + 2}."
                )
            found.append((padded - extent) // self.stride[axis] + 1)
        return found[0], found[1]

    def forward(self, x: ArrayLike) -> np.ndarray:
        """out (N, K, OH, OW) for x (N, C, H, W)."""
        x = self._given(x)
        relu = self.activation == "relu"
        out = self._maps(x, self.output_shape(*x.shape[1:3]), self._bias(), relu)
        if relu:
            remember(out)
        self.x, self._out = x, out
        return channels_first(out)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, C, H, W) for dout (N, K, OH, OW); sets dW and db."""
        return super().backward(dout)

    def _dx(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        return channels_first(self._images(d, x.shape[1:3]))

    def _parameter_gradients(self, x: np.ndarray, d: np.ndarray) -> None:
        self.db = np.empty(self.out_channels if self.bias else 0, self.dtype)
        self._weights(x, d, self.db)
