"""Ad creatives drawn from shapes and text, twice as large as they come out."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import Any

import numpy as np

from .ad_layouts import ACTIONS, LAYOUTS, WORDS, Box, Layout
from .ad_pen import Colour, Colours, Pen
from .ad_products import PRODUCTS

_FINER = 2  # lines are drawn so many times larger, then averaged
_WHITE, _BLACK = (255, 255, 255), (20, 20, 24)


@cache
def font(pixels: int) -> Any:
    """Pillow's own font, letters about 0.7 of ``pixels`` high."""
    from PIL import ImageFont

    return ImageFont.load_default(pixels)


def drawn(
    rng: np.random.Generator, size: int, product: str, layout: str, action: str, difficulty: float
) -> np.ndarray:
    """One creative, uint8 (size, size, 3)."""
    from PIL import ImageDraw

    side = size * _FINER
    ground = _colour(rng, 0.15, 0.55, 0.72, 1.0) if rng.random() < 0.65 else (
        _colour(rng, 0.3, 0.8, 0.12, 0.4)
    )  # fmt: skip
    image = _background(rng, side, ground, difficulty)
    canvas = ImageDraw.Draw(image)
    places = LAYOUTS[layout]
    panel = _colour(rng, 0.3, 0.8, 0.3, 0.9)
    if places.panel is not None:
        canvas.rectangle(_pixels(places.panel, side), fill=panel)
    _clutter(rng, canvas, side, difficulty)
    _product(rng, canvas, places.product, side, product, ground, difficulty)
    _occlusion(rng, canvas, places.product, side, difficulty)
    _texts(rng, canvas, places, side, action, (ground, panel))
    return _with_noise(rng, np.asarray(image.reduce(_FINER)), difficulty)


def _background(rng: np.random.Generator, side: int, ground: Colour, difficulty: float) -> Any:
    """One colour, a gradient, or stripes."""
    from PIL import Image, ImageDraw

    kind = rng.integers(0, 3)
    near = _mixed(ground, _colour(rng, 0.0, 0.9, 0.1, 1.0), 0.25 + 0.3 * difficulty)
    image = Image.new("RGB", (side, side), ground)
    if kind == 1:
        mask = Image.linear_gradient("L").resize((side, side))
        turned = mask.rotate(90 * int(rng.integers(0, 4)))
        image.paste(near, (0, 0, side, side), turned)
    elif kind == 2:
        canvas, step = ImageDraw.Draw(image), int(side * rng.uniform(0.08, 0.25))
        faint = _mixed(ground, near, 0.4)
        for x in range(-side, side, 2 * step):
            canvas.line([(x, side), (x + side, 0)], fill=faint, width=step)
    return image


