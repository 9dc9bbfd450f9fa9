"""What a finished training shows: the picture in the run folder and the table on the terminal.

The picture is drawn with matplotlib's objects on an Agg canvas and never with pyplot, so that a
program that trains keeps its own backend, figures and settings.
"""

from __future__ import annotations

import os
import secrets
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import metrics as _metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

Floats = NDArray[np.float64]

# Okabe and Ito's colours, which readers with any colour vision can tell apart.
_BLUE, _ORANGE, _GREEN, _GREY, _FAINT = "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#B9D6EA"
_CURVE_POINTS = 2000  # more than the picture has pixels in a row
_BINS = 10
_Z = 1.959964  # half-width of a 95 % interval in standard deviations
# The settings that reach this picture; the others, the backend among them, stay as they are.
_STYLE_GROUPS = {
    *("agg", "axes", "errorbar", "figure", "font", "grid", "legend", "lines", "mathtext"),
    *("patch", "path", "text", "xaxis", "xtick", "yaxis", "ytick"),
}
# Fonts for titles in Korean, Japanese or Chinese; the ones that are installed are used.
_FALLBACK_FONTS = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Microsoft YaHei", "Arial Unicode MS"),
)


def plot_run(
    path: str | os.PathLike[str],
    *,
    history: Mapping[str, Any],
    label: ArrayLike,
    probability: ArrayLike,
    title: str,
    best_possible: ArrayLike | float | None = None,
) -> None:
    """Write a PNG of 1500 x 500 pixels: loss curve, ROC and calibration.

    ``history`` holds ``step_loss`` (steps,), ``steps_per_epoch`` and, if there was a validation,
    ``epoch`` (how many epochs were finished) and ``val_loss``, equally long. ``label`` and
    ``probability`` (rows,) are the test rows. ``best_possible`` is the true probability of each
    row, which adds the best possible ROC, or only that ROC's AUC. The file appears complete or
    not at all. ValueError for a path that does not end in .png or whose folder is missing, a
    history without these keys, and whatever ``fastdl.metrics`` refuses.

    >>> import tempfile
    >>> history = {"step_loss": [0.7, 0.6], "steps_per_epoch": 2, "epoch": [1], "val_loss": [0.6]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     picture = Path(folder) / "run.png"
    ...     plot_run(picture, history=history, label=[0, 1], probability=[0.2, 0.6], title="Run")
    ...     picture.read_bytes()[1:4]
    b'PNG'
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"plot_run writes PNG; the path must end in .png, got {path}.")
    if not path.parent.is_dir():
        raise ValueError(f"plot_run: the folder {path.parent} does not exist; create it first.")
    steps, epochs = _training_curve(history), _validation_curve(history)
    summary = _metrics.evaluate(label, probability)
    roc = _roc_lines(label, probability, best_possible, summary)
    bins = _calibration_bins(label, probability)
    with _default_style():
        figure, (left, middle, right) = _figure(title)
        _draw_loss(left, steps, epochs)
        _draw_roc(middle, roc, summary)
        _draw_calibration(right, bins, summary)
        _write(figure, path)


_SHOWN = (
    ("auc", "AUC", 4),
    ("log_loss", "log loss (nats)", 5),
    ("calibration", "calibration (predicted / observed)", 3),
)


def metrics_table(
    metrics: Mapping[str, Any],
    base: Mapping[str, Any] | None = None,
    best: Mapping[str, Any] | None = None,
    rows: str = "test",
) -> Table:
    """Test AUC, log loss and calibration of the model, beside the base rate's and the best's.

    ``rows`` says which rows these are. The others are dicts as ``fastdl.metrics.evaluate`` returns
    them; a column without a dict is
    left out, and a value that is missing or None is shown as a dash.

    >>> from fastdl.metrics import evaluate
    >>> table = metrics_table(evaluate([0, 1], [0.2, 0.6]), base=evaluate([0, 1], [0.5, 0.5]))
    >>> [column.header for column in table.columns]
    ['test rows: 2, clicks: 1', 'model', 'base rate']
    """
    from rich.table import Table

    columns = {"model": metrics, "base rate": base, "best possible": best}
    shown = {name: values for name, values in columns.items() if values is not None}
    counts = [f"{n}: {metrics[n]:,}" for n in ("rows", "clicks") if metrics.get(n) is not None]
    table = Table(header_style="bold")
    table.add_column(f"{rows} {', '.join(counts)}".strip(), no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right", style="bold" if name == "model" else None)
    for key, text, digits in _SHOWN:
        table.add_row(text, *(_digits(found.get(key), digits) for found in shown.values()))
    return table


def values_table(column: str, values: Mapping[str, Mapping[str, Any]]) -> Table:
    """Rows, clicks, AUC, log loss and calibration for each value of a column, a row each.

    >>> from fastdl.metrics import evaluate
    >>> table = values_table("city", {"Rome": evaluate([0, 1], [0.2, 0.6])})
    >>> [column.header for column in table.columns][:3]
    ['city', 'rows', 'clicks']
    """
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column(column)
    for text in ("rows", "clicks", "AUC", "log loss (nats)", "predicted / observed"):
        table.add_column(text, justify="right")
    for value, found in values.items():
        counts = (f"{found[n]:,}" for n in ("rows", "clicks"))
        figures = (_digits(found.get(key), digits) for key, _, digits in _SHOWN)
        table.add_row(value, *counts, *figures)
    return table


def columns_table(columns: Sequence[tuple[str, str, str]]) -> Table:
    """What a ``FeatureEncoder`` made of a log's columns, from its ``describe``.

    >>> table = columns_table([("city", "category", "300 ids")])
    >>> [column.header for column in table.columns]
    ['column', 'taken as', 'gives']
    """
    from rich.table import Table

    table = Table(header_style="bold")
    for header in ("column", "taken as", "gives"):
        table.add_column(header)
    for row in columns:
        table.add_row(*row)
    return table


def _digits(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


# ------------------------------------------------------------------------ what is drawn
def _training_curve(history: Mapping[str, Any]) -> tuple[Floats, Floats, Floats, int]:
    """(epochs done, mean loss, smoothed loss, steps in a smoothed value) of up to 1,000 blocks."""
    loss, per_epoch = _recorded(history)
    if not len(loss):
        return loss, loss, loss, 1
    blocks = min(len(loss), 1000)
    edges = np.linspace(0, len(loss), blocks + 1).astype(np.int64)
    finite = np.isfinite(loss)
    total = np.add.reduceat(np.where(finite, loss, 0.0), edges[:-1])
    count = np.add.reduceat(finite.astype(np.float64), edges[:-1])
    window = np.ones(2 * (blocks // 50) + 1)
    sums, counts = (np.convolve(values, window, "same") for values in (total, count))
    width = round(len(window) * len(loss) / blocks)
    done = (edges[:-1] + edges[1:]) / (2 * per_epoch)
    return done, _ratio(total, count), _ratio(sums, counts), width


def _recorded(history: Mapping[str, Any]) -> tuple[Floats, int]:
    for key in ("step_loss", "steps_per_epoch"):
        if key not in history:
            raise ValueError(f'plot_run: history has no "{key}"; it has {sorted(history)}.')
    loss, per_epoch = np.asarray(history["step_loss"], np.float64), history["steps_per_epoch"]
    if isinstance(per_epoch, bool) or not isinstance(per_epoch, int | np.integer):
        raise TypeError(f"plot_run: history's steps_per_epoch must be an int, got {per_epoch!r}.")
    if loss.ndim != 1 or per_epoch < 1:
        raise ValueError(
            "plot_run: history needs a one-dimensional step_loss and steps_per_epoch of 1 or "
            f"more, got shape {loss.shape} and {per_epoch!r}."
        )
    return loss, int(per_epoch)


def _ratio(total: Floats, count: Floats) -> Floats:
    """total / count, NaN (a gap in the line) where nothing was counted."""
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _validation_curve(history: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """(epochs done, loss) of the epochs with a finite validation loss."""
    epoch, loss = (history.get(key) for key in ("epoch", "val_loss"))
    if epoch is None or loss is None:
        return np.empty(0), np.empty(0)
    x, y = np.asarray(epoch, np.float64), np.asarray(loss, np.float64)  # None becomes NaN
    if y.size == 0:
        return np.empty(0), np.empty(0)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            "plot_run: history's epoch and val_loss must be equally long lists, "
            f"got shapes {x.shape} and {y.shape}."
        )
    return x[np.isfinite(y)], y[np.isfinite(y)]


def _roc_lines(
    label: ArrayLike,
    probability: ArrayLike,
    best: ArrayLike | float | None,
    summary: Mapping[str, Any],
) -> dict[str, tuple[Floats, Floats]]:
    """The curves by their legend; none where a class is missing, and no points for a mere AUC."""
    if summary["auc"] is None:
        return {}
    model = _thin(*_metrics.roc_curve(label, probability))
    lines = {f"model, AUC {summary['auc']:.4f}": model}
    if best is not None and np.ndim(best) == 0:
        lines[f"best possible, AUC {best:.4f}"] = np.empty(0), np.empty(0)
    elif best is not None:
        x, y = _metrics.roc_curve(label, best)
        lines[f"best possible, AUC {np.trapezoid(y, x):.4f}"] = _thin(x, y)
    return lines


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most _CURVE_POINTS of a rising curve's points, evenly spread along it, ends included."""
    if len(x) <= _CURVE_POINTS:
        return x, y
    along = x + y
    keep = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _CURVE_POINTS)))
    return x[keep], y[keep]


