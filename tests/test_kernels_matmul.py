"""Batched matrix product: twins, threads, every way the work is cut."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import matmul
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_twins import both, compare

# (A, B, M, K, N)
SHAPES = [
    (1, 1, 1, 1, 1), (3, 3, 1, 1, 1), (5, 5, 7, 5, 3), (1, 4, 7, 5, 3), (4, 1, 7, 5, 3),
    (3000, 3000, 4, 4, 4),  # several matrices to a task
    (1, 1, 700, 60, 70), (3, 3, 600, 40, 50),  # bands of rows of out and da
    (1, 1, 30, 700, 60), (3, 3, 20, 600, 90),  # bands of rows of db
    (400, 1, 26, 16, 8), (7, 1, 900, 30, 20),  # one b: its gradient is a sum over all rows
    (1, 400, 8, 16, 26), (1, 20, 90, 80, 40),  # one a: its gradient is a sum over the batch
    (600, 600, 1, 30, 40), (600, 600, 30, 40, 1), (1, 3000, 1, 1, 300), (3000, 1, 1, 300, 1),
]  # fmt: skip


def limits(dtype, terms):
    """Both sides add ``terms`` products of about 1, in orders of their own."""
    eps = float(np.finfo(dtype).eps)
    return {"rtol": 50 * eps, "atol": eps * (20 + 2 * terms)}


def inputs(A, B, M, K, N, dtype, rng):
    a = rng.standard_normal((A, M, K)).astype(dtype)
    b = rng.standard_normal((B, K, N)).astype(dtype)
    return a, b, rng.standard_normal((max(A, B), M, N)).astype(dtype)


@pytest.mark.parametrize(("A", "B", "M", "K", "N"), SHAPES)
def test_forward(A, B, M, K, N, dtype, rng, two_thread_counts):
    a, b, out = inputs(A, B, M, K, N, dtype, rng)
    compare("matmul", "matmul_forward", (a, b, out), [2], two_thread_counts, **limits(dtype, K))


@pytest.mark.parametrize(("A", "B", "M", "K", "N"), SHAPES)
def test_backward(A, B, M, K, N, dtype, rng, two_thread_counts):
    a, b, dout = inputs(A, B, M, K, N, dtype, rng)
    arguments, bound = (a, b, dout, a, b), limits(dtype, max(A, B) * max(M, N))
    compare("matmul", "matmul_backward", arguments, [3, 4], two_thread_counts, **bound)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.sampled_from([(1, 1), (2, 2), (1, 3), (3, 1), (40, 40), (1, 40), (40, 1)]),
    sides=st.tuples(*(st.integers(1, 40) for _ in range(3))),
)
def test_any_small_shape(batch, sides):
    rng = np.random.default_rng(1)
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        a, b, dout = inputs(*batch, *sides, dtype, rng)
        kernel, twin = both("matmul", "matmul_backward")
        mine, expected = [[np.full_like(a, np.nan), np.full_like(b, np.nan)] for _ in range(2)]
        kernel(a, b, dout, *mine)
        twin(a, b, dout, *expected)
        bound = limits(dtype, max(batch) * max(sides))
        for x, y in zip(mine, expected, strict=True):
            np.testing.assert_allclose(x, y, **bound)
        kernel, twin = both("matmul", "matmul_forward")
        out = np.full_like(dout, np.nan)
        kernel(a, b, out)
        np.testing.assert_allclose(out, np.matmul(a, b), **limits(dtype, sides[1]))


def test_the_shapes_reach_every_path():
    work = [M * K * N + matmul.CALL for _, _, M, K, N in SHAPES]
    group = [matmul.TASK // w for w in work]
    assert any(g > 1 and 2 * g < B for g, (_, B, *_) in zip(group, SHAPES, strict=True))
    banded = [s for s in SHAPES if max(s[2], s[3]) > max(matmul.BAND, matmul.TASK // s[3] // s[4])]
    assert any(B > 1 for _, B, *_ in banded) and any(B == 1 for _, B, *_ in banded)
    parallel = [max(s[:2]) * w > 2 * matmul.TASK for s, w in zip(SHAPES, work, strict=True)]
    assert any(A == 1 < B and p for (A, B, *_), p in zip(SHAPES, parallel, strict=True))
    assert any(B == 1 < A and p for (A, B, *_), p in zip(SHAPES, parallel, strict=True))
    total = [max(s[:2]) * w for s, w in zip(SHAPES, work, strict=True)]
    assert sum(t > matmul.SMALL for t in total) > 8 and min(total) < matmul.SMALL


def test_inputs_are_not_written(dtype, rng):
    for shape in ((40, 40, 9, 8, 7), (400, 1, 26, 16, 8), (1, 400, 8, 16, 26)):
        arrays = inputs(*shape, dtype, rng)
        before = [array.copy() for array in arrays]
        a, b, dout = arrays
        both("matmul", "matmul_forward")[0](a, b, np.empty_like(dout))
        both("matmul", "matmul_backward")[0](a, b, dout, np.empty_like(a), np.empty_like(b))
        for now, then in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(now, then)
