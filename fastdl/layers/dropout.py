"""The dropout layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..validation import check_batch, check_number
from .activation import floating
from .base import Layer, ops, required
from .layout import as_real_in_order, as_real_like, flat, in_order_of


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
