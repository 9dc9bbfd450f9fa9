"""The loss of training's steps and of each epoch's validation: what is drawn, and drawing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .style import BLUE, FAINT, ORANGE, Floats, head, legend, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def training_curve(
    step_loss: ArrayLike, steps_per_epoch: int, blocks: int = 1000
) -> tuple[Floats, Floats, Floats, int]:
    """(epochs done, mean loss, smoothed loss, steps in a smoothed value) of up to so many blocks.

    A block's mean is that of its finite losses, NaN where none is finite. Raises ValueError and
    TypeError where these are not the losses of steps.
    """
    loss, per_epoch = _checked(step_loss, steps_per_epoch)
    if not len(loss):
        return loss, loss, loss, 1
    blocks = min(len(loss), blocks)
    edges = np.linspace(0, len(loss), blocks + 1).astype(np.int64)
    finite = np.isfinite(loss)
    total = np.add.reduceat(np.where(finite, loss, 0.0), edges[:-1])
    count = np.add.reduceat(finite.astype(np.float64), edges[:-1])
    window = np.ones(2 * (blocks // 50) + 1)
    sums, counts = (np.convolve(values, window, "same") for values in (total, count))
    width = round(len(window) * len(loss) / blocks)
    done = (edges[:-1] + edges[1:]) / (2 * per_epoch)
    return done, _ratio(total, count), _ratio(sums, counts), width


def _checked(step_loss: ArrayLike, per_epoch: Any) -> tuple[Floats, int]:
    loss = np.asarray(step_loss, np.float64)
    if isinstance(per_epoch, bool) or not isinstance(per_epoch, int | np.integer):
        raise TypeError(f"steps_per_epoch must be an int, got {per_epoch!r}.")
    if loss.ndim != 1 or per_epoch < 1:
        raise ValueError(
            "A loss curve needs one-dimensional losses of steps and steps_per_epoch of 1 or more, "
            f"got shape {loss.shape} and {per_epoch!r}."
        )
    return loss, int(per_epoch)


def _ratio(total: Floats, count: Floats) -> Floats:
    """total / count, NaN (a gap in the line) where nothing was counted."""
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def epoch_curve(history: Mapping[str, Any], name: str) -> tuple[Floats, Floats]:
    """(epochs done, figure) of the epochs whose figure in this column of the history is finite."""
    epoch, values = (history.get(key) for key in ("epoch", name))
    if epoch is None or values is None:
        return np.empty(0), np.empty(0)
    x, y = np.asarray(epoch, np.float64), np.asarray(values, np.float64)  # None becomes NaN
    if y.size == 0:
        return np.empty(0), np.empty(0)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"history's epoch and {name} must be equally long lists, "
            f"got shapes {x.shape} and {y.shape}."
        )
    return x[np.isfinite(y)], y[np.isfinite(y)]


def draw_loss(
    ax: Axes, steps: tuple[Floats, Floats, Floats, int], epochs: tuple[Floats, Floats],
    training: str | None = None, unit: str = "log loss (nats per row)",
) -> None:  # fmt: skip
    """The curves in one panel; ``training`` is what the legend calls the first."""
    x, raw, smoothed, width = steps
    head(ax, "Loss", "epochs", unit)
    if not (np.isfinite(smoothed).any() or len(epochs[0])):
        note(ax, "No finite loss was recorded.")
        return
    if width > 1:
        ax.plot(x, raw, color=FAINT, linewidth=0.8)
    name = f"training, mean of {width:,} steps" if width > 1 else "training, every step"
    marker = "o" if len(x) == 1 or (training and len(x) <= 50) else ""  # one point makes no line
    look: dict[str, Any] = {"color": BLUE, "linewidth": 1.8, "markersize": 5}
    ax.plot(x, smoothed, marker=marker, label=training or name, **look)
    if training:
        ax.locator_params("x", integer=True)  # a point an epoch
    if len(epochs[0]):
        draw_epochs(ax, epochs, int(np.argmin(epochs[1])))
    _limit_loss(ax, smoothed, epochs)
    legend(ax, "upper right")


def draw_epochs(ax: Axes, epochs: tuple[Floats, Floats], best: int) -> None:
    """The validation's figures, the best one marked."""
    name = f"validation, best {epochs[1][best]:.4f} after epoch {epochs[0][best]:g}"
    size = 5 if len(epochs[0]) <= 50 else 0
    ax.plot(*epochs, "o-", color=ORANGE, linewidth=1.8, markersize=size, label=name)
    ax.plot(epochs[0][best], epochs[1][best], "o", color=ORANGE, markersize=8, zorder=3)


def draw_score(ax: Axes, name: str, found: tuple[Floats, Floats]) -> None:
    """A figure of the validation rows after each epoch, of which more is better, in one panel."""
    head(ax, name, "epochs", f"{name} of the validation rows")
    draw_epochs(ax, found, int(np.argmax(found[1])))
    ax.set_xlim(left=0)
    ax.locator_params("x", integer=True)
    low, high = float(found[1].min()), float(found[1].max())
    margin = 0.08 * (high - low) or 0.01
    ax.set_ylim(low - 3 * margin, high + margin)  # the legend lies in the lower margin
    legend(ax, "lower right")


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
