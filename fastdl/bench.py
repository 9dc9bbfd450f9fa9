"""`fastdl bench`: runs the benchmark suites of a source checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUITES = {
    "training": [["training.py"]],
    "optimizers": [["optimizers.py"]],
    "start": [["start.py"]],
    "memory": [["memory.py"], ["image_memory.py"]],
    "accuracy": [["accuracy_math.py"]],
    "soak": [["soak.py"]],
    "encoder": [["encoder.py"]],
    "stream": [["stream.py"]],
    "vowpal": [["vowpal.py"]],
    "plain": [["plain.py"]],
    "kernels": [["-m", "pytest", "-o", "addopts=", "-o", "python_files=bench_*.py", ".",
                 "--benchmark-columns=median,iqr,ops", "--benchmark-sort=name"]],
}  # fmt: skip
QUICK = ("training", "optimizers", "start", "memory", "kernels")  # what "all" runs


def run_suite(suite: str) -> int:
    """Run one suite, or "all"; returns the exit code.

    Raises ValueError for an unknown suite, FileNotFoundError outside a source checkout.
    """
    if suite != "all" and suite not in SUITES:
        raise ValueError(f"There is no suite {suite!r}; the suites are all, {', '.join(SUITES)}.")
    folder = Path(__file__).parents[1] / "benchmarks"
    if not (folder / "common.py").is_file():
        raise FileNotFoundError(
            "The benchmarks are not part of the installed package: clone the repository, and in it "
            'run pip install -e ".[bench]".'
        )
    code = 0
    for name in QUICK if suite == "all" else (suite,):
        for command in SUITES[name]:
            code = code or subprocess.run([sys.executable, *command], cwd=folder).returncode
    return code
