"""The package: its list of folders, its import names, its import time's causes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fastdl

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_package_list_equals_the_folders():
    found = set()
    for top, name in (
        ("fastdl", "fastdl"),
        ("kernels", "fastdl.kernels"),
        ("models", "fastdl.models"),
    ):
        for init in (ROOT / top).rglob("__init__.py"):
            inside = init.parent.relative_to(ROOT / top).parts
            found.add(".".join((name, *inside)))
    assert found == set(PYPROJECT["tool"]["setuptools"]["packages"])


@pytest.mark.parametrize("name", ["kernels", "models"])
def test_bare_import_is_refused_with_the_right_name(name):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"fastdl.{name}" in done.stderr


def test_import_leaves_heavy_libraries_out():
    code = "import sys, fastdl; print([m for m in sys.modules if '.' not in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout))
    assert not {"pyarrow", "matplotlib", "rich", "typer", "safetensors", "torch"} & loaded


def test_importing_does_not_touch_the_random_state_or_the_users_numba_cache():
    code = (
        "import numpy as np, numba; np.random.seed(1); d = numba.config.CACHE_DIR; import fastdl;"
        "assert np.random.rand() == np.random.RandomState(1).rand();"
        "assert numba.config.CACHE_DIR == d"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_has_a_docstring():
    for name in fastdl.__all__:
        thing = getattr(fastdl, name)
        assert name == "__version__" or thing.__doc__, name


def test_every_dependency_says_what_it_is_for():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("dependencies = [")
    for line in lines[start + 1 : lines.index("]", start)]:
        assert "#" in line, line
