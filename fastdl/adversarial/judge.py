"""What generated images are worth, measured against real ones that no network was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..metrics.generated import (
    class_shares,
    frechet_distance,
    kernel_distance,
    nearest,
    neighbour_scores,
)
from ..metrics.neighbours import nearest_in_parts
from ..validation import check_size
from .features import FeatureNetwork

_NEAR = 1000  # images whose nearest training images are looked for
_QUANTILE = 0.01
_BYTES = 64 << 20  # of training images that are compared at a time, as float64


class Judge:
    """Judges images (N, C, H, W) of values from -1 to 1 by features of our own classifier.

    features: a ``FeatureNetwork`` of the training images. real: held-out images, an ``ImageSet`` or
    an array of such values; train: the generator's training images, likewise. count: how many
    generated images, and held-out ones in each half, are compared at most. k: of the neighbours'
    balls. seed: of the halves, and of the kernel distance's subsets: results are the same every
    time. fit: how images of a set are brought to size, as in ``ImageSet.load``.

    Held-out images are cut into two halves. Generated ones are compared with the second, as many as
    the first has at most; "floor" figures are the first half's, of the same number: what a perfect
    generator would have. All distances are of our own classifier's features, no Inception FID.
    Figures that so few images do not have are None. Raises ValueError for images that do not fit,
    and for fewer than 4 held-out ones.

    >>> from fastdl.data.images import ImageSet
    >>> pixels = np.random.default_rng(0).integers(0, 256, (80, 8, 8), np.uint8)
    >>> images = ImageSet.from_arrays(pixels, [0, 1] * 40)
    >>> features = FeatureNetwork.fit(images[:60], epochs=1, rng=np.random.default_rng(0))
    >>> judge = Judge(features, images[60:], images[:60], k=3)
    >>> found = judge.judge(np.zeros((10, 1, 8, 8)))
    >>> found["count"], found["recall"], found["frechet"]
    (10, 0.0, None)
    """

    def __init__(
        self, features: FeatureNetwork, real: Any, train: Any, *, count: int = 10_000, k: int = 5,
        seed: int = 0, fit: str = "crop",
    ) -> None:  # fmt: skip
        self.features, self.train, self.seed, self.fit = features, train, seed, fit
        self.count, self.k = check_size(count, "count"), check_size(k, "k")
        size = min(len(real), 2 * self.count)
        if size < 4:
            raise ValueError(f"There are {size} held-out images; the Judge needs 4 or more.")
        order = np.random.default_rng(seed).permutation(len(real))[:size]
        chosen = real[order]
        self._real = features.features_of(chosen, fit=fit)
        self._pixels = _pixels(features, chosen, min(size, _NEAR), fit)
        self._train = features.features_of(train, fit=fit)
        self._floors: dict[int, dict[str, Any]] = {}
        self._real_near = self._near(self._real, self._pixels)

    def judge(self, images: ArrayLike, classes: ArrayLike | None = None) -> dict[str, Any]:
        """Figures of generated images, by name.

        classes (N,): those that the images were asked to be of, indices as the feature network's.

        "count": how many were compared, with "real" held-out ones. "kind", "accuracy": of the
        feature network. "frechet", "kernel": ``frechet_distance`` and ``kernel_distance`` of
        features; "precision", "recall", "density", "coverage": as by ``neighbour_scores``; each
        beside its floor, such as "frechet_floor". The Fréchet distance is None where there are no
        more images than features. "shares" (a list), "entropy", "smallest", "largest": of the
        recognised classes, whose names are "classes", and "real_shares" those of real images;
        "recognised": the share of images that are recognised as the class asked for,
        "recognised_by_class" a list; None without classes, or where the feature network tells
        turns. "nearest_features", "nearest_pixels": the 1 % quantile of distances from the nearest
        training image, Euclidean in features and in pixels, of the first 1,000 images;
        "nearest_features_real", "nearest_pixels_real": the same of held-out images. What is nearer
        than those was learned by heart.

        Raises ValueError for images that do not fit, or only one, and for classes that do not.
        """
        x = np.asarray(images)[: self.count]
        if len(x) < 2:
            raise ValueError(f"There are {len(x)} images; the Judge needs 2 or more.")
        f = self.features.features(x)
        half = len(self._real) // 2
        size = min(len(f), half)
        found = {
            "count": size, "real": len(self._real) - half, "kind": self.features.kind,
            "accuracy": self.features.accuracy, **self._compared(f[:size]),
        }  # fmt: skip
        found |= {f"{name}_floor": value for name, value in self._floor(size).items()}
        found |= self._classes(f, None if classes is None else np.asarray(classes)[: self.count])
        own = self._near(f, _pixels(self.features, x, _NEAR))
        for name, values in own.items():
            found[name] = float(np.quantile(values, _QUANTILE))
            found[f"{name}_real"] = float(np.quantile(self._real_near[name], _QUANTILE))
        return found

    def neighbours(self, images: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Of each image the nearest training image in pixels: distances (N,) and indices (N,)."""
        x = np.asarray(images)
        return self._nearest_pixels(_pixels(self.features, x, len(x)))

    def _compared(self, f: np.ndarray) -> dict[str, Any]:
        """Features (n, F) in relation to the second half of the real ones, or n of it."""
        half = len(self._real) // 2
        other = self._real[half : half + len(f)] if len(f) < half else self._real[half:]
        rows = min(len(f), len(other))
        found: dict[str, Any] = {
            "frechet": frechet_distance(f, other) if rows > f.shape[1] else None,
            "kernel": kernel_distance(f, other, rng=np.random.default_rng(self.seed)),
        }
        if rows > self.k:
            return found | neighbour_scores(other, f, self.k)
        return found | dict.fromkeys(("precision", "recall", "density", "coverage"))

    def _floor(self, size: int) -> dict[str, Any]:
        if size not in self._floors:
            self._floors[size] = self._compared(self._real[:size])
        return self._floors[size]

    def _classes(self, f: np.ndarray, asked: np.ndarray | None) -> dict[str, Any]:
        names = ("shares", "entropy", "smallest", "largest", "recognised", "recognised_by_class")
        found: dict[str, Any] = dict.fromkeys(names)
        if asked is not None:
            self._check(asked, len(f))
        if self.features.kind != "classes":
            return found
        K = len(self.features.classes)
        seen = self.features.of_features(f).argmax(axis=1)
        found |= class_shares(seen, K)
        found["shares"] = found["shares"].tolist()
        real = self.features.of_features(self._real).argmax(axis=1)
        found |= {"classes": list(self.features.classes),
                  "real_shares": class_shares(real, K)["shares"].tolist()}  # fmt: skip
        if asked is not None:
            right = seen == asked
            found["recognised"] = float(np.mean(right))
            found["recognised_by_class"] = [
                float(np.mean(right[asked == k])) if (asked == k).any() else None for k in range(K)
            ]
        return found

    def _check(self, asked: np.ndarray, rows: int) -> None:
        if asked.shape != (rows,) or asked.dtype.kind not in "iu":
            raise ValueError(
                f"classes has shape {asked.shape} of {asked.dtype}; expected indices ({rows},)."
            )
        K = len(self.features.classes)
        if self.features.kind == "classes" and not (asked.min() >= 0 and asked.max() < K):
            raise ValueError(
                f"classes has {asked.min()} to {asked.max()}; the feature network knows 0 to "
                f"{K - 1}."
            )

    def _near(self, f: np.ndarray, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Distances (n,) from the nearest training image, of the first 1,000 images at most."""
        return {
            "nearest_features": nearest(f[:_NEAR], self._train)[0][:, 0],
            "nearest_pixels": self._nearest_pixels(pixels)[0],
        }

    def _nearest_pixels(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As ``neighbours``, of pixels (n, D), against some training images after the other."""
        size = max(1, _BYTES // (8 * pixels.shape[1]))
        parts = (self.train[start : start + size] for start in range(0, len(self.train), size))
        distances, places = nearest_in_parts(
            pixels, (_pixels(self.features, part, len(part), self.fit) for part in parts)
        )
        return distances[:, 0], places[:, 0]


def _pixels(features: FeatureNetwork, images: Any, count: int, fit: str = "crop") -> np.ndarray:
    """The first images as rows (n, D) float32, channels last, of values from -1 to 1."""
    blocks = features.blocks(images, count, fit)
    return np.concatenate([x.transpose(0, 2, 3, 1).reshape(len(x), -1) for x in blocks])
