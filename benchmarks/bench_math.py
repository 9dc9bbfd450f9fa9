"""Each elementwise kernel of kernels/math.py against its NumPy twin, 1M elements, one thread.

pytest -o addopts="" benchmarks/bench_math.py --benchmark-columns=median
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastdl.kernels import math as kernels
from fastdl.kernels.reference import math as twins

N = 1_000_000


@pytest.mark.parametrize("side", ["kernel", "twin"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", kernels.KERNELS)
def test_elementwise(benchmark: Any, name: str, dtype: str, side: str) -> None:
    benchmark.group = f"{name} {dtype}"
    rng = np.random.default_rng(0)
    x = rng.uniform(-10, 10, N).astype(dtype)
    if name == "log_elementwise":
        x = np.exp(x)
    out, expected = np.full_like(x, np.nan), np.full_like(x, np.nan)
    getattr(kernels, name)(x, out)  # compiles, too
    getattr(twins, name)(x, expected)
    np.testing.assert_allclose(out, expected, rtol=8 * np.finfo(dtype).eps)
    function = getattr(kernels if side == "kernel" else twins, name)
    benchmark.pedantic(function, args=(x, out), rounds=9, iterations=1, warmup_rounds=1)
