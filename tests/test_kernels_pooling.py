"""Pooling kernels: twins over shapes, strides, paddings and dilations; ties, NaN, threads."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import maxpool
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_kernels_twins import both, compare

LIMITS = {"rtol": 1e-5, "atol": 1e-5}
# (N, H, W, C), kernel, stride, padding, dilation; the first ones are large enough for two threads
CASES = [
    ((9, 32, 32, 16), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((5, 33, 29, 20), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((5, 33, 29, 19), (3, 2), (1, 1), (1, 1), (2, 3)),
    ((1, 7, 9, 1), (3, 3), (1, 2), (1, 0), (1, 1)),
    ((2, 1, 1, 3), (1, 1), (3, 3), (0, 0), (1, 1)),
    ((1, 17, 18, 2), (17, 17), (1, 1), (3, 8), (1, 1)),
    ((1, 5, 4, 2), (2, 2), (1, 1), (1, 1), (5, 4)),  # windows with no place in the image
]


def output_shape(shape, kernel, stride, padding, dilation):
    N, *sizes, C = shape
    found = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]
    return (N, *found, C)


def compare_max(shape, kernel, stride, padding, dilation, rng, counts):
    """Forward and backward of maxima; integers, so that there are ties and sums are exact."""
    out = np.empty(output_shape(shape, kernel, stride, padding, dilation), "float32")
    index = np.zeros(out.shape, np.uint8 if kernel[0] * kernel[1] <= 256 else np.int32)
    x = rng.integers(-3, 4, shape).astype("float32")
    window = (kernel, stride, padding, dilation)
    results = []
    for function in both("maxpool", "maxpool_forward"):

        def run(function=function):
            found = np.full_like(out, np.nan), np.full_like(index, 7)
            function(x, *window, *found)
            return found

        one, two = counts(run)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))
        results.append(one)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    there = np.isfinite(results[1][0])
    np.testing.assert_array_equal(results[0][1][there], results[1][1][there])
    dout = rng.integers(-9, 9, out.shape).astype("float32")
    arguments = (dout, results[0][1], *window, x)
    compare("maxpool", "maxpool_backward", arguments, [6], counts, rtol=0)


def compare_mean(shape, kernel, stride, padding, count_include_pad, rng, counts):
    window = (kernel, stride, padding, count_include_pad)
    x = rng.standard_normal(shape).astype("float32")
    dout = rng.standard_normal(output_shape(shape, *window[:3], (1, 1))).astype("float32")
    compare("avgpool", "avgpool_forward", (x, *window, dout), [5], counts, **LIMITS)
    compare("avgpool", "avgpool_backward", (dout, *window, x), [5], counts, **LIMITS)


def test_the_cases_reach_both_paths():
    sizes = [np.prod(case[0]) for case in CASES]
    assert min(sizes) < 10 and sum(size > maxpool.SMALL for size in sizes) == 3


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding", "dilation"), CASES)
def test_cases(shape, kernel, stride, padding, dilation, rng, two_thread_counts):
    compare_max(shape, kernel, stride, padding, dilation, rng, two_thread_counts)
    for count_include_pad in (True, False):
        compare_mean(shape, kernel, stride, padding, count_include_pad, rng, two_thread_counts)


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 19)),
    kernel=pairs, stride=pairs, dilation=pairs, padded=st.tuples(st.booleans(), st.booleans()),
    count_include_pad=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_window(shape, kernel, stride, dilation, padded, count_include_pad, seed):
    padding = tuple(k // 2 if p else 0 for k, p in zip(kernel, padded, strict=True))
    assume(min(output_shape(shape, kernel, stride, padding, dilation)) > 0)
    rng = np.random.default_rng(seed)
    compare_max(shape, kernel, stride, padding, dilation, rng, lambda run: (run(), run()))
    compare_mean(shape, kernel, stride, padding, count_include_pad, rng, lambda run: (run(), run()))


@pytest.mark.parametrize(("N", "P", "C"), [(1, 1, 1), (3, 50, 16), (2, 7, 700), (40, 300, 19)])
def test_whole_images(N, P, C, rng, two_thread_counts):
    x, dout = rng.standard_normal((N, P, C)).astype("float32"), np.ones((N, C), "float32")
    arguments = (x, dout)
    compare("channels", "global_avgpool_forward", arguments, [1], two_thread_counts, **LIMITS)
    dout = rng.standard_normal((N, C)).astype("float32")
    arguments = (dout, x)
    compare("channels", "global_avgpool_backward", arguments, [1], two_thread_counts, **LIMITS)
    arguments = (x, dout, x)
    compare("channels", "scale_channels", arguments, [2], two_thread_counts, **LIMITS)
    limits = {"rtol": 1e-4, "atol": 1e-4}  # sums of 300 numbers
    compare("channels", "sum_pixels", (x, dout), [1], two_thread_counts, **limits)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("N", "P", "C"), [(1, 1, 1), (3, 50, 3), (2, 7, 700), (40, 300, 19)])
def test_numbers_that_are_added_to_channels(N, P, C, relu, dtype, rng, two_thread_counts):
    x, b = rng.standard_normal((N, P, C)).astype(dtype), rng.standard_normal(C).astype(dtype)
    x[0, 0, 0] = np.nan  # stays
    for function in both("channels", "add_to_channels"):

        def run(function=function):
            own = x.copy()
            function(own, b, relu)
            return own

        one, two = two_thread_counts(run)
        assert one.tobytes() == two.tobytes()
        np.testing.assert_array_equal(one, np.where(relu & (x + b < 0), dtype.type(0), x + b))


def test_nan_is_the_maximum_and_minus_infinity_has_a_place(rng):
    x = rng.standard_normal((1, 6, 6, 17)).astype("float32")
    x[0, 1, 1, 3], x[0, 4:, 4:, 5] = np.nan, -np.inf
    for function in both("maxpool", "maxpool_forward"):
        out, index = np.empty((1, 4, 4, 17), "float32"), np.empty((1, 4, 4, 17), np.uint8)
        function(x, (2, 2), (2, 2), (1, 1), (1, 1), out, index)
        assert np.isnan(out).sum() == 1 and np.isnan(out[0, 1, 1, 3])
        assert index[0, 1, 1, 3] == 0 and out[0, 3, 3, 5] == -np.inf and index[0, 3, 3, 5] == 0
        assert (index[0, 0, 0] == 3).all()  # the only place that is not padding


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("shape", [(9, 30, 32, 16), (3, 5, 7, 32), (2, 2, 3, 48), (1, 3, 2, 16)])
def test_windows_of_two_by_two(shape, gated, dtype, rng, two_thread_counts):
    x = rng.integers(-3, 4, shape).astype(dtype)  # ties
    x[0, 1, 1, 3], x[0, :2, :2, 5] = np.nan, -np.inf
    dout = rng.integers(-9, 9, output_shape(shape, (2, 2), (2, 2), (0, 0), (1, 1))).astype(dtype)
    results = []
    for forward, backward in zip(
        both("maxpool2x2", "maxpool2x2_forward"), both("maxpool2x2", "maxpool2x2_backward"),
        strict=True,
    ):  # fmt: skip

        def run(forward=forward, backward=backward):
            out, index = np.full_like(dout, np.nan), np.full(dout.shape, 7, np.uint8)
            dx = np.full_like(x, np.nan)
            forward(x, out, index)
            backward(dout, out, index, gated, dx)
            return out, index, dx

        one, two = two_thread_counts(run)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))
        results.append(one)
    for mine, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert np.isnan(results[0][0]).sum() == 1 and results[0][1][0, 0, 0, 5] == 0
