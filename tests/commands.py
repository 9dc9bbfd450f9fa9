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


def run(*arguments: object) -> int:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)
