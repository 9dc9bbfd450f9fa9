"""gemm from compiled code: strides, transposes, alpha and beta; with OpenBLAS and without."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from fastdl.kernels import blas_library, jit
from fastdl.kernels.blas import gemm, gemm_loops
from hypothesis import given, settings
from hypothesis import strategies as st

import fastdl


@jit.jit
def product(a, b, c, alpha, beta):
    gemm(a, b, c, alpha, beta)


@jit.jit
def looped(a, b, c, alpha, beta):
    gemm_loops(a, b, c, alpha, beta)


def operand(rng, rows, columns, layout, dtype):
    """A (rows, columns) array: contiguous, transposed, or with longer rows than it shows."""
    if layout == "transposed":
        return rng.standard_normal((columns, rows)).astype(dtype).T
    if layout == "wide":
        return rng.standard_normal((rows, columns + 3)).astype(dtype)[:, 1 : columns + 1]
    if layout == "tall transposed":
        return rng.standard_normal((columns, rows + 2)).astype(dtype)[:, :rows].T
    return rng.standard_normal((rows, columns)).astype(dtype)


layouts = st.sampled_from(["plain", "transposed", "wide", "tall transposed"])
sizes = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, sizes, layouts, layouts, st.sampled_from([0.0, 1.0, -0.5]),
       st.sampled_from([1.0, 2.5]), st.sampled_from(["float32", "float64"]))  # fmt: skip
def test_gemm(M, N, K, layout_a, layout_b, beta, alpha, dtype):
    rng = np.random.default_rng(M + 100 * N + 10_000 * K)
    a, b = operand(rng, M, K, layout_a, dtype), operand(rng, K, N, layout_b, dtype)
    start = rng.standard_normal((M, N)).astype(dtype)
    expected = alpha * (a.astype(np.float64) @ b) + beta * start
    bound = 1e-5 if dtype == "float32" else 1e-13
    for function in (product, looped):
        c = start.copy() if beta else np.full_like(start, np.nan)
        function(a, b, c, alpha, beta)
        np.testing.assert_allclose(c, expected, atol=bound * K, rtol=bound)


def test_gemm_from_several_threads(rng):
    a, b = rng.standard_normal((200, 150)), rng.standard_normal((150, 120))
    expected, wrong = a @ b, []

    def work():
        c = np.empty_like(expected)
        for _ in range(50):
            product(a, b, c, 1.0, 0.0)
            if not np.allclose(c, expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def in_a_process(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LAYER = """
import numpy as np, fastdl
from fastdl.kernels import blas_library
x = np.random.default_rng(0).standard_normal((64, 5))

def passes():
    layer = fastdl.Dense(5, 4, dtype="float64", rng=np.random.default_rng(1))
    out = layer.forward(x)
    return [out, layer.backward(out), layer.dW, layer.db]

found = passes()
with fastdl.use_backend("numpy"):
    expected = passes()
for mine, theirs in zip(found, expected, strict=True):
    np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)
print(blas_library.NAME)
"""


def test_layers_without_openblas_give_the_same():
    # of all that multiplies matrices the layer alone: every kernel is compiled anew for it
    assert in_a_process(LAYER, FASTDL_BLAS="none") == "none"


def test_unknown_choices_in_the_environment_are_errors():
    for name in ("FASTDL_BLAS", "FASTDL_BACKEND"):
        environment = {**os.environ, name: "odd"}
        done = subprocess.run(
            [sys.executable, "-c", "import fastdl"],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert name in done.stderr
        assert "odd" in done.stderr


@pytest.mark.skipif(blas_library.LIBRARY is None, reason="no OpenBLAS here")
def test_the_private_copy_leaves_the_environment_and_numpys_threads_alone():
    code = (
        "import os; before = dict(os.environ); import numpy as np; import threadpoolctl as t;"
        "n = [l['num_threads'] for l in t.threadpool_info() if 'numpy' in l['filepath']];"
        "import fastdl; assert dict(os.environ) == before;"
        "m = [l['num_threads'] for l in t.threadpool_info() if 'numpy' in l['filepath']];"
        "assert n == m, (n, m)"
    )
    pytest.importorskip("threadpoolctl")
    in_a_process(code)


@pytest.mark.skipif(blas_library.LIBRARY is None, reason="no OpenBLAS here")
def test_thread_limits_of_others_do_not_reach_our_products():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    layer = fastdl.Dense(300, 300)
    x = np.random.randn(700, 300).astype(np.float32)
    expected = layer.forward(x)
    with threadpoolctl.threadpool_limits(2):
        assert blas_library._get_threads() == 2
        assert layer.forward(x).tobytes() == expected.tobytes()
        assert blas_library._get_threads() == 1
