"""The picture in a run folder: loss, ROC and calibration side by side."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from .. import metrics as _metrics
from .calibration import calibration_bins, draw_calibration
from .loss import draw_loss, epoch_curve, training_curve
from .roc import draw_roc, roc_lines
from .style import default_style, drawable, plain_panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    for key in ("step_loss", "steps_per_epoch"):
        if key not in history:
            raise ValueError(f'plot_run: history has no "{key}"; it has {sorted(history)}.')
    steps = training_curve(history["step_loss"], history["steps_per_epoch"])
    epochs = epoch_curve(history, "val_loss")
    summary = _metrics.evaluate(label, probability)
    roc = roc_lines(label, probability, best_possible, summary)
    bins = calibration_bins(label, probability)
    with default_style():
        figure, (left, middle, right) = new_figure(title)
        draw_loss(left, steps, epochs)
        draw_roc(middle, roc, summary)
        draw_calibration(right, bins, summary)
        write_figure(figure, path)


def checked_png(path: str | os.PathLike[str]) -> Path:
    """The path; ValueError unless it ends in .png and its folder is there."""
    path = Path(path)
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise ValueError(f"The picture is {path}; expected a name ending in .png in a folder.")
    return path


def new_figure(title: str) -> tuple[Figure, NDArray[Any]]:
    """1500 x 500 pixels with a title and three panels."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.09, wspace=0.03)
    figure = Figure(figsize=(15, 5), dpi=100, layout=layout)
    # A file name may hold a dollar sign, which is no formula.
    style = {"fontsize": 14, "fontweight": "bold", "x": 0.008, "ha": "left"}
    figure.suptitle(drawable(title), parse_math=False, **style)
    widths = (1.45, 1, 1)
    axes = figure.subplots(1, 3, width_ratios=widths)
    for ax, width in zip(axes, widths, strict=True):
        ax.set_box_aspect(1 / width)  # panels of one height, the two with rates square
        plain_panel(ax)
    return figure, axes


def write_figure(figure: Figure, path: Path) -> None:
    """Write beside the target and rename, so that nobody sees half a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            FigureCanvasAgg(figure).print_png(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
