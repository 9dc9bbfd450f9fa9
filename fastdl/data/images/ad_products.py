"""What is advertised: ten things, each drawn from a few shapes between -1 and 1."""

from __future__ import annotations

from .ad_pen import Pen

DARK = (28, 28, 32)


def _bag(pen: Pen) -> None:
    c = pen.colours
    pen.arc(0, -0.15, (0.4, 0.72), 180, 360, 0.13, c.dark)
    pen.polygon([(-0.66, -0.2), (0.66, -0.2), (0.88, 0.9), (-0.88, 0.9)], c.main)
    pen.polygon([(-0.66, -0.2), (0.66, -0.2), (0.72, 0.15), (-0.72, 0.15)], c.dark)
    pen.box(-0.12, 0.05, 0.12, 0.3, c.light)


def _book(pen: Pen) -> None:
    c = pen.colours
    pen.box(-0.66, -0.9, 0.72, 0.95, c.dark)
    pen.box(-0.5, -0.82, 0.78, 0.86, (245, 242, 230))
    pen.box(-0.7, -0.95, 0.66, 0.84, c.main)
    pen.box(-0.7, -0.95, -0.48, 0.84, c.dark)
    pen.box(-0.3, -0.65, 0.48, -0.48, c.light)
    pen.box(-0.3, -0.35, 0.3, -0.22, c.light)
    pen.oval(0.09, 0.3, 0.26, 0.26, c.other)


def _bottle(pen: Pen) -> None:
    c = pen.colours
    pen.box(-0.18, -1.0, 0.18, -0.78, c.dark)
    pen.polygon([(-0.13, -0.8), (0.13, -0.8), (0.15, -0.45), (0.4, -0.15), (0.4, 1.0), (-0.4, 1.0),
                 (-0.4, -0.15), (-0.15, -0.45)], c.main)  # fmt: skip
    pen.box(-0.4, 0.1, 0.4, 0.65, c.light)
    pen.oval(0, 0.37, 0.18, 0.18, c.other)


def _car(pen: Pen) -> None:
    c = pen.colours
    pen.polygon([(-1.0, 0.4), (-0.97, 0.02), (-0.62, -0.05), (-0.38, -0.45), (0.35, -0.45),
                 (0.62, -0.05), (0.95, 0.08), (1.0, 0.4)], c.main)  # fmt: skip
    pen.polygon([(-0.48, -0.05), (-0.3, -0.36), (-0.04, -0.36), (-0.04, -0.05)], c.light)
    pen.polygon([(0.04, -0.05), (0.04, -0.36), (0.3, -0.36), (0.48, -0.05)], c.light)
    for x in (-0.55, 0.55):
        pen.oval(x, 0.42, 0.24, 0.24, DARK)
        pen.oval(x, 0.42, 0.11, 0.11, (200, 200, 205))


def _cup(pen: Pen) -> None:
    c = pen.colours
    pen.arc(0.5, 0.25, (0.38, 0.36), -100, 100, 0.15, c.main)
    pen.polygon([(-0.7, -0.3), (0.55, -0.3), (0.42, 0.9), (-0.57, 0.9)], c.main)
    pen.oval(-0.075, -0.3, 0.625, 0.14, c.light)
    pen.oval(-0.075, -0.28, 0.5, 0.09, (82, 50, 30))
    for x in (-0.35, -0.05, 0.25):
        pen.line(
            [(x, -0.55), (x + 0.08, -0.72), (x - 0.04, -0.86), (x + 0.05, -1.0)], 0.07, c.light
        )


def _lamp(pen: Pen) -> None:
    c = pen.colours
    pen.polygon([(-0.35, -0.95), (0.35, -0.95), (0.75, 0.0), (-0.75, 0.0)], c.main)
    pen.polygon([(-0.12, -0.95), (0.12, -0.95), (0.25, 0.0), (-0.25, 0.0)], c.light)
    pen.box(-0.06, 0.0, 0.06, 0.85, c.dark)
    pen.oval(0, 0.88, 0.45, 0.12, c.dark)


def _phone(pen: Pen) -> None:
    c = pen.colours
    pen.box(-0.5, -0.9, 0.5, 0.9, DARK)
    pen.oval(0, -0.9, 0.5, 0.1, DARK)
    pen.oval(0, 0.9, 0.5, 0.1, DARK)
    pen.box(-0.42, -0.78, 0.42, 0.72, c.light)
    for i, y in enumerate((-0.55, -0.1, 0.35)):
        for j, x in enumerate((-0.22, 0.22)):
            pen.box(x - 0.13, y - 0.14, x + 0.13, y + 0.14, c.main if (i + j) % 2 else c.other)
    pen.oval(0, 0.85, 0.07, 0.07, (210, 210, 215))


def _shirt(pen: Pen) -> None:
    c = pen.colours
    pen.polygon([(-0.35, -0.8), (0.35, -0.8), (1.0, -0.4), (0.78, 0.05), (0.52, -0.1), (0.52, 0.9),
                 (-0.52, 0.9), (-0.52, -0.1), (-0.78, 0.05), (-1.0, -0.4)], c.main)  # fmt: skip
    pen.oval(0, -0.8, 0.26, 0.2, c.dark)
    pen.box(-0.52, 0.2, 0.52, 0.4, c.other)


def _shoe(pen: Pen) -> None:
    c = pen.colours
    pen.polygon([(-0.92, 0.4), (-0.95, -0.5), (-0.45, -0.55), (-0.3, -0.3), (0.15, -0.05),
                 (0.7, 0.05), (0.97, 0.25), (0.97, 0.4)], c.main)  # fmt: skip
    pen.polygon([(-0.95, -0.5), (-0.45, -0.55), (-0.52, -0.3), (-0.93, -0.2)], c.dark)
    pen.box(-0.97, 0.38, 1.0, 0.6, c.light)
    for i in range(3):
        x, y = -0.22 + 0.2 * i, -0.2 + 0.09 * i
        pen.line([(x - 0.07, y + 0.17), (x + 0.06, y - 0.06)], 0.07, c.light)
    pen.polygon([(-0.7, 0.3), (-0.1, 0.0), (0.0, 0.08), (-0.5, 0.34)], c.other)


def _watch(pen: Pen) -> None:
    c = pen.colours
    pen.polygon([(-0.25, -1.0), (0.25, -1.0), (0.32, 0.0), (0.25, 1.0), (-0.25, 1.0), (-0.32, 0.0)],
                c.main)  # fmt: skip
    pen.oval(0, 0, 0.58, 0.58, c.dark)
    pen.oval(0, 0, 0.46, 0.46, (250, 250, 245))
    pen.line([(0, 0.05), (0, -0.34)], 0.08, DARK)
    pen.line([(-0.04, 0), (0.26, 0.12)], 0.08, DARK)
    pen.box(0.56, -0.08, 0.68, 0.08, c.dark)


PRODUCTS = {
    "bag": _bag, "book": _book, "bottle": _bottle, "car": _car, "cup": _cup, "lamp": _lamp,
    "phone": _phone, "shirt": _shirt, "shoe": _shoe, "watch": _watch,
}  # fmt: skip
