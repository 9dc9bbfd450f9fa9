"""A small classifier of the user's own images, on whose features generated images are judged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..callbacks import Callback
from ..checkpoint import load, save
from ..data.images import ImageSet, ImageStream, split_images
from ..files import read_arrays
from ..graph import Graph
from ..losses import SoftmaxCrossEntropy
from ..memory import rows_at_once
from ..models.image import AdImageCNN, fold
from ..models.image.base import ImageModel
from ..trainer import Trainer
from ..validation import check_size
from ..vision.recipe import make_optimizer, make_schedule

HELD_OUT = 0.1  # of the images, by which its accuracy is told
TURNS = ("0", "90", "180", "270")  # degrees
_TURNED_BYTES = 128 << 20  # of images that are turned
_KINDS = ("classes", "turns")


class FeatureNetwork:
    """Features (N, F) of images, from the last layer but one of a classifier that we train.

    ``fit`` trains an ``AdImageCNN`` on the images' classes, or, where they have none, on telling by
    which quarter turns an image was turned (Gidaris et al. 2018): features that tell that know
    shapes. They are no features of an Inception network, so that distances on them compare with
    each other, for the same images, and with nothing else. kind: "classes" or "turns"; classes:
    their names; accuracy: on held-out images.
    """

    def __init__(
        self, network: ImageModel, kind: str, classes: tuple[str, ...], accuracy: float
    ) -> None:
        self.network, self.kind, self.classes = network, kind, classes
        self.accuracy = accuracy
        folded = fold(network)
        logits = folded.nodes[-1]
        self._last: Any = logits.layer  # Dense
        self._features = Graph(logits.parents[0], SoftmaxCrossEntropy(), folded.prepare)

    @classmethod
    def fit(
        cls, images: ImageSet, size: int | tuple[int, int], channels: int, *, epochs: int = 12,
        rng: np.random.Generator | None = None, fit: str = "crop", verbose: bool = False,
    ) -> FeatureNetwork:  # fmt: skip
        """Train on a set's classes, or on turns; size, channels and fit as of an ``ImageStream``.

        Raises ValueError for sets that cannot be split.
        """
        check_size(epochs, "epochs")
        rng = np.random.default_rng() if rng is None else rng
        labelled = len(images.classes) > 1 and bool((images.labels >= 0).all())
        kind, known = "classes", images
        if not labelled:
            kind, known = "turns", _turned(images, size, channels, fit, rng)
        train, held = split_images(known, (1 - HELD_OUT, HELD_OUT), int(rng.integers(1 << 31)))
        stream = ImageStream(
            train, size, channels=channels, mean=0.5, std=0.5, fit=fit,
            augmentation={"shift": 0.0625},
        )  # fmt: skip
        network = AdImageCNN(len(known.classes), channels=channels, size=stream.size, rng=rng)
        batch = min(64, max(2, stream.rows // 8))
        schedule = make_schedule(0.003, 1.0, epochs, stream.rows, batch)
        trainer = Trainer(network, make_optimizer("adamw", schedule, 0.01))
        callbacks: list[Callback] = []
        trainer.train(
            stream, epochs=epochs, batch_size=batch, rng=rng, callbacks=callbacks, verbose=verbose
        )
        found = cls(network.eval(), kind, known.classes, 0.0)  # type: ignore[arg-type]
        hits = sum(
            float((found.predict(rows.x) == rows.t.argmax(axis=1)).sum())
            for rows in stream.evaluating(held).blocks()
        )
        found.accuracy = hits / len(held)
        return found

    def features(self, x: np.ndarray) -> np.ndarray:
        """float64 (N, F) of images x (N, C, H, W) from -1 to 1, in pieces of bounded memory."""
        return np.concatenate([self._features.predict(own) for own in _pieces(x)]).astype(
            np.float64
        )

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """float64 (N, classes): what the classifier thinks of images."""
        return self.of_features(self.features(x))

    def of_features(self, features: np.ndarray) -> np.ndarray:
        """The same of features (N, F)."""
        logits = features @ self._last.W.astype(np.float64) + self._last.b.astype(np.float64)
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: np.ndarray = e / e.sum(axis=1, keepdims=True)
        return found

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class (N,) of images, as an index into ``classes``."""
        found: np.ndarray = self.probabilities(x).argmax(axis=1)
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to one safetensors file; ``load`` reads it."""
        known = {"kind": self.kind, "classes": list(self.classes), "accuracy": self.accuracy}
        save(self.network, path, features=known)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FeatureNetwork:
        """That of a file; ValueError where it is damaged or holds something else."""
        network = load(path)
        known = read_arrays(path, "network")[1].get("extra", {}).get("features")
        if not isinstance(network, ImageModel) or not isinstance(known, dict):
            raise ValueError(f"{path} holds a {type(network).__name__}, no network of features.")
        try:
            kind, accuracy = str(known["kind"]), float(known["accuracy"])
            classes = tuple(map(str, known["classes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error!r}.") from None
        if kind not in _KINDS or len(classes) != network.classes:
            raise ValueError(f"{path} is damaged: {kind!r} with {len(classes)} classes.")
        return cls(network.eval(), kind, classes, accuracy)  # type: ignore[arg-type]


def _pieces(x: np.ndarray) -> Iterator[np.ndarray]:
    if np.ndim(x) != 4 or not len(x):
        raise ValueError(f"x has shape {np.shape(x)}; expected images (N, C, H, W), one or more.")
    size = rows_at_once(x[:1].size)
    for start in range(0, len(x), size):
        yield x[start : start + size]


def _turned(
    images: ImageSet, size: int | tuple[int, int], channels: int, fit: str,
    rng: np.random.Generator,
) -> ImageSet:  # fmt: skip
    """Some of the images, each turned by no, one, two and three quarters; the turns are labels."""
    side = (size, size) if isinstance(size, int) else tuple(size)
    most = max(4, _TURNED_BYTES // (4 * side[0] * side[1] * channels))
    rows = np.sort(rng.permutation(len(images))[:most])
    pixels = images.load(rows, side, channels, fit=fit).transpose(0, 2, 3, 1)
    if side[0] != side[1]:
        raise ValueError(f"size is {side}; quarter turns need square images.")
    turned = np.concatenate([np.rot90(pixels, turn, axes=(1, 2)) for turn in range(4)])
    labels = np.repeat(np.arange(4), len(rows))
    made = ImageSet.from_arrays(np.ascontiguousarray(turned), labels)
    return ImageSet(made.source, made.rows, made.labels, TURNS)
