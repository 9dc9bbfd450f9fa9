"""Pictures of forecasts: series with bands, errors by step, coverage, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import BLUE, GREEN, GREY, ORANGE, Floats, drawable, head, legend
from .svg import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOSS_OF_SERIES = "loss of scaled values"
_SHADES = {"0.9": 0.16, "0.8": 0.16, "0.5": 0.26}  # they lie above each other
SEEN = {"0.9": 0.16, "0.8": 0.29, "0.5": 0.48}  # which looks so
_FEW = 4  # steps; forecasts of fewer are drawn as one line
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


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
        ax.axvline(_times(part["time"])[0], color=GREY, linewidth=0.6, alpha=0.5, zorder=0)
    if found["ahead"]:
        begin = _times(found["ahead"]["time"])[0]
        ax.axvline(begin, color=GREEN, linewidth=1.2, linestyle="--", zorder=1, label="now")
    _marks(ax, found)
    _limits(ax, found, values)
    ax.yaxis.set_major_formatter(compact)
    _dates(ax)


def _bands(ax: Axes, part: Mapping[str, Any], first: bool) -> None:
    times = _times(part["time"])
    ax.plot(times, _floats(part["median"]), color=BLUE, linewidth=1.4, zorder=2,
            label="median forecast" if first else None)  # fmt: skip
    for name, alpha in _SHADES.items():
        lower, upper = (_floats(side) for side in part["bands"][name])
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
    times = [_times(found["history"]["time"]), *(_times(f["time"]) for f in found["folds"])]
    values = [_floats(found["history"]["value"]), *(_floats(f["actual"]) for f in found["folds"])]
    return np.concatenate(times), np.concatenate(values)


def _marks(ax: Axes, found: Mapping[str, Any]) -> None:
    times = [np.empty(0, "datetime64[s]")]
    values = [np.empty(0)]
    for part in found["folds"]:
        places = np.asarray(part["flagged"], np.int64)
        times.append(_times(part["time"])[places])
        values.append(_floats(part["actual"])[places])
    at, y = np.concatenate(times), np.concatenate(values)
    if len(at):
        ax.plot(at, y, "o", color=ORANGE, markersize=7, markerfacecolor="none",
                markeredgewidth=1.6, zorder=4, label="anomaly")  # fmt: skip


def _limits(ax: Axes, found: Mapping[str, Any], values: Floats) -> None:
    """All that was observed and the medians; bands far wider than that are cut off."""
    medians = [_floats(part["median"]) for part in found["folds"]]
    inner = [_floats(side) for part in found["folds"] for side in part["bands"]["0.8"]]
    if found["ahead"]:
        medians.append(_floats(found["ahead"]["median"]))
        inner += [_floats(side) for side in found["ahead"]["bands"]["0.8"]]
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


def _dates(ax: Axes) -> None:
    """Few dates, of which each says only what the one before it did not."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.margins(x=0.01)


def draw_by_step(ax: Axes, by_step: Mapping[str, Any], key: str, title: str) -> None:
    """A figure at each step of the horizon, of the forecaster and of the seasonal naive."""
    head(ax, title, "step of the horizon", "share of values" if key == "covered" else key.upper())
    for (name, own), colour in zip(by_step.items(), (BLUE, GREY), strict=False):
        values = _floats(own[key])
        steps = np.arange(1, len(values) + 1)
        marker = "o" if len(values) <= 30 else ""
        ax.plot(steps, values, color=colour, linewidth=1.8, marker=marker, markersize=4, label=name)
    ax.locator_params("x", integer=True)
    horizon = len(next(iter(by_step.values()))[key])
    ax.set_xlim(0.5, horizon + 0.5)
    if horizon == 1:
        ax.set_xticks([1])
    if key == "covered":
        ax.axhline(0.8, color=GREY, linestyle=":", linewidth=1.4, label="nominal")
        ax.set_ylim(0, 1.02)
        legend(ax, "lower right")
        return
    ax.yaxis.set_major_formatter(compact)
    ax.set_ylim(0, 1.25 * ax.dataLim.y1 or 1.0)  # the legend lies in the upper margin
    legend(ax, "upper left")


def draw_calibration_of_levels(ax: Axes, found: Mapping[str, Any]) -> None:
    """Shares of values below each quantile beside its level."""
    head(ax, "Calibration of the quantiles", "level of the quantile", "share of values not above")
    nominal, observed = _floats(found["nominal"]), _floats(found["observed"])
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.4, label="calibrated")
    ax.plot(nominal, observed, "o-", color=BLUE, linewidth=1.8, markersize=5, label="observed")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    legend(ax, "upper left")


