"""ROC and precision-recall curves: what is drawn, and drawing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import metrics as _metrics
from .style import BLUE, GREEN, GREY, Floats, head, legend, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THRESHOLDS = 100_000  # of millions of rows, from which curves are made
CURVE_POINTS = 2000  # more than a picture has pixels in a row

Lines = Mapping[str, tuple[Floats, Floats]]


def roc_lines(
    label: ArrayLike, probability: ArrayLike, best: ArrayLike | float | None,
    summary: Mapping[str, Any],
) -> dict[str, tuple[Floats, Floats]]:  # fmt: skip
    """The curves by their legend; none where a class is missing, and no points for a mere AUC."""
    if summary["auc"] is None:
        return {}
    model = thin(*_metrics.roc_curve(label, probability, points=THRESHOLDS))
    lines = {f"model, AUC {summary['auc']:.4f}": model}
    if best is not None and np.ndim(best) == 0:
        lines[f"best possible, AUC {best:.4f}"] = np.empty(0), np.empty(0)
    elif best is not None:
        x, y = _metrics.roc_curve(label, best, points=THRESHOLDS)
        lines[f"best possible, AUC {np.trapezoid(y, x):.4f}"] = thin(x, y)
    return lines


def thin(x: Floats, y: Floats, points: int = CURVE_POINTS) -> tuple[Floats, Floats]:
    """At most so many of a rising curve's points, evenly spread along it, ends included."""
    if len(x) <= points:
        return x, y
    along = x + y
    keep = np.unique(np.searchsorted(along, np.linspace(0, along[-1], points)))
    return x[keep], y[keep]


def precision_recall(
    false: Floats, true: Floats, base_rate: float, points: int
) -> tuple[Floats, Floats]:
    """(recall, precision) at so many evenly spread recalls, from all points of a ROC.

    precision = recall rate / (recall rate + false positive rate (1 - rate)), the false positive
    rate interpolated between the ROC's points, as Davis and Goadrich 2006, The relationship
    between precision-recall and ROC curves, section 4: straight lines between points of a
    precision-recall curve cannot be reached.
    """
    recall = np.linspace(0, 1, points + 1)[1:]
    after = np.searchsorted(true, recall * (1 - 1e-12))  # the first point that reaches the recall
    before = after - 1
    share = ((recall - true[before]) / (true[after] - true[before])).clip(0, 1)
    found = false[before] + share * (false[after] - false[before])
    clicks = recall * base_rate
    return recall, clicks / (clicks + found * (1 - base_rate))


def draw_roc(ax: Axes, lines: Lines, summary: Mapping[str, Any]) -> None:
    """The curves in one panel, or why there are none."""
    head(
        ax,
        f"ROC, {summary['rows']:,} rows with {summary['clicks']:,} clicks",
        "false positive rate (share of non-clicks)",
        "true positive rate (share of clicks)",
    )
    if not lines:
        missing = "non-clicks" if summary["clicks"] else "clicks"
        note(ax, f"The test rows hold no {missing},\nso there is no ROC.")
        return
    styles = ((BLUE, "-"), (GREEN, "--"))
    for (name, (x, y)), (colour, dash) in zip(lines.items(), styles, strict=False):
        shown = dash if len(x) else "none"  # only an AUC: the legend names it without a line
        ax.plot(x, y, color=colour, linestyle=shown, linewidth=1.8, label=name)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.4, label="chance, AUC 0.5")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    legend(ax, "lower right")


def draw_precision_recall(
    ax: Axes, recall: Floats, precision: Floats, summary: Mapping[str, Any]
) -> None:
    """The curve in one panel, beside the precision of showing ads at random."""
    head(ax, "Precision and recall", "recall (share of clicks)", "precision (share that clicked)")
    average, rate = summary["average_precision"], summary["base_rate"]
    ax.plot(recall, precision, color=BLUE, linewidth=1.8, label=f"model, average {average:.4f}")
    look: dict[str, Any] = {"color": GREY, "linestyle": ":", "linewidth": 1.4}
    ax.plot([0, 1], [rate, rate], label=f"chance, {rate:.4f}", **look)
    # A few rows at the very top of the ranking often reach 1 and would hide the rest.
    high = max(float(precision[recall >= 0.02].max()), rate)
    ax.set(xlim=(-0.01, 1.01), ylim=(0, min(1.3 * high, 1.02)))
    legend(ax, "best")
