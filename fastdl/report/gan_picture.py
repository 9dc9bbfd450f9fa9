"""The picture in the run folder of a GAN: losses, distances, and some of its images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .gan_panels import draw_distance, draw_losses, draw_neighbours
from .picture import checked_png, write_figure
from .style import default_style, drawable, plain_panel


def plot_gan_run(
    path: str | os.PathLike[str], results: Mapping[str, Any], title: str,
    images: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Write a PNG of 1500 pixels' width: both losses, distances by epoch, images below.

    ``results`` is what ``metrics.json`` of the run folder holds; images: uint8 (N, H, W, C) or
    None. The file appears complete or not at all. ValueError for a path that does not end in .png
    or whose folder is missing.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    path = checked_png(path)
    with default_style():
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.09, wspace=0.03)
        below = 0 if images is None else 1.6
        figure = Figure(figsize=(15, 4.8 + below), dpi=100, layout=layout)
        figure.suptitle(drawable(title), parse_math=False, fontsize=14, fontweight="bold", x=0.008,
                        ha="left")  # fmt: skip
        places = figure.add_gridspec(
            2 if below else 1, 3, height_ratios=(4, below) if below else (1,)
        )
        axes = [figure.add_subplot(places[0, i]) for i in range(3)]
        for ax in axes:
            plain_panel(ax)
        draw_losses(axes[0], results["loss_curves"])
        judged = any(value is not None for value in results["history"].get("frechet") or ())
        name, text = ("frechet", "Fréchet") if judged else ("kernel", "Kernel")
        draw_distance(axes[1], results, name, f"{text} distance (our own classifier's features)")
        draw_neighbours(axes[2], results["history"])
        if images is not None:
            _draw_images(figure.add_subplot(places[1, :]), images)
        write_figure(figure, path)


def _draw_images(ax: Any, images: np.ndarray) -> None:
    """A row of images."""
    N, H, W, C = images.shape
    gap = max(1, W // 14)
    row = np.full((H, N * (W + gap) - gap, C), 255, np.uint8)
    for i, own in enumerate(images):
        row[:, i * (W + gap) : i * (W + gap) + W] = own
    ax.imshow(
        row[:, :, 0] if C == 1 else row, cmap="gray", vmin=0, vmax=255, interpolation="nearest"
    )
    ax.axis("off")