def draw_skill(ax: Axes, models: Mapping[str, Any], judge: str) -> None:
    """The CRPS of every forecaster as bars, the best at the top, with its skill."""
    names = sorted(models, key=lambda name: -models[name]["crps"])
    own = next(iter(models))
    values = [models[name]["crps"] for name in names]
    colours = [BLUE if name == own else GREY for name in names]
    ax.barh(range(len(names)), values, color=colours, height=0.6)
    ax.set_yticks(range(len(names)), names)
    ax.set_title(f"CRPS, and skill against {judge}", loc="left", fontsize=12)
    ax.set_xlabel("CRPS (less is better)", fontsize=11)
    ax.grid(axis="y", visible=False)
    ax.set_xlim(0, 1.22 * max(values) or 1.0)
    ax.locator_params("x", nbins=6)
    ax.xaxis.set_major_formatter(compact)
    for place, name in enumerate(names):
        skill = (models[name].get("skill") or {}).get("crps")
        text = "" if skill is None else f" {skill:+.1%}"
        ax.text(values[place], place, text, va="center", fontsize=10)


def draw_residuals_over_time(ax: Axes, found: Mapping[str, Any]) -> None:
    """The median and two ranges of the residuals at each time."""
    head(ax, "Residuals over time", "", f"actual - forecast ({found['unit']})")
    times = _times(found["time"]["time"])
    q = _matrix(found["time"]["quantiles"])
    if (q[:, 0] < q[:, 4]).any():
        ax.fill_between(times, q[:, 0], q[:, 4], color=BLUE, alpha=0.16, linewidth=0,
                        label="80 % of them")  # fmt: skip
        ax.fill_between(times, q[:, 1], q[:, 3], color=BLUE, alpha=0.26, linewidth=0,
                        label="50 % of them")  # fmt: skip
    ax.plot(times, q[:, 2], color=BLUE, linewidth=1.1, label="median")
    ax.axhline(0, color=GREY, linewidth=0.8)
    _dates(ax)
    _headroom(ax)


def draw_residual_histogram(ax: Axes, found: Mapping[str, Any]) -> None:
    """How residuals are spread; the outer bins hold what lies beyond."""
    head(ax, "Residuals", f"actual - forecast ({found['unit']})", "values")
    edges = _floats(found["histogram"]["edges"])
    counts = np.asarray(found["histogram"]["count"], np.float64)
    ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.3)
    ax.stairs(counts, edges, color=BLUE, linewidth=1.4)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.axvline(found["mean"], color=ORANGE, linewidth=1.4, label=f"mean {found['mean']:.3g}")
    ax.set_ylim(0, 1.2 * max(float(counts.max()), 1.0))
    ax.xaxis.set_major_formatter(compact)
    legend(ax, "upper right")


def draw_residual_groups(ax: Axes, found: Mapping[str, Any], kind: str, unit: str) -> None:
    """A box of each hour or weekday: quartiles, median, and where 80 % of the residuals lie."""
    title = "hour of the day" if kind == "hour" else "day of the week"
    head(ax, f"Residuals by {title}", title, f"actual - forecast ({unit})")
    group, q = np.asarray(found["group"], np.float64), _matrix(found["quantiles"])
    ax.vlines(group, q[:, 0], q[:, 4], color=BLUE, alpha=0.45, linewidth=1.6)
    ax.vlines(group, q[:, 1], q[:, 3], color=BLUE, alpha=0.8, linewidth=6)
    ax.plot(group, q[:, 2], "o", color=ORANGE, markersize=4, label="median", zorder=3)
    ax.axhline(0, color=GREY, linewidth=0.8)
    if kind == "weekday":
        ax.set_xticks(range(7), _DAYS)
        ax.set_xlim(-0.6, 6.6)
    else:
        ax.set_xticks(range(0, 24, 3))
        ax.set_xlim(-0.8, 23.8)
    _headroom(ax)


def _headroom(ax: Axes) -> None:
    """A legend in the upper margin, which is made for it."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.3 * (high - low))
    ax.yaxis.set_major_formatter(compact)
    legend(ax, "upper left")


def compact(value: float, _: Any = None) -> str:
    """A number on an axis in few letters.

    >>> compact(2_500_000.0), compact(-15_000.0), compact(0.25)
    ('2.5M', '-15k', '0.25')
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if name == 'k' else unit):g}{name}"
    return f"{value:.6g}"


def _times(texts: Sequence[str]) -> Any:
    return np.array(texts, "datetime64[s]")


def _floats(values: Sequence[float | None]) -> Floats:
    return np.asarray(values, np.float64)  # None becomes NaN


def _matrix(rows: Sequence[Sequence[float | None]]) -> Floats:
    return np.asarray(rows, np.float64).reshape(-1, 5)