def _calibration_bins(label: ArrayLike, probability: ArrayLike) -> dict[str, Any]:
    """Predicted and observed rate of bins with Wilson's 95 % interval, in percent, and their rows.

    Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    predicted, observed, rows = _metrics.calibration_curve(label, probability, _BINS)
    centre = (observed + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    spread = np.sqrt(observed * (1 - observed) / rows + (_Z / (2 * rows)) ** 2)
    half = _Z * spread / (1 + _Z**2 / rows)
    low, high = np.clip(centre - half, 0, observed), np.clip(centre + half, observed, 1)
    rates = {"predicted": predicted, "observed": observed, "low": low, "high": high}
    return {name: 100 * rate for name, rate in rates.items()} | {"rows": rows}


# ------------------------------------------------------------------------ drawing
@contextmanager
def _default_style() -> Iterator[None]:
    """matplotlib's default settings and a font for the title, whatever the user has set."""
    import matplotlib

    defaults = {
        key: matplotlib.rcParamsDefault[key]
        for key in matplotlib.rcParamsDefault
        if key.split(".")[0] in _STYLE_GROUPS
    }
    with matplotlib.rc_context({**defaults, "font.family": _fonts()}):  # set back afterwards
        yield


def _fonts() -> list[str]:
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed)]


def _shown(title: str) -> str:
    """One line of the title, with a square for a letter that no font has (it would warn)."""
    from matplotlib import font_manager

    known: set[int] = set()
    for name in _fonts():
        known.update(font_manager.get_font(font_manager.findfont(name)).get_charmap())
    line = textwrap.shorten(title, 120, placeholder=" ...")
    return "".join(letter if ord(letter) in known else "\N{WHITE SQUARE}" for letter in line)


