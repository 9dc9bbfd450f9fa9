"""The command line in tests."""

from __future__ import annotations

import pytest

from fastdl import cli


def run(*arguments: object) -> int:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)
