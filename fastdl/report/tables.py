"""Tables on the terminal: metrics, values of a column, columns, epochs, importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .texts import digits, one_line, shown

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = (
    ("auc", "AUC", 4),
    ("log_loss", "log loss (nats)", 5),
    ("calibration", "calibration (predicted / observed)", 3),
)
JUDGED = {
    "frechet": "Fréchet distance on our own classifier's features", "kernel": "kernel distance",
    "precision": "precision", "recall": "recall", "density": "density", "coverage": "coverage",
    "recognised": "share recognised as the class asked for",
}  # fmt: skip
HISTORY = (
    ("loss", "loss", 5), ("val_loss", "validation loss", 5), ("val_accuracy", "accuracy", 4),
    ("val_auc", "AUC", 4), ("loss_d", "discriminator", 4), ("loss_g", "generator", 4),
    ("real", "D(real)", 3), ("fake", "D(generated)", 3), ("frechet", "Fréchet distance", 2),
    ("kernel", "kernel distance", 4), ("precision", "precision", 3), ("recall", "recall", 3),
    ("coverage", "coverage", 3), ("recognised", "recognised", 3), ("diversity", "diversity", 3),
    ("lr", "learning rate", 6), ("seconds", "seconds", 2),
)  # fmt: skip


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
    given = {name: values for name, values in columns.items() if values is not None}
    counts = [f"{n}: {metrics[n]:,}" for n in ("rows", "clicks") if metrics.get(n) is not None]
    table = Table(header_style="bold")
    table.add_column(f"{rows} {', '.join(counts)}".strip(), no_wrap=True)
    for name in given:
        table.add_column(name, justify="right", style="bold" if name == "model" else None)
    for key, text, count in SHOWN:
        table.add_row(text, *(digits(found.get(key), count) for found in given.values()))
    return table


def values_table(column: str, values: Mapping[str, Mapping[str, Any]]) -> Table:
    """Rows, clicks, AUC, log loss and calibration for each value of a column, a row each.

    >>> from fastdl.metrics import evaluate
    >>> table = values_table("city", {"Rome": evaluate([0, 1], [0.2, 0.6])})
    >>> [column.header for column in table.columns][:3]
    ['city', 'rows', 'clicks']
    """
    numbers = ("rows", "clicks", "AUC", "log loss (nats)", "predicted / observed")
    rows = []
    for value, found in values.items():
        counts = (f"{found[n]:,}" for n in ("rows", "clicks"))
        figures = (digits(found.get(key), count) for key, _, count in SHOWN)
        rows.append((value, *counts, *figures))
    return _table([column], numbers, rows)


def image_metrics_table(
    metrics: Mapping[str, Any], base: Mapping[str, Any] | None = None, rows: str = "test"
) -> Table:
    """Accuracy, log loss, macro F1 and calibration of an image model, beside the base rate's.

    >>> from fastdl.metrics.classes import evaluate
    >>> table = image_metrics_table(evaluate([0, 1], [[0.9, 0.1], [0.2, 0.8]]))
    >>> [column.header for column in table.columns]
    ['2 test images', 'model']
    """
    names = [f"{metrics['rows']:,} {rows} images"]
    figures = {
        "accuracy": metrics["accuracy"], "log loss (nats)": metrics["log_loss"],
        "macro F1": metrics["macro"]["f1"], "expected calibration error": metrics["ece"],
    }  # fmt: skip
    if base is None:
        return _table(names, ["model"], [(k, digits(v, 4)) for k, v in figures.items()])
    beside = {"accuracy": base.get("accuracy"), "log loss (nats)": base.get("log_loss")}
    cells = [(k, digits(v, 4), digits(beside.get(k), 4)) for k, v in figures.items()]
    return _table(names, ["model", "base rate"], cells)


def class_table(metrics: Mapping[str, Any], most: int = 40) -> Table:
    """Precision, recall, F1, images and the most frequent mistake of each class, a row each.

    >>> from fastdl.metrics.classes import evaluate
    >>> class_table(evaluate([0, 1], [[0.9, 0.1], [0.6, 0.4]], names=["bag", "shoe"])).row_count
    2
    """
    names, rows = [own["name"] for own in metrics["classes"]], []
    for i, own in enumerate(metrics["classes"][:most]):
        others = {name: n for j, (name, n) in enumerate(zip(names, metrics["confusion"][i],
                                                            strict=True)) if j != i}  # fmt: skip
        worst = max(others, key=lambda name: others[name])
        taken = f"{worst} ({others[worst]:,.6g})" if others[worst] else "-"
        figures = (digits(own[key], 4) for key in ("precision", "recall", "f1"))
        rows.append((own["name"], taken, *figures, f"{own['support']:,.6g}"))
    return _table(["class", "taken for"], ("precision", "recall", "F1", "images"), rows)


def judged_table(judged: Mapping[str, Any]) -> Table:
    """How good generated images are, beside real ones where that can be told.

    >>> judged_table({"frechet": 12.5, "frechet_floor": 1.2, "recall": 0.8}).row_count
    2
    """
    floors = {key: f"{key}_floor" for key in JUDGED} | {"recognised": "accuracy"}
    rows = [
        (name, _three(judged[key]), _three(judged.get(floors[key])))
        for key, name in JUDGED.items() if judged.get(key) is not None
    ]  # fmt: skip
    count = judged.get("count")
    head = "generated images" if count is None else f"{count:,} generated images"
    return _table([head], ("of the GAN", "of real images"), rows)


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def columns_table(columns: Sequence[Sequence[str]]) -> Table:
    """What a ``FeatureEncoder`` made of a log's columns, from its ``describe``.

    >>> table = columns_table([("city", "category", "300 ids")])
    >>> [column.header for column in table.columns]
    ['column', 'taken as', 'gives']
    """
    return _table(("column", "taken as", "gives"), (), columns)


def history_table(history: Mapping[str, Sequence[Any]]) -> Table:
    """An epoch a row: its losses, accuracy, AUC, learning rate and seconds, as far as known.

    >>> table = history_table({"epoch": [1, 2], "loss": [0.5, 0.4], "val_loss": [0.6, None]})
    >>> [column.header for column in table.columns], table.row_count
    (['epoch', 'loss', 'validation loss'], 2)
    """
    headers, rows = history_rows(history)
    return _table((), headers, rows)


def history_rows(history: Mapping[str, Sequence[Any]]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells of the epochs; columns in which no epoch has a figure are left out."""
    known = [entry for entry in HISTORY if any(v is not None for v in history.get(entry[0]) or ())]
    columns = [[f"{epoch:g}" for epoch in history["epoch"]]]
    for key, _, count in known:
        columns.append([digits(value, count) for value in history[key]])
    rows = [list(row) for row in zip(*columns, strict=True)]
    return ["epoch", *(name for _, name, _ in known)], rows


