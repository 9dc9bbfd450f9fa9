"""Upsampling kernels against their twins, over shapes and factors."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import upsample
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_twins import both, compare

LIMITS = {"rtol": 2e-5, "atol": 2e-5}
# (N, H, W, C) and factors; the first two are large enough for two threads
CASES = [((3, 20, 20, 16), (2, 2)), ((2, 9, 11, 19), (3, 4)), ((1, 1, 1, 1), (2, 3)),
         ((2, 3, 1, 5), (1, 1)), ((1, 1, 6, 700), (5, 1))]  # fmt: skip


def compare_both(shape, scale, bilinear, rng, counts):
    N, H, W, C = shape
    x = rng.standard_normal(shape).astype("float32")
    dout = rng.standard_normal((N, H * scale[0], W * scale[1], C)).astype("float32")
    compare("upsample", "upsample_forward", (x, scale, bilinear, dout), [3], counts, **LIMITS)
    compare("upsample", "upsample_backward", (dout, scale, bilinear, x), [3], counts, **LIMITS)


def test_the_cases_reach_both_paths():
    sizes = [np.prod(shape) * np.prod(scale) for shape, scale in CASES]
    assert sum(size > upsample.SMALL for size in sizes) == 2


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize(("shape", "scale"), CASES)
def test_cases(shape, scale, bilinear, rng, two_thread_counts):
    compare_both(shape, scale, bilinear, rng, two_thread_counts)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 19)),
    scale=st.tuples(st.integers(1, 5), st.integers(1, 5)), bilinear=st.booleans(),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_any_shape(shape, scale, bilinear, seed):
    compare_both(shape, scale, bilinear, np.random.default_rng(seed), lambda run: (run(), run()))


def test_nearest_copies_bits_and_leaves_infinity_where_it_is(rng):
    x = rng.standard_normal((1, 3, 3, 16)).astype("float32")
    x[0, 1, 1, 4] = np.inf
    for function in both("upsample", "upsample_forward"):
        out = np.empty((1, 6, 9, 16), "float32")
        function(x, (2, 3), False, out)
        np.testing.assert_array_equal(out, x.repeat(2, axis=1).repeat(3, axis=2))
