"""Every kernel against its NumPy twin: signatures, results, threads."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest
from fastdl.kernels import backend, jit, loss, optimizer
from oracles import tolerance

ALL = [(file, name) for file in backend.FILES for name in backend.kernel_names(file)]


def both(file, name):
    """(kernel as Python calls it, twin)."""
    kernel = getattr(importlib.import_module(f"fastdl.kernels.{file}"), name)
    twin = getattr(importlib.import_module(f"fastdl.kernels.reference.{file}"), name)
    return (jit.on_our_threads(kernel) if jit.numba_is_compiling() else kernel), twin


@pytest.mark.parametrize(("file", "name"), ALL)
def test_signatures_are_equal(file, name):
    kernel = getattr(importlib.import_module(f"fastdl.kernels.{file}"), name)
    _, twin = both(file, name)
    mine = inspect.signature(getattr(kernel, "py_func", kernel))
    assert list(mine.parameters) == list(inspect.signature(twin).parameters)


def test_every_kernel_file_is_in_the_table_and_has_a_twin():
    from pathlib import Path

    folder = Path(backend.__file__).parent
    listed = {path.stem for path in folder.glob("*.py") if "KERNELS = " in path.read_text()}
    assert listed - {"math"} == set(backend.FILES) - {"math"}
    assert listed <= {path.stem for path in (folder / "reference").glob("*.py")}


def compare(file, name, arguments, outputs, two_thread_counts, **limits):
    """Run kernel (on 1 and 2 threads) and twin into destinations full of NaN or -9; compare."""
    kernel, twin = both(file, name)

    def run(function):
        own = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        for i in outputs:
            own[i].fill(np.nan if own[i].dtype.kind == "f" else -9)
        function(*own)
        return [own[i] for i in outputs]

    one, two = two_thread_counts(lambda: run(kernel))
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()
    for mine, expected in zip(one, run(twin), strict=True):
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(mine, expected, **limits)


SHAPES = [(1, 1, 1), (3, 5, 2), (32, 39, 64), (200, 130, 7), (5000, 3, 4), (300, 129, 257)]


@pytest.mark.parametrize(("N", "D", "H"), SHAPES)
def test_dense(N, D, H, dtype, rng, two_thread_counts):
    x, W = rng.standard_normal((N, D)).astype(dtype), rng.standard_normal((D, H)).astype(dtype)
    b, dout = rng.standard_normal(H).astype(dtype), rng.standard_normal((N, H)).astype(dtype)
    limits = tolerance(dtype)
    limits["atol"] *= np.sqrt(N + D)
    compare("dense", "dense_forward", (x, W, b, dout), [3], two_thread_counts, **limits)
    outputs = (x, W, dout, x, W, b)
    compare("dense", "dense_backward", outputs, [3, 4, 5], two_thread_counts, **limits)
    outputs = (x, W, dout, x[:0], W, b)
    compare("dense", "dense_backward", outputs, [4, 5], two_thread_counts, **limits)


@pytest.mark.parametrize("kind", range(1, 6))
@pytest.mark.parametrize("n", [1, 7, 4096, 50_000])
def test_activation(kind, n, dtype, rng, two_thread_counts):
    x = (4 * rng.standard_normal(n)).astype(dtype)
    x[0] = 0
    dout = rng.standard_normal(n).astype(dtype)
    arguments = (kind, 0.1, x, x)
    limits = {"rtol": 2e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-14}
    compare("activation", "activation_forward", arguments, [3], two_thread_counts, **limits)
    saved = x if kind == 5 else np.tanh(x)
    arguments = (kind, 0.1, saved, dout, dout)
    compare("activation", "activation_backward", arguments, [4], two_thread_counts, **limits)


@pytest.mark.parametrize("kind", range(1, 6))
def test_activation_of_nan_and_infinity(kind, dtype):
    x = np.array([np.nan, np.inf, -np.inf, -1e30, 1e30], dtype)
    for function in both("activation", "activation_forward"):
        out = np.empty_like(x)
        with np.errstate(all="ignore"):
            function(kind, 0.1, x, out)
        assert np.isnan(out[0])
        high = 1.0 if kind in (3, 4) else np.inf
        assert out[1] == high


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize(("N", "C"), [(1, 1), (1, 2), (37, 3), (9000, 2), (64, 1000)])
def test_loss(kind, N, C, dtype, rng, two_thread_counts):
    x = (3 * rng.standard_normal((N, C))).astype(dtype)
    t = rng.random((N, C)).astype(dtype)
    if kind == loss.SOFTMAX:
        t = np.eye(C, dtype=dtype)[rng.integers(0, C, N)]
    scale = rng.random(N)
    limits = {"rtol": 1e-4, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-13}
    arguments = (kind, 0.7, x, t, x, scale)
    compare("loss", "loss_forward", arguments, [4, 5], two_thread_counts, **limits)
    arguments = (kind, 0.7, x, t, scale, x)
    compare("loss", "loss_backward", arguments, [5], two_thread_counts, **limits)


@pytest.mark.parametrize("kind", range(8))
@pytest.mark.parametrize("n", [1, 1000, 200_000])
def test_optimizer_step(kind, n, dtype, rng, two_thread_counts):
    arrays = [rng.standard_normal(n).astype(dtype) for _ in range(3)]
    v = rng.random(n).astype(dtype)
    settings = np.array([0.01, 0.1, 0.9, 0.99, 1e-8, 0.0])
    if kind == optimizer.FTRL:
        settings = np.array([0.1, 0.1, 1.0, 0.2, 0.3, 0.0])  # lr, decay, beta, l1, l2
    kernel, twin = both("optimizer", "optimizer_step")

    def run(function):
        own = [array.copy() for array in (*arrays, v)]
        for t in (1, 2, 3):
            function(kind, settings, t, 0.5, *own)
        return own

    one, two = two_thread_counts(lambda: run(kernel))
    expected = run(twin)
    limits = {"rtol": 2e-5, "atol": 2e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-13}
    for a, b, c in zip(one, two, expected, strict=True):
        assert a.tobytes() == b.tobytes()
        np.testing.assert_allclose(a, c, **limits)
    assert not np.array_equal(one[0], arrays[0])


@pytest.mark.parametrize("n", [1, 65_536, 200_001])
def test_squared_norm(n, dtype, rng, two_thread_counts):
    grads = rng.standard_normal(n).astype(dtype)
    partial = np.empty(-(-n // optimizer.BLOCK))
    compare("optimizer", "squared_norm", (grads, partial), [1], two_thread_counts, rtol=1e-12)


@pytest.mark.parametrize(
    ("source_dtype", "dtype"),
    [*((source, "float32") for source in ("float32", "float64", "int64", "uint8")),
     ("float64", "float64")],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 40, 30_000])
def test_gather_rows(source_dtype, rows, dtype, rng, two_thread_counts):
    source = (100 * rng.random((rows + 3, 5))).astype(source_dtype)
    order = rng.integers(0, rows + 3, rows)
    arguments = (source, order, np.empty((rows, 5), dtype), False, np.zeros(2, np.int64))
    compare("gather", "gather_rows", arguments, [2, 4], two_thread_counts, rtol=0)


def test_check_batch_tells_both(dtype):
    x, t = np.ones((5, 3), dtype), np.eye(2, dtype=dtype)[[0, 1, 0, 1, 0]]
    x[3, 1], t[4, 0] = np.nan, 0
    for function in both("gather", "check_batch"):
        found = np.full(4, 7)
        function(x, t, True, found)
        assert found.tolist() == [1, 3, 2, 4]


@pytest.mark.parametrize("name", ["check_rows", "gather_rows"])
@pytest.mark.parametrize("rows", [3, 70_000])
@pytest.mark.parametrize(
    ("one_hot", "row", "problem"),
    [(False, [np.nan, 0], 1), (True, [-np.inf, 1], 1), (True, [1, 1], 2), (True, [0, 0], 2),
     (True, [0.5, 0.5], 2), (True, [2, -1], 2), (False, [2, -1], 0), (True, [0, 1], 0)],
)  # fmt: skip
def test_rows_with_a_problem_are_found(name, rows, one_hot, row, problem, dtype):
    x = np.zeros((rows, 2), dtype)
    x[:, 0] = 1
    x[rows - 2] = row
    for function in both("gather", name):
        found = np.array([7, 7], np.int64)
        order = np.arange(rows)
        given = (x,) if name == "check_rows" else (x, order, np.empty_like(x))
        function(*given, one_hot, found)
        assert found.tolist() == [problem, rows - 2 if problem else 0]
