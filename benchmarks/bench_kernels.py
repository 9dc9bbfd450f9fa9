"""Each kernel against its twin (pytest-benchmark); results are compared before the clock starts."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from fastdl.kernels import jit

R = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray:
    return R.standard_normal(shape).astype(np.float32)


N, D, H = 256, 400, 400
ONE_HOT = np.eye(2, dtype=np.float32)[R.integers(0, 2, 4096)]
SETTINGS = np.array([1e-3, 0, 0.9, 0.999, 1e-8, 0])
IDS = b"".join(b"%08x" % i for i in R.integers(0, 2**32, 20_000))  # 20,000 texts of 8 bytes
KEYS = R.integers(1, 2**63, 20_000).astype(np.uint64)
# kernel: (file, arguments, positions of the destinations)
CASES = {
    "dense_forward": ("dense", (f32(N, D), f32(D, H), f32(H), f32(N, H)), [3]),
    "dense_backward": (
        "dense", (f32(N, D), f32(D, H), f32(N, H), f32(N, D), f32(D, H), f32(H)), [3, 4, 5],
    ),
    "activation_forward": ("activation", (5, 0.0, f32(100_000), f32(100_000)), [3]),
    "activation_backward": ("activation", (5, 0.0, *(f32(100_000) for _ in range(3))), [4]),
    "loss_forward": ("loss", (0, 1.0, f32(4096, 2), ONE_HOT, f32(4096, 2), np.ones(4096)), [4, 5]),
    "loss_backward": ("loss", (0, 1.0, f32(4096, 2), ONE_HOT, np.ones(4096), f32(4096, 2)), [5]),
    "optimizer_step": ("optimizer", (5, SETTINGS, 3, 1.0, f32(10**6), f32(10**6), f32(10**6),
                                     np.abs(f32(10**6))), []),
    "squared_norm": ("optimizer", (f32(10**6), np.ones(16)), [1]),
    "gather_rows": ("gather", (R.standard_normal((20_000, 39)), R.integers(0, 20_000, 4096),
                               f32(4096, 39), False, np.zeros(2, np.int64)), [2]),
    "check_rows": ("gather", (f32(4096, 39), False, np.zeros(2, np.int64)), [2]),
    "batchnorm_forward": ("batchnorm", (True, f32(4096, 400), f32(400), f32(400), 1e-5, f32(400),
                                        f32(400), f32(4096, 400), f32(4096, 400)), [5, 6, 7, 8]),
    "batchnorm_backward": ("batchnorm", (True, f32(4096, 400), f32(400), np.abs(f32(400)), 1e-5,
                                         f32(4096, 400), f32(4096, 400), f32(400), f32(400)), [6]),
    "layernorm_forward": ("layernorm", (f32(4096, 400), f32(400), f32(400), 1e-5, f32(4096, 400),
                                        f32(4096, 400), f32(4096)), [4, 5, 6]),
    "layernorm_backward": ("layernorm", (f32(4096, 400), f32(4096), f32(400), f32(4096, 400),
                                         f32(4096, 400), f32(400), f32(400)), [4]),
    "dropout_forward": ("dropout", (f32(10**6), R.random(10**6), 0.5, f32(10**6),
                                    np.zeros(10**6, bool)), [3, 4]),
    "dropout_backward": ("dropout", (f32(10**6), 0.5, R.random(10**6) > 0.5, f32(10**6)), [3]),
    "matmul_forward": ("matmul", (f32(64, 50, 32), f32(64, 32, 50), f32(64, 50, 50)), [2]),
    "matmul_backward": ("matmul", (f32(64, 50, 32), f32(64, 32, 50), f32(64, 50, 50),
                                   f32(64, 50, 32), f32(64, 32, 50)), [3, 4]),
    "hash_strings": ("strings", (np.arange(0, len(IDS) + 1, 8), np.frombuffer(IDS, np.uint8),
                                 np.uint64(0), np.zeros(20_000, np.uint64)), [3]),
    "move_keys": ("strings", (KEYS, np.arange(1, 20_001), np.zeros(65536, np.uint64),
                              np.zeros(65536, np.int64)), [2, 3]),
    "find_keys": ("strings", (KEYS, np.ones(20_000, bool), np.arange(65536).astype(np.uint64),
                              np.arange(65536) % 2, 0, 7, np.zeros(20_000, np.int32)), [6]),
}  # fmt: skip


def side(file: str, name: str, which: str):
    folder = "fastdl.kernels." + ("reference." if which == "NumPy" else "")
    function = getattr(importlib.import_module(folder + file), name)
    return function if which == "NumPy" else jit.on_our_threads(function)


@pytest.mark.parametrize("which", ["fastdl", "NumPy"])
@pytest.mark.parametrize("name", CASES)
def test_kernel(benchmark, name, which):
    file, arguments, outputs = CASES[name]
    results = []
    for other in ("fastdl", "NumPy"):
        own = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        side(file, name, other)(*own)
        results.append([own[i] for i in outputs])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
    benchmark.group = name
    benchmark(side(file, name, which), *own)
