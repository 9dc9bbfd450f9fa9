"""Batched matrix products against np.matmul, over shapes; float32.

pytest -o addopts="" benchmarks/bench_matmul.py --benchmark-columns=median
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from common import SETTLE, threads
from fastdl.kernels import jit, matmul
from fastdl.kernels.reference import matmul as twins

# (A, B, M, K, N): one large product; feature interactions and attention heads of every size; one
# matrix for the whole batch on the right, as a layer's weights, and on the left
SHAPES = [
    (1, 1, 1024, 1024, 1024), (2048, 2048, 4, 4, 4), (2048, 2048, 26, 16, 26),
    (256, 256, 64, 64, 64), (64, 64, 128, 128, 128), (8, 8, 512, 512, 512),
    (2048, 1, 26, 16, 16), (64, 1, 128, 64, 256), (1, 2048, 26, 26, 16),
]  # fmt: skip


def operands(A: int, B: int, M: int, K: int, N: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    shapes = (A, M, K), (B, K, N), (max(A, B), M, N)
    return tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)


@pytest.mark.parametrize("which", ["fastdl", "NumPy"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", matmul.KERNELS)
def test_kernel(
    benchmark: Any, name: str, shape: tuple[int, ...], n_threads: int, which: str
) -> None:
    a, b, dout = operands(*shape)
    sides = {"fastdl": jit.on_our_threads(getattr(matmul, name)), "NumPy": getattr(twins, name)}
    forward = name == "matmul_forward"
    results = {}
    with threads(n_threads):
        for other, function in sides.items():
            outputs = [np.empty_like(x) for x in ((dout,) if forward else (a, b))]
            arguments = (a, b, *outputs) if forward else (a, b, dout, *outputs)
            function(*arguments)
            results[other] = outputs
        for mine, twin in zip(results["fastdl"], results["NumPy"], strict=True):
            scale = float(np.abs(twin).max())
            np.testing.assert_allclose(mine, twin, rtol=1e-3, atol=1e-5 * scale)
        benchmark.group = f"{name} {'x'.join(map(str, shape))}, {n_threads} thread(s)"
        time.sleep(SETTLE)
        benchmark.pedantic(sides[which], arguments, rounds=15, warmup_rounds=2)