def _clutter(rng: np.random.Generator, canvas: Any, side: int, difficulty: float) -> None:
    for _ in range(rng.poisson(7 * difficulty)):
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(0.02, 0.11) * side
        colour, kind = _colour(rng, 0.1, 0.9, 0.2, 1.0), rng.integers(0, 3)
        if kind == 0:
            canvas.ellipse([x - r, y - r, x + r, y + r], fill=colour)
        elif kind == 1:
            canvas.rectangle([x - r, y - r / 2, x + r, y + r / 2], fill=colour)
        else:
            canvas.line(
                [(x - 2 * r, y - r), (x + r, y + 2 * r)], fill=colour, width=max(1, side // 50)
            )


def _product(
    rng: np.random.Generator, canvas: Any, box: Box, side: int, product: str, ground: Colour,
    difficulty: float,
) -> None:  # fmt: skip
    wide, high = (box[2] - box[0]) * side / 2, (box[3] - box[1]) * side / 2
    scale = min(wide, high) * (1 - 0.45 * difficulty * rng.random())
    slack = max(0.0, 0.95 * min(wide, high) - scale)
    x = (box[0] + box[2]) / 2 * side + rng.uniform(-slack, slack)
    y = (box[1] + box[3]) / 2 * side + rng.uniform(-slack, slack)
    angle = np.deg2rad(rng.uniform(-35, 35) * difficulty)
    main = _apart(rng, ground)
    fade = 0.6 * difficulty * rng.random()
    shades = (main, _mixed(main, _BLACK, 0.45), _mixed(main, _WHITE, 0.72), _apart(rng, main))
    colours = Colours(*(_mixed(shade, ground, fade) for shade in shades))
    PRODUCTS[product](Pen(canvas, (x, y), scale, float(angle), colours))


def _occlusion(
    rng: np.random.Generator, canvas: Any, box: Box, side: int, difficulty: float
) -> None:
    """A sticker over some part of the product."""
    if rng.random() >= 0.6 * difficulty:
        return
    wide = (box[2] - box[0]) * side
    r = rng.uniform(0.1, 0.22) * wide
    x = rng.uniform(box[0] * side + r, box[2] * side - r)
    y = rng.uniform(box[1] * side + r, box[3] * side - r)
    canvas.ellipse([x - r, y - r, x + r, y + r], fill=_colour(rng, 0.6, 1.0, 0.6, 1.0))
    _text(canvas, "%", (x - r, y - r, x + r, y + r), _WHITE)


def _texts(
    rng: np.random.Generator, canvas: Any, places: Layout, side: int, action: str,
    behind: tuple[Colour, Colour],
) -> None:  # fmt: skip
    """Headline, price, button and logo; behind: the colours of the ground and of the panel."""
    if places.headline is not None:
        left, top, right, bottom = _pixels(places.headline, side)
        lines = 2 if places.headline[3] - places.headline[1] > 0.25 else 1
        for i in range(lines):
            words = " ".join(rng.choice(WORDS, 2 if lines == 1 else 1))
            high = (bottom - top) / lines
            _text(
                canvas,
                words,
                (left, top + i * high, right, top + (i + 1) * high),
                _ink(behind[_lies_in(places.headline, places.panel)]),
            )
    price = f"${rng.integers(1, 100)}" + (".99" if rng.random() < 0.3 else "")
    ink = _ink(behind[_lies_in(places.price, places.panel)])
    _text(canvas, price, _pixels(places.price, side), ink)
    box = _pixels(places.button, side)
    fill = _colour(rng, 0.6, 1.0, 0.35, 0.75)
    canvas.rounded_rectangle(box, radius=(box[3] - box[1]) * rng.uniform(0, 0.5), fill=fill)
    _text(canvas, ACTIONS[action], box, _ink(fill))
    _logo(rng, canvas, _pixels(places.logo, side))


def _logo(rng: np.random.Generator, canvas: Any, box: Box) -> None:
    colour, kind = _colour(rng, 0.5, 1.0, 0.4, 0.9), rng.integers(0, 3)
    left, top, right, bottom = box
    if kind == 0:
        canvas.ellipse(box, fill=colour)
    elif kind == 1:
        canvas.polygon([(left, bottom), ((left + right) / 2, top), (right, bottom)], fill=colour)
    else:
        canvas.rectangle(box, fill=colour)
    middle = [left * 0.65 + right * 0.35, top * 0.5 + bottom * 0.5]
    canvas.ellipse([*middle, middle[0] + (right - left) * 0.3, middle[1] + (bottom - top) * 0.3],
                   fill=_WHITE)  # fmt: skip


def _text(canvas: Any, text: str, box: Box, ink: Colour) -> None:
    """As large as the box allows, in its middle."""
    left, top, right, bottom = box
    pixels = max(6, int(min((bottom - top) * 0.95, 1.75 * (right - left) / max(1, len(text)))))
    place = ((left + right) / 2, (top + bottom) / 2)
    canvas.text(place, text, fill=ink, font=font(pixels), anchor="mm")


def _with_noise(rng: np.random.Generator, pixels: np.ndarray, difficulty: float) -> np.ndarray:
    spread = 22 * difficulty * rng.random()
    if spread < 0.5:
        return pixels
    noise = rng.standard_normal(pixels.shape, np.float32) * np.float32(spread)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _pixels(box: Box, side: int) -> Box:
    return box[0] * side, box[1] * side, box[2] * side, box[3] * side


def _colour(
    rng: np.random.Generator, low: float, high: float, darkest: float, brightest: float
) -> Colour:
    """Any hue, with saturation and value between bounds."""
    hue, saturation, value = rng.random(), rng.uniform(low, high), rng.uniform(darkest, brightest)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return int(255 * red), int(255 * green), int(255 * blue)


def _apart(rng: np.random.Generator, other: Colour) -> Colour:
    """A colour that stands out from another one: of a few, the one farthest from it."""
    several = [_colour(rng, 0.5, 1.0, 0.15, 0.95) for _ in range(4)]
    return max(several, key=lambda c: sum(abs(a - b) for a, b in zip(c, other, strict=True)))


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (int(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _ink(behind: Colour) -> Colour:
    """Black or white, whichever can be read on a colour."""
    red, green, blue = behind
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 135 else _WHITE


def _lies_in(box: Box, panel: Box | None) -> bool:
    return panel is not None and box[0] >= panel[0] and box[1] >= panel[1]
