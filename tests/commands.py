"""The command line in tests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fastdl import cli


def without_jit(code: str) -> subprocess.CompletedProcess[str]:
    """A process that runs the code with kernels as plain Python."""
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True,
    )  # fmt: skip


def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings end without their picture, their page and the importance of columns.

    They take most of a small run's time; this is for tests that do not look at them.
    """
    drawn = {"": "run", ".vision": "image_run", ".generation": "gan_run",
             ".forecasting": "series_run"}  # fmt: skip
    for package, name in drawn.items():
        results = f"fastdl{package}.results"
        monkeypatch.setattr(f"{results}.plot_{name}", lambda *_, **__: None)
        monkeypatch.setattr(f"{results}.write_page", lambda *_: None)
    monkeypatch.setattr("fastdl.results._importance", lambda *_: None)


def run(*arguments: object) -> int:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)
