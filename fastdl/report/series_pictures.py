"""Pictures of series: what was observed, forecasts with their bands, anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, GREEN, GREY, ORANGE, Floats, drawable
from .svg import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHADES = {"0.9": 0.16, "0.8": 0.16, "0.5": 0.26}  # they lie above each other
SEEN = {"0.9": 0.16, "0.8": 0.29, "0.5": 0.48}  # which looks so
_FEW = 4  # steps; forecasts of fewer are drawn as one line


def draw_series(ax: Axes, found: Mapping[str, Any], ink: str = INK, title: str = "") -> None:
    """History, the backtest's and the coming forecasts with their bands, anomalies marked."""
    ax.set_title(drawable(title or str(found["id"])), loc="left", fontsize=12, parse_math=False)
    parts = [*found["folds"], *([found["ahead"]] if found["ahead"] else [])]
    times, values = _observed(found)
    marker = "o" if len(values) < 40 else ""
    ax.plot(times, values, color=ink, linewidth=0.9, marker=marker, markersize=2.5,
            label="observed", zorder=3)  # fmt: skip
    few = bool(parts) and len(parts[0]["time"]) < _FEW
    for part in (drawn := _joined(parts) if few else parts):
        _bands(ax, part, drawn[0] is part)
    for part in [] if few else found["folds"]:
        ax.axvline(times_of(part["time"])[0], color=GREY, linewidth=0.6, alpha=0.5, zorder=0)
    if found["ahead"]:
        begin = times_of(found["ahead"]["time"])[0]
        ax.axvline(begin, color=GREEN, linewidth=1.2, linestyle="--", zorder=1, label="now")
    _marks(ax, found)
    _limits(ax, found, values)
    ax.yaxis.set_major_formatter(compact)
    few_dates(ax)


def _bands(ax: Axes, part: Mapping[str, Any], first: bool) -> None:
    times = times_of(part["time"])
    ax.plot(times, floats(part["median"]), color=BLUE, linewidth=1.4, zorder=2,
            label="median forecast" if first else None)  # fmt: skip
    for name, alpha in _SHADES.items():
        lower, upper = (floats(side) for side in part["bands"][name])
        ax.fill_between(times, lower, upper, color=BLUE, alpha=alpha, linewidth=0)
        if first:  # what the legend shows of it
            ax.fill_between(times[:2], lower[:1], lower[:1], color=BLUE, alpha=SEEN[name],
                            linewidth=0, label=f"{100 * float(name):g} % band")  # fmt: skip


def _joined(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Forecasts of a step or two as one: each by itself would be a dot."""
    bands = {
        name: [[value for part in parts for value in part["bands"][name][side]] for side in (0, 1)]
        for name in parts[0]["bands"]
    }
    columns = {key: [own for part in parts for own in part[key]] for key in ("time", "median")}
    return [{**columns, "bands": bands}]


def _observed(found: Mapping[str, Any]) -> tuple[Any, Floats]:
    times = [times_of(found["history"]["time"]), *(times_of(f["time"]) for f in found["folds"])]
    values = [floats(found["history"]["value"]), *(floats(f["actual"]) for f in found["folds"])]
    return np.concatenate(times), np.concatenate(values)


def _marks(ax: Axes, found: Mapping[str, Any]) -> None:
    times = [np.empty(0, "datetime64[s]")]
    values = [np.empty(0)]
    for part in found["folds"]:
        places = np.asarray(part["flagged"], np.int64)
        times.append(times_of(part["time"])[places])
        values.append(floats(part["actual"])[places])
    at, y = np.concatenate(times), np.concatenate(values)
    if len(at):
        ax.plot(at, y, "o", color=ORANGE, markersize=7, markerfacecolor="none",
                markeredgewidth=1.6, zorder=4, label="anomaly")  # fmt: skip


def _limits(ax: Axes, found: Mapping[str, Any], values: Floats) -> None:
    """All that was observed and the medians; bands far wider than that are cut off."""
    medians = [floats(part["median"]) for part in found["folds"]]
    inner = [floats(side) for part in found["folds"] for side in part["bands"]["0.8"]]
    if found["ahead"]:
        medians.append(floats(found["ahead"]["median"]))
        inner += [floats(side) for side in found["ahead"]["bands"]["0.8"]]
    drawn = np.concatenate([values, *medians])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return
    low, high = float(drawn.min()), float(drawn.max())
    reach = 0.35 * (high - low) or 0.1 * abs(high) or 1.0
    bands = np.concatenate([*inner, drawn])
    bands = bands[np.isfinite(bands)]
    low = max(min(low, float(bands.min())), low - reach)
    high = min(max(high, float(bands.max())), high + reach)
    margin = 0.05 * (high - low) or reach
    ax.set_ylim(low - margin, high + margin)


def few_dates(ax: Axes) -> None:
    """Few dates, of which each says only what the one before it did not."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.margins(x=0.01)


def compact(value: float, _: Any = None) -> str:
    """A number on an axis in few letters.

    >>> compact(2_500_000.0), compact(-15_000.0), compact(0.25)
    ('2.5M', '-15k', '0.25')
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if name == 'k' else unit):g}{name}"
    return f"{value:.6g}"


def times_of(texts: Sequence[str]) -> Any:
    """ISO texts as datetime64."""
    return np.array(texts, "datetime64[s]")


def floats(values: Sequence[float | None]) -> Floats:
    """Numbers, NaN where there is None."""
    return np.asarray(values, np.float64)
