"""The deep convolutional GAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastdl.adversarial.losses import NonSaturatingLoss
from fastdl.config import resolve_dtype
from fastdl.initializers import Normal
from fastdl.layers import (
    BatchNormalization,
    ClassProjection,
    ConditionalBatchNormalization,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    Layer,
    LeakyReLU,
    MinibatchStdDev,
    SpectralNormalization,
    Tanh,
    Unflatten,
)
from fastdl.network import Sequential
from fastdl.validation import check_size

from ..image.base import prepared_images
from .base import GAN

SIZES = {28: 2, 32: 3, 64: 4}  # pixels of a side: how often it is halved, down to 7 or 4
NORMALIZATIONS = ("batch", "spectral", "none")
_SLOPE = 0.2  # of the discriminator's LeakyReLU


class DCGAN(GAN):
    """Generator and discriminator of strided 4x4 convolutions (Radford, Metz & Chintala 2016).

    From z a dense layer makes maps of 7x7 or 4x4 pixels, which transposed convolutions double, with
    batch normalization and ReLU, up to ``size`` (28, 32 or 64), where tanh gives images (N,
    channels, size, size) from -1 to 1. The discriminator goes the other way, with LeakyReLU of
    slope 0.2. ``width`` channels are those of its first maps; each halving doubles them. Weights
    start at N(0, 0.02), gamma at N(1, 0.02), biases at 0.

    normalization: the discriminator's: "batch", of all but its first maps; "spectral", of the
    weights (Miyato et al. 2018); "none". minibatch_stddev: its last layer also sees how much the
    images of a group differ (Karras et al. 2018). classes: how many; the generator then has
    conditional batch normalization (Dumoulin et al. 2017), and the discriminator a projection
    (Miyato & Koyama 2018). loss and average: as in ``GAN``. dtype, rng: as in ``fastdl.Dense``.

    Raises ValueError and TypeError for options that do not fit.

    >>> import numpy as np, fastdl
    >>> gan = fastdl.DCGAN(28, channels=1, classes=10, width=8, rng=np.random.default_rng(0))
    >>> gan.sample(2, classes=7).shape
    (2, 1, 28, 28)
    """

    def __init__(
        self, size: int = 28, *, channels: int = 1, classes: int = 0, latent: int = 100,
        width: int = 64, normalization: str = "batch", minibatch_stddev: bool = False,
        loss: Any = NonSaturatingLoss, average: float | None = 0.999,
        dtype: DTypeLike | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        if size not in SIZES:
            known = ", ".join(map(str, SIZES))
            raise ValueError(f"size is {size!r}; a DCGAN makes images of {known} pixels.")
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization is {normalization!r}; expected one of {', '.join(NORMALIZATIONS)}."
            )
        if check_size(channels, "channels") not in (1, 3):
            raise ValueError(f"channels is {channels}; expected 1 (grey) or 3 (colour).")
        self.size, self.channels = (int(size), int(size)), int(channels)
        self.width, self.normalization = check_size(width, "width"), normalization
        self.minibatch_stddev = bool(minibatch_stddev)
        parts = _Parts(resolve_dtype(dtype), rng, classes)
        depth = SIZES[size]
        widths = [width << i for i in range(depth)]  # of the discriminator's maps, first to last
        super().__init__(
            _generator(parts, latent, size >> depth, widths[::-1], channels),
            self._discriminator(parts, size >> depth, widths),
            latent=latent, classes=classes, loss=loss, average=average,
        )  # fmt: skip

    def _discriminator(self, parts: _Parts, last: int, widths: list[int]) -> Sequential:
        spectral = self.normalization == "spectral"
        layers: list[Layer] = []
        inputs = self.channels
        for i, outputs in enumerate(widths):
            normal = self.normalization == "batch" and i > 0
            convolution: Layer = parts.convolution(Conv2D, inputs, outputs, bias=not normal)
            layers.append(parts.spectral(convolution) if spectral else convolution)
            layers.append(parts.normal(outputs) if normal else LeakyReLU(_SLOPE))
            inputs = outputs
        if self.minibatch_stddev:
            layers.append(MinibatchStdDev())
            inputs += 1
        head = parts.head(inputs * last * last)
        return Sequential(
            *layers, Flatten(channels_last=True), parts.spectral(head) if spectral else head
        )

    def rows(self, x: Any, classes: ArrayLike | None) -> Any:
        if np.ndim(x) == 4:
            x = prepared_images(x, self.dtype or np.dtype(np.float32), self.channels, str(self))
            if x.shape[2:] != self.size:
                raise ValueError(
                    f"{self} got images of {x.shape[2]} x {x.shape[3]} pixels; expected "
                    f"{self.size[0]} x {self.size[1]}."
                )
        return super().rows(x, classes)

    def config(self) -> dict[str, Any]:
        names = ("size", "channels", "width", "normalization", "minibatch_stddev")
        return {**super().config(), **{name: getattr(self, name) for name in names}}

    def __str__(self) -> str:
        return type(self).__name__


def _generator(
    parts: _Parts, latent: int, first: int, widths: list[int], channels: int
) -> Sequential:
    outputs = [*widths[1:], channels]
    layers: list[Layer] = [
        Dense(latent, widths[0] * first * first, **parts.usual),
        Unflatten(widths[0], first, first),
        parts.conditional(widths[0]),
    ]
    for i, (inputs, own) in enumerate(zip(widths, outputs, strict=True), 1):
        last = i == len(widths)
        layers.append(parts.convolution(ConvTranspose2D, inputs, own, bias=last))
        layers.append(Tanh() if last else parts.conditional(own))
    return Sequential(*layers)


@dataclass(frozen=True)
class _Parts:
    """Layers with the paper's first weights, of one dtype and from one source of randomness."""

    dtype: np.dtype[Any]
    rng: np.random.Generator | None
    classes: int

    @property
    def usual(self) -> dict[str, Any]:
        return {"initializer": Normal(std=0.02), "dtype": self.dtype, "rng": self.rng}

    def convolution(self, kind: Any, inputs: int, outputs: int, *, bias: bool) -> Any:
        """One that halves the size of maps, or doubles it."""
        return kind(inputs, outputs, 4, 2, 1, bias=bias, **self.usual)

    def spectral(self, layer: Layer) -> SpectralNormalization:
        """The layer with its weights divided by their largest singular value."""
        return SpectralNormalization(layer, rng=self.rng)

    def normal(self, channels: int) -> BatchNormalization:
        """Batch normalization and LeakyReLU."""
        layer = BatchNormalization(
            num_features=channels, activation="leaky_relu", negative_slope=_SLOPE, dtype=self.dtype
        )
        layer.gamma = self._gamma((channels,))
        return layer

    def conditional(self, channels: int) -> BatchNormalization | ConditionalBatchNormalization:
        """Batch normalization, by class where there are some, and ReLU."""
        if not self.classes:
            plain = BatchNormalization(num_features=channels, activation="relu", dtype=self.dtype)
            plain.gamma = self._gamma((channels,))
            return plain
        layer = ConditionalBatchNormalization(
            channels, self.classes, activation="relu", dtype=self.dtype
        )
        layer.gamma = self._gamma((self.classes, channels))
        return layer

    def head(self, inputs: int) -> Layer:
        """The logit, by class where there are some."""
        if not self.classes:
            return Dense(inputs, 1, **self.usual)
        return ClassProjection(inputs, self.classes, **self.usual)

    def _gamma(self, shape: tuple[int, ...]) -> np.ndarray:
        return Normal(1.0, 0.02)(shape, shape[-1], shape[-1], self.rng, self.dtype)
