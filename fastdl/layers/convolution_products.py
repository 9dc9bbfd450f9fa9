"""The three products of a convolution, which a layer takes forward or transposed.

``Conv2D`` goes from images to maps, ``ConvTranspose2D`` from maps to images; both choose between
the same kernels.
"""

from __future__ import annotations

from typing import Any, ClassVar

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
from .rectified import has_passed
from .winograd import winograd_tile

Pair = tuple[int, int]


def few_channels(channels: int, groups: int, tile: int, dtype: np.dtype[Any]) -> bool:
    """Whether images are summed up from columns: see kernels/few_channels.py.

    tile: that of Winograd's algorithm, which is as fast for more than one channel, or 0.
    """
    few = 4 * channels * dtype.itemsize <= BYTES
    return groups == 1 and few and (channels == 1 or not tile)


class GradientsApart(Layer):
    """Base of layers whose dx and parameters' gradients are products of their own.

    A subclass defines ``_before``, what both need of x and dout, ``_parameter_gradients`` and
    ``_dx``.
    """

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dx for dout; sets dW and db."""
        x, d = self._before(dout)
        self._parameter_gradients(x, d)
        return self._dx(x, d)

    def backward_parameters(self, dout: ArrayLike) -> None:
        """Sets dW and db only."""
        self._parameter_gradients(*self._before(dout))

    def backward_inputs(self, dout: ArrayLike) -> np.ndarray:
        """dx only."""
        return self._dx(*self._before(dout))

    def _before(self, dout: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The last x, and the gradient before the activation."""
        raise NotImplementedError

    def _dx(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        """The gradient at x, in the shape that forward was given."""
        raise NotImplementedError

    def _parameter_gradients(self, x: np.ndarray, d: np.ndarray) -> None:
        """Set dW and db."""
        raise NotImplementedError


class Convolution(GradientsApart):
    """Base of the convolution layers; W (map channels, image channels / groups, KH, KW).

    ``of_images`` and ``of_maps`` say what the two products that are not of the weights run in the
    layer's own words, in ``algorithms``.
    """

    parameter_names = ("W", "b")
    of_images: ClassVar[str]
    of_maps: ClassVar[str]

    W: Any
    b: Any
    in_channels: int
    out_channels: int
    kernel_size: Pair
    stride: Pair
    dilation: Pair
    groups: int
    bias: bool
    activation: str | None

    def _begin(
        self, in_channels: int, out_channels: int, kernel_size: int | Pair, stride: int | Pair,
        dilation: int | Pair, groups: int, bias: bool, activation: str | None,
    ) -> None:  # fmt: skip
        """Keep and check what all convolutions are given."""
        self.in_channels = check_size(in_channels, "in_channels")
        self.out_channels = check_size(out_channels, "out_channels")
        self.groups = check_size(groups, "groups")
        self.kernel_size = check_pair(kernel_size, "kernel_size")
        self.stride, self.dilation = check_pair(stride, "stride"), check_pair(dilation, "dilation")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups={groups} does not divide in_channels={in_channels} and "
                f"out_channels={out_channels}."
            )
        if activation not in (None, "relu"):
            raise ValueError(f"activation is {activation!r}; expected None or 'relu'.")
        self.bias, self.activation = bool(bias), activation
        self.x: np.ndarray | None = None  # of the last forward, (N, H, W, C)
        self.dW: np.ndarray | None = None
        self.db: np.ndarray | None = None
        self.algorithms: dict[str, str] = {}  # what the last forward and backward ran
        self._out: np.ndarray | None = None

    def _fill(
        self, shape: Pair, initializer: Any, rng: np.random.Generator | None,
        dtype: DTypeLike | None,
    ) -> None:  # fmt: skip
        """W of these channels times the kernel's size, and b."""
        self.dtype = resolve_dtype(dtype)
        places = self.kernel_size[0] * self.kernel_size[1]
        fan_in = self.in_channels // self.groups * places
        fan_out = self.out_channels // self.groups * places
        full = (*shape, *self.kernel_size)
        self.W = get_initializer(initializer)(full, fan_in, fan_out, rng, self.dtype)
        self.b = np.zeros(self.out_channels, self.dtype) if self.bias else None

    @property
    def _edges(self) -> tuple[Pair, Pair]:
        """The padding of images, ((top, left), (bottom, right))."""
        raise NotImplementedError

    @property
    def _channels(self) -> Pair:
        """Of images and of maps."""
        raise NotImplementedError

    def _given(self, x: Any) -> np.ndarray:
        """The layer's input with channels-last memory, (N, H, W, in_channels)."""
        last = channels_last(x, self.dtype, "x")
        if last.shape[3] != self.in_channels:
            raise ValueError(
                f"{self} got x of shape {channels_first(last).shape}; expected "
                f"(N, {self.in_channels}, H, W)."
            )
        return last

    def _gradient(self, dout: Any, out: np.ndarray) -> np.ndarray:
        """dout with channels-last memory, of out's shape."""
        d = channels_last(dout, self.dtype, "dout")
        if d.shape != out.shape:
            raise ValueError(
                f"{self} got dout of shape {channels_first(d).shape}; "
                f"expected {channels_first(out).shape}."
            )
        return d

    def _before(self, dout: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The last x, and the gradient before the activation."""
        out = required(self._out, self)
        d = self._gradient(dout, out)
        if self.activation == "relu" and not has_passed(out, d):
            d = before_relu(out, d)
        return required(self.x, self), d

    def _bias(self) -> np.ndarray:
        found: np.ndarray = self.b if self.bias else np.empty(0, self.dtype)
        return found

    def _maps(self, images: np.ndarray, size: Pair, b: np.ndarray, relu: bool) -> np.ndarray:
        """Maps (N, OH, OW, K) of images (N, H, W, C), plus b where it is not empty."""
        out = step_array((len(images), *size, self._channels[1]), self.dtype)
        tile = self._tile(out, self._channels[0], self.of_images)
        if self._depthwise:
            ops.depthwise_forward(
                self.stride[0], images, self.W, b, False, self._edges[0], relu, out
            )
        elif tile:
            ops.winograd_convolve(tile, images, self.W, b, False, self._edges[0], relu, out)
        else:
            ops.conv2d_forward(images, self.W, b, *self._geometry, relu, out)
        return out

    def _images(self, maps: np.ndarray, size: Pair) -> np.ndarray:
        """The adjoint of ``_maps``: images (N, H, W, C) from maps (N, OH, OW, K)."""
        out = step_array((len(maps), *size, self._channels[0]), self.dtype)
        tile = self._tile(out, self._channels[1], self.of_maps)
        around, none = (2 - self._edges[0][0], 2 - self._edges[0][1]), np.empty(0, self.dtype)
        if few_channels(self._channels[0], self.groups, tile, self.dtype):
            ops.few_channels_backward_data(
                self.W, maps, self.stride, self._edges[0], self.dilation, out
            )
            self.algorithms[self.of_maps] = "columns"
        elif self._depthwise and self.stride == (2, 2):
            ops.depthwise_backward_data(self.W, maps, self._edges[0], out)
        elif self._depthwise:
            ops.depthwise_forward(1, maps, self.W, none, True, around, False, out)
        elif tile:
            ops.winograd_convolve(tile, maps, self.W, none, True, around, False, out)
        else:
            ops.conv2d_backward_data(self.W, maps, *self._geometry, out)
        return out

    def _weights(self, images: np.ndarray, maps: np.ndarray, of_maps: np.ndarray) -> None:
        """Set dW, and ``of_maps`` (K,), where it is not empty, to the sums of the maps."""
        self.dW = np.empty_like(self.W)
        tile = self._tile(maps, self._channels[0], "backward weights")
        if self._depthwise:
            ops.depthwise_backward_weights(
                self.stride[0], images, maps, self._edges[0], self.dW, of_maps
            )
        elif tile:
            ops.winograd_backward_weights(tile, images, maps, self._edges[0], self.dW, of_maps)
        else:
            ops.conv2d_backward_weights(images, maps, *self._geometry, self.dW, of_maps)

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