def importance_table(importance: Mapping[str, Any], most: int = 30) -> Table:
    """The first features of ``fastdl.importance.permutation_importance``, the important ones.

    >>> found = {"metric": "auc", "features": [{"name": "city", "mean": 0.1, "std": 0.02}]}
    >>> [column.header for column in importance_table(found).columns]
    ['feature', 'AUC lost', '±']
    """
    rows = [
        (own["name"], f"{own['mean']:.5f}", f"{own['std']:.5f}")
        for own in importance["features"][:most]
    ]
    return _table(["feature"], (importance_name(importance), "±"), rows)


def importance_name(importance: Mapping[str, Any]) -> str:
    """What the figures of an importance are."""
    return {"auc": "AUC lost", "log_loss": "log loss gained (nats)"}[importance["metric"]]


def facts_table(facts: Mapping[str, Any], headers: Sequence[str]) -> Table:
    """Names and what they are, a row each.

    >>> facts_table({"rows": 1200}, ("fact", "value")).row_count
    1
    """
    return _table(headers, (), [(name, shown(value)) for name, value in facts.items()])


def _table(texts: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Columns of texts, then of numbers. Texts come from logs: rich takes no markup from them."""
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    for header in texts:
        table.add_column(escape(one_line(header)), overflow="fold")
    for header in numbers:
        table.add_column(header, justify="right")
    for row in rows:
        table.add_row(*(Text(one_line(cell) or "(empty)") for cell in row))
    return table
