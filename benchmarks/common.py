"""Timing sides against each other, and printing what came out.

The sides of a comparison take turns inside one process, so that a slow moment of the machine
hits all of them; figures are medians, with half the distance of the quartiles as their spread.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from fastdl.kernels import blas_library

import fastdl
from fastdl.warm import measured_peak

# OpenBLAS and OpenMP threads go on spinning for up to 70 ms after their last call, on the core
# that the next side needs: without this pause every side was timed against the one before it.
SETTLE = 0.1
ORIGINAL = Path(__file__).parents[2] / "shared" / "original" / "numpy-version.md"


def machine() -> str:
    """CPU, number of cores, BLAS kernels and versions."""
    return (
        f"{blas_library.cpu_name()}, {os.cpu_count()} cores, OpenBLAS {blas_library.CORE}, "
        f"NumPy {np.__version__}, fastdl {fastdl.__version__}"
    )


def original() -> SimpleNamespace | None:
    """The course's own classes, read at run time, or None where they are absent."""
    if not ORIGINAL.is_file():
        return None
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", ORIGINAL.read_text(encoding="utf-8"), re.S):
        exec(block, names)
    return SimpleNamespace(**names)


def torch_or_none() -> Any:
    """PyTorch, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch


@contextmanager
def threads(n: int) -> Any:
    """Every side on n threads."""
    from threadpoolctl import threadpool_limits

    torch = torch_or_none()
    if torch is not None:
        torch.set_num_threads(n)
    fastdl.set_num_threads(n)
    with threadpool_limits(n, user_api="blas"):
        yield


def alternate(
    sides: dict[str, Callable[[], None]], rounds: int = 11, least: float = 0.03
) -> dict[str, tuple[float, float]]:
    """(median seconds, relative spread) of one call of each side; the sides take turns."""
    calls = {}
    for name, side in sides.items():
        side()
        start = time.perf_counter()
        side()
        calls[name] = max(1, int(least / max(time.perf_counter() - start, 1e-9)))
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            time.sleep(SETTLE)
            side()
            start = time.perf_counter()
            for _ in range(calls[name]):
                side()
            found[name].append((time.perf_counter() - start) / calls[name])
    return {name: (float(np.median(v)), _spread(v)) for name, v in found.items()}


def _spread(values: list[float]) -> float:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float((high - low) / 2 / middle)


def peak(n: int) -> float:
    """Measured peak of n threads in GFLOP/s: n times one thread's."""
    return n * measured_peak()


def row(name: str, times: dict[str, tuple[float, float]], **more: Any) -> dict[str, Any]:
    """A result: ours first, the others as ratios to it."""
    ours = times["fastdl"][0]
    return {
        "name": name, "seconds": ours, "spread": times["fastdl"][1],
        "times": {k: v[0] for k, v in times.items()},
        "ratios": {k: v[0] / ours for k, v in times.items() if k != "fastdl"}, **more,
    }  # fmt: skip


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows as a table."""
    from rich.console import Console
    from rich.table import Table

    others = list(dict.fromkeys(name for r in rows for name in r["ratios"]))
    table = Table(title=f"{title}\n{machine()}", title_justify="left")
    heads = [n if n.startswith("memory") else f"{n} / fastdl" for n in others]
    for column in ("", "fastdl", "±", *heads, "target", "peak"):
        table.add_column(column, justify="right" if column else "left")
    for r in rows:
        ratios = [f"{r['ratios'][n]:.2f}" if n in r["ratios"] else "-" for n in others]
        share = f"{100 * r['share']:.0f} %" if r.get("share") else "-"
        time = duration(r["seconds"]) if "seconds" in r else "-"
        spread = f"{100 * r['spread']:.0f} %" if "seconds" in r else "-"
        table.add_row(r["name"], time, spread, *ratios, r.get("target", "-"), share)
    Console(width=max(140, Console().width)).print(table)


def duration(seconds: float) -> str:
    """Seconds in a readable unit."""
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.2f} s"


def main(suite: Callable[[bool], list[dict[str, Any]]], title: str) -> None:
    """Command line of a suite: --json FILE also writes the rows, --quick runs a smoke test."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rows = suite(options.quick)
    show(title, rows)
    if options.json:
        content = {"machine": machine(), "python": sys.version.split()[0], "rows": rows}
        options.json.write_text(json.dumps(content, indent=1))
