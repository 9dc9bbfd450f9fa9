"""Augmentation of images against its NumPy twin, one batch of 128 each; uint8 to float32.

pytest -o addopts="" benchmarks/bench_augment.py --benchmark-columns=median
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from fastdl.adversarial.augment import DifferentiableAugmentation
from fastdl.data.images import Augmentation
from fastdl.data.images.draws import draw
from fastdl.data.images.statistics import grey_weights

R = np.random.default_rng(0)
SHAPES = [(28, 28, 1), (32, 32, 3), (64, 64, 3)]
CHANGES = {
    "normalized": Augmentation(),
    "standard": Augmentation.preset("standard"),
    "resampled": Augmentation(flip=True, crop=0.5, rotation=10),
}
N = 128


def side(name: str, which: str, file: str = "augment") -> Any:
    folder = "fastdl.kernels." + ("reference." if which == "NumPy" else "")
    return getattr(importlib.import_module(f"{folder}{file}"), name)


@pytest.mark.parametrize("which", ["kernel", "NumPy"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_augment_images(
    benchmark: Any, shape: tuple[int, int, int], change: str, which: str
) -> None:
    H, W, C = shape
    images = R.integers(0, 256, (N, *shape), np.uint8)
    draws = draw(CHANGES[change], np.random.default_rng(0), N, H, W)
    half = np.full(C, 0.5, np.float32)
    given = (images, np.arange(N), draws.matrix, draws.colour, draws.holes, True, half, half,
             grey_weights(C))  # fmt: skip
    results = [np.empty((N, *shape), np.float32) for _ in range(2)]
    for function, out in zip(("kernel", "NumPy"), results, strict=True):
        side("augment_images", function)(*given, out)
    np.testing.assert_allclose(*results, atol=1e-4)
    benchmark.group = f"augment_images {shape} {change}"
    benchmark(side("augment_images", which), *given, results[0])


@pytest.mark.parametrize("which", ["kernel", "NumPy"])
def test_mix_rows(benchmark: Any, which: str) -> None:
    x = R.standard_normal((N, 3072)).astype(np.float32)
    given = (x, R.permutation(N), R.random(N).astype(np.float32))
    results = [np.empty_like(x) for _ in range(2)]
    for function, out in zip(("kernel", "NumPy"), results, strict=True):
        side("mix_rows", function)(*given, out)
    np.testing.assert_allclose(*results, atol=1e-5)
    benchmark.group = "mix_rows"
    benchmark(side("mix_rows", which), *given, results[0])


@pytest.mark.parametrize("which", ["kernel", "NumPy"])
@pytest.mark.parametrize("name", ["augment_forward", "augment_backward"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_differentiable(benchmark: Any, shape: tuple[int, int, int], name: str, which: str) -> None:
    x = R.standard_normal((N, *shape)).astype(np.float32)
    draws = DifferentiableAugmentation.preset("photographs").draw(R, N, *shape[:2])
    results = [np.empty_like(x) for _ in range(2)]
    for function, out in zip(("kernel", "NumPy"), results, strict=True):
        side(name, function, "augment_differentiable")(x, *draws, out)
    np.testing.assert_allclose(*results, atol=1e-4)
    benchmark.group = f"differentiable {name} {shape}"
    benchmark(side(name, which, "augment_differentiable"), x, *draws, results[0])
