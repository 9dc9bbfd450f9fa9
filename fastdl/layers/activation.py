"""Activation layers: elementwise functions of arrays of any shape."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..config import get_default_dtype
from ..kernels import activation as kinds
from ..validation import check_batch, check_number
from .base import Layer, ops, required
from .layout import as_real_in_order, as_real_like, flat


def floating(x: ArrayLike, name: str) -> np.ndarray:
    """``x`` in its own floating dtype, or the default dtype for integers and lists.

    Images keep their channels-last memory (see ``layout``).
    """
    given = getattr(x, "dtype", None)
    own = given if given in (np.float32, np.float64) else get_default_dtype()
    return as_real_in_order(x, np.dtype(own), name)


def before_relu(out: np.ndarray, dout: np.ndarray) -> np.ndarray:
    """The gradient before a ReLU that a layer applied itself: dout where out > 0, in new memory."""
    dx = np.empty_like(dout)
    ops.activation_backward(kinds.RELU, 0.0, out.reshape(-1), dout.reshape(-1), dx.reshape(-1))
    return dx


class Activation(Layer):
    """Base of the activation layers; ``kind`` names the function to the kernels.

    ``backward`` reads the array that ``forward`` returned (GELU: the one it was given), so do not
    change it in place between the two.
    """

    kind: ClassVar[int] = kinds.NONE
    slope: float = 0.0
    saved: np.ndarray | None = None

    def forward(self, x: ArrayLike) -> np.ndarray:
        """f(x), of x's shape; images in channels-last memory stay so."""
        x = floating(x, "x")
        check_batch(x, "x")
        out = np.empty_like(x)
        ops.activation_forward(self.kind, self.slope, flat(x), flat(out))
        self.saved = x if self.kind == kinds.GELU else out
        return out

    def backward(self, dout: ArrayLike) -> np.ndarray:
        """dout f'(x), of x's shape."""
        saved = required(self.saved, self)
        dout = as_real_like(dout, saved.dtype, "dout", saved)
        if dout.shape != saved.shape:
            raise ValueError(f"{self} got dout of shape {dout.shape}; expected {saved.shape}.")
        dx = np.empty_like(dout)
        ops.activation_backward(self.kind, self.slope, flat(saved), flat(dout), flat(dx))
        return dx


class ReLU(Activation):
    """max(0, x) (Nair & Hinton 2010); its derivative at 0 is 0, and NaN stays NaN.

    >>> import numpy as np, fastdl
    >>> fastdl.ReLU().forward(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    kind = kinds.RELU

    @property
    def mask(self) -> np.ndarray | None:
        """Where the last input was not above zero, as in the course's code."""
        return None if self.saved is None else self.saved <= 0


class LeakyReLU(Activation):
    """x for x > 0, else slope * x (Maas et al. 2013); ``slope`` must be 0 or more."""

    kind = kinds.LEAKY_RELU
    config_names = ("slope",)

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = check_number(slope, "slope")


class Sigmoid(Activation):
    """1 / (1 + exp(-x)), without overflow for any x."""

    kind = kinds.SIGMOID


class Tanh(Activation):
    """tanh(x)."""

    kind = kinds.TANH


class GELU(Activation):
    """x Phi(x) with the normal distribution function Phi (Hendrycks & Gimpel 2016), exact."""

    kind = kinds.GELU