def _figure(title: str) -> tuple[Figure, NDArray[Any]]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.09, wspace=0.03)
    figure = Figure(figsize=(15, 5), dpi=100, layout=layout)
    # A file name may hold a dollar sign, which is no formula.
    style = {"fontsize": 14, "fontweight": "bold", "x": 0.008, "ha": "left"}
    figure.suptitle(_shown(title), parse_math=False, **style)
    widths = (1.45, 1, 1)
    axes = figure.subplots(1, 3, width_ratios=widths)
    for ax, width in zip(axes, widths, strict=True):
        ax.set_box_aspect(1 / width)  # panels of one height, the two with rates square
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(_GREY)
        ax.tick_params(color=_GREY, labelsize=10)
        ax.grid(color="#E6E8EB", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, axes


def _head(ax: Axes, title: str, x: str, y: str) -> None:
    ax.set_title(title, loc="left", fontsize=12)
    ax.set_xlabel(x, fontsize=11)
    ax.set_ylabel(y, fontsize=11)


def _legend(ax: Axes, where: Literal["upper right", "upper left", "lower right"]) -> None:
    ax.legend(loc=where, frameon=True, framealpha=0.9, edgecolor="none", fontsize=10)


def _note(ax: Axes, text: str) -> None:
    """A panel with a reason in the place of a curve."""
    ax.grid(False)
    ax.set_xticks([])
    ax.set_yticks([])
    box = {"boxstyle": "round,pad=0.6", "facecolor": "#F4F5F7", "edgecolor": "none"}
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=11, bbox=box)


def _draw_loss(
    ax: Axes, steps: tuple[Floats, Floats, Floats, int], epochs: tuple[Floats, Floats]
) -> None:
    x, raw, smoothed, width = steps
    _head(ax, "Loss", "epochs", "log loss (nats per row)")
    if not (np.isfinite(smoothed).any() or len(epochs[0])):
        _note(ax, "No finite loss was recorded.")
        return
    marker = "o" if len(x) == 1 else ""  # one point makes no line
    if width > 1:
        ax.plot(x, raw, color=_FAINT, linewidth=0.8)
    name = f"training, mean of {width:,} steps" if width > 1 else "training, every step"
    ax.plot(x, smoothed, color=_BLUE, linewidth=1.8, marker=marker, label=name)
    if len(epochs[0]):
        best = int(np.argmin(epochs[1]))
        name = f"validation, best {epochs[1][best]:.4f} after epoch {epochs[0][best]:g}"
        size = 5 if len(epochs[0]) <= 50 else 0
        ax.plot(*epochs, "o-", color=_ORANGE, linewidth=1.8, markersize=size, label=name)
        ax.plot(epochs[0][best], epochs[1][best], "o", color=_ORANGE, markersize=8, zorder=3)
    _limit_loss(ax, smoothed, epochs)
    _legend(ax, "upper right")


