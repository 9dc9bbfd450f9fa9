"""Batch normalization kernels: twins, threads, far means, what must stay untouched."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import batchnorm
from test_kernels_twins import both, compare

# one row, one column, one block; several chunks of rows, several bands of columns, both
SHAPES = [(1, 1), (1, 5), (7, 1), (33, 64), (3001, 70), (70_000, 3), (40, 5000), (1, 70_000)]
NAMES = ("x", "gamma", "beta", "mean", "var")


def limits(dtype, terms=1):
    """The twin adds up to ``terms`` numbers in a float32 in its own order."""
    if dtype == np.float64:
        return {"rtol": 1e-10, "atol": 1e-12 * terms**0.5}
    return {"rtol": 2e-4, "atol": 2e-5 * terms**0.5}


def inputs(N, D, dtype, rng):
    x = (3 + 2 * rng.standard_normal((N, D))).astype(dtype)
    vectors = [rng.standard_normal(D).astype(dtype) for _ in range(3)]
    return x, *vectors, (0.5 + rng.random(D)).astype(dtype)


def normalized_by_the_twin(training, N, D, dtype, rng):
    """(normalized, gamma, var) of a forward, for the backward to start from."""
    x, gamma, beta, mean, var = inputs(N, D, dtype, rng)
    out, normalized = np.empty_like(x), np.empty_like(x)
    forward = both("batchnorm", "batchnorm_forward")[1]
    forward(training, x, gamma, beta, 1e-3, mean, var, out, normalized)
    return normalized, gamma, var


def test_the_shapes_reach_every_path():
    sizes = [N * D for N, D in SHAPES]
    assert min(sizes) == 1 and max(sizes) > 2 * batchnorm.SMALL
    assert sum(D > 2 * batchnorm.COLUMNS for _, D in SHAPES) > 1
    assert sum(N * D > 3 * batchnorm.ELEMENTS and D < 100 for N, D in SHAPES) > 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("N", "D"), SHAPES)
def test_forward(N, D, training, dtype, rng, two_thread_counts):
    x, gamma, beta, mean, var = inputs(N, D, dtype, rng)
    arguments = (training, x, gamma, beta, 1e-3, mean, var, x, x)
    outputs = [5, 6, 7, 8] if training else [7, 8]
    # a row of its own has variance 0: the twin's rounded mean is then divided by sqrt(epsilon)
    compare(
        "batchnorm", "batchnorm_forward", arguments, outputs, two_thread_counts, **limits(dtype, N)
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("N", "D"), SHAPES)
def test_backward(N, D, training, dtype, rng, two_thread_counts):
    normalized, gamma, var = normalized_by_the_twin(training, N, D, dtype, rng)
    dout = rng.standard_normal((N, D)).astype(dtype)
    arguments = (training, normalized, gamma, var, 1e-3, dout, dout, gamma, gamma)
    compare(
        "batchnorm", "batchnorm_backward", arguments, [6, 7, 8], two_thread_counts,
        **limits(dtype, N),
    )  # fmt: skip


@pytest.mark.parametrize("N", [50, 70_000])
def test_float32_statistics_far_from_zero(N, rng):
    """|mean| of ten thousand deviations: float32 still finds mean and variance."""
    x = (1e4 + rng.standard_normal((N, 3))).astype(np.float32)
    mean, var, gamma, beta = (np.ones(3, np.float32) for _ in range(4))
    out, normalized = np.empty_like(x), np.empty_like(x)
    both("batchnorm", "batchnorm_forward")[0](
        True, x, gamma, beta, 1e-5, mean, var, out, normalized
    )
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=3e-7)
    np.testing.assert_allclose(var, exact.var(axis=0), rtol=2e-5)
    expected = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + 1e-5)
    np.testing.assert_allclose(normalized, expected, rtol=1e-4, atol=2e-3)


def test_a_constant_column_has_variance_zero(dtype):
    x = np.full((5000, 20), 0.1, dtype)
    gamma, beta, mean, var = (np.full(20, value, dtype) for value in (2, 3, np.nan, np.nan))
    out, normalized = np.full_like(x, np.nan), np.full_like(x, np.nan)
    arguments = (True, x, gamma, beta, 1e-5, mean, var, out, normalized)
    both("batchnorm", "batchnorm_forward")[0](*arguments)
    np.testing.assert_allclose(var, 0, atol=np.finfo(dtype).eps ** 2)
    np.testing.assert_allclose(out, 3, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_number_stays_in_its_column(value, dtype, rng):
    x, gamma, beta, mean, var = inputs(3000, 40, dtype, rng)
    x[1234, 7] = value
    out, normalized = np.empty_like(x), np.empty_like(x)
    for function in both("batchnorm", "batchnorm_forward"):
        with np.errstate(invalid="ignore"):
            function(True, x, gamma, beta, 1e-5, mean, var, out, normalized)
        bad = ~np.isfinite(out)
        assert bad[1234, 7] and not np.isfinite(var[7])
        assert not np.delete(bad, 7, axis=1).any()


@pytest.mark.parametrize("shape", [(33, 64), (3001, 70)])
def test_inputs_are_not_written(shape, dtype, rng):
    x, gamma, beta, mean, var = inputs(*shape, dtype, rng)
    before = [array.copy() for array in (x, gamma, beta, mean, var)]
    out, normalized, dx = (np.empty_like(x) for _ in range(3))
    both("batchnorm", "batchnorm_forward")[0](
        False, x, gamma, beta, 1e-5, mean, var, out, normalized
    )
    kept, dgamma, dbeta = normalized.copy(), np.empty_like(gamma), np.empty_like(gamma)
    both("batchnorm", "batchnorm_backward")[0](
        True, normalized, gamma, var, 1e-5, x, dx, dgamma, dbeta
    )
    for name, now, then in zip(NAMES, (x, gamma, beta, mean, var), before, strict=True):
        np.testing.assert_array_equal(now, then, err_msg=name)
    np.testing.assert_array_equal(normalized, kept)
