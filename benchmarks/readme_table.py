"""Runs the suites and writes what they printed into the README, between its two markers."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import memory
import optimizers
import start
import training
from common import duration, machine, torch_or_none

from fastdl.files import write_text

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmark table -->", "<!-- end of benchmark table -->"


def line(row: dict[str, Any]) -> str:
    """One row of the table in Markdown."""
    time = f"{duration(row['seconds'])} ± {100 * row['spread']:.0f} %" if "seconds" in row else ""
    ratios = row["ratios"]
    torch, numpy = (f"{ratios[k]:.2f}x" if k in ratios else "" for k in ("PyTorch", "NumPy"))
    if "memory used" in ratios:
        time = f"{ratios['memory used']:.2f} times the need"
    share = f"{100 * row['share']:.0f} %" if row.get("share") else ""
    cells = (row["name"], time, torch, numpy, row.get("target", ""), share)
    return "| " + " | ".join(cells) + " |"


def table(rows: list[dict[str, Any]]) -> str:
    """The whole table, with the machine and what its columns mean."""
    torch = torch_or_none()
    versions = f", PyTorch {torch.__version__}" if torch is not None else ""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    head = [
        f"Measured {today} on {machine()}{versions}.",
        "Sides take turns in one process; medians ± half the distance of the quartiles. A ratio",
        "above 1: fastdl is faster. PyTorch: the fastest of eager, fused optimizer and, where it",
        "runs, torch.compile. NumPy: the fastest of the course's code in float32 and float64 and",
        "the twin. Target: against PyTorch; against NumPy.",
        "",
        "| what | fastdl | PyTorch | NumPy | target | share of peak |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    return "\n".join([*head, *(line(row) for row in rows)])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    suites = (training, optimizers, start, memory)
    rows = [row for suite in suites for row in suite.suite(quick)]
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    write_text(README, f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
