"""Shared fixtures and oracles."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import without_report
from fastdl.kernels import jit

import fastdl

SHARED = Path(__file__).parents[2] / "shared"

# With a cold cache two thirds of all time is compiling. Files that compile most, or wait for other
# processes, begin first; what is behind them is short, so that no worker ends long before another.
# Neighbours compile different kernels, a layer's file comes long after that of its kernels: what
# two workers need at once is compiled twice, which was a tenth of all compiling.
LONGEST_FIRST = (
    "doctests", "ctr_models", "layers_convolution", "kernels_recurrent", "resume_after_kill",
    "kernels_winograd", "layers_batchnorm_images", "kernels_convolution", "pipeline_stream",
    "ctr_generated", "adversarial_features", "gan", "gan_pipeline", "jit", "warm", "kernels_sparse",
    "blas", "classifier", "layers_recurrent",
    "kernels_upsample", "kernels_pooling", "image_resume", "image_classifier", "image_gan",
    "layers_convolution_transpose", "ctr_training",
    "readme", "image_pipeline", "classifier_checks", "jit_off", "kernels_twins", "gradients",
    "network", "data_cut", "pipeline", "layers_upsample",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order of ``LONGEST_FIRST``, then the others; pytest-xdist is told to keep it."""
    place = {f"test_{name}": i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """NumPy's global random state is the same at the start of every test."""
    np.random.seed(0)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings end without their picture, their page and the importance of columns."""
    without_report(monkeypatch)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype[Any]:
    return np.dtype(request.param)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file of this name and content and returns its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def original() -> SimpleNamespace:
    """The course's own classes, read from ../shared at test time."""
    path = SHARED / "original" / "numpy-version.md"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    namespace: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.S):
        exec(block, namespace)
    return SimpleNamespace(**{k: v for k, v in namespace.items() if not k.startswith("__")})


@pytest.fixture
def two_thread_counts():
    """Runs a function on one thread and on two and returns both results."""

    def run(function):
        results = []
        before = jit._threads
        for threads in (1, min(2, jit.numba.config.NUMBA_NUM_THREADS)):
            fastdl.set_num_threads(threads)
            results.append(function())
        jit._threads = before
        return results

    return run
