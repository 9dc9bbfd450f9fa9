"""Pictures of a page: inline SVG whose colours are the page's, so that it has a dark side too."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .style import BLUE, FAINT, GREEN, GREY, GRID, NOTE, ORANGE, default_style, plain_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PAPER = "#010203", "#fdfeff"  # what no other part of a picture is drawn in
COLOURS = {
    BLUE: "blue", ORANGE: "orange", GREEN: "green", GREY: "grey", FAINT: "faint", GRID: "grid",
    NOTE: "note", INK: "ink", PAPER: "paper",
}  # fmt: skip


def inline_svg(
    name: str, draw: Callable[[Axes], None], text: str, width: float, height: float
) -> str:
    """A panel as an <svg> element; sizes are inches at the picture's own scale.

    ``name`` keeps the picture's ids apart from those of the page's other pictures, ``text`` is
    what readers hear who cannot see it. Letters stay text, in the page's font.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    inks = {f"{part}__color": INK for part in ("text", "xtick", "ytick")}
    inks |= {"axes__labelcolor": INK, "axes__facecolor": PAPER, "axes__titlecolor": INK}
    with default_style(svg__fonttype="none", svg__hashsalt=name, **inks):
        figure = Figure(figsize=(width, height), layout="constrained")
        ax = figure.subplots()
        plain_panel(ax)
        draw(ax)
        figure.patch.set_visible(False)
        written = io.StringIO()
        # savefig would draw it a second time, for a layout that drawing makes anyway
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None, "Creator": None})
    return _embedded(written.getvalue(), name, text)


def _embedded(svg: str, name: str, text: str) -> str:
    """The <svg> element alone, its ids and colours those of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.S)  # would be the whole page's
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = svg.replace('xlink:href="#', f'href="#{name}-')  # as SVG 2 and HTML have it
    for colour, role in COLOURS.items():
        svg = re.sub(colour, f"var(--{role})", svg, flags=re.I)
    box = re.search(r'viewBox="[^"]*"', svg)
    svg = svg[svg.index(">") + 1 :]
    return f'<svg role="img" aria-label="{text}" {box.group() if box else ""}>{svg.strip()}'
