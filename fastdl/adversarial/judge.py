"""How good generated images are: distances, neighbours and classes beside those of real images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data.images import ImageSet, normalized
from ..memory import rows_at_once
from ..metrics.generated import (
    class_shares,
    frechet_distance,
    kernel_distance,
    nearest,
    neighbour_scores,
)
from ..validation import check_size
from .features import FeatureNetwork

QUANTILE = 0.01  # of distances to the nearest training image
_NEIGHBOURS = 5
_BLOCK_BYTES = 64 << 20  # of training images that are compared with at a time

Images = ImageSet | np.ndarray


class Judge:
    """Compares generated images with real ones that were held out, and with the training's.

    features: the network on whose features all but pixels are compared. real: held-out images,
    train: those that the generator learned from, as sets or arrays (N, C, H, W) from -1 to 1.
    count: how many of the real ones are compared, at most. Beside each figure stands its floor:
    the same figure of as many training images in the place of the generated ones.
    """

    def __init__(
        self, features: FeatureNetwork, real: Images, train: Images, *, count: int = 2000,
        fit: str = "crop",
    ) -> None:  # fmt: skip
        self.features, self.fit = features, fit
        self.count = check_size(count, "count")
        self.train = train
        self._real_pixels = np.concatenate(list(self._blocks(_some(real, self.count))))
        self.real = features.features(self._real_pixels)
        self._of_train = np.concatenate([features.features(x) for x in self._blocks(train)])
        self._known: dict[str, Any] = {}  # figures of real images, by how many

    def judge(self, images: np.ndarray, classes: ArrayLike | None = None) -> dict[str, Any]:
        """Figures of images (N, C, H, W) from -1 to 1; classes (N,): those they were made by.

        "frechet", "kernel": distances on the features; "precision", "recall", "density",
        "coverage": see ``metrics.generated``; "..._floor": of training images. "recognised": the
        share of images whose class the classifier tells rightly, None without classes. "shares":
        of the classes that it tells, "real_shares": of real images. "nearest_pixels" and
        "nearest_features": the 1 % quantile of the distances to the nearest training image,
        "..._real": of held-out real images. A figure that so few rows do not have is None.
        """
        made = self.features.features(images)
        found: dict[str, Any] = {
            "count": len(made), "real": len(self.real), "kind": self.features.kind,
            "accuracy": self.features.accuracy, **self._compared(made),
        }  # fmt: skip
        found |= {f"{name}_floor": value for name, value in self._floor(len(made)).items()}
        told = self.features.of_features(made).argmax(axis=1)
        found |= self._classes(told, classes)
        found["nearest_features"] = _quantile(nearest(made, self._of_train)[0])
        found["nearest_pixels"] = _quantile(self._nearest_pixels(images))
        return found | self._real_neighbours()

    def _compared(self, rows: np.ndarray) -> dict[str, Any]:
        enough = min(len(rows), len(self.real)) > rows.shape[1]
        found: dict[str, Any] = {
            "frechet": frechet_distance(rows, self.real) if enough else None,
            "kernel": kernel_distance(rows, self.real, rng=np.random.default_rng(0)),
        }
        if min(len(rows), len(self.real)) > _NEIGHBOURS:
            return found | neighbour_scores(self.real, rows, _NEIGHBOURS)
        return found | dict.fromkeys(("precision", "recall", "density", "coverage"))

    def _floor(self, count: int) -> dict[str, Any]:
        """The figures of as many training images, drawn once and for all."""
        if count not in self._known:
            rows = np.random.default_rng(1).permutation(len(self._of_train))[:count]
            self._known[count] = self._compared(self._of_train[rows])
        found: dict[str, Any] = self._known[count]
        return found

    def _classes(self, told: np.ndarray, classes: ArrayLike | None) -> dict[str, Any]:
        if self.features.kind != "classes":
            return {"recognised": None}
        known = len(self.features.classes)
        real = self.features.of_features(self.real).argmax(axis=1)
        found: dict[str, Any] = {
            "classes": list(self.features.classes), **class_shares(told, known),
            "real_shares": class_shares(real, known)["shares"], "recognised": None,
        }  # fmt: skip
        if classes is not None:
            found["recognised"] = float(np.mean(told == np.asarray(classes)))
        return found

    def _real_neighbours(self) -> dict[str, float]:
        """The quantiles of the held-out real images, found once."""
        if "real" not in self._known:
            self._known["real"] = {
                "nearest_features_real": _quantile(nearest(self.real, self._of_train)[0]),
                "nearest_pixels_real": _quantile(self._nearest_pixels(self._real_pixels)),
            }
        found: dict[str, float] = self._known["real"]
        return found

    def _nearest_pixels(self, images: np.ndarray) -> np.ndarray:
        """Each image's distance to the nearest training image; these come block by block."""
        rows = np.asarray(images, np.float64).reshape(len(images), -1)
        best = np.full(len(rows), np.inf)
        held: list[np.ndarray] = []
        for block in self._blocks(self.train):
            held.append(block.reshape(len(block), -1))
            if sum(part.size for part in held) * 8 >= _BLOCK_BYTES:
                best, held = np.minimum(best, nearest(rows, np.concatenate(held))[0][:, 0]), []
        if held:
            best = np.minimum(best, nearest(rows, np.concatenate(held))[0][:, 0])
        return best

    def _blocks(self, images: Images) -> Iterator[np.ndarray]:
        """Images (n, C, H, W) from -1 to 1, in pieces of bounded memory."""
        size, channels = self.features.network.size, self.features.network.channels
        rows = rows_at_once(size[0] * size[1] * channels)
        for start in range(0, len(images), rows):
            if isinstance(images, np.ndarray):
                yield images[start : start + rows]
                continue
            pixels = images.load(slice(start, start + rows), size, channels, fit=self.fit)
            yield normalized(pixels, [0.5] * channels, [0.5] * channels)


def _some(images: Images, count: int) -> Images:
    """At most ``count`` of the images, drawn once and for all."""
    if len(images) <= count:
        return images
    found: Images = images[np.sort(np.random.default_rng(0).permutation(len(images))[:count])]
    return found


def _quantile(distances: np.ndarray) -> float:
    return float(np.quantile(distances, QUANTILE))
