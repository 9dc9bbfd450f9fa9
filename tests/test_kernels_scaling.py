"""Numeric columns: kernels against their twins and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import scaling
from fastdl.kernels.backend import ops, use_backend


def on_all(run, two_thread_counts):
    """(the kernel's arrays, the twin's); one thread and two give the same bits."""
    one, two = two_thread_counts(run)
    with use_backend("numpy"):
        expected = run()
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()
    return one, expected


def numbers(rng, n):
    values = np.exp(3 * rng.standard_normal(n)) * rng.choice([-1, 1], n)
    values[rng.random(n) < 0.2] = np.nan
    values[rng.random(n) < 0.2] = 0
    return values


@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize("n", [1, 30, 20_000])
def test_moments(n, logarithm, rng, two_thread_counts):
    values = numbers(rng, n)
    values[-(n // 3) :] = np.nan if n > 1 else 2.5

    def run():
        partial = np.full((-(-n // scaling.ROWS), 3), np.nan)
        ops.moments(values, logarithm, partial)
        return (partial,)

    (found,), (expected,) = on_all(run, two_thread_counts)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert found[:, 0].sum() == np.count_nonzero(~np.isnan(values))


@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e9])
def test_a_constant_has_no_squares(value, logarithm):
    partial = np.empty((1, 3))
    ops.moments(np.array([np.nan, *[value] * 1001]), logarithm, partial)
    assert partial[0, 0] == 1001 and partial[0, 2] == 0
    assert partial[0, 1] == pytest.approx(
        np.sign(value) * np.log1p(abs(value)) if logarithm else value
    )


@pytest.mark.parametrize("logarithm", [True, False])
@pytest.mark.parametrize("n", [1, 20_000])
def test_standardize(n, logarithm, rng, two_thread_counts):
    values = np.append(numbers(rng, n), [1e-300, -1e300, 1e-9, 0.5, -0.4999])

    def run():
        out, absent = np.full(len(values), np.nan), np.zeros(len(values), bool)
        ops.standardize(values, logarithm, 0.7, 1.3, out, absent)
        return out, absent

    (out, absent), (expected, expected_absent) = on_all(run, two_thread_counts)
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(absent, expected_absent)
    np.testing.assert_array_equal(absent, np.isnan(values))


@pytest.mark.parametrize("borders", [0, 1, 2, 3, 7, 63, 64])
def test_bucket_ids(borders, rng, two_thread_counts):
    edges = np.unique(rng.integers(-50, 50, borders)).astype(float)
    values = rng.integers(-60, 60, 10_000) / 2
    values[::7] = np.nan
    values[:2] = np.inf, -np.inf

    def run():
        ids = np.full(len(values), -1, np.int32)
        ops.bucket_ids(values, edges, ids)
        return (ids,)

    (found,), (expected,) = on_all(run, two_thread_counts)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n", [1, 300, 5000])
def test_count_sizes(n, rng):
    values = np.concatenate([numbers(rng, n), [5e-324, 1.7e308, -1.7e308, 0, -0.0, 2, 2, 2]])
    results = []
    for backend in ("numba", "numpy"):
        counts = np.zeros(2 * scaling.BINS + 1, np.int64)
        largest = np.full(counts.shape, np.nan)
        with use_backend(backend):
            for part in np.array_split(values, 3):
                ops.count_sizes(part, counts, largest)
        held = np.flatnonzero(counts)
        results.append((held, counts[held], largest[held]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    held, counts, largest = results[0]
    assert counts.sum() == np.count_nonzero(~np.isnan(values))
    assert (np.diff(largest) > 0).all()  # bins are in the order of their values
    assert held[0] > 0 and held[-1] < 2 * scaling.BINS
