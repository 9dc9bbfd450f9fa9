"""Winograd's convolution: its matrices, the twin, errors, threads, the ends of arrays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from fastdl.kernels import dense
from fastdl.kernels.winograd_transforms import POINTS, matrices
from guarded import guarded
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_kernels_convolution import Case, near
from test_kernels_convolution import results as direct
from test_kernels_twins import both

# Largest error by the standard deviation of what it is an error of, see fastdl.set_winograd.
BOUNDS = {2: 5e-6, 4: 2e-5}
LARGE = [
    Case(5, (17, 19), 1, 20, 33, padding=(1, 1)),
    Case(70, (6, 5), 1, 16, 16, padding=(1, 2)),
    Case(2, (9, 9), 1, 130, 300, padding=(0, 1), more=(0, 1)),
    Case(3, (30, 31), 1, 1, 130, padding=(2, 0)),
    Case(50, (10, 9), 1, 8, 8, padding=(1, 1)),
]
SMALL = [
    Case(1, (1, 1), 1, 1, 1, padding=(1, 1)),
    Case(1, (3, 3), 1, 16, 16),
    Case(3, (5, 7), 1, 17, 1, padding=(2, 2)),
    Case(2, (6, 6), 1, 3, 40, padding=(1, 1)),
    Case(1, (9, 5), 1, 16, 5, padding=(1, 1)),
    Case(1, (4, 9), 1, 8, 7, padding=(0, 1)),
]


def results(side, m, case, x, W, b, dout, relu=False, place=lambda array: array):
    """out, dx, dW and db of the kernels (side 0) or twins (1), into destinations of NaN."""
    convolve = both("winograd", "winograd_convolve")[side]
    weights = both("winograd_weights", "winograd_backward_weights")[side]
    around = 2 - case.padding[0], 2 - case.padding[1]
    x, W, b, dout, out, dx, dW, db = [
        place(array)
        for array in (x, W, b, dout, *(np.full_like(a, np.nan) for a in (dout, x, W, b)))
    ]
    convolve(m, x, W, b, False, case.padding, relu, out)
    convolve(m, dout, W, np.empty(0, x.dtype), True, around, False, dx)
    weights(m, x, dout, case.padding, dW, db)
    return out, dx, dW, db


@pytest.mark.parametrize("m", [2, 4])
def test_matrices_make_a_convolution(m, rng):
    A, G, B = matrices(POINTS[m], m)
    d, g = rng.standard_normal(m + 2), rng.standard_normal(3)
    expected = [d[i : i + 3] @ g for i in range(m)]
    np.testing.assert_allclose(A @ ((G @ g) * (B @ d)), expected, rtol=1e-12, atol=1e-12)
    for matrix in (B, G, A.T):  # the rows of opposite points: half of the work is done once
        for i, j in [(1, 2), (3, 4)][: m // 2]:
            assert np.array_equal(abs(matrix[i]), abs(matrix[j]))


def test_matrices_of_lavin_and_gray():
    A, G, B = matrices(POINTS[2], 2)
    np.testing.assert_array_equal(abs(A), [[1, 1, 1, 0], [0, 1, 1, 1]])
    np.testing.assert_array_equal(abs(G), [[1, 0, 0], [0.5] * 3, [0.5] * 3, [0, 0, 1]])
    np.testing.assert_array_equal(abs(B), [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]])
    A, _, B = matrices(tuple(map(Fraction, (0, 1, -1, 2, -2))), 4)
    np.testing.assert_array_equal(A[3], [0, 1, -1, 8, -8, 1])
    np.testing.assert_array_equal(B[0], [4, 0, -5, 0, 1, 0])


@settings(max_examples=40, deadline=None)
@given(
    m=st.sampled_from([2, 4]), N=st.integers(1, 4),
    size=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    depth=st.sampled_from([1, 3, 16, 19, 40]), columns=st.sampled_from([1, 5, 16, 17, 40]),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    more=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    relu=st.booleans(), bias=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_is_the_twins(m, N, size, depth, columns, padding, more, relu, bias, seed):
    case = Case(N, size, 1, depth, columns, padding=padding, more=more)
    assume(min(case.outputs) > 0)
    given = case.arrays(np.random.default_rng(seed), bias)
    before = [array.copy() for array in given]
    near(results(0, m, case, *given, relu), results(1, m, case, *given, relu), 3e-5)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(given, before, strict=True))


def test_large_cases_are_spread_over_threads():
    for case in LARGE:
        assert np.prod((case.N, *case.outputs, case.columns, case.depth, 9)) >= dense.SMALL


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_cases_on_one_thread_and_two(case, m, rng, two_thread_counts):
    given = case.arrays(rng)
    one, two = two_thread_counts(lambda: results(0, m, case, *given, relu=True))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))
    near(one, results(1, m, case, *given, relu=True), 3e-5)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("case", LARGE[:3], ids=str)
def test_errors_are_within_what_set_winograd_says(case, m, rng):
    given = case.arrays(rng)
    exact = direct(1, case, *(array.astype("float64") for array in given))
    for found, expected in zip(results(0, m, case, *given)[:3], exact, strict=False):
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() <= BOUNDS[m] * expected.std()


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("end", [True, False])
def test_nothing_beyond_the_arrays_is_touched(end, m, rng):
    for case in SMALL:
        given = case.arrays(rng)
        found = results(0, m, case, *given, place=lambda array: guarded(array, end))
        near(found, results(1, m, case, *given), 3e-5)


@pytest.mark.parametrize("m", [2, 4])
def test_nan_stays_in_its_image_and_relu_lets_it_through(m, rng):
    case = Case(3, (9, 9), 1, 3, 17, padding=(1, 1))
    x, W, b, dout = case.arrays(rng)
    x[1, 4, 4, 1] = np.nan
    out, dx, dW, db = results(0, m, case, x, W, b, dout, relu=True)
    assert np.isnan(out[1, 3:6, 3:6]).all()  # and the rest of the tiles that these are in
    assert np.isfinite(out[[0, 2]]).all() and np.isfinite(dx).all() and np.isfinite(db).all()
    assert np.isnan(dW[:, 1]).all() and np.isfinite(dW[:, [0, 2]]).all()
