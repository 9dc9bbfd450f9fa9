"""Drawn ad creatives: the built-in images."""

from __future__ import annotations

from .image_set import ImageSet

LABELS = ("product", "layout", "action")


def generate_ads(
    rows: int, size: int = 64, seed: int = 0, difficulty: float = 0.5, labels: str = "product"
) -> ImageSet:
    """``rows`` drawn ad creatives of ``size`` pixels, (3, size, size), made when they are loaded.

    Image i follows from (seed, i) alone. difficulty: from 0, clean, to 1, with clutter, low
    contrast, small and rotated products, noise and occlusion. labels: what the classes are, the
    kind of "product", the "layout" or the call to "action".

    Raises ValueError or TypeError for values out of range.
    """
    raise NotImplementedError
