"""Images as batches for the Trainer: decoded, augmented and normalised in background threads."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from ...kernels.backend import ops
from ...layers.layout import channels_first
from ...memory import rows_at_once
from ...prefetch import prefetched
from ...stream import Rows, RowStream, Window
from ...validation import check_sample_weight
from .augmentation import Augmentation, as_augmentation
from .draws import Draws, draw
from .image_set import ImageSet
from .resize import check_channels, check_fit
from .statistics import grey_weights, per_channel, statistics_of
from .store import PixelStore
from .weights import class_weights

_WINDOW_BYTES = 16 << 20  # of batches that are made together: their images are decoded together
_OFF = Augmentation()


class ImageStream(RowStream):
    """Labelled images as float32 batches for ``Trainer.train``, in the place of arrays.

    images: the set. size: (H, W) or one number for both, None where all have one shape.
    channels: 1 or 3. mean, std: of each channel, of values from 0 to 1 (one number for all, or
    (C,)); found as by ``channel_statistics`` if not given. augmentation: an ``Augmentation``, a
    preset's name, a dict of fields, or None. class_weight: "balanced", a dict of class name to
    weight, or None; sample_weight: of each image, (rows,) or None; the rows' weights are the
    products of both. fit: as in ``ImageSet.load``. keep: where decoded images are kept for later
    epochs, "memory" (if they fit into memory_bytes, else nowhere), "disk" (a temporary file) or
    "nowhere".

    A batch has x (rows, C, H, W) float32 with channels-last memory, (value / 255 - mean) / std,
    and t (rows, classes) float32, a distribution for ``SoftmaxCrossEntropy``. ``blocks`` gives
    rows in their order, without augmentation, for validation and predictions; without labels t is
    (rows, 0). Batches follow from epoch, seed and batch size alone. While a batch trains, a thread
    makes the next ones.

    Raises ValueError or TypeError for arguments that do not fit.

    >>> images = ImageSet.from_arrays(np.zeros((10, 8, 8), np.uint8), [0, 1] * 5)
    >>> stream = ImageStream(images, channels=1, mean=0.5, std=0.5)
    >>> window = next(stream.windows(epoch=0, seed=0, batch_size=4))
    >>> window.take(0, 4).x.shape
    (4, 1, 8, 8)
    """

    features = False

    def __init__(
        self, images: ImageSet, size: int | tuple[int, int] | None = None, *, channels: int = 3,
        mean: Any = None, std: Any = None,
        augmentation: Augmentation | str | dict[str, Any] | None = None,
        class_weight: Any = None, sample_weight: Any = None, fit: str = "crop",
        keep: str = "memory", memory_bytes: int = 1 << 30,
    ) -> None:  # fmt: skip
        if not len(images):
            raise ValueError("There are no images in the set.")
        self.images, self.rows = images, len(images)
        self.size, self.channels, self.fit = images.size(size), check_channels(channels), fit
        self.augmentation = as_augmentation(augmentation)
        self.store = PixelStore(
            images, self.size, self.channels, check_fit(fit), keep, memory_bytes
        )
        own = check_sample_weight(sample_weight, self.rows)
        self.class_weight = class_weights(images.labels, images.classes, class_weight, own)
        self._weight = own  # of each row
        if self.class_weight is not None:
            self._weight = self.class_weight[images.labels] * (1.0 if own is None else own)
        shape = (*self.size, self.channels)
        if mean is None or std is None:
            found = statistics_of(self.store.pixels, self.rows, shape)
            mean, std = (found[0] if mean is None else mean), (found[1] if std is None else std)
        self.mean = per_channel(mean, self.channels, "mean")  # (C,) float32
        self.std = per_channel(std, self.channels, "std")
        self._keep, self._memory_bytes = keep, memory_bytes
        self._row_bytes = 4 * int(np.prod(shape))

    def __len__(self) -> int:
        return self.rows

    def settings(self) -> dict[str, Any]:
        """size, channels, mean, std and fit, as JSON can hold them: what predictions need."""
        return {
            "size": list(self.size), "channels": self.channels, "mean": self.mean.tolist(),
            "std": self.std.tolist(), "fit": self.fit,
        }  # fmt: skip

    def evaluating(self, images: ImageSet, sample_weight: Any = None) -> ImageStream:
        """A stream of other images with this one's settings, without augmentation.

        Their weights are sample_weight alone.
        """
        return ImageStream(
            images, self.size, channels=self.channels, mean=self.mean, std=self.std, fit=self.fit,
            sample_weight=sample_weight, keep=self._keep, memory_bytes=self._memory_bytes,
        )  # fmt: skip

    def blocks(self) -> Iterator[Rows]:
        yield from prefetched(self._blocks())

    def _blocks(self) -> Generator[Rows, None, None]:
        size = rows_at_once(self._row_bytes // 4)
        for start in range(0, self.rows, size):
            rows = np.arange(start, min(start + size, self.rows))
            yield self._made(rows, len(rows), _OFF, [[0]])

    def windows(
        self, epoch: int, seed: int, batch_size: int, first_row: int = 0
    ) -> Generator[Window, None, None]:
        if (self.images.labels < 0).any():
            raise ValueError("The images have no labels to train on.")
        order = np.random.default_rng([seed, epoch]).permutation(self.rows)
        size = max(1, _WINDOW_BYTES // (batch_size * self._row_bytes)) * batch_size
        for start in range(first_row // size * size, self.rows, size):
            rows = order[start : start + size]
            numbers = range(start // batch_size, -(-(start + len(rows)) // batch_size))
            seeds = [[seed, epoch, 1 + number] for number in numbers]
            yield Window(start, self._made(rows, batch_size, self.augmentation, seeds))

    def _made(
        self, rows: np.ndarray, batch_size: int, augmentation: Augmentation, seeds: list[list[int]]
    ) -> Rows:
        """Batch after batch, each by its own seed, so that a later start changes nothing."""
        H, W = self.size
        pixels, places = self.store.take(rows)  # all at once: threads decode them
        x = np.empty((len(rows), H, W, self.channels), np.float32)
        targets, weights = [], []
        for first, seed in zip(range(0, len(rows), batch_size), seeds, strict=True):
            own = slice(first, first + batch_size)
            draws = draw(augmentation, np.random.default_rng(seed), len(rows[own]), H, W)
            self._fill(x[own], pixels, places[own], draws, augmentation.fill == "edge")
            t, weight = self._targets(rows[own], augmentation.label_smoothing, draws)
            targets.append(t)
            weights += [] if weight is None else [weight]
        weight = np.concatenate(weights) if weights else None
        return Rows(channels_first(x), np.concatenate(targets), weight)

    def _fill(
        self, out: np.ndarray, pixels: np.ndarray, places: np.ndarray, draws: Draws, clamp: bool
    ) -> None:
        x = out if draws.partner is None else np.empty_like(out)
        ops.augment_images(
            pixels, places, draws.matrix, draws.colour, draws.holes, clamp, self.mean, self.std,
            grey_weights(self.channels), x,
        )  # fmt: skip
        if draws.partner is not None:
            N = len(x)
            ops.mix_rows(x.reshape(N, -1), draws.partner, draws.share, out.reshape(N, -1))

    def _targets(
        self, rows: np.ndarray, smoothing: float, draws: Draws
    ) -> tuple[np.ndarray, np.ndarray | None]:
        K, labels = len(self.images.classes), self.images.labels[rows]
        if not K or (labels < 0).all():
            return np.zeros((len(rows), 0), np.float32), None
        t = np.full((len(rows), K), smoothing / K, np.float32)
        t[np.arange(len(rows)), labels] += 1 - smoothing
        weight = None if self._weight is None else self._weight[rows]
        if draws.partner is not None and draws.share is not None:
            share = draws.share
            if weight is not None:
                weight = share * weight + (1 - share) * weight[draws.partner]
            t = share[:, None] * t + (1 - share[:, None]) * t[draws.partner]
        return t, weight
