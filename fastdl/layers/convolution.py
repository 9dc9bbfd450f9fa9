"""The two-dimensional convolution layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..config import resolve_dtype
from ..initializers import get_initializer
from ..kernels.vectors import BYTES
from ..memory import step_array
from ..validation import check_pair, check_size
from .activation import before_relu
from .base import Layer, ops, required
from .layout import channels_first, channels_last
from .winograd import winograd_tile

Pair = tuple[int, int]


def few_channels(channels: int, groups: int, tile: int, dtype: np.dtype[Any]) -> bool:
    """Whether the gradient of an input is summed up from columns: see kernels/few_channels.py.

    tile: that of Winograd's algorithm, which is as fast for more than one channel, or 0.
    """
    few = 4 * channels * dtype.itemsize <= BYTES
    return groups == 1 and few and (channels == 1 or not tile)


class Conv2D(Layer):
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

    parameter_names = ("W", "b")
    config_names = (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
        "bias", "activation",
    )  # fmt: skip

    W: Any
    b: Any

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
        self.in_channels = check_size(in_channels, "in_channels")
        self.out_channels = check_size(out_channels, "out_channels")
        self.groups = check_size(groups, "groups")
        self.kernel_size = check_pair(kernel_size, "kernel_size")
        self.stride, self.dilation = check_pair(stride, "stride"), check_pair(dilation, "dilation")
        self.padding = (
            padding if isinstance(padding, str) else check_pair(padding, "padding", low=0)
        )
        self._edges = self._padding()
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups={groups} does not divide in_channels={in_channels} and "
                f"out_channels={out_channels}."
            )
        if activation not in (None, "relu"):
            raise ValueError(f"activation is {activation!r}; expected None or 'relu'.")
        self.bias, self.activation = bool(bias), activation
        self.dtype = resolve_dtype(dtype)
        KH, KW = self.kernel_size
        shape = (self.out_channels, self.in_channels // self.groups, KH, KW)
        places = KH * KW
        fan_in, fan_out = shape[1] * places, self.out_channels // self.groups * places
        self.W = get_initializer(initializer)(shape, fan_in, fan_out, rng, self.dtype)
        self.b = np.zeros(self.out_channels, self.dtype) if self.bias else None
        self.x: np.ndarray | None = None  # of the last forward, (N, H, W, C)
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self.algorithms: dict[str, str] = {}  # what the last forward and backward ran
        self._out: np.ndarray | None = None

    def _padding(self) -> tuple[Pair, Pair]:
        """((top, left), (bottom, right))."""
        if not isinstance(self.padding, str):
            return self.padding, self.padding
        if self.padding == "valid":
            return (0, 0), (0, 0)
        if self.padding != "same" or self.stride != (1, 1):
            raise ValueError(
                f"padding is {self.padding!r} with stride {self.stride}; expected numbers, "
                "'valid', or 'same' with stride 1."
            )
        spare = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        first = spare[0] // 2, spare[1] // 2
        return first, (spare[0] - first[0], spare[1] - first[1])

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
        x = channels_last(x, self.dtype, "x")
        N, H, W, C = x.shape
        if self.in_channels != C:
            raise ValueError(
                f"{self} got x of shape {(N, C, H, W)}; expected (N, {self.in_channels}, H, W)."
            )
        out = step_array((N, *self.output_shape(H, W), self.out_channels), self.dtype)
        b = self.b if self.bias else np.empty(0, self.dtype)
        relu, tile = self.activation == "relu", self._tile(out, C, "forward")
        if self._depthwise:
            ops.depthwise_forward(self.stride[0], x, self.W, b, False, self._edges[0], relu, out)
        elif tile:
            ops.winograd_convolve(tile, x, self.W, b, False, self._edges[0], relu, out)
        else:
            ops.conv2d_forward(x, self.W, b, *self._geometry, relu, out)
        self.x, self._out = x, out
        return channels_first(out)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx (N, C, H, W) for dout (N, K, OH, OW); sets dW and db."""
        d = self._parameter_gradients(dout)
        dx = step_array(required(self.x, self).shape, self.dtype)
        tile = self._tile(dx, self.out_channels, "backward data")
        around, none = (2 - self._edges[0][0], 2 - self._edges[0][1]), np.empty(0, self.dtype)
        if few_channels(self.in_channels, self.groups, tile, self.dtype):
            ops.few_channels_backward_data(
                self.W, d, self.stride, self._edges[0], self.dilation, dx
            )
            self.algorithms["backward data"] = "columns"
        elif self._depthwise and self.stride == (2, 2):
            ops.depthwise_backward_data(self.W, d, self._edges[0], dx)
        elif self._depthwise:
            ops.depthwise_forward(1, d, self.W, none, True, around, False, dx)
        elif tile:
            ops.winograd_convolve(tile, d, self.W, none, True, around, False, dx)
        else:
            ops.conv2d_backward_data(self.W, d, *self._geometry, dx)
        return channels_first(dx)

    def backward_parameters(self, dout: ArrayLike) -> None:
        """Sets dW and db only."""
        self._parameter_gradients(dout)

    def _parameter_gradients(self, dout: ArrayLike) -> np.ndarray:
        x, out = required(self.x, self), required(self._out, self)
        d = channels_last(dout, self.dtype, "dout")
        if d.shape != out.shape:
            raise ValueError(
                f"{self} got dout of shape {channels_first(d).shape}; "
                f"expected {channels_first(out).shape}."
            )
        if self.activation == "relu":
            d = before_relu(out, d)
        self.dW = np.empty_like(self.W)
        self.db = np.empty(self.out_channels if self.bias else 0, self.dtype)
        tile = self._tile(out, self.in_channels, "backward weights")
        if self._depthwise:
            ops.depthwise_backward_weights(self.stride[0], x, d, self._edges[0], self.dW, self.db)
        elif tile:
            ops.winograd_backward_weights(tile, x, d, self._edges[0], self.dW, self.db)
        else:
            ops.conv2d_backward_weights(x, d, *self._geometry, self.dW, self.db)
        return d

    @property
    def _geometry(self) -> tuple[Pair, Pair, Pair, int]:
        return self.stride, self._edges[0], self.dilation, self.groups

    @property
    def _depthwise(self) -> bool:
        """Whether the kernels of depthwise 3 x 3 filters serve."""
        own = self.groups == self.in_channels == self.out_channels > 1
        plain = self.kernel_size == (3, 3) and self.dilation == (1, 1)
        return own and plain and self.stride in ((1, 1), (2, 2)) and max(self._edges[0]) <= 2

    def _tile(self, out: np.ndarray, depth: int, what: str) -> int:
        """The size of Winograd's tiles for this product, 0 for the direct way; recorded."""
        tile = 0
        plain = self.stride == self.dilation == (1, 1) and self.groups == 1
        if plain and self.kernel_size == (3, 3) and max(self._edges[0]) <= 2:
            tile = winograd_tile(out.shape, depth, self.dtype)
        other = "depthwise" if self._depthwise else "direct"
        self.algorithms[what] = f"winograd {tile}x{tile}" if tile else other
        return tile
