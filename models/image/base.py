"""What the image models share: their inputs, their options, probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastdl import initializers
from fastdl.config import resolve_dtype
from fastdl.graph import Graph, Node
from fastdl.layers.layout import channels_first, channels_last
from fastdl.losses import SoftmaxCrossEntropy
from fastdl.memory import rows_at_once
from fastdl.network import evaluation
from fastdl.validation import check_finite, check_pair, check_size

from .blocks import Blocks, he_fan_out


class ImageModel(Graph):
    """Base of the image models: images (N, channels, H, W) in, a logit for each class out.

    classes: how many there are. channels: of the images, 3 for colour, 1 for grey. size: the
    images' height and width in pixels, one number for both. initializer: fills the convolutions,
    N(0, 2 / fan_out) by default. dtype and rng: as in ``fastdl.Dense``; layers with randomness of
    their own, such as dropout, take it from rng too. options: the model's own.

    Train it on class indices (N,), or distributions (N, classes), with images that have about
    mean 0 and variance 1. Raises ValueError and TypeError for options out of range, and for images
    that are smaller than the model's strides and pools need.
    """

    options: ClassVar[dict[str, Any]] = {}  # a model's own options and their defaults

    def __init__(
        self, classes: int, *, channels: int = 3, size: int | tuple[int, int] = 32,
        initializer: Any = he_fan_out, dtype: DTypeLike | None = None,
        rng: np.random.Generator | None = None, **options: Any,
    ) -> None:  # fmt: skip
        unknown = set(options) - set(self.options)
        if unknown:
            known = ", ".join(self.options) or "no options of its own"
            raise TypeError(f"{type(self).__name__} has no {sorted(unknown)}; it has {known}.")
        self.classes = check_size(classes, "classes")
        if self.classes < 2:
            raise ValueError(f"classes is {classes}; expected 2 or more.")
        self.channels, self.size = check_size(channels, "channels"), check_pair(size, "size")
        for name, value in {**self.options, **options}.items():
            setattr(self, name, value)
        self._dtype = resolve_dtype(dtype)
        blocks = Blocks(self._dtype, rng, initializer, bool(getattr(self, "zero_gamma", False)))
        super().__init__(self.build(Node.input(), blocks), SoftmaxCrossEntropy(), self.prepared)

    def build(self, x: Node, blocks: Blocks) -> Node:
        """The logits' node, from the images'; each model's own."""
        raise NotImplementedError(f"{type(self).__name__} does not define build.")

    def prepared(self, x: ArrayLike) -> np.ndarray:
        """x (N, channels, H, W) in our dtype with channels-last memory, checked."""
        return prepared_images(x, self._dtype, self.channels, str(self))

    def __str__(self) -> str:
        return type(self).__name__

    @property
    def dtype(self) -> np.dtype[Any]:
        """The parameters' dtype."""
        return self._dtype

    def predict_proba(self, x: ArrayLike, *, batch_size: int | None = None) -> np.ndarray:
        """Probabilities (N, classes), in evaluation mode, in batches of bounded memory."""
        return probabilities(self, x, batch_size)

    def halvings(self, most: int, least: int) -> int:
        """How often, up to ``most`` times, the size can be halved and stay ``least`` pixels."""
        count = 0
        while count < most and min(self.size) >> (count + 1) >= least:
            count += 1
        return count

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        names = ("classes", "channels", "size", *self.options)
        return {**{name: getattr(self, name) for name in names}, "dtype": self._dtype.name}

    @classmethod
    def from_description(cls, config: dict[str, Any], layers: Any, loss: Any) -> ImageModel:
        """A model of this configuration with all weights 0."""
        config = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        with initializers.left_at_zero():
            return cls(**config)


def prepared_images(x: ArrayLike, dtype: np.dtype[Any], channels: int, who: str) -> np.ndarray:
    """Images as convolutions take them; ValueError for other channels, NaN and infinity."""
    images = channels_last(x, dtype, "x")
    if images.shape[3] != channels:
        hint = ""
        if np.shape(x)[3] == channels:
            hint = " Its channels are last: pass x.transpose(0, 3, 1, 2)."
        raise ValueError(
            f"{who} got x of shape {np.shape(x)}; expected (N, {channels}, H, W).{hint}"
        )
    check_finite(images, "x")
    return channels_first(images)


def probabilities(network: Graph, x: ArrayLike, batch_size: int | None = None) -> np.ndarray:
    """Softmax of a network's logits for images x (N, C, H, W): (N, classes)."""
    images = np.asarray(x)
    parts = []
    with evaluation(network):
        for batch in batches(images, batch_size):
            logits = network.predict(batch)
            e = np.exp(logits - logits.max(axis=1, keepdims=True))
            parts.append(e / e.sum(axis=1, keepdims=True))
    if not parts:
        raise ValueError(f"x has shape {images.shape}; expected images (N, C, H, W), one or more.")
    return np.concatenate(parts)


def batches(images: np.ndarray, batch_size: int | None = None) -> Iterator[np.ndarray]:
    """The images in pieces, by default of ``fastdl.memory.INPUT_BYTES``."""
    if batch_size is None:
        batch_size = rows_at_once(images[:1].size)
    for start in range(0, len(images), check_size(batch_size, "batch_size")):
        yield images[start : start + batch_size]
