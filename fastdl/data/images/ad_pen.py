"""Shapes drawn at any place, size and angle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Colour = tuple[int, int, int]
Point = tuple[float, float]

_ROUND = np.linspace(0, 2 * np.pi, 28, endpoint=False)


@dataclass(frozen=True)
class Colours:
    """Those of one product: its own, two shades of it, and one that lies beside it."""

    main: Colour
    dark: Colour
    light: Colour
    other: Colour


class Pen:
    """Draws in coordinates from -1 to 1, y down, that lie around ``centre``, scaled and turned."""

    def __init__(
        self, canvas: Any, centre: Point, scale: float, angle: float, colours: Colours
    ) -> None:
        self.canvas, self.centre, self.scale, self.colours = canvas, centre, scale, colours
        self._cos, self._sin = np.cos(angle) * scale, np.sin(angle) * scale

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """The filled area between points."""
        left, top = self.centre
        c, s = self._cos, self._sin
        self.canvas.polygon(
            [(left + c * x - s * y, top + s * x + c * y) for x, y in points], fill=colour
        )

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """A filled rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def oval(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        """A filled ellipse with these half axes."""
        around = zip(x + wide * np.cos(_ROUND), y + high * np.sin(_ROUND), strict=True)
        self.polygon(list(around), colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Straight pieces from point to point."""
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
            length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
            x, y = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
            self.polygon(
                [(x0 + x, y0 + y), (x1 + x, y1 + y), (x1 - x, y1 - y), (x0 - x, y0 - y)], colour
            )

    def arc(
        self, x: float, y: float, radius: Point, start: float, stop: float, width: float,
        colour: Colour,
    ) -> None:  # fmt: skip
        """A piece of an ellipse's line, in degrees from the right by way of below."""
        angles = np.deg2rad(np.linspace(start, stop, 16))
        points = zip(x + radius[0] * np.cos(angles), y + radius[1] * np.sin(angles), strict=True)
        self.line(list(points), width, colour)
