"""The dropout layers: of elements, and of whole channels of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_batch, check_number
from .activation import floating
from .base import Layer, ops, required
from .layout import as_pixels, as_real_in_order, as_real_like, flat, from_pixels, in_order_of


class Dropout(Layer):
    """In training each element is 0 with probability p = dropout_ratio, else divided by 1 - p.

    Srivastava et al. 2014, in the form that leaves evaluation alone: there x is returned as it is.
    The mask is drawn from NumPy's global random state, or from ``rng``. Raises ValueError for a
    ratio outside [0, 1).

    >>> import numpy as np, fastdl
    >>> layer = fastdl.Dropout(0.5, rng=np.random.default_rng(0))
    >>> layer.forward(np.ones((1, 4)))
    array([[2., 0., 0., 0.]])
    """

    config_names = ("dropout_ratio",)

    def __init__(
        self, dropout_ratio: float = 0.5, *, rng: np.random.Generator | None = None
    ) -> None:
        self.dropout_ratio = check_number(dropout_ratio, "dropout_ratio", high=1.0, open_high=True)
        self.rng = rng
        self.mask: np.ndarray | None = None  # of the last forward in training
        self.training = True
        self._given: tuple[tuple[int, ...], np.dtype[Any]] | None = None  # of the last forward
        self._dropped = False

    def forward(self, x: ArrayLike) -> np.ndarray:
        """x with elements dropped in training, x itself in evaluation."""
        x = floating(x, "x")
        check_batch(x, "x")
        self._given, self._dropped = (x.shape, x.dtype), bool(self.training)
        if not self._dropped:
            return x
        # in evaluation nothing is drawn: the course's random numbers go on where they were
        random = np.random.rand(*x.shape) if self.rng is None else self.rng.random(x.shape)
        random = in_order_of(x, np.asarray(random))  # the same draws for any memory order
        out, self.mask = np.empty_like(x), np.empty_like(x, np.bool_)
        ops.dropout_forward(flat(x), flat(random), self.dropout_ratio, flat(out), flat(self.mask))
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dout where x was kept, divided by 1 - dropout_ratio; after evaluation, dout itself."""
        shape, dtype = required(self._given, self)
        if self._dropped:
            dout = as_real_like(dout, dtype, "dout", required(self.mask, self))
        else:
            dout = as_real_in_order(dout, dtype, "dout")
        if dout.shape != shape:
            raise ValueError(f"{self} got dout of shape {dout.shape}; expected {shape}.")
        if not self._dropped:
            return dout
        mask, dx = required(self.mask, self), np.empty_like(dout)
        ops.dropout_backward(flat(dout), self.dropout_ratio, flat(mask), flat(dx))
        return dx


class Dropout2D(Dropout):
    """In training each channel of an image is 0 with probability p, else divided by 1 - p.

    p is dropout_ratio. x is (N, C, H, W) (Tompson et al. 2015): neighbouring pixels say the same,
    so that single ones are not missed. ``mask`` (N, C) is drawn and evaluation is done as in
    ``Dropout``. Raises ValueError for a ratio outside [0, 1) and for x of another shape.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.Dropout2D(0.5, rng=np.random.default_rng(0))
    >>> layer.forward(np.ones((1, 3, 1, 2))).tolist()
    [[[[2.0, 2.0]], [[0.0, 0.0]], [[0.0, 0.0]]]]
    """

    def forward(self, x: ArrayLike) -> np.ndarray:
        """x with channels dropped in training, x itself in evaluation."""
        x = floating(x, "x")
        if x.ndim != 4:
            raise ValueError(f"x has shape {x.shape}; expected images (N, C, H, W).")
        check_batch(x, "x")
        self._given, self._dropped = (x.shape, x.dtype), bool(self.training)
        if not self._dropped:
            return x
        shape = x.shape[:2]
        random = np.random.rand(*shape) if self.rng is None else self.rng.random(shape)
        self.mask = random > self.dropout_ratio
        return self._scaled(x)

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dout of the channels that were kept, divided by 1 - dropout_ratio."""
        shape, dtype = required(self._given, self)
        dout = as_real_in_order(dout, dtype, "dout")
        if dout.shape != shape:
            raise ValueError(f"{self} got dout of shape {dout.shape}; expected {shape}.")
        return self._scaled(dout) if self._dropped else dout

    def _scaled(self, images: np.ndarray) -> np.ndarray:
        """images times 0 or 1 / (1 - dropout_ratio) by channel; NaN is not hidden."""
        pixels, (N, C, H, W) = as_pixels(images, images.dtype, "x")
        factor = (required(self.mask, self) / (1.0 - self.dropout_ratio)).astype(images.dtype)
        out = np.empty_like(pixels)
        ops.scale_channels(pixels.reshape(N, -1, C), factor, out.reshape(N, -1, C))
        return from_pixels(out, (N, C, H, W))
