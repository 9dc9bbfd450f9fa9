"""Where the pixels of an image set come from: arrays in memory, or files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .decode import as_mode, decoded
from .resize import resized
from .threads import in_threads

_ALPHA = (2, 4)  # numbers of channels of which the last one is alpha
_WEIGHTS = np.array([19595, 38470, 7471])  # of grey, in 65536ths, as Pillow's


class Source(Protocol):
    """Images by their number, as uint8 of any wanted size."""

    def name(self, row: int) -> str:
        """What messages call an image."""

    def shape(self, rows: np.ndarray) -> tuple[int, int, int] | None:
        """(C, H, W) of these images if they all have the same, C being 1 or 3."""

    def load(self, rows: np.ndarray, out: np.ndarray, fit: str) -> None:
        """Fill out (n, H, W, C)."""

    def check(self, row: int) -> None:
        """Raise what ``load`` would for this image."""


class ArraySource:
    """Images uint8 (N, H, W, C) in memory, C being 1, 2, 3 or 4."""

    def __init__(self, images: np.ndarray, names: list[str] | None = None) -> None:
        self.images, self._names = images, names

    def name(self, row: int) -> str:
        return f"image {row}" if self._names is None else self._names[row]

    def shape(self, rows: np.ndarray) -> tuple[int, int, int] | None:
        _, H, W, C = self.images.shape
        return 1 if C <= 2 else 3, H, W

    def load(self, rows: np.ndarray, out: np.ndarray, fit: str) -> None:
        _, H, W, C = self.images.shape
        if C not in _ALPHA and out.shape[1:3] == (H, W):
            with_channels(self.images[rows], out)
            return
        for row, place in zip(rows, out, strict=True):
            place[...] = pixels(self._picture(int(row)), place, fit)

    def check(self, row: int) -> None:
        pass

    def _picture(self, row: int) -> Any:
        from PIL import Image

        from .decode import plain_mode

        image, C = self.images[row], self.images.shape[3]
        return plain_mode(Image.fromarray(image[..., 0] if C == 1 else image))


class FileSource:
    """Image files; shapes (N, 3) are the (C, H, W) that their headers tell."""

    def __init__(self, paths: list[Path], shapes: np.ndarray) -> None:
        self.paths, self.shapes = paths, shapes

    def name(self, row: int) -> str:
        return str(self.paths[row])

    def shape(self, rows: np.ndarray) -> tuple[int, int, int] | None:
        found = self.shapes[rows]
        if not len(found) or (found[:, 1:] != found[0, 1:]).any():
            return None
        _, H, W = found[0].tolist()
        return int(found[:, 0].max()), H, W

    def load(self, rows: np.ndarray, out: np.ndarray, fit: str) -> None:
        def fill(place: int) -> None:
            row, own = int(rows[place]), out[place]
            own[...] = pixels(decoded(self.paths[row], self._least(row, own, fit)), own, fit)

        in_threads(fill, range(len(rows)))

    def _least(self, row: int, out: np.ndarray, fit: str) -> tuple[int, int]:
        """The size that the whole image needs so that the wanted part has ``out``'s."""
        _, H, W = self.shapes[row].tolist()
        high, wide = out.shape[0] / H, out.shape[1] / W
        scale = min(high, wide) if fit == "pad" else max(high, wide)
        return int(H * scale) + 1, int(W * scale) + 1

    def check(self, row: int) -> None:
        decoded(self.paths[row], (1, 1))


def with_channels(images: np.ndarray, out: np.ndarray) -> None:
    """out (..., C) from images with 1 or 3 channels in their last dimension."""
    if images.shape[-1] == 3 and out.shape[-1] == 1:
        out[..., 0] = (images @ _WEIGHTS + 0x8000) >> 16
    else:
        out[...] = images


def pixels(image: Any, out: np.ndarray, fit: str) -> np.ndarray:
    H, W, C = out.shape
    return np.asarray(as_mode(resized(image, (H, W), fit), C)).reshape(H, W, C)
