"""The sections of the page: each takes a training's results and returns HTML, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import panels
from .markup import MOST_ROWS, Markup, bar, escaped, facts, section, table
from .tables import SHOWN, history_rows, importance_name
from .texts import digits

Results = Mapping[str, Any]

_FIGURES = (
    *SHOWN, ("average_precision", "average precision", 4),
    ("normalized_entropy", "normalized entropy", 4), ("ece", "expected calibration error", 5),
    ("brier", "Brier score", 5), ("accuracy", "accuracy at 0.5", 4),
)  # fmt: skip
_SIDES = {"test": "model", "base_rate": "base rate", "best_possible": "best possible"}
_VALUES, _COLUMNS = 40, 20  # shown of a column, and columns, of those that are evaluated by value
_FEATURES = 100


def headline(results: Results) -> Markup:
    """AUC, log loss and calibration in large figures, all metrics in a table."""
    test = results.get("test")
    if not test:
        return Markup()
    sides = {text: results[key] for key, text in _SIDES.items() if results.get(key)}
    cards = []
    for key, name, count in SHOWN:
        others = " · ".join(
            f"{text} {digits(found.get(key), count)}" for text, found in sides.items()
            if text != "model"
        )  # fmt: skip
        cards.append(
            f'<div class="card"><div>{escaped(name)}</div><strong>'
            f"{digits(test.get(key), count)}</strong><small>{escaped(others)}</small></div>"
        )
    rows = [
        (name, *(digits(found.get(key), count) for found in sides.values()))
        for key, name, count in _FIGURES
    ]
    about = f"On {test['rows']:,} test rows with {test['clicks']:,} clicks."
    if "base rate" in sides:
        about += " The base rate is the share of clicks in training, predicted for every row."
    return section(
        "Test", f'<div class="cards">{"".join(cards)}</div>', table(["metric"], list(sides), rows),
        about=about,
    )  # fmt: skip


def learning(results: Results) -> Markup:
    """Loss of steps and epochs, AUC of epochs, and the epochs as a table."""
    return section("Training", panels.learning(results), history_table_of(results))


def history_table_of(results: Results) -> Markup:
    """The epochs, a row each."""
    history = results.get("history") or {}
    if not history.get("epoch"):
        return Markup()
    headers, cells = history_rows(history)
    return table((), headers, cells[-100:], "Epochs" if len(cells) <= 100 else "Last 100")


def progressive(results: Results) -> Markup:
    """Metrics of rows that were predicted before they were trained on."""
    about = "Every batch was predicted before the model learned from it; figures of the rows since "
    return section(
        "Progressive validation", panels.progressive(results.get("progressive") or {}),
        about=about + "the point before.",
    )  # fmt: skip


def test_curves(results: Results) -> Markup:
    """ROC, precision and recall, calibration, spread of the probabilities."""
    return section("Curves of the test rows", panels.test_curves(results))


def by_value(results: Results) -> Markup:
    """A table for each column by whose values the test rows were evaluated."""
    given = results.get("by") or {}
    tables = []
    for column, values in list(given.items())[:_COLUMNS]:
        rows = [
            (value, f"{found['rows']:,}", f"{found['clicks']:,}",
             *(digits(found.get(key), count) for key, _, count in SHOWN))
            for value, found in list(values.items())[:_VALUES]
        ]  # fmt: skip
        numbers = ("rows", "clicks", "AUC", "log loss", "predicted / observed")
        tables.append(table([column], numbers, rows))
    left = len(given) - _COLUMNS
    about = f" {left} more columns are not shown." if left > 0 else ""
    return section(
        "By value", _pair(*tables), about=f"The test rows of each value of a column.{about}"
    )


def importance(results: Results) -> Markup:
    """Bars of what shuffling each feature costs, the important ones first."""
    found = results.get("importance") or {}
    features = (found.get("features") or [])[:_FEATURES]
    if not features:
        return Markup()
    low = min(0.0, *(own["mean"] - own["std"] for own in features), 0.0)
    high = max(0.0, *(own["mean"] + own["std"] for own in features), 0.0)
    rows = [
        (own["name"], bar(own["mean"], own["std"], low, high), f"{own['mean']:.5f}",
         f"{own['std']:.5f}")
        for own in features
    ]  # fmt: skip
    about = (
        "How much worse predictions get when a feature's values are shuffled among the rows: mean "
        f"and standard deviation of {found['repeats']} shuffles of {found['rows']:,} rows."
    )
    left = len(found["features"]) - len(features)
    about += f" {left:,} less important features are not shown." if left > 0 else ""
    name = importance_name(found)
    return section("Importance", table(["feature", ""], (name, "±"), rows), about=about)


def columns(results: Results) -> Markup:
    """What each column of the log was taken for."""
    rows = list(results.get("columns") or ())
    left, rows = len(rows) - MOST_ROWS, rows[:MOST_ROWS]
    height = max(15, -(-len(rows) // 3))  # in up to three tables beside each other
    tables = (
        table(("column", "taken as", "gives"), (), rows[start : start + height])
        for start in range(0, len(rows), height)
    )
    about = f"{left:,} more columns are not shown." if left > 0 else ""
    return section("Columns", _pair(*tables), about=about)


def options(results: Results) -> Markup:
    """What was asked for, and facts of the run."""
    run = facts(results.get("facts") or {}, ("run", ""))
    job = facts(results.get("job") or {}, ("option", "value"))
    return section("Run", _pair(run, job))


def _pair(*tables: Markup) -> str:
    """Tables beside each other as far as the screen is wide."""
    inside = "".join(tables)
    return f'<div class="pair">{inside}</div>' if inside else ""


SECTIONS = {
    "test": headline, "history": learning, "progressive": progressive, "curves": test_curves,
    "by": by_value, "importance": importance, "columns": columns, "facts and job": options,
}  # fmt: skip
