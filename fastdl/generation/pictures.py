"""Pictures of a GAN's run: grids of images, and how they come to be, as an animation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..vision.pictures import sheet, write_bytes, write_image, write_png

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 2  # pixels between images, before they are made larger
FRAMES = 40  # of an animation at most
_CLEAR = 56  # pixels of a side from which on an image is not made larger
_SECONDS, _LAST = 8.0, 2.0  # of an animation in all, and of its last frame beside that
_QUALITIES, _LARGEST = (80, 60, 40, 20), 1_500_000  # of an animation as WebP; bytes
_PAPER = 255


def grid(
    pixels: NDArray[np.uint8], columns: int, zoom: int | None = None, gap: int = GAP
) -> NDArray[np.uint8]:
    """Images uint8 (N, H, W, C) in rows of ``columns`` with equal gaps on white, as (H, W, C).

    Small images are made ``zoom`` times larger, by default so that a side has 56 pixels or more,
    by repeating pixels: nothing is smoothed.

    >>> grid(np.zeros((6, 28, 28, 1), np.uint8), 3).shape
    (116, 176, 1)
    """
    whole = sheet(pixels, columns, gap, np.full(pixels.shape[3], _PAPER, np.uint8))
    times = zoom or max(1, -(-_CLEAR // max(pixels.shape[1:3])))
    return whole.repeat(times, axis=0).repeat(times, axis=1)


def write_grid(path: Path, pixels: NDArray[np.uint8], columns: int) -> None:
    """A ``grid`` as a PNG file, atomically."""
    write_png(path, grid(pixels, columns), largest=None)


def columns_of(count: int) -> int:
    """Images in a row, for a grid that is about as wide as it is high.

    >>> [columns_of(count) for count in (1, 5, 16, 60, 64)]
    [1, 3, 4, 8, 8]
    """
    return max(1, int(np.ceil(np.sqrt(count))))


def animation_name() -> str:
    """The name epochs.webp, or epochs.gif where Pillow was built without WebP.

    Browsers show both. WebP has all colours and is smaller: 25 grids of 80 colour images of 32
    pixels, in an early training, took 1.4 MB as WebP of quality 60, 5.9 MB as GIF, whose colours
    are 256, and 6.6 MB as PNG.
    """
    from PIL import features

    return "epochs.webp" if features.check("webp") else "epochs.gif"


def write_animation(path: Path, frames: Sequence[Path]) -> None:
    """Grids that are PNG files of one size as a picture that moves, in a loop, atomically.

    At most 40 frames, spread over all; the last one stays for longer. Of WebP, the best of some
    qualities that makes no more than 1.5 MB, so that a page can hold it.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(np.int64))
    images = [_opened(frames[i]) for i in chosen]
    each = int(1000 * min(0.5, _SECONDS / len(images)))
    durations = [each] * (len(images) - 1) + [each + int(1000 * _LAST)]
    own: dict[str, Any] = {"save_all": True, "append_images": images[1:], "loop": 0,
                           "duration": durations, "format": path.suffix[1:].upper()}  # fmt: skip
    if path.suffix != ".webp":
        write_image(path, images[0], **own, optimize=True)
        return
    for quality in _QUALITIES:
        written = io.BytesIO()
        images[0].save(written, **own, quality=quality)
        if written.tell() <= _LARGEST:
            break
    write_bytes(path, written.getvalue())


def _opened(path: Path) -> Image:
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGB")


def neighbours(samples: NDArray[np.uint8], found: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Samples (N, H, W, C), each with its k nearest images (k, H, W, C), in a row: one picture.

    A wider gap parts the sample from what it is compared with.
    """
    k = len(found[0])
    rows = np.concatenate(
        [np.concatenate([own[None], near]) for own, near in zip(samples, found, strict=True)]
    )
    whole = sheet(rows, k + 1, GAP, np.full(rows.shape[3], _PAPER, np.uint8))
    width = samples.shape[2]
    parted = np.full((len(whole), 3 * GAP, whole.shape[2]), _PAPER, np.uint8)
    wide = np.concatenate([whole[:, :width], parted, whole[:, width:]], axis=1)
    times = max(1, -(-_CLEAR // max(samples.shape[1:3])))
    return wide.repeat(times, axis=0).repeat(times, axis=1)
