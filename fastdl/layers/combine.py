"""Layers of several inputs: sums, products, joined columns; and other shapes of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..validation import check_size
from .base import Layer, required
from .layout import channels_first, in_order_of, is_channels_last


class Add(Layer):
    """The sum of arrays of one shape."""

    def __init__(self) -> None:
        self._count = 0

    def forward(self, *inputs: np.ndarray) -> np.ndarray:
        """The elementwise sum."""
        _same_shapes(self, inputs)
        self._count = len(inputs)
        out = in_order_of(inputs[0], inputs[0] + inputs[1])
        for x in inputs[2:]:
            out += x
        return out

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """dout for each input."""
        return (dout,) * self._count


class Multiply(Layer):
    """The elementwise product of two arrays of one shape."""

    def __init__(self) -> None:
        self._inputs: tuple[np.ndarray, np.ndarray] | None = None

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:  # type: ignore[override]
        """a b."""
        _same_shapes(self, (a, b))
        self._inputs = a, b
        return in_order_of(a, a * b)

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """(dout b, dout a)."""
        a, b = required(self._inputs, self)
        return in_order_of(a, dout * b), in_order_of(b, dout * a)


class Concat(Layer):
    """Arrays joined along their ``axis`` (default 1: columns, or fields)."""

    config_names = ("axis",)

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis
        self._cuts: Any = None

    def forward(self, *inputs: np.ndarray) -> np.ndarray:
        """All inputs' columns."""
        self._cuts = np.cumsum([x.shape[self.axis] for x in inputs])[:-1]
        return np.concatenate(inputs, axis=self.axis)

    def backward(self, dout: np.ndarray) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """Each input's columns of dout."""
        return tuple(np.split(dout, required(self._cuts, self), axis=self.axis))


class Flatten(Layer):
    """(N, ...) as (N, all the rest), with images (N, C, H, W) in that order, as PyTorch's.

    With ``channels_last`` images are in the order h, w, c, that of their memory: nothing is copied.

    >>> import numpy as np, fastdl
    >>> fastdl.Flatten().forward(np.ones((5, 3, 2, 2))).shape
    (5, 12)
    """

    config_names = ("channels_last",)

    def __init__(self, *, channels_last: bool = False) -> None:
        self.channels_last = bool(channels_last)
        self._shape: tuple[int, ...] = ()
        self._in_memory = False

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x in two dimensions; only images in channels-last memory are copied."""
        self._shape = x.shape
        if self.channels_last and x.ndim == 4:
            return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(len(x), -1)
        # measured: NumPy's copy of them on one thread is as fast as PyTorch's on two, up to 2 MB
        self._in_memory = is_channels_last(x)
        return x.reshape(len(x), -1)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dout in x's shape, and in channels-last memory if x was."""
        if self.channels_last and len(self._shape) == 4:
            N, C, H, W = self._shape
            return channels_first(np.reshape(dout, (N, H, W, C)))
        dx = dout.reshape(self._shape)
        if self._in_memory:
            return channels_first(np.ascontiguousarray(dx.transpose(0, 2, 3, 1)))
        return dx


class Unflatten(Layer):
    """Rows (N, H W C) as images (N, C, H, W), whose memory the rows are: order h, w, c.

    The inverse of ``Flatten(channels_last=True)``, without a copy. Raises ValueError for rows of
    another length.

    >>> import numpy as np, fastdl
    >>> fastdl.Unflatten(3, 2, 4).forward(np.ones((5, 24))).shape
    (5, 3, 2, 4)
    """

    config_names = ("channels", "height", "width")

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.channels = check_size(channels, "channels")
        self.height, self.width = check_size(height, "height"), check_size(width, "width")

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Images of rows x (N, H W C)."""
        columns = self.channels * self.height * self.width
        if np.ndim(x) != 2 or x.shape[1] != columns:
            raise ValueError(f"{self} got x of shape {np.shape(x)}; expected (N, {columns}).")
        return channels_first(x.reshape(len(x), self.height, self.width, self.channels))

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """The rows of dout's images (N, C, H, W)."""
        return np.ascontiguousarray(dout.transpose(0, 2, 3, 1)).reshape(len(dout), -1)


class Reshape(Layer):
    """(N, ...) as (N, *shape); with ``rows`` as (any number, *shape)."""

    config_names = ("shape", "rows")

    def __init__(self, shape: tuple[int, ...], rows: bool = False) -> None:
        self.shape, self.rows = tuple(shape), bool(rows)
        self._given: tuple[int, ...] = ()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x in its new shape, without a copy."""
        self._given = x.shape
        if self.rows:
            return x.reshape(-1, *self.shape)
        return x.reshape(len(x), *self.shape)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dout in x's shape."""
        return dout.reshape(self._given)


def _same_shapes(layer: Layer, inputs: tuple[np.ndarray, ...]) -> None:
    shapes = {x.shape for x in inputs}
    if len(shapes) > 1:
        raise ValueError(f"{layer} got arrays of the shapes {', '.join(map(str, shapes))}.")
