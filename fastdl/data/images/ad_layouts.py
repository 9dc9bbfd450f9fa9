"""Where the parts of an ad creative lie, as shares of its width and height."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Layout:
    """Places of the parts; ``panel`` is an area of another colour that lies behind some of them."""

    product: Box
    headline: Box | None
    price: Box
    button: Box
    logo: Box
    panel: Box | None = None


LAYOUTS = {
    "band": Layout((0.2, 0.04, 0.8, 0.58), (0.05, 0.63, 0.95, 0.78), (0.04, 0.04, 0.34, 0.16),
                   (0.28, 0.8, 0.72, 0.96), (0.84, 0.04, 0.96, 0.16), (0, 0.6, 1, 1)),
    "bottom": Layout((0.2, 0.38, 0.8, 0.98), (0.05, 0.17, 0.95, 0.36), (0.68, 0.02, 0.98, 0.15),
                     (0.22, 0.02, 0.64, 0.16), (0.03, 0.02, 0.15, 0.14)),
    "centre": Layout((0.16, 0.17, 0.84, 0.79), None, (0.68, 0.03, 0.97, 0.16),
                     (0.28, 0.82, 0.72, 0.97), (0.03, 0.03, 0.15, 0.15)),
    "left": Layout((0.01, 0.2, 0.52, 0.8), (0.54, 0.2, 0.98, 0.55), (0.56, 0.58, 0.94, 0.73),
                   (0.54, 0.78, 0.97, 0.95), (0.82, 0.03, 0.95, 0.16)),
    "right": Layout((0.48, 0.2, 0.99, 0.8), (0.02, 0.2, 0.46, 0.55), (0.06, 0.58, 0.44, 0.73),
                    (0.03, 0.78, 0.46, 0.95), (0.05, 0.03, 0.18, 0.16)),
    "split": Layout((0.02, 0.25, 0.54, 0.77), (0.59, 0.06, 0.98, 0.34), (0.6, 0.42, 0.97, 0.58),
                    (0.57, 0.76, 0.99, 0.93), (0.05, 0.04, 0.18, 0.17), (0.56, 0, 1, 1)),
    "top": Layout((0.2, 0.02, 0.8, 0.6), (0.05, 0.63, 0.95, 0.8), (0.04, 0.83, 0.36, 0.96),
                  (0.52, 0.82, 0.97, 0.97), (0.03, 0.03, 0.15, 0.15)),
}  # fmt: skip
ACTIONS = {"buy": "BUY", "call": "CALL", "install": "GET", "learn": "MORE", "sign up": "JOIN"}
WORDS = (
    "new", "summer", "sale", "best", "now", "free", "top", "deal", "style", "fresh", "today",
    "only", "save", "big", "home", "smart", "easy", "love", "your", "day", "gift", "pure", "light",
)  # fmt: skip
