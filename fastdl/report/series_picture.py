"""The picture in the run folder of a forecast: a series, skill, errors by step, calibration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .forecast_panels import draw_by_step, draw_calibration_of_levels, draw_skill
from .picture import checked_png, write_figure
from .series_pictures import draw_series
from .style import default_style, drawable, note, plain_panel

_INK = "#1b1f24"


def plot_series_run(path: str | os.PathLike[str], results: Mapping[str, Any], title: str) -> None:
    """Write a PNG of 1500 x 900 pixels: the largest series above, three panels of the backtest.

    ``results`` is what ``metrics.json`` of the run folder holds. The file appears complete or not
    at all. ValueError for a path that does not end in .png or whose folder is missing.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    path = checked_png(path)
    with default_style():
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.09, wspace=0.03)
        figure = Figure(figsize=(15, 9), dpi=100, layout=layout)
        figure.suptitle(drawable(title), parse_math=False, fontsize=14, fontweight="bold", x=0.008,
                        ha="left")  # fmt: skip
        places = figure.add_gridspec(2, 3, height_ratios=(1.1, 1), width_ratios=(1.2, 1, 1))
        top = figure.add_subplot(places[0, :])
        below = [figure.add_subplot(places[1, i]) for i in range(3)]
        for ax in (top, *below):
            plain_panel(ax)
        if results["shown"]:
            draw_series(top, results["shown"][0], ink=_INK)
            top.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=10)
        else:
            note(top, "No series was forecast at the last origins.")
        draw_skill(below[0], results["models"], results["judge"])
        draw_by_step(below[1], results["by_step"], "mae", "MAE by step")
        draw_calibration_of_levels(below[2], results["calibration"])
        write_figure(figure, path)
