"""Calibration in bins of rows: what is drawn, and drawing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import metrics as _metrics
from .style import BLUE, GREY, head, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 10
_Z = 1.959964  # half-width of a 95 % interval in standard deviations


def calibration_bins(label: ArrayLike, probability: ArrayLike) -> dict[str, Any]:
    """Predicted and observed rate of bins with Wilson's 95 % interval, low and high; their rows.

    Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    predicted, observed, rows = _metrics.calibration_curve(label, probability, _BINS)
    centre = (observed + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    spread = np.sqrt(observed * (1 - observed) / rows + (_Z / (2 * rows)) ** 2)
    half = _Z * spread / (1 + _Z**2 / rows)
    low, high = np.clip(centre - half, 0, observed), np.clip(centre + half, observed, 1)
    return {"predicted": predicted, "observed": observed, "low": low, "high": high, "rows": rows}


def draw_calibration(ax: Axes, bins: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """The bins in one panel; rates in percent."""
    head(ax, "Calibration", "mean predicted click rate (%)", "observed click rate (%)")
    rates = {
        name: 100 * np.asarray(bins[name], np.float64)
        for name in ("predicted", "observed", "low", "high")
    }
    low, high = _limits(ax, rates)
    ax.plot([low, high], [low, high], color=GREY, linestyle=":", linewidth=1.4, label="calibrated")
    error = np.stack([rates["observed"] - rates["low"], rates["high"] - rates["observed"]])
    rows = np.asarray(bins["rows"], np.int64)
    name = f"{len(rows)} bin{'s' * (len(rows) > 1)} of {_rows_text(rows)} rows,\n95 % interval"
    look: dict[str, Any] = {"fmt": "o-", "color": BLUE, "markersize": 5, "linewidth": 1.4}
    bars: dict[str, Any] = {"ecolor": BLUE, "elinewidth": 1.2, "capsize": 3}
    error = error.clip(0)  # rounded bounds of a file may lie on the wrong side by a bit
    ax.errorbar(rates["predicted"], rates["observed"], error, label=name, **look, **bars)
    ax.set(xlim=(low, high), ylim=(low, high))
    ratio = summary["calibration"]
    if ratio is not None:
        ax.set_title(f"Calibration, predicted / observed {ratio:.3f}", loc="left", fontsize=12)
    legend(ax, "upper left")


def _rows_text(rows: NDArray[np.int64]) -> str:
    few, many = int(rows.min()), int(rows.max())
    if few == many:
        return f"{few:,}"
    if many - few <= 0.01 * many:
        return f"about {round(float(rows.mean())):,}"
    return f"{few:,} to {many:,}"


def _limits(ax: Axes, rates: Mapping[str, Any]) -> tuple[float, float]:
    """Limits for both axes; logarithmic where rates of rare clicks span more than 30 times."""
    from matplotlib.ticker import LogLocator

    drawn = np.concatenate([rates[name] for name in ("predicted", "observed", "low", "high")])
    low, high = float(drawn.min()), float(drawn.max())
    if low > 0 and rates["predicted"].max() > 30 * rates["predicted"].min():
        ax.set(xscale="log", yscale="log")
        ticks = (1, 2, 5) if high < 1000 * low else (1,)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=ticks))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
        return low / 1.3, high * 1.3
    return 0.0, (1.05 * high or 1.0)
