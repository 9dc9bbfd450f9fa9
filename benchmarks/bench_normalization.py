"""Batch and layer normalization and dropout against their twins, over shapes; float32.

pytest -o addopts="" benchmarks/bench_normalization.py --benchmark-columns=median
"""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np
import pytest
from common import SETTLE, threads
from fastdl.kernels import jit

R = np.random.default_rng(0)
# a batch of hidden units, a large one, a log's raw columns, a wide layer
SHAPES = [(32, 64), (256, 400), (4096, 400), (100_000, 13), (64, 20_000)]
SIZES = [10_000, 100_000, 1_600_000]


def f32(*shape: int) -> np.ndarray:
    return R.standard_normal(shape).astype(np.float32)


def batchnorm_forward(N: int, D: int) -> tuple[Any, ...]:
    return (True, f32(N, D), f32(D), f32(D), 1e-5, f32(D), f32(D), f32(N, D), f32(N, D))


def batchnorm_backward(N: int, D: int) -> tuple[Any, ...]:
    variance = 0.5 + R.random(D).astype(np.float32)
    return (True, f32(N, D), f32(D), variance, 1e-5, f32(N, D), f32(N, D), f32(D), f32(D))


def layernorm_forward(N: int, D: int) -> tuple[Any, ...]:
    return (f32(N, D), f32(D), f32(D), 1e-5, f32(N, D), f32(N, D), f32(N))


def layernorm_backward(N: int, D: int) -> tuple[Any, ...]:
    return (f32(N, D), np.abs(f32(N)), f32(D), f32(N, D), f32(N, D), f32(D), f32(D))


def dropout_forward(n: int) -> tuple[Any, ...]:
    return (f32(n), R.random(n), 0.5, f32(n), np.zeros(n, np.bool_))


def dropout_backward(n: int) -> tuple[Any, ...]:
    return (f32(n), 0.5, R.random(n) > 0.5, f32(n))


# (maker of the arguments, positions of the destinations)
CASES = {
    "batchnorm_forward": (batchnorm_forward, [5, 6, 7, 8]),
    "batchnorm_backward": (batchnorm_backward, [6, 7, 8]),
    "layernorm_forward": (layernorm_forward, [4, 5, 6]),
    "layernorm_backward": (layernorm_backward, [4, 5, 6]),
    "dropout_forward": (dropout_forward, [3, 4]),
    "dropout_backward": (dropout_backward, [3]),
}
NAMED = [
    (name, shape)
    for name in CASES
    for shape in ([(n,) for n in SIZES] if name.startswith("dropout") else SHAPES)
]


def side(name: str, which: str) -> Any:
    folder = "fastdl.kernels." + ("reference." if which == "NumPy" else "")
    function = getattr(importlib.import_module(folder + name.split("_")[0]), name)
    return function if which == "NumPy" else jit.on_our_threads(function)


@pytest.mark.parametrize("which", ["fastdl", "NumPy"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("name", "shape"), NAMED)
def test_kernel(
    benchmark: Any, name: str, shape: tuple[int, ...], n_threads: int, which: str
) -> None:
    make, outputs = CASES[name]
    arguments = make(*shape)
    results = []
    with threads(n_threads):
        for other in ("fastdl", "NumPy"):
            own = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
            side(name, other)(*own)
            results.append([own[i] for i in outputs])
        for mine, twin in zip(*results, strict=True):
            assert np.isfinite(twin).all()
            np.testing.assert_allclose(mine, twin, rtol=1e-3, atol=1e-5 * max(shape) ** 0.75)
        benchmark.group = f"{name} {'x'.join(map(str, shape))}, {n_threads} thread(s)"
        time.sleep(SETTLE)
        benchmark.pedantic(side(name, which), own, rounds=21, warmup_rounds=3)
