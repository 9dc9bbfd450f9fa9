"""Images brought to one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...validation import check_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FITS = ("crop", "pad", "stretch")
CHANNELS = (1, 3)


def resized(image: Picture, size: tuple[int, int], fit: str) -> Picture:
    """An "L" or "RGB" image of ``size`` (H, W), by a bicubic filter that is antialiased.

    "crop" keeps the middle, as large as the aspect ratio allows; "pad" keeps all, on white;
    "stretch" changes the aspect ratio.

    >>> from PIL import Image
    >>> resized(Image.new("L", (8, 4)), (2, 2), "pad").getpixel((0, 0))
    0
    """
    from PIL import Image

    height, width = size
    if image.size == (width, height):
        return image
    box = (0.0, 0.0, float(image.width), float(image.height))
    if fit == "pad":
        scale = min(width / image.width, height / image.height)
        inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        below = Image.new(image.mode, (width, height), "white")
        small = image.resize(inner, Image.Resampling.BICUBIC)
        below.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return below
    if fit == "crop":
        scale = min(image.width / width, image.height / height)
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), Image.Resampling.BICUBIC, box)


def check_image_size(size: Any, name: str = "size") -> tuple[int, int]:
    """``size`` as (H, W), from one number for both or two."""
    if isinstance(size, tuple | list | np.ndarray):
        if len(size) != 2:
            raise ValueError(f"{name} is {size!r}; expected one number or (height, width).")
        return check_size(size[0], f"{name}[0]"), check_size(size[1], f"{name}[1]")
    return (check_size(size, name),) * 2


def check_channels(channels: Any) -> int:
    """1 or 3."""
    if channels not in CHANNELS:
        raise ValueError(f"channels is {channels!r}; expected 1 (grey) or 3 (RGB).")
    return int(channels)


def check_fit(fit: Any) -> str:
    """One of ``FITS``."""
    if fit not in FITS:
        raise ValueError(f"fit is {fit!r}; expected one of {', '.join(FITS)}.")
    return str(fit)
