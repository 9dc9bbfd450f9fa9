"""The picture in the run folder of a training on images: loss, accuracy and confusion."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .confusion import draw_confusion
from .loss import draw_loss, draw_score, epoch_curve
from .picture import checked_png, new_figure, write_figure
from .style import default_style, note


def plot_image_run(path: str | os.PathLike[str], results: Mapping[str, Any], title: str) -> None:
    """Write a PNG of 1500 x 500 pixels: loss curve, accuracy of the epochs, confusion matrix.

    ``results`` is what ``metrics.json`` of the run folder holds. The file appears complete or not
    at all. ValueError for a path that does not end in .png or whose folder is missing.
    """
    path = checked_png(path)
    curve, history = results["loss_curve"], results["history"]
    drawn = [np.asarray(curve[name], np.float64)
                        for name in ("epoch", "loss", "smoothed")]  # fmt: skip
    with default_style():
        figure, (left, middle, right) = new_figure(title)
        steps: Any = (*drawn, int(curve["window"]))
        draw_loss(left, steps, epoch_curve(history, "val_loss"))
        accuracy = epoch_curve(history, "val_accuracy")
        if len(accuracy[0]):
            draw_score(middle, "Accuracy", accuracy)
        else:
            note(middle, "There were no validation images.")
        draw_confusion(right, results["test"])
        right.set_title(f"Confusion, accuracy {results['test']['accuracy']:.2%}", loc="left",
                        fontsize=12)  # fmt: skip
        write_figure(figure, path)
