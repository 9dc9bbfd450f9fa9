"""Images of a run as PNG files: creatives, heat maps over them, filters."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import write_atomically

LARGEST = 112  # pixels of a picture's longer side; larger creatives are made smaller
_GAP = 1  # pixels between filters
# from nothing over yellow and orange to red: (share of the colour, red, green, blue)
_RAMP = np.array([[0, 255, 230, 90], [0.45, 255, 190, 40], [0.7, 245, 110, 20], [0.8, 205, 10, 40]])


def write_png(path: Path, pixels: NDArray[np.uint8], largest: int = LARGEST) -> None:
    """Pixels (H, W, 1), (H, W, 3) or, with alpha, (H, W, 4) as a PNG file, atomically.

    A longer side than ``largest`` is made as short as that.
    """
    from PIL import Image

    if pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if max(image.size) > largest:
        image.thumbnail((largest, largest))
    written = io.BytesIO()
    image.save(written, format="PNG", optimize=True)
    write_atomically(path, lambda temporary: _write_bytes(temporary, written), durable=False)


def _write_bytes(path: Path, written: io.BytesIO) -> None:
    path.write_bytes(written.getvalue())


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


def filter_sheet(W: np.ndarray, least: int = 24) -> NDArray[np.uint8]:
    """Filters (K, C, KH, KW) beside each other as (H, W, 4); grey where C is not 3.

    Each filter is scaled by its own largest weight, so that 0 is the middle grey; between them the
    sheet is transparent.

    >>> filter_sheet(np.ones((4, 1, 3, 3))).shape
    (49, 49, 4)
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
    height, width = pixels.shape[1] + _GAP, pixels.shape[2] + _GAP
    sheet = np.zeros((-(-K // columns) * height - _GAP, columns * width - _GAP, 4), np.uint8)
    for k, own in enumerate(pixels):
        top_left = k // columns * height, k % columns * width
        place = sheet[top_left[0] : top_left[0] + height - _GAP]
        place[:, top_left[1] : top_left[1] + width - _GAP] = np.dstack(
            [own, np.full(own.shape[:2], 255, np.uint8)]
        )
    return sheet
