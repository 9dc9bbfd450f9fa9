"""Which classes are taken for which: the confusion matrix on the page and in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .markup import Markup, escaped, table
from .style import BLUE, ORANGE, head
from .texts import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 20  # of a matrix that is shown; of more, those that are confused most
_PAIRS = 12
_LETTERS = 14  # of a class's name in the head of a column


def confusion(test: Mapping[str, Any]) -> tuple[list[str], np.ndarray, int]:
    """Names and matrix of at most 20 classes, those confused most, and how many were left out."""
    names = [str(entry["name"]) for entry in test["classes"]]
    counts = np.asarray(test["confusion"], np.float64)
    if counts.shape != (len(names), len(names)):
        raise ValueError(f"the confusion matrix has shape {counts.shape} for {len(names)} classes")
    left = len(names) - MOST_CLASSES
    if left <= 0:
        return names, counts, 0
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
    kept = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    return [names[i] for i in kept], counts[np.ix_(kept, kept)], left


def confusion_table(test: Mapping[str, Any]) -> Markup:
    """A row for each class with what its images were taken for: counts, and shares of the row."""
    names, counts, left = confusion(test)
    share = _shares(counts)
    columns = "".join(f'<th title="{escaped(n)}"><span>{_short(n)}</span></th>' for n in names)
    body = []
    for i, name in enumerate(names):
        cells = "".join(_cell(counts[i, j], share[i, j], i == j) for j in range(len(names)))
        body.append(f"<tr><th>{_short(name)}</th>{cells}</tr>")
    more = f"<p>The {len(names)} classes that are confused most; {left} more are not shown.</p>"
    return Markup(
        f'{more if left else ""}<div class="wide"><table class="matrix"><caption>rows: what it is; '
        f"columns: what was said</caption><thead><tr><th></th>{columns}</tr></thead><tbody>\n"
        + "\n".join(body) + "\n</tbody></table></div>"
    )  # fmt: skip


def pairs_table(test: Mapping[str, Any]) -> Markup:
    """The mistakes that are made most often."""
    names = [entry["name"] for entry in test["classes"]]
    counts = np.array(test["confusion"], np.float64)
    share = _shares(counts)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_PAIRS]
    places = [divmod(int(place), len(names)) for place in order]
    rows = [
        (names[i], names[j], f"{counts[i, j]:,.6g}", f"{share[i, j]:.1%}")
        for i, j in places if counts[i, j] > 0
    ]  # fmt: skip
    texts, numbers = ("it is", "was said"), ("images", "of the class")
    return table(texts, numbers, rows, "The most frequent mistakes")


def draw_confusion(ax: Axes, test: Mapping[str, Any]) -> None:
    """The matrix in one panel: right ones blue, mistakes orange, by their share of the row."""
    from matplotlib.colors import to_rgb

    names, counts, _ = confusion(test)
    share = _shares(counts)
    head(ax, "Confusion", "what was said", "what it is")
    colours = np.array([to_rgb(ORANGE), to_rgb(BLUE)])[np.eye(len(names), dtype=int)]
    strength = np.sqrt(share)[:, :, None]  # rare mistakes are to be seen, too
    ax.imshow(1 - strength * (1 - colours), aspect="auto")
    ax.grid(False)
    shown = [_cut(name) for name in names]
    size = max(5, min(10, 90 // len(names)))
    ax.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor",
                  fontsize=size, parse_math=False)  # fmt: skip
    ax.set_yticks(range(len(names)), shown, fontsize=size, parse_math=False)
    if len(names) > 12:
        return
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                dark = share[i, j] > 0.4
                ax.text(j, i, f"{count:,.6g}", ha="center", va="center", fontsize=size,
                        color="white" if dark else "black")  # fmt: skip


def _cell(count: float, share: float, right: bool) -> str:
    if not count:
        return '<td class="none">·</td>'
    kind = "right" if right else "mistake"
    strength = round(100 * float(np.sqrt(share)))
    dark = " dark" if share > 0.4 else ""
    return (
        f'<td class="{kind}{dark}" style="--share:{strength}%">{count:,.6g}'
        f"<small>{100 * share:.0f}%</small></td>"
    )


def _shares(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def _short(name: str) -> Markup:
    return escaped(_cut(name))


def _cut(name: str) -> str:
    line = one_line(name)
    return line if len(line) <= _LETTERS else line[: _LETTERS - 1] + "…"
