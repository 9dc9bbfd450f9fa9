"""A trained generator with what is known of its images, in a run folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoint import load, save
from ..files import read_described, write_described
from ..memory import rows_at_once
from ..models.gan import GAN
from ..models.gan.base import spherical
from ..runs import GENERATION, MODEL, require_complete
from ..special import normal_cdf, normal_quantile
from ..validation import check_number, check_size

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Kind:
    """What a GAN's images are: the classes that they are made by, if any, and their size."""

    classes: tuple[str, ...]
    size: int
    channels: int

    def index(self, name: Any) -> int:
        """The number of a class; ValueError for one that was not trained."""
        if name in self.classes:
            return self.classes.index(name)
        if not self.classes:
            raise ValueError(
                f"class is {name!r}, but the GAN was trained without classes: leave it out."
            )
        known = ", ".join(self.classes[:30]) + (" ..." if len(self.classes) > 30 else "")
        raise ValueError(f"The class {name!r} was not trained; the GAN makes: {known}.")

    def save(self, folder: Path) -> None:
        """Write generation.json into a run folder."""
        content = {"classes": list(self.classes), "size": self.size, "channels": self.channels}
        write_described(folder / GENERATION, content)

    @classmethod
    def read(cls, folder: Path) -> Kind:
        """That of a run folder; ValueError where it is damaged."""

        def whole(known: dict[str, Any]) -> Kind:
            size, channels = int(known["size"]), int(known["channels"])
            if size < 1 or channels not in (1, 3):
                raise ValueError(f"size {size}, {channels} channels")
            return cls(tuple(map(str, known["classes"])), size, channels)

        return read_described(folder / GENERATION, whole, "; train again.")


class TrainedGAN:
    """Makes images with a GAN: uint8 (N, H, W, C), C being 1 or 3.

    Raises ValueError where network and kind do not belong together.
    """

    def __init__(self, gan: GAN, kind: Kind) -> None:
        shape = (kind.channels, kind.size, kind.size)
        found = getattr(gan, "channels", None), *getattr(gan, "size", (None, None))
        if gan.classes != len(kind.classes) or found != shape:
            raise ValueError(
                f"The network makes {found} images of {gan.classes} classes; expected {shape} and "
                f"{len(kind.classes)}."
            )
        self.gan, self.kind = gan, kind

    def sample(
        self, count: int, class_name: Any = None, *, rng: np.random.Generator | None = None,
        truncation: float | None = None,
    ) -> tuple[Pixels, NDArray[np.int64] | None]:  # fmt: skip
        """``count`` new images, and the classes they were made by (count,), None without classes.

        Of no class_name, each class gets as many as another. Raises as ``draw`` and ``Kind.index``.
        """
        parts = list(self.blocks(count, class_name, rng=rng, truncation=truncation))
        classes = None if parts[0][1] is None else np.concatenate([own for _, own in parts])  # type: ignore[misc]
        return np.concatenate([pixels for pixels, _ in parts]), classes

    def blocks(
        self, count: int, class_name: Any = None, *, rng: np.random.Generator | None = None,
        truncation: float | None = None,
    ) -> Iterator[tuple[Pixels, NDArray[np.int64] | None]]:  # fmt: skip
        """The same in pieces of bounded memory."""
        classes = self.classes_of(check_size(count, "count"), class_name)
        size = 8 * rows_at_once(self.kind.size**2 * self.kind.channels)
        for start in range(0, count, size):
            own = None if classes is None else classes[start : start + size]
            z = draw(self.gan, min(size, count - start), rng, truncation)
            yield self.generate(z, own), own

    def classes_of(self, count: int, class_name: Any = None) -> NDArray[np.int64] | None:
        """Classes of ``count`` images: one for all, or all in turn; None without classes."""
        if class_name is not None:
            return np.full(count, self.kind.index(class_name), np.int64)
        if not self.kind.classes:
            return None
        return np.arange(count, dtype=np.int64) % len(self.kind.classes)

    def generate(self, z: np.ndarray, classes: np.ndarray | None = None) -> Pixels:
        """Images of given z (N, latent)."""
        return as_pixels(self.gan.generate(z, classes))

    def interpolate(
        self, a: np.ndarray, b: np.ndarray, steps: int, class_name: Any = None
    ) -> Pixels:
        """``steps`` images from z a to z b (latent,), both included, along an arc."""
        z = spherical(a, b, steps)
        return self.generate(z.astype(a.dtype), self.classes_of(len(z), class_name))

    def save(self, folder: Path) -> None:
        """Write model.safetensors and generation.json into a folder."""
        save(self.gan, folder / MODEL)
        self.kind.save(folder)


def draw(
    gan: GAN, count: int, rng: np.random.Generator | None, truncation: float | None = None
) -> np.ndarray:
    """z (count, latent) from N(0, 1), or from what of it is within -truncation and truncation.

    Images of such z are more alike and better (Brock et al. 2019, section 3.1).
    """
    z = gan.draw(count, rng)
    if truncation is None:
        return z
    low = normal_cdf(-check_number(truncation, "truncation", open_low=True))
    found = normal_quantile(low + (1 - 2 * low) * normal_cdf(z))
    return np.clip(found, -truncation, truncation).astype(z.dtype)


def as_pixels(images: np.ndarray) -> Pixels:
    """Images (N, C, H, W) from -1 to 1 as uint8 (N, H, W, C).

    >>> as_pixels(np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)).ravel().tolist()
    [0, 128, 255]
    """
    values = np.asarray(images).transpose(0, 2, 3, 1) * 127.5 + 127.5
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def is_gan_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a training of a GAN, finished or not."""
    return (Path(folder) / GENERATION).is_file()


def load_gan(folder: str | os.PathLike[str]) -> TrainedGAN:
    """The generator of a run folder.

    Raises FileNotFoundError where files are missing, ValueError for a folder of another kind of
    run, and for files that are damaged or do not belong together.
    """
    folder = Path(folder)
    require_complete(folder, GENERATION)
    gan = load(folder / MODEL)
    if not isinstance(gan, GAN):
        raise ValueError(f"{folder / MODEL} holds a {type(gan).__name__}, no GAN.")
    try:
        return TrainedGAN(gan, Kind.read(folder))
    except ValueError as error:
        raise ValueError(f"In {folder} files are damaged or do not fit: {error}") from None
