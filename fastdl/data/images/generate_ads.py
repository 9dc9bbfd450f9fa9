"""Drawn ad creatives: the built-in images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...validation import check_number, check_size
from .ad_layouts import ACTIONS, LAYOUTS
from .ad_products import PRODUCTS
from .image_set import ImageSet

LABELS: dict[str, tuple[str, ...]] = {
    "product": tuple(PRODUCTS), "layout": tuple(LAYOUTS), "action": tuple(ACTIONS),
}  # fmt: skip
_SMALLEST = 24  # pixels: below, nothing can be told


def generate_ads(
    rows: int, size: int = 64, seed: int = 0, difficulty: float = 0.5, labels: str = "product", *,
    layouts: Sequence[str] | None = None,
) -> ImageSet:  # fmt: skip
    """``rows`` drawn ad creatives of ``size`` pixels, (3, size, size), made when they are loaded.

    Each shows a product, a price, a logo, a button with a call to action and, mostly, a headline.
    Image i follows from (seed, i) alone, whatever its labels are. difficulty: from 0, clean, to 1,
    with clutter, low contrast, small and rotated products, noise and occlusion. labels: what the
    classes are, the kind of "product" (10), the "layout" (7) or the call to "action" (5). layouts:
    those that occur, such as ["centre"]; None for all of them.

    Raises ValueError or TypeError for values out of range.

    >>> generate_ads(100, size=32)
    ImageSet(100 images of 10 classes, 3 x 32 x 32)
    >>> generate_ads(100, labels="action").classes
    ('buy', 'call', 'install', 'learn', 'sign up')
    """
    if labels not in LABELS:
        raise ValueError(f"labels is {labels!r}; expected one of {', '.join(LABELS)}.")
    if check_size(size, "size") < _SMALLEST:
        raise ValueError(f"size is {size}; expected {_SMALLEST} or more.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number of 0 or more.")
    hard = check_number(difficulty, "difficulty", high=1.0)
    wanted = LABELS["layout"] if layouts is None else tuple(layouts)
    if not wanted or isinstance(layouts, str) or not set(wanted) <= set(LABELS["layout"]):
        raise ValueError(f"layouts is {layouts!r}; expected some of {', '.join(LAYOUTS)}.")
    source = AdSource(check_size(rows, "rows"), size, int(seed), hard, wanted)
    return ImageSet.of(source, rows, source.facts[labels], source.names[labels])


class AdSource:
    """Ad creatives drawn on demand; ``facts`` has the class of each of them for every labelling."""

    def __init__(
        self, rows: int, size: int, seed: int, difficulty: float, layouts: tuple[str, ...]
    ) -> None:
        self.size, self.seed, self.difficulty = size, seed, difficulty
        self.names = {**LABELS, "layout": layouts}
        kinds = [self._kinds(self._rng(row)) for row in range(rows)]
        self.facts = dict(zip(LABELS, np.array(kinds, np.int64).T, strict=True))

    def name(self, row: int) -> str:
        return f"image {row}"

    def shape(self, rows: np.ndarray) -> tuple[int, int, int] | None:
        return 3, self.size, self.size

    def load(self, rows: np.ndarray, out: np.ndarray, fit: str) -> None:
        from PIL import Image

        from .sources import pixels

        for row, place in zip(rows, out, strict=True):
            place[...] = pixels(Image.fromarray(self._drawn(int(row))), place, fit)

    def check(self, row: int) -> None:
        pass

    def _rng(self, row: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, row])

    def _drawn(self, row: int) -> np.ndarray:
        from .ad_drawing import drawn

        rng = self._rng(row)
        product, layout, action = (
            names[kind] for names, kind in zip(self.names.values(), self._kinds(rng), strict=True)
        )
        return drawn(rng, self.size, product, layout, action, self.difficulty)

    def _kinds(self, rng: np.random.Generator) -> list[int]:
        """A class for every labelling: the first numbers that an image draws."""
        return [int(rng.integers(0, len(names))) for names in self.names.values()]
