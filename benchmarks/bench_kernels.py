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
# 1,000 lines of a libffm file with 39 fields
FFM = b"".join(b"1" + b"".join(b" %d:%d:1" % (f, f * i) for f in range(39)) + b"\n"
               for i in range(1000))  # fmt: skip
FFM_ENDS = np.flatnonzero(np.frombuffer(FFM, np.uint8) == ord("\n"))
LINE = b"1,,1234,0.25,c0ffee42,c0ffee43\n"
TEXT = np.frombuffer(LINE * 4000 + b"\n" * 128, np.uint8).copy()
BYTES = 4000 * len(LINE)
TASKS = -(-BYTES // (1 << 16))
LINES = np.array([0, BYTES]), np.array([0, 4000])  # the whole text as one task
PLACES = np.append(0, np.flatnonzero(np.isin(np.frombuffer(LINE, np.uint8), (44, 10))) + 1)
BOUNDS = (PLACES + np.arange(4000)[:, None] * len(LINE)).astype(np.int32)
COMMA, ABSENT = np.uint8(ord(",")), np.zeros(1, np.uint64)
GAPS = np.where(R.random(100_000) < 0.1, np.nan, np.exp(3 * R.standard_normal(100_000)))
TABLES = np.full(39, 10_000)  # rows of 39 tables, of which 2,048 x 39 ids touch some
TOUCHED = R.integers(0, 10_000, (2048, 39)) + 10_000 * np.arange(39)
# kernel: (file, arguments, positions of the destinations)
CASES = {
    "coalesce_fields": ("coalesce_fields", (
        TOUCHED, 10_000 * np.arange(39), TABLES, np.zeros((39, 2048), np.uint32), np.zeros(39, int),
        *(np.zeros(2048 * 39 + extra, int) for extra in (0, 0, 1)), np.zeros(1, int),
    ), [5, 6, 7, 8]),
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
    "parse_entries": ("entries", (
        np.frombuffer(FFM, np.uint8), np.append(0, FFM_ENDS[:-1] + 1), FFM_ENDS, True,
        np.zeros(1000), *(np.zeros(n, np.int64) for n in (1000, 1001, 39000, 39000)),
        np.zeros(39000), *(np.zeros((n, 2), np.int64) for n in (39000, 1000)),
    ), [4, 5, 6, 7, 8, 9, 10, 11]),
    "find_keys": ("strings", (KEYS, np.ones(20_000, bool), np.arange(65536).astype(np.uint64),
                              np.arange(65536) % 2, 0, 7, np.zeros(20_000, np.int32)), [6]),
    "scan_lines": ("fields", (TEXT, BYTES, COMMA, True, np.zeros((TASKS, 4), np.int64),
                              np.zeros(TASKS + 1, np.int64), np.zeros(TASKS + 1, np.int64)),
                   [4, 5, 6]),
    "cut_fields": ("fields", (TEXT, *LINES, COMMA, True, np.zeros((4000, 7), np.int32),
                              np.zeros((1, 2), np.int64)), [5, 6]),
    "copy_fields": ("fields", (TEXT, BOUNDS[:, 4].astype(np.int64),
                               np.arange(0, 32_001, 8, dtype=np.int32), np.zeros(32_000, np.uint8)),
                    [3]),
    "hash_fields": ("field_values", (TEXT, BOUNDS, np.array([4, 5]), True, ABSENT,
                                     np.zeros((2, 4000), np.uint64), np.zeros((2, 4000), bool)),
                    [5, 6]),
    "parse_fields": ("field_values", (TEXT, BOUNDS, np.array([0, 2, 3]), True, ABSENT, False,
                                      np.zeros((3, 4000)), np.zeros((3, 4000), np.uint8)), [6, 7]),
    "moments": ("scaling", (GAPS, True, np.zeros((13, 3))), [2]),
    "standardize": ("scaling", (GAPS, True, 1.0, 2.0, np.zeros(100_000), np.zeros(100_000, bool)),
                    [4, 5]),
    "bucket_ids": ("scaling", (GAPS, np.arange(63.0), np.zeros(100_000, np.int32)), [2]),
    "count_sizes": ("scaling", (GAPS, np.zeros(300_001, np.int64), np.zeros(300_001)), [1, 2]),
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
