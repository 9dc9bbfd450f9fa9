"""Batch normalization whose factor and shift follow from each row's class."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..kernels import activation as kinds
from ..validation import as_real, check_size
from .base import ops, required
from .batchnorm import BatchNormalization
from .classes import class_rows, sums_by_class
from .layout import as_pixels, from_pixels

_KINDS = {None: kinds.NONE, "relu": kinds.RELU, "leaky_relu": kinds.LEAKY_RELU}


class ConditionalBatchNormalization(BatchNormalization):
    """out = gamma[y] (x - mean) / sqrt(var + epsilon) + beta[y], with the class y of each row.

    Images x (N, C, H, W) are normalised by channel, as by ``BatchNormalization``, over all classes
    together; gamma and beta (classes, C), which start at 1 and 0, are looked up (Dumoulin et al.
    2017; de Vries et al. 2017). ``activation`` is "relu" or "leaky_relu" with slope
    ``negative_slope``. ``forward(x, classes)`` takes the classes (N,); networks give them from a
    ``fastdl.Conditioned`` batch. Raises ValueError for other shapes and for classes that are not
    there.

    >>> import numpy as np, fastdl
    >>> layer = fastdl.ConditionalBatchNormalization(2, classes=3)
    >>> layer.forward(np.ones((4, 2, 5, 5)), [0, 1, 2, 2]).shape
    (4, 2, 5, 5)
    """

    config_names: ClassVar[tuple[str, ...]] = (
        "num_features", "classes", "momentum", "epsilon", "activation", "negative_slope", "parts",
    )  # fmt: skip
    takes_classes = True
    takes_several = False

    _modulated: tuple[np.ndarray, ...] | None = None  # normalised pixels, classes, scale, out

    def __init__(
        self, num_features: int, classes: int, momentum: float = 0.9, epsilon: float = 1e-5, *,
        activation: str | None = None, negative_slope: float = 0.01, parts: int = 1,
        dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        if activation not in _KINDS:
            known = ", ".join(repr(name) for name in _KINDS)
            raise ValueError(f"activation is {activation!r}; expected one of {known}.")
        super().__init__(momentum, epsilon, negative_slope=negative_slope, parts=parts, dtype=dtype)
        self.activation = activation
        self.num_features = check_size(num_features, "num_features")
        self.classes = check_size(classes, "classes")
        shape = self.classes, self.num_features
        self.gamma, self.beta = np.ones(shape, self.dtype), np.zeros(shape, self.dtype)
        self.running_mean = np.zeros(self.num_features, self.dtype)
        self.running_var = np.ones(self.num_features, self.dtype)

    def forward(self, x: ArrayLike, classes: ArrayLike) -> np.ndarray:  # type: ignore[override]
        """The normalized images, of x's shape."""
        pixels, shape = as_pixels(x, self.dtype, "x")
        if len(shape) != 4 or shape[1] != self.num_features:
            raise ValueError(
                f"{self} got x of shape {shape}; expected (N, {self.num_features}, H, W)."
            )
        chosen = class_rows(self, classes, shape[0], self.classes)
        held = {"running_mean": self.running_mean, "running_var": self.running_var}
        running = [as_real(required(v, self), self.dtype, name) for name, v in held.items()]
        mean, var = self._statistics(*running)
        plain, out = np.empty_like(pixels), np.empty_like(pixels)
        one, zero = np.ones_like(running[0]), np.zeros_like(running[0])
        for p, own in enumerate(self._parts(shape[0], len(pixels))):
            ops.batchnorm_images_forward(
                self._trained, kinds.NONE, 0.0, pixels[own], pixels[:0], one, zero, self.epsilon,
                mean[p], var[p], plain[own],
            )  # fmt: skip
        scale, shift = self.gamma[chosen], self.beta[chosen]
        ops.modulate_forward(
            _KINDS[self.activation], self.negative_slope, *_images(shape, plain), scale, shift,
            *_images(shape, out),
        )  # fmt: skip
        self._kept, self._shape, self._joined = (pixels, pixels, pixels[:0]), shape, False
        self._modulated = plain, chosen, scale, out
        self._move(*running)
        return from_pixels(out, shape)

    def backward(self, dout: ArrayLike) -> np.ndarray:  # type: ignore[override]
        """dx; sets dgamma and dbeta (classes, C)."""
        plain, chosen, scale, out = required(self._modulated, self)
        shape = required(self._shape, self)
        self._check_dout(np.shape(dout))
        d, _ = as_pixels(dout, self.dtype, "dout")
        dplain, dscale, dshift = np.empty_like(d), np.empty_like(scale), np.empty_like(scale)
        ops.modulate_backward(
            _KINDS[self.activation], self.negative_slope, *_images(shape, plain), scale,
            *_images(shape, out, d, dplain), dscale, dshift,
        )  # fmt: skip
        dx, x = np.empty_like(d), required(self._kept, self)[0]
        one, zero = np.ones_like(self._mean[0]), np.zeros_like(self._mean[0])
        for p, own in enumerate(self._slices):
            ops.batchnorm_images_backward(
                self._trained, kinds.NONE, 0.0, x[own], x[own], x[:0], one, zero, self._mean[p],
                self._var[p], self.epsilon, dplain[own], x[:0], dx[own], x[:0],
                np.empty_like(one), np.empty_like(one),
            )  # fmt: skip
        self.dgamma = sums_by_class(chosen, self.classes, dscale)
        self.dbeta = sums_by_class(chosen, self.classes, dshift)
        return from_pixels(dx, shape)


def _images(shape: tuple[int, ...], *pixels: np.ndarray) -> list[Any]:
    """Pixels (M, C) as those of images (N, P, C)."""
    return [own.reshape(shape[0], -1, shape[1]) for own in pixels]
