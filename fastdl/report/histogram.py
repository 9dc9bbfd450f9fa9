"""How predicted probabilities are spread: rows counted in bins of equal width in log-odds.

Click probabilities span orders of magnitude: of bins of equal width in probability nearly all rows
would fall into the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .style import BLUE, ORANGE, Floats, head, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 40
_LEAST = 1e-7  # probabilities nearer to 0 or 1 count as this near


def histogram(label: ArrayLike, probability: ArrayLike) -> dict[str, np.ndarray]:
    """ "edges" (bins + 1,), probabilities; "clicks" and "others" (bins,), rows of each class.

    >>> found = histogram([0, 1, 1], [0.2, 0.2, 0.8])
    >>> found["edges"][[0, -1]].round(6).tolist(), found["clicks"][[0, -1]].tolist()
    ([0.2, 0.8], [1, 1])
    """
    y = np.asarray(label) != 0
    odds = _logit(np.asarray(probability, np.float64))
    low, high = float(odds.min()), float(odds.max())
    if high - low < 1e-3:  # one probability for all rows
        low, high = low - 0.05, high + 0.05
    edges = np.linspace(low, high, BINS + 1)
    place = ((odds - low) * (BINS / (high - low))).astype(np.int64).clip(0, BINS - 1)
    clicks, rows = (np.bincount(part, minlength=BINS) for part in (place[y], place))
    return {"edges": 1 / (1 + np.exp(-edges)), "clicks": clicks, "others": rows - clicks}


def _logit(p: Floats) -> Floats:
    p = p.clip(_LEAST, 1 - _LEAST)
    odds: Floats = np.log(p / (1 - p))
    return odds


def draw_histogram(ax: Axes, found: Mapping[str, Any]) -> None:
    """Each class's share of rows in each bin, in one panel."""
    head(ax, "Predicted probabilities", "predicted click probability (log-odds)",
         "share of the class's rows (%)")  # fmt: skip
    edges = _logit(np.asarray(found["edges"], np.float64))
    for key, name, colour in (("others", "non-clicks", BLUE), ("clicks", "clicks", ORANGE)):
        rows = np.asarray(found[key], np.float64)
        if rows.sum():
            share = 100 * rows / rows.sum()
            ax.stairs(share, edges, fill=True, color=colour, alpha=0.25)
            ax.stairs(share, edges, color=colour, linewidth=1.6, label=name)
    ax.set_ylim(0, 1.25 * ax.dataLim.y1)  # the legend lies in the upper margin
    ax.set_xlim(edges[0], edges[-1])
    _mark(ax, float(edges[0]), float(edges[-1]))
    legend(ax, "upper right")


def _mark(ax: Axes, low: float, high: float) -> None:
    """Ticks at round probabilities, the roundest first, where their labels do not overlap."""
    places = {math.log(rate / (1 - rate)): rate for rate in _round_rates()}
    least = (high - low) / 9  # labels nearer than that would overlap
    kept: list[float] = []
    for place in places:
        if low <= place <= high and all(abs(place - other) >= least for other in kept):
            kept.append(place)
    if len(kept) < 2:  # rates too near each other for any round ones between them
        kept = [low, (low + high) / 2, high]
        places = {place: 1 / (1 + math.exp(-place)) for place in kept}
    ax.set_xticks(kept, [f"{100 * places[place]:.4g}%" for place in kept])


def _round_rates() -> list[float]:
    """50 %, powers of ten and what they leave to 1, then their multiples by 2 and 5, then tens."""
    powers = [10.0**e for e in range(-1, -8, -1)]
    rates = [0.5, *powers, *(1 - power for power in powers)]
    for factor in (2, 5, 3):
        few = [factor * power for power in powers if factor * power < 0.5]
        rates += [*few, *(1 - rate for rate in few)]
    return [*rates, 0.4, 0.6, *(k / 100 for k in range(11, 90))]
