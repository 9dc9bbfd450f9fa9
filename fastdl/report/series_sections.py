"""The sections of the page of a forecast of series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import forecast_panels as panels
from . import series_pictures as pictures
from .forecast_tables import HEADERS, forecast_rows, short
from .markup import Markup, card, section, table
from .panels import grid
from .sections import learning, options
from .svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = Mapping[str, Any]
_WIDE, _SIZE = (9.0, 3.2), (5.6, 4.0)


def headline(results: Results) -> Markup:
    """Skill against the seasonal naive, error and coverage in large figures."""
    test = results.get("test")
    if not test:
        return Markup()
    skill, judge = test.get("skill") or {}, results["judge"]
    against = results["models"][judge]
    inner = next(i for i in test["intervals"] if abs(i["coverage"] - 0.8) < 1e-9)
    cards = [
        card("skill in CRPS", _percent(skill.get("crps")),
             f"against {judge} · CRPS {short(test['crps'])}, it has {short(against['crps'])}"),
        card("skill in MAE", _percent(skill.get("mae")),
             f"MAE {short(test['mae'])}, {judge} {short(against['mae'])}"
             f" · MASE {short(test.get('mase'))}"),
        card("80 % intervals cover", f"{inner['covered']:.1%}",
             f"mean width {short(inner['width'])}"),
    ]  # fmt: skip
    about = (
        f"{results['name']} on {test['values']:,} values of the backtest, none of which it had seen"
        " when it forecast them. A skill of 100 % is perfect, 0 % no better than the baseline."
    )
    return section("Backtest", f'<div class="cards">{"".join(cards)}</div>', about=about)


def models(results: Results) -> Markup:
    """All metrics of every forecaster."""
    found = results.get("models") or {}
    rows = forecast_rows(found)
    about = (
        "The same origins and values for all. Skill is 1 - error / error of the seasonal naive; "
        "MASE, CRPS, pinball loss (mean of all levels) and width are better when lower, 80 % "
        "intervals should cover 80 % of the values."
    )
    return section("Beside the baselines", table(("forecaster",), HEADERS, rows), about=about)


def series(results: Results) -> Markup:
    """Some series with their forecasts."""
    shown = results.get("shown") or []
    drawn = []
    for number, own in enumerate(shown):
        title = f"{own['id']} ({own['why']})" if own.get("why") else str(own["id"])
        drawn.append(
            inline_svg(f"series-{number}", _drawn(own, title),
                       f"Forecasts of series {number + 1}", *_WIDE)
        )  # fmt: skip
    test = results.get("facts") or {}
    of = f"{len(shown)} of {test.get('series', len(shown)):,} series"
    about = (
        f"{of}: what was observed, the backtest's forecasts from each origin (thin lines), and "
        "those of the steps to come behind the dashed line. Bands hold 50, 80 and 90 %; "
        "circles are anomalies. Bands far wider than what was observed are cut off."
    )
    figures = "\n".join(f'<figure class="broad">{picture}</figure>' for picture in drawn)
    return section("Forecasts", _legend() if drawn else "", figures, about=about)


def _drawn(own: Mapping[str, Any], title: str) -> Callable[[Axes], None]:
    return lambda ax: pictures.draw_series(ax, own, title=title)


def _legend() -> Markup:
    """What is drawn how, once for all series."""
    entries = [("line", "ink", 100, "observed"), ("line", "blue", 100, "median forecast")]
    entries += [
        ("patch", "blue", round(100 * seen), f"{100 * float(name):g} % band")
        for name, seen in pictures.SEEN.items()
    ]
    entries += [("ring", "orange", 100, "anomaly"), ("dashed", "green", 100, "now")]
    parts = (
        f'<span><i class="{kind}" style="--of:var(--{colour});--share:{share}%"></i>{text}</span>'
        for kind, colour, share, text in entries
    )
    return Markup(f'<p class="legend">{"".join(parts)}</p>')


def steps(results: Results) -> Markup:
    """Errors by step of the horizon, and how quantiles are calibrated."""
    by_step, levels = results.get("by_step"), results.get("calibration")
    drawn = []
    if by_step and len(next(iter(by_step.values()))["mae"]) > 1:
        for key, title in (("mae", "MAE by step"), ("covered", "Coverage of 80 % by step")):
            drawn.append(_panel(f"step-{key}", title, _by_step(by_step, key, title)))
    if levels:
        drawn.append(
            _panel("levels", "Calibration of the quantiles",
                   lambda ax: panels.draw_calibration_of_levels(ax, levels))
        )  # fmt: skip
    return section("By step and by level", grid(*drawn), _coverage(results))


def _by_step(found: Mapping[str, Any], key: str, title: str) -> Callable[[Axes], None]:
    return lambda ax: panels.draw_by_step(ax, found, key, title)


def _coverage(results: Results) -> Markup:
    found = (results.get("test") or {}).get("intervals") or []
    rows = [
        (f"{i['coverage']:.0%}", f"{i['covered']:.1%}", short(i["width"]))
        for i in sorted(found, key=lambda i: i["coverage"])
    ]
    return table(("interval",), ("covers", "mean width"), rows)


def residuals(results: Results) -> Markup:
    """Residuals over time, their spread, and by hour and weekday."""
    found = results.get("residuals")
    if not found:
        return Markup()
    drawn = [
        _panel("residuals-time", "Residuals over time",
               lambda ax: panels.draw_residuals_over_time(ax, found)),
        _panel("residuals-spread", "Histogram of the residuals",
               lambda ax: panels.draw_residual_histogram(ax, found)),
    ]  # fmt: skip
    for kind in ("hour", "weekday"):
        if len((found.get(kind) or {}).get("group") or ()) > 1:
            drawn.append(_panel(f"residuals-{kind}", f"Residuals by {kind}", _groups(found, kind)))
    about = (
        f"actual - forecast of {found['values']:,} values of the backtest, in {found['unit']}"
        f"; mean {found['mean']:.3g}, standard deviation {found['std']:.3g}."
    )
    return section("Residuals", grid(*drawn), about=about)


def _groups(found: Mapping[str, Any], kind: str) -> Callable[[Axes], None]:
    return lambda ax: panels.draw_residual_groups(ax, found[kind], kind, found["unit"])


def _panel(name: str, text: str, draw: Callable[[Axes], None]) -> str:
    return inline_svg(name, draw, text, *_SIZE)


def anomalies(results: Results) -> Markup:
    """The most improbable values of the backtest."""
    found = results.get("anomalies")
    if not found:
        return Markup()
    rows = [
        (own["series"], own["time"], f"{own['step']}", short(own["actual"]), short(own["point"]),
         f"{short(own['lower'])} to {short(own['upper'])}", f"{own['score']:.2f}")
        for own in found["worst"]
    ]  # fmt: skip
    headers = ("step", "actual", "forecast", "80 % interval", "score")
    about = (
        f"{found['count']:,} of {found['values']:,} values have a score of "
        f"{found['threshold']:g} or more. The score is -log10 of how often a value is as extreme "
        "by the quantiles that were forecast for it: 3 is one in a thousand."
    )
    inside = table(("series", "time"), headers, rows)
    if not rows:
        inside = Markup("<p>None reached the threshold.</p>")
    elif found["count"] > len(rows):
        about += f" The {len(rows)} with the highest scores are shown; anomalies.csv has all."
    return section("Anomalies", inside, about=about)


def resampling(results: Results) -> Markup:
    """What became of irregular times and gaps."""
    found = results.get("resampling")
    if not found:
        return Markup()
    keys = ("rows", "steps", "joined", "gaps", "longest_gap", "moved", "filled", "missing")
    rows = [(own["id"], *(f"{own[key]:,}" for key in keys)) for own in found["series"]]
    headers = ("rows", "steps", "joined rows", "steps without a row", "longest gap",
               "moved times", "filled", "missing")  # fmt: skip
    return section("Resampling", table(("series",), headers, rows), about=found["summary"])


def skipped(results: Results) -> Markup:
    """Rows and series that were left out, by reason."""
    rows = [
        (own["file"], own["reason"], (own.get("examples") or [""])[0], f"{own['rows']:,}")
        for own in results.get("skipped") or ()
    ]
    return section("Skipped", table(("file", "reason", "for example"), ("rows",), rows))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"


SERIES_SECTIONS = {
    "test": headline, "models": models, "shown": series, "by_step": steps,
    "residuals": residuals, "anomalies": anomalies, "history": learning,
    "resampling": resampling, "skipped": skipped, "facts and job": options,
}  # fmt: skip
