"""How pictures look, whatever the user's matplotlib settings are: colours, fonts, panels.

Everything is drawn with matplotlib's objects and never with pyplot, so that a program that trains
keeps its own backend, figures and settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .texts import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

# Okabe and Ito's colours, which readers with any colour vision can tell apart.
BLUE, ORANGE, GREEN, GREY, FAINT = "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#B9D6EA"
GRID, NOTE = "#E6E8EB", "#F4F5F7"
# The settings that reach a picture; the others, the backend among them, stay as they are.
_STYLE_GROUPS = {
    *("agg", "axes", "errorbar", "figure", "font", "grid", "legend", "lines", "mathtext"),
    *("patch", "path", "savefig", "svg", "text", "xaxis", "xtick", "yaxis", "ytick"),
}
# Fonts for titles in Korean, Japanese or Chinese; the ones that are installed are used.
_FALLBACK_FONTS = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Microsoft YaHei", "Arial Unicode MS"),
)


@contextmanager
def default_style(**settings: Any) -> Iterator[None]:
    """matplotlib's default settings and a font for any title, whatever the user has set."""
    import matplotlib

    defaults = {
        key: matplotlib.rcParamsDefault[key]
        for key in matplotlib.rcParamsDefault
        if key.split(".")[0] in _STYLE_GROUPS
    }
    own: Any = {key.replace("__", "."): value for key, value in settings.items()}
    with matplotlib.rc_context({**defaults, "font.family": _fonts(), **own}):  # set back afterwards
        yield


def _fonts() -> list[str]:
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed)]


def drawable(title: str) -> str:
    """One line of the title, with a square for a letter that no font has (it would warn)."""
    from matplotlib import font_manager

    known: set[int] = set()
    for name in _fonts():
        known.update(font_manager.get_font(font_manager.findfont(name)).get_charmap())
    line = one_line(title)
    return "".join(letter if ord(letter) in known else "\N{WHITE SQUARE}" for letter in line)


def plain_panel(ax: Axes) -> None:
    """No frame on top and right, a faint grid behind what is drawn."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(color=GREY, labelsize=10)
    ax.grid(color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def head(ax: Axes, title: str, x: str, y: str) -> None:
    """A panel's title and what its axes are."""
    ax.set_title(title, loc="left", fontsize=12)
    ax.set_xlabel(x, fontsize=11)
    ax.set_ylabel(y, fontsize=11)


def legend(
    ax: Axes, where: Literal["best", "upper right", "upper left", "lower right", "lower left"]
) -> None:
    """What the lines are."""
    ax.legend(loc=where, frameon=True, framealpha=0.9, edgecolor="none", fontsize=10)


def note(ax: Axes, text: str) -> None:
    """A panel with a reason in the place of a curve."""
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    box = {"boxstyle": "round,pad=0.6", "facecolor": NOTE, "edgecolor": "none"}
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=11, bbox=box)