def _limit_loss(ax: Axes, smoothed: Floats, epochs: tuple[Floats, Floats]) -> None:
    """Leave the first steps' peak outside the panel: the rest of the curve is what is read."""
    seen = np.concatenate([smoothed[len(smoothed) // 50 :], epochs[1]])
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return
    low, high = float(seen.min()), float(seen.max())
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    ax.set_ylim(low - margin, high + 3 * margin)  # the legend lies in the upper margin
    ax.set_xlim(left=0)


def _draw_roc(
    ax: Axes, lines: Mapping[str, tuple[Floats, Floats]], summary: Mapping[str, Any]
) -> None:
    _head(
        ax,
        f"ROC, {summary['rows']:,} rows with {summary['clicks']:,} clicks",
        "false positive rate (share of non-clicks)",
        "true positive rate (share of clicks)",
    )
    if not lines:
        missing = "non-clicks" if summary["clicks"] else "clicks"
        _note(ax, f"The test rows hold no {missing},\nso there is no ROC.")
        return
    styles = ((_BLUE, "-"), (_GREEN, "--"))
    for (name, (x, y)), (colour, dash) in zip(lines.items(), styles, strict=False):
        shown = dash if len(x) else "none"  # only an AUC: the legend names it without a line
        ax.plot(x, y, color=colour, linestyle=shown, linewidth=1.8, label=name)
    ax.plot([0, 1], [0, 1], color=_GREY, linestyle=":", linewidth=1.4, label="chance, AUC 0.5")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    _legend(ax, "lower right")


def _draw_calibration(ax: Axes, bins: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    _head(ax, "Calibration", "mean predicted click rate (%)", "observed click rate (%)")
    low, high = _calibration_limits(ax, bins)
    ax.plot([low, high], [low, high], color=_GREY, linestyle=":", linewidth=1.4, label="calibrated")
    error = np.stack([bins["observed"] - bins["low"], bins["high"] - bins["observed"]])
    count = len(bins["rows"])
    name = f"{count} bin{'s' * (count > 1)} of {_rows_text(bins['rows'])} rows,\n95 % interval"
    look: dict[str, Any] = {"fmt": "o-", "color": _BLUE, "markersize": 5, "linewidth": 1.4}
    bars: dict[str, Any] = {"ecolor": _BLUE, "elinewidth": 1.2, "capsize": 3}
    ax.errorbar(bins["predicted"], bins["observed"], error, label=name, **look, **bars)
    ax.set(xlim=(low, high), ylim=(low, high))
    ratio = summary["calibration"]
    if ratio is not None:
        ax.set_title(f"Calibration, predicted / observed {ratio:.3f}", loc="left", fontsize=12)
    _legend(ax, "upper left")


def _rows_text(rows: NDArray[np.int64]) -> str:
    few, many = int(rows.min()), int(rows.max())
    if few == many:
        return f"{few:,}"
    if many - few <= 0.01 * many:
        return f"about {round(float(rows.mean())):,}"
    return f"{few:,} to {many:,}"


def _calibration_limits(ax: Axes, bins: Mapping[str, Any]) -> tuple[float, float]:
    """Limits for both axes; logarithmic where rates of rare clicks span more than 30 times."""
    from matplotlib.ticker import LogLocator

    drawn = np.concatenate([bins[name] for name in ("predicted", "observed", "low", "high")])
    low, high = float(drawn.min()), float(drawn.max())
    if low > 0 and bins["predicted"].max() > 30 * bins["predicted"].min():
        ax.set(xscale="log", yscale="log")
        ticks = (1, 2, 5) if high < 1000 * low else (1,)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=ticks))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
        return low / 1.3, high * 1.3
    return 0.0, (1.05 * high or 1.0)


def _write(figure: Figure, path: Path) -> None:
    """Write beside the target and rename, so that nobody sees half a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            FigureCanvasAgg(figure).print_png(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
