"""Dropout kernels: twins, threads, the mask, edges of the ratio."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import dropout
from test_kernels_twins import both, compare

SIZES = [1, 15, 4096, 3 * dropout.BLOCK + 17]
RATIOS = [0.0, 0.3, 0.999]


def limits(dtype):
    return {"rtol": 4 * float(np.finfo(dtype).eps)}


def inputs(n, dtype, rng):
    return rng.standard_normal(n).astype(dtype), rng.random(n)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", SIZES)
def test_forward(n, ratio, dtype, rng, two_thread_counts):
    x, random = inputs(n, dtype, rng)
    arguments = (x, random, ratio, x, np.empty(n, np.bool_))
    outputs = [3, 4]
    compare("dropout", "dropout_forward", arguments, outputs, two_thread_counts, **limits(dtype))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", SIZES)
def test_backward(n, ratio, dtype, rng, two_thread_counts):
    dout, random = inputs(n, dtype, rng)
    arguments = (dout, ratio, random > ratio, dout)
    compare("dropout", "dropout_backward", arguments, [3], two_thread_counts, **limits(dtype))


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("n", SIZES)
def test_the_mask_is_written_everywhere(n, before, dtype, rng):
    x, random = inputs(n, dtype, rng)
    out, mask = np.full(n, np.nan, dtype), np.full(n, before)
    both("dropout", "dropout_forward")[0](x, random, 0.5, out, mask)
    np.testing.assert_array_equal(mask, random > 0.5)
    np.testing.assert_array_equal(out, np.where(random > 0.5, 2 * x, 0))


def test_a_draw_equal_to_the_ratio_is_dropped(dtype):
    x, random = np.ones(3, dtype), np.array([0.25, np.nextafter(0.25, 1), 0.0])
    for function in both("dropout", "dropout_forward"):
        out, mask = np.empty_like(x), np.empty(3, np.bool_)
        function(x, random, 0.25, out, mask)
        assert mask.tolist() == [False, True, False]
        assert out[0] == out[2] == 0 < out[1]


def test_nan_is_not_hidden_by_dropping_it(dtype):
    x, random = np.array([np.nan, np.nan, 1], dtype), np.array([0.1, 0.9, 0.1])
    for function in both("dropout", "dropout_forward"):
        out, mask = np.empty_like(x), np.empty(3, np.bool_)
        function(x, random, 0.5, out, mask)
        assert np.isnan(out[:2]).all() and out[2] == 0
    for function in both("dropout", "dropout_backward"):
        dx = np.empty_like(x)
        function(x, 0.5, random > 0.5, dx)
        assert np.isnan(dx[:2]).all() and dx[2] == 0
