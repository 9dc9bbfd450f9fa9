"""Panels of a backtest: skill, errors by step, calibration of the quantiles, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .series_pictures import compact, few_dates, floats, times_of
from .style import BLUE, GREY, ORANGE, Floats, head, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def draw_by_step(ax: Axes, by_step: Mapping[str, Any], key: str, title: str) -> None:
    """A figure at each step of the horizon, of the forecaster and of the seasonal naive."""
    head(ax, title, "step of the horizon", "share of values" if key == "covered" else key.upper())
    for (name, own), colour in zip(by_step.items(), (BLUE, GREY), strict=False):
        values = floats(own[key])
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
    nominal, observed = floats(found["nominal"]), floats(found["observed"])
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
    times = times_of(found["time"]["time"])
    q = _matrix(found["time"]["quantiles"])
    if (q[:, 0] < q[:, 4]).any():
        ax.fill_between(times, q[:, 0], q[:, 4], color=BLUE, alpha=0.16, linewidth=0,
                        label="80 % of them")  # fmt: skip
        ax.fill_between(times, q[:, 1], q[:, 3], color=BLUE, alpha=0.26, linewidth=0,
                        label="50 % of them")  # fmt: skip
    ax.plot(times, q[:, 2], color=BLUE, linewidth=1.1, label="median")
    ax.axhline(0, color=GREY, linewidth=0.8)
    few_dates(ax)
    _headroom(ax)


def draw_residual_histogram(ax: Axes, found: Mapping[str, Any]) -> None:
    """How residuals are spread; the outer bins hold what lies beyond."""
    head(ax, "Residuals", f"actual - forecast ({found['unit']})", "values")
    edges = floats(found["histogram"]["edges"])
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


def _matrix(rows: Sequence[Sequence[float | None]]) -> Floats:
    return np.asarray(rows, np.float64).reshape(-1, 5)
