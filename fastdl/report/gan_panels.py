"""Panels of the page of a GAN: both losses, scores, distances, and what neighbours tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .loss import epoch_curve
from .style import BLUE, FAINT, GREEN, GREY, ORANGE, drawable, head, legend, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = Mapping[str, Any]
_NEIGHBOURS = {"precision": BLUE, "recall": ORANGE, "density": GREY, "coverage": GREEN}


def draw_losses(ax: Axes, curves: Mapping[str, Any]) -> None:
    """The discriminator's and the generator's loss of every step."""
    _pair(ax, curves, {"discriminator": BLUE, "generator": ORANGE})
    head(ax, "Losses", "epochs", "loss")


def draw_scores(ax: Axes, curves: Mapping[str, Any]) -> None:
    """How real the discriminator found real images and generated ones."""
    _pair(ax, curves, {"real": BLUE, "fake": ORANGE}, {"fake": "generated"})
    head(ax, "How real the discriminator finds images", "epochs", "mean score")


def _pair(
    ax: Axes, curves: Mapping[str, Any], colours: Mapping[str, str],
    names: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    drawn = []
    for name, colour in colours.items():
        own = curves[name]
        epoch, loss, smoothed = (
            np.asarray(own[part], np.float64) for part in ("epoch", "loss", "smoothed")
        )
        if own["window"] > 1:
            ax.plot(epoch, loss, color=colour, alpha=0.25, linewidth=0.6)
        ax.plot(epoch, smoothed, color=colour, linewidth=1.8, label=(names or {}).get(name, name),
                marker="o" if len(epoch) == 1 else "")  # fmt: skip
        drawn.append(smoothed)
    seen = np.concatenate(drawn)
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        note(ax, "No finite loss was recorded.")
        return
    low, high = float(seen.min()), float(seen.max())
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    ax.set_ylim(low - margin, high + 4 * margin)  # the legend lies in the upper margin
    ax.set_xlim(left=0)
    legend(ax, "upper right")


def draw_distance(ax: Axes, results: Results, name: str, title: str) -> None:
    """A distance from held-out images by epoch, beside that of real images among themselves."""
    found = epoch_curve(results.get("history") or {}, name)
    floor = (results.get("test") or {}).get(f"{name}_floor")
    head(ax, title, "epochs", "distance")
    if not len(found[0]):
        note(ax, "Nothing was judged.")
        return
    best = int(np.argmin(found[1]))
    text = f"generated, least {found[1][best]:.3g} after epoch {found[0][best]:g}"
    ax.plot(*found, "o-", color=BLUE, linewidth=1.8, markersize=4, label=text)
    if floor is not None:
        text = f"real images {floor:.3g}"
        ax.axhline(floor, color=GREY, linestyle=":", linewidth=1.4, label=text)
    if found[1].min() > 0 and found[1].max() > 20 * found[1].min():
        ax.set_yscale("log")
    else:
        low, high = min(0.0, *found[1]), float(found[1].max())
        ax.set_ylim(low, high + 0.3 * (high - low or 1.0))
    ax.set_xlim(left=0)
    ax.locator_params("x", integer=True)
    legend(ax, "upper right")


def draw_neighbours(ax: Axes, history: Mapping[str, Any]) -> None:
    """Precision, recall, density and coverage by epoch."""
    head(ax, "Precision, recall, density, coverage", "epochs", "share (density: ratio)")
    top = 1.0
    for name, colour in _NEIGHBOURS.items():
        found = epoch_curve(history, name)
        if len(found[0]):
            ax.plot(*found, "o-", color=colour, linewidth=1.8, markersize=4, label=name)
            top = max(top, float(found[1].max()))
    if not ax.lines:
        note(ax, "Nothing was judged.")
        return
    ax.set_ylim(0, 1.3 * top)
    ax.set_xlim(left=0)
    ax.locator_params("x", integer=True)
    ax.legend(loc="upper right", ncols=2, frameon=True, framealpha=0.9, edgecolor="none",
              fontsize=10)  # fmt: skip


def draw_balance(
    ax: Axes, names: Sequence[str], made: Sequence[float], real: Sequence[float]
) -> None:
    """The share of each class among generated images, beside that among real ones."""
    head(ax, "Balance of the classes", "share of images (%)", "")
    places = np.arange(len(names))
    ax.barh(places - 0.2, 100 * np.asarray(made), 0.38, color=BLUE, label="generated")
    ax.barh(places + 0.2, 100 * np.asarray(real), 0.38, color=FAINT, label="real")
    ax.set_yticks(places)
    for text in ax.set_yticklabels([drawable(name) for name in names]):
        text.set_parse_math(False)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    top = 100 * max(float(np.max(made)), float(np.max(real)))
    ax.set_xlim(0, 1.45 * top)  # the legend lies on the right
    legend(ax, "lower right")
