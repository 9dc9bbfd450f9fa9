"""Features of images by a small classifier that is trained on the user's own images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checkpoint import restore, save
from ..data.images import Augmentation, ImageSet, ImageStream, normalized, split_images
from ..files import read_arrays
from ..graph import Graph
from ..losses import SoftmaxCrossEntropy
from ..memory import rows_at_once
from ..models.image import AdImageCNN, fold
from ..network import evaluation
from ..trainer import Trainer
from ..validation import check_size
from ..vision.recipe import image_channels, image_size, make_optimizer, make_schedule
from .turns import turned

KINDS = ("classes", "turns")
_HELD_OUT = 0.1
_LEAST_BATCH, _MOST_BATCH = 16, 128
_STEPS = 20  # of an epoch where there are few images: running statistics need steps to settle


class FeatureNetwork:
    """A classifier whose last layer's inputs serve as features; ``fit`` trains one.

    network: the trained ``AdImageCNN``. kind: what it tells apart, "classes", the images' own, or
    "turns", by which quarter turn an image was turned, where they have none. classes: the names.
    accuracy: on held_out images that it was not trained on. Distances of its features compare
    samples for the same images and the same network only; they are no Inception FID.
    """

    def __init__(
        self, network: AdImageCNN, kind: str, classes: tuple[str, ...], accuracy: float,
        held_out: int,
    ) -> None:  # fmt: skip
        if kind not in KINDS or len(classes) != network.classes:
            raise ValueError(
                f"kind is {kind!r} with {len(classes)} classes for {network.classes} outputs; "
                f"expected one of {', '.join(KINDS)}."
            )
        self.network, self.kind, self.classes = network, kind, classes
        self.accuracy, self.held_out = float(accuracy), int(held_out)
        folded = fold(network)
        body = folded.nodes[-1].parents[0]  # what the last layer sees
        self._body = Graph(body, SoftmaxCrossEntropy(), folded.prepare)
        self._body.eval()
        self._head: Any = folded.nodes[-1].layer

    @classmethod
    def fit(
        cls, images: ImageSet, size: int | tuple[int, int] | None = None,
        channels: int | None = None, epochs: int = 5, rng: np.random.Generator | None = None,
        verbose: bool = False, *, lr: float = 0.003, fit: str = "crop",
        model_options: Mapping[str, Any] | None = None,
    ) -> FeatureNetwork:  # fmt: skip
        """Train one on nine tenths of the images, brought to ``size`` and ``channels``.

        On the images' labels where two classes or more have images, else on their quarter turns.
        fit: as in ``ImageSet.load``. model_options: of ``AdImageCNN``, such as
        widths=(16, 32, 64) for a quarter of the work. The same ``rng`` gives the same network.

        Raises ValueError for a class with one image, for fewer than 2 images, and for turns of
        images that are not square.

        >>> pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
        >>> images = ImageSet.from_arrays(pixels, ["bag", "shoe"] * 20)
        >>> network = FeatureNetwork.fit(images, epochs=1, rng=np.random.default_rng(0))
        >>> network.kind, network.features(np.zeros((3, 1, 8, 8))).shape
        ('classes', (3, 32))
        """
        pair = image_size(images, size)
        channels = image_channels(images) if channels is None else channels
        seeds = np.random if rng is None else rng
        own = np.random.default_rng(int(seeds.random() * (1 << 53)))
        kind, (train, held) = _parts(images, pair, int(own.integers(1 << 31)))
        light = Augmentation.preset("light") if kind == "classes" else Augmentation(shift=0.0625)
        stream = ImageStream(
            train, pair, channels=channels, mean=0.5, std=0.5, augmentation=light, fit=fit
        )
        network = AdImageCNN(
            len(train.classes), channels=channels, size=pair, rng=own, **(model_options or {})
        )
        batch = min(stream.rows, max(_LEAST_BATCH, min(_MOST_BATCH, stream.rows // _STEPS)))
        schedule = make_schedule(lr, 0.5, check_size(epochs, "epochs"), stream.rows, batch)
        Trainer(network, make_optimizer("adamw", schedule, 0.01)).train(
            stream, epochs=epochs, batch_size=batch, rng=own, loss_at="before", verbose=verbose
        )
        found = cls(network.eval(), kind, tuple(train.classes), 0.0, len(held))  # type: ignore[arg-type]
        right = [
            np.sum(found.predict(block.x) == block.t.argmax(axis=1))
            for block in stream.evaluating(held).blocks()
        ]
        found.accuracy = float(np.sum(right) / len(held))
        return found

    @property
    def width(self) -> int:
        """The number of features."""
        return int(self._head.W.shape[0])

    def features(self, x: ArrayLike) -> np.ndarray:
        """Features float64 (N, width) of images x (N, C, H, W) of values from -1 to 1.

        Raises ValueError for images of other sizes or values, TypeError for no numbers.
        """
        parts = [self._features(block) for block in self._blocks(x)]
        return np.concatenate(parts)

    def probabilities(self, x: ArrayLike) -> np.ndarray:
        """Probabilities float64 (N, classes) of such images."""
        return self.of_features(self.features(x))

    def predict(self, x: ArrayLike) -> np.ndarray:
        """The most likely class's index (N,) of such images."""
        found: np.ndarray = self.probabilities(x).argmax(axis=1)
        return found

    def of_features(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (N, classes) from features (N, width)."""
        logits = features @ self._head.W.astype(np.float64) + self._head.b
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: np.ndarray = e / e.sum(axis=1, keepdims=True)
        return found

    def blocks(
        self, images: Any, count: int | None = None, fit: str = "crop"
    ) -> Iterator[np.ndarray]:
        """The first ``count`` images of a set or of an array, of values from -1 to 1, in pieces.

        fit: how a set's images are brought to the network's size, as in ``ImageSet.load``.
        """
        rows = len(images) if count is None else min(count, len(images))
        if not isinstance(images, ImageSet):
            yield from self._blocks(np.asarray(images)[:rows])
            return
        size = self._rows_at_once()
        for start in range(0, rows, size):
            own = slice(start, min(start + size, rows))
            pixels = images.load(own, self.network.size, self.network.channels, fit=fit)
            yield normalized(pixels, 0.5, 0.5)

    def features_of(self, images: Any, count: int | None = None, fit: str = "crop") -> np.ndarray:
        """``features`` of the first ``count`` images of a set or of an array."""
        return np.concatenate([self._features(x) for x in self.blocks(images, count, fit)])

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to one safetensors file, which ``load`` reads."""
        known = {
            "kind": self.kind, "classes": list(self.classes), "accuracy": self.accuracy,
            "held_out": self.held_out,
        }  # fmt: skip
        save(self.network, path, features=known)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> FeatureNetwork:
        """That of a file; FileNotFoundError, and ValueError where it holds something else."""
        arrays, description = read_arrays(path, "network")
        network = restore(description, arrays, str(path))
        known = description.get("extra", {}).get("features")
        if not isinstance(network, AdImageCNN) or not isinstance(known, dict):
            raise ValueError(f"{path} holds a {type(network).__name__}, no FeatureNetwork.")
        return cls(
            network.eval(), known["kind"], tuple(known["classes"]), known["accuracy"],  # type: ignore[arg-type]
            known["held_out"],
        )  # fmt: skip

    def _rows_at_once(self) -> int:
        H, W = self.network.size
        return rows_at_once(self.network.channels * H * W)

    def _blocks(self, x: ArrayLike) -> Iterator[np.ndarray]:
        images = np.asarray(x)
        wanted = (self.network.channels, *self.network.size)
        if images.ndim != 4 or images.shape[1:] != wanted or not len(images):
            raise ValueError(
                f"x has shape {images.shape}; expected images (N, {', '.join(map(str, wanted))})."
            )
        size = self._rows_at_once()
        for start in range(0, len(images), size):
            block = images[start : start + size]
            if block.dtype.kind in "fiub" and np.abs(block).max() > 1.01:
                raise ValueError(
                    f"x has values from {block.min():g} to {block.max():g}; expected -1 to 1: for "
                    "pixels from 0 to 255 that is x / 127.5 - 1."
                )
            yield block

    def _features(self, block: np.ndarray) -> np.ndarray:
        with evaluation(self._body):
            return self._body.predict(block).astype(np.float64)


def _parts(images: ImageSet, size: tuple[int, int], seed: int) -> tuple[str, list[ImageSet]]:
    """What is told apart, and the images to train on and to hold out, with labels."""
    if len(images) < 2:
        raise ValueError(f"There are {len(images)} images; a FeatureNetwork needs 2 or more.")
    shares = 1 - _HELD_OUT, _HELD_OUT
    present = np.unique(images.labels)
    if present.min() >= 0 and len(present) >= 2:
        return KINDS[0], split_images(images, shares, seed)
    if size[0] != size[1]:
        raise ValueError(
            f"The images have no two classes and are {size[0]} x {size[1]}: quarter turns, which "
            "are told apart then, need square ones."
        )
    alike = ImageSet(images.source, images.rows, np.zeros(len(images), np.int64), ("any",))
    return KINDS[1], [turned(part) for part in split_images(alike, shares, seed)]
