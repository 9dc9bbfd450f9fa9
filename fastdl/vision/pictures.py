"""Images of a run as PNG files: creatives, heat maps over them, filters."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..files import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 112  # pixels of a picture's longer side; larger creatives are made smaller
_GAP = 4  # pixels between filters
# from nothing over yellow and orange to red: (share of the colour, red, green, blue)
_RAMP = np.array([[0, 255, 230, 90], [0.45, 255, 190, 40], [0.7, 245, 110, 20], [0.8, 205, 10, 40]])


def write_png(path: Path, pixels: NDArray[np.uint8], largest: int | None = LARGEST) -> None:
    """Pixels (H, W, 1), (H, W, 3) or, with alpha, (H, W, 4) as a PNG file, atomically.

    A longer side than ``largest``, unless that is None, is made as short as that.
    """
    image = pillow_image(pixels)
    if largest is not None and max(image.size) > largest:
        image.thumbnail((largest, largest))
    # Pillow's optimize, level 9, made a grid of an epoch 6 % smaller in 0.44 s in place of 0.065
    write_image(path, image, format="PNG", compress_level=7)


def pillow_image(pixels: NDArray[np.uint8]) -> Image:
    """Pixels (H, W, C) as an image of Pillow's."""
    from PIL import Image

    return Image.fromarray(
        np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    )


def write_image(path: Path, image: Image, **options: Any) -> None:
    """An image of Pillow's as a file, atomically; ``options`` are those of its ``save``."""
    written = io.BytesIO()
    image.save(written, **options)
    write_bytes(path, written.getvalue())


def write_bytes(path: Path, content: bytes) -> None:
    """A picture's bytes as a file, atomically."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_atomically(path, write, durable=False)


def sheet(
    pixels: NDArray[np.uint8], columns: int, gap: int, behind: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Pictures (N, H, W, C) beside each other in rows of ``columns``, as one (H, W, C).

    Between them, and in the places of a last row that is not full, is the colour ``behind`` (C,).

    >>> sheet(np.ones((3, 4, 5, 1), np.uint8), 2, 1, np.zeros(1, np.uint8))[:, :, 0].sum(axis=1)
    array([10, 10, 10, 10,  0,  5,  5,  5,  5], dtype=uint64)
    """
    N, H, W, C = pixels.shape
    rows = -(-N // columns)
    found = np.empty((rows, H + gap, columns, W + gap, C), np.uint8)
    found[...] = behind
    for i, own in enumerate(pixels):
        found[i // columns, :H, i % columns, :W] = own
    whole = found.reshape(rows * (H + gap), columns * (W + gap), C)
    return whole[: rows * (H + gap) - gap, : columns * (W + gap) - gap]


def heated(pixels: NDArray[np.uint8], heat: np.ndarray) -> NDArray[np.uint8]:
    """A creative (H, W, C) in grey with its heat map (H, W) in colour over it, (H, W, 3).

    >>> cold = heated(np.full((2, 2, 3), 100, np.uint8), np.zeros((2, 2)))
    >>> cold.shape, bool((cold[..., 0] == cold[..., 1]).all())
    ((2, 2, 3), True)
    """
    weights = [0.299, 0.587, 0.114] if pixels.shape[2] == 3 else [1.0]  # luma of Rec. 601
    grey = pixels.astype(np.float64) @ np.array(weights)
    base = np.repeat(
        (48 + 0.75 * grey)[:, :, None], 3, axis=2
    )  # lighter, so that colour stands out
    stops = np.linspace(0, 1, len(_RAMP))
    share, *colour = (np.interp(heat, stops, column) for column in _RAMP.T)
    mixed = base + share[:, :, None] * (np.stack(colour, axis=2) - base)
    return mixed.round().clip(0, 255).astype(np.uint8)


def filter_sheet(W: np.ndarray, least: int = 36) -> NDArray[np.uint8]:
    """Filters (K, C, KH, KW) beside each other as (H, W, 4); grey where C is not 3.

    Each filter is scaled by its own largest weight, so that 0 is the middle grey; between them the
    sheet is transparent.

    >>> filter_sheet(np.ones((4, 1, 3, 3))).shape
    (76, 76, 4)
    """
    K, C, KH, KW = W.shape
    shown = W if C == 3 else W.mean(axis=1, keepdims=True)
    top = np.abs(shown).max(axis=(1, 2, 3), keepdims=True)
    level = np.divide(shown, top, out=np.zeros_like(shown), where=top > 0)
    pixels = (127.5 + 127.5 * level).round().astype(np.uint8).transpose(0, 2, 3, 1)
    zoom = max(1, -(-least // max(KH, KW)))
    pixels = pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)
    if pixels.shape[3] == 1:
        pixels = pixels.repeat(3, axis=3)
    columns = min(K, max(1, round(np.sqrt(2 * K)))) if K > 4 else max(1, round(np.sqrt(K)))
    opaque = np.full((*pixels.shape[:3], 1), 255, np.uint8)
    return sheet(np.concatenate([pixels, opaque], axis=3), columns, _GAP, np.zeros(4, np.uint8))
