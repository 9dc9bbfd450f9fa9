"""Layer normalization kernels: twins, threads, far means, what must stay untouched."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import layernorm
from test_kernels_twins import both, compare

# one row, one column, one task; several tasks of few and of many rows, rows beyond one task
SHAPES = [(1, 1), (1, 5), (7, 1), (33, 64), (3001, 70), (70_000, 3), (40, 5000), (20, 70_000)]


def limits(dtype, terms=1):
    """The twin adds up to ``terms`` numbers in a float32 in its own order."""
    if dtype == np.float64:
        return {"rtol": 1e-10, "atol": 1e-12 * terms**0.5}
    return {"rtol": 2e-4, "atol": 2e-5 * terms**0.5}


def inputs(N, D, dtype, rng):
    x = (3 + 2 * rng.standard_normal((N, D))).astype(dtype)
    return x, *(rng.standard_normal(D).astype(dtype) for _ in range(2))


def test_the_shapes_reach_every_path():
    rows = [N / max(layernorm.ROWS, layernorm.ELEMENTS // D) for N, D in SHAPES]
    assert min(rows) <= 1 and sum(r > 1 for r in rows) >= 4
    assert max(rows) > 6
    assert max(D for _, D in SHAPES) > layernorm.ELEMENTS
    assert max(N for N, _ in SHAPES) > layernorm.ROWS * layernorm.GROUPS


@pytest.mark.parametrize(("N", "D"), SHAPES)
def test_forward(N, D, dtype, rng, two_thread_counts):
    x, gamma, beta = inputs(N, D, dtype, rng)
    arguments = (x, gamma, beta, 1e-3, x, x, x[:, 0])
    bound = limits(dtype, D)
    compare("layernorm", "layernorm_forward", arguments, [4, 5, 6], two_thread_counts, **bound)


@pytest.mark.parametrize(("N", "D"), SHAPES)
def test_backward(N, D, dtype, rng, two_thread_counts):
    x, gamma, beta = inputs(N, D, dtype, rng)
    normalized, inverse, out = np.empty_like(x), np.empty(N, dtype), np.empty_like(x)
    both("layernorm", "layernorm_forward")[1](x, gamma, beta, 1e-3, out, normalized, inverse)
    dout = rng.standard_normal((N, D)).astype(dtype)
    arguments = (normalized, inverse, gamma, dout, dout, gamma, gamma)
    bound = limits(dtype, max(N, D) / 10)
    compare("layernorm", "layernorm_backward", arguments, [4, 5, 6], two_thread_counts, **bound)


@pytest.mark.parametrize("D", [50, 70_000])
def test_float32_statistics_far_from_zero(D, rng):
    """|mean| of ten thousand deviations: float32 still finds mean and variance."""
    x = (1e4 + rng.standard_normal((3, D))).astype(np.float32)
    gamma, beta = np.ones(D, np.float32), np.zeros(D, np.float32)
    out, normalized, inverse = np.empty_like(x), np.empty_like(x), np.empty(3, np.float32)
    both("layernorm", "layernorm_forward")[0](x, gamma, beta, 1e-5, out, normalized, inverse)
    exact = x.astype(np.float64)
    scale = 1 / np.sqrt(exact.var(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(inverse, scale[:, 0], rtol=2e-5)
    expected = (exact - exact.mean(axis=1, keepdims=True)) * scale
    np.testing.assert_allclose(normalized, expected, rtol=1e-4, atol=3e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_number_stays_in_its_row(value, dtype, rng):
    x, gamma, beta = inputs(3000, 40, dtype, rng)
    x[1234, 7] = value
    out, normalized, inverse = np.empty_like(x), np.empty_like(x), np.empty(3000, dtype)
    for function in both("layernorm", "layernorm_forward"):
        with np.errstate(invalid="ignore"):
            function(x, gamma, beta, 1e-5, out, normalized, inverse)
        bad = ~np.isfinite(out)
        assert bad[1234].any() and not np.delete(bad, 1234, axis=0).any()


@pytest.mark.parametrize("shape", [(33, 64), (3001, 70)])
def test_inputs_are_not_written(shape, dtype, rng):
    x, gamma, beta = inputs(*shape, dtype, rng)
    before = [array.copy() for array in (x, gamma, beta)]
    out, normalized, dx = (np.empty_like(x) for _ in range(3))
    inverse, dgamma, dbeta = np.empty(len(x), dtype), np.empty_like(gamma), np.empty_like(gamma)
    both("layernorm", "layernorm_forward")[0](x, gamma, beta, 1e-5, out, normalized, inverse)
    saved = normalized.copy(), inverse.copy()
    both("layernorm", "layernorm_backward")[0](normalized, inverse, gamma, x, dx, dgamma, dbeta)
    after = (x, gamma, beta, normalized, inverse)
    for now, then in zip(after, (*before, *saved), strict=True):
        np.testing.assert_array_equal(now, then)
