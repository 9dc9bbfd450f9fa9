"""The pictures of the page, from a training's results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import draw_calibration
from .curves import POINTS
from .histogram import draw_histogram
from .loss import draw_loss, draw_score, epoch_curve
from .markup import Markup
from .roc import draw_precision_recall, draw_roc
from .style import BLUE, GREY, head, legend
from .svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = Mapping[str, Any]
_LOSSES = {"series": "loss of scaled values"}  # of other kinds of runs in nats
_SIZE, _SMALL = (5.6, 4.2), (4.4, 3.3)  # inches of a panel at the picture's own scale


def grid(*pictures: str, kind: str = "pictures") -> Markup:
    """Pictures beside each other as far as the screen is wide."""
    shown = "\n".join(f"<figure>{picture}</figure>" for picture in pictures if picture)
    return Markup(f'<div class="{kind}">\n{shown}\n</div>' if shown else "")


def _picture(
    name: str, text: str, draw: Callable[[Axes], None], size: tuple[float, float] = _SIZE
) -> str:
    return inline_svg(name, draw, text, *size)


def learning(results: Results) -> Markup:
    """Losses, and the validation's AUC, or its accuracy, after each epoch."""
    history, given = results.get("history") or {}, results.get("loss_curve")
    validation, training = epoch_curve(history, "val_loss"), None
    if given:
        drawn = (np.asarray(given[name], np.float64) for name in ("epoch", "loss", "smoothed"))
        steps: Any = (*drawn, int(given["window"]))
    else:
        done, loss = epoch_curve(history, "loss")
        steps, training = (done, loss, loss, 1), "training, mean of an epoch"
    unit = _LOSSES.get(str(results.get("kind")), "log loss (nats per row)")
    pictures = []
    if len(steps[0]) or len(validation[0]):
        pictures.append(
            _picture("loss", "Loss of training and validation",
                     lambda ax: draw_loss(ax, steps, validation, training, unit))
        )  # fmt: skip
    for key, name in (("val_auc", "AUC"), ("val_accuracy", "Accuracy")):
        found = epoch_curve(history, key)
        if len(found[0]):
            pictures.append(_score(key.replace("_", "-"), name, found))
            break
    return grid(*pictures)


def _score(key: str, name: str, found: Any) -> str:
    text = f"{name} of the validation after each epoch"
    return _picture(key, text, lambda ax: draw_score(ax, name, found))


def confidence(bins: Mapping[str, Any]) -> Markup:
    """Accuracy against the probability of what was said, where there are bins of it."""
    if not bins:
        return Markup()
    sure, right, rows = (
        np.asarray(bins[name], np.float64) for name in ("confidence", "accuracy", "weight")
    )

    def draw(ax: Axes) -> None:
        head(ax, "Confidence", "probability of what was said (%)", "share that is right (%)")
        low = min(100 * float(min(sure.min(), right.min())), 95.0)
        ax.plot(
            [low, 100], [low, 100], color=GREY, linestyle=":", linewidth=1.4, label="calibrated"
        )
        area = 20 + 180 * rows / rows.max()
        ax.scatter(100 * sure, 100 * right, area, color=BLUE, zorder=3, label="area: how many")
        legend(ax, "upper left")

    return grid(_picture("confidence", "Accuracy by confidence", draw, _SMALL))


def progressive(found: Mapping[str, Any]) -> Markup:
    """Log loss, AUC and predicted / observed over the rows seen."""
    rows = np.asarray(found.get("rows") or (), np.float64)
    names = {"log_loss": "Log loss", "auc": "AUC", "calibration": "Calibration"}
    keep = np.unique(np.linspace(0, len(rows) - 1, POINTS).astype(np.int64)) if len(rows) else rows
    pictures = []
    for key, name in names.items():
        values = np.asarray(found.get(key) or (), np.float64)
        if not np.isfinite(values).any():
            continue
        if values.shape != rows.shape:
            raise ValueError(f"{key} has {len(values)} figures for {len(rows)} numbers of rows")
        pictures.append(_progress(key, name, rows[keep], values[keep]))
    return grid(*pictures, kind="pictures small")


def _progress(key: str, name: str, rows: np.ndarray, values: np.ndarray) -> str:
    def draw(ax: Axes) -> None:
        units = {"log_loss": "log loss (nats per row)", "calibration": "predicted / observed"}
        head(ax, name, "rows seen", units.get(key, name))
        marker = "o" if len(rows) <= 50 else ""
        ax.plot(rows, values, color=BLUE, linewidth=1.8, marker=marker, markersize=4)
        ax.set_xlim(left=0)
        ax.locator_params("x", nbins=5)
        ax.xaxis.set_major_formatter(_rows_text)

    about = f"{name} of rows before training on them"
    return _picture(f"progressive-{key.replace('_', '-')}", about, draw, _SMALL)


def _rows_text(rows: float, _: Any = None) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rows >= unit:
            return f"{rows / unit:g}{name}"
    return f"{rows:g}"


def test_curves(results: Results) -> Markup:
    """ROC, precision and recall, calibration, histogram, as far as they are there."""
    found, test = results.get("curves") or {}, results.get("test") or {}
    drawings: dict[str, tuple[str, Callable[[Axes], None]]] = {}
    if not test:
        return Markup()
    if found.get("roc"):
        drawings["roc"] = "ROC curve", lambda ax: draw_roc(ax, _roc_lines(results), test)
    if found.get("precision_recall"):
        recall, precision = (np.asarray(part, np.float64) for part in found["precision_recall"])
        drawings["precision"] = (
            "Precision and recall",
            lambda ax: draw_precision_recall(ax, recall, precision, test),
        )
    if found.get("calibration"):
        drawings["calibration"] = (
            "Calibration",
            lambda ax: draw_calibration(ax, found["calibration"], test),
        )
    if found.get("histogram"):
        drawings["histogram"] = (
            "Histogram of the predicted probabilities",
            lambda ax: draw_histogram(ax, found["histogram"]),
        )
    return grid(*(_picture(name, text, draw) for name, (text, draw) in drawings.items()))


def _roc_lines(results: Results) -> dict[str, Any]:
    found = results["curves"]
    lines = {f"model, AUC {results['test']['auc']:.4f}": found["roc"]}
    best = (results.get("best_possible") or {}).get("auc")
    if best is not None:
        lines[f"best possible, AUC {best:.4f}"] = found.get("best_roc") or [[], []]
    return lines
