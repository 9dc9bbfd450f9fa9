"""An inspected run folder as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .forecast_tables import forecast_table
from .tables import (
    class_table,
    columns_table,
    facts_table,
    history_table,
    image_metrics_table,
    importance_table,
    judged_table,
    metrics_table,
    values_table,
)

if TYPE_CHECKING:
    from rich.table import Table


def run_tables(found: Mapping[str, Any]) -> Iterator[Table]:
    """The tables of what ``fastdl.inspection.inspect_run`` found, those with something in them.

    Raises ValueError where the results are not of the form that ``fastdl train`` writes.

    >>> found = {"model": {}, "columns": [], "results": {}, "history": {}, "checkpoints": [],
    ...          "files": {"metrics.json": 2000}}
    >>> [table.columns[0].header for table in run_tables(found)]
    ['file']
    """
    try:
        yield from _tables(found)
    except (KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"The run's results are damaged: {error!r}.") from error


def _tables(found: Mapping[str, Any]) -> Iterator[Table]:
    from rich.filesize import decimal

    results = found["results"]
    if found["model"]:
        yield facts_table(_model(found["model"]), ("model", found["model"]["class"]))
    for name, header in (("job", "asked for"), ("facts", "run")):
        if results.get(name):
            yield facts_table(results[name], (header, ""))
    if found["columns"]:
        yield columns_table(found["columns"])
    if found["history"].get("epoch"):
        yield history_table(found["history"])
    if results.get("test") and results.get("kind") == "images":
        yield class_table(results["test"])
        tested = results.get("tested_on", "test")
        yield image_metrics_table(results["test"], results.get("base_rate"), tested)
    elif results.get("test") and results.get("kind") == "series":
        yield forecast_table(results["models"], results["test"]["values"])
    elif results.get("test") and results.get("kind") == "gan":
        yield judged_table(results["test"])
    elif results.get("test"):
        yield metrics_table(results["test"], results.get("base_rate"), results.get("best_possible"))
    for column, values in (results.get("by") or {}).items():
        yield values_table(column, values)
    if (results.get("importance") or {}).get("features"):
        yield importance_table(results["importance"])
    if found["checkpoints"]:
        told = {known["file"]: _progress(known) for known in found["checkpoints"]}
        yield facts_table(told, ("checkpoint", "is after"))
    sizes = {name: decimal(size) for name, size in found["files"].items()}
    yield facts_table(sizes, ("file", "size"))


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    names = {"all": "parameters", "dense": "dense parameters", "tables": "numbers in tables"}
    return {names[name]: count for name, count in model["parameters"].items()} | model["options"]


def _progress(known: Mapping[str, Any]) -> str:
    if "problem" in known:
        return str(known["problem"])
    parts = []
    for unit in ("epoch", "step"):
        whole = known[unit + "s"]
        parts.append(f"{unit} {known[unit]:,}" + (f" of {whole:,}" if whole else ""))
    share = f" ({known['step'] / known['steps']:.1%})" if known["steps"] else ""
    return ", ".join(parts) + share
