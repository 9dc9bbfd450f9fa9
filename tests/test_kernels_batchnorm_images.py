"""Kernels of batch normalization by channel: twins, threads, far means, bad numbers."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import batchnorm_images as file
from fastdl.kernels.activation import GELU, LEAKY_RELU, NONE, RELU, SIGMOID, TANH
from fastdl.kernels.long_rows import ROW
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_twins import both, compare

NAME = "batchnorm_images"
# one pixel, one channel, no whole long row, several blocks, more channels than a long row has
SHAPES = [(1, 1), (1, 5), (700, 1), (33, 16), (5000, 16), (70_001, 3), (131, 700), (9, 40_000)]
KINDS = [NONE, RELU, LEAKY_RELU, SIGMOID, TANH, GELU]


def limits(terms):
    return {"rtol": 3e-4, "atol": 3e-5 * terms**0.5}


def inputs(M, C, rng, dtype="float32"):
    x = (3 + 2 * rng.standard_normal((M, C))).astype(dtype)
    vectors = [rng.standard_normal(C).astype(dtype) for _ in range(3)]
    return x, *vectors, (0.5 + rng.random(C)).astype(dtype)


def test_the_shapes_reach_every_path():
    sizes = [M * C for M, C in SHAPES]
    assert min(sizes) == 1 and max(sizes) > 2 * file.SMALL
    assert any(C > ROW for _, C in SHAPES) and any(C > file.ELEMENTS for _, C in SHAPES)
    assert sum(M * C > file.SMALL and C < 20 for M, C in SHAPES) > 1


def forward_case(M, C, kind, training, with_shortcut, rng):
    x, gamma, beta, mean, var = inputs(M, C, rng)
    shortcut = rng.standard_normal((M if with_shortcut else 0, C)).astype("float32")
    arguments = (training, kind, 0.1, x, shortcut, gamma, beta, 1e-3, mean, var, x)
    return arguments, [8, 9, 10] if training else [10]


def backward_case(M, C, kind, training, with_shortcut, rng):
    arguments, _ = forward_case(M, C, kind, training, with_shortcut, rng)
    _, _, slope, x, shortcut, gamma, beta, epsilon, mean, var, _ = arguments
    out = np.empty_like(x)
    both(NAME, "batchnorm_images_forward")[1](*arguments[:-1], out)
    saved = x if kind in (GELU, NONE) or (kind == RELU and not with_shortcut) else out
    dout = rng.standard_normal((M, C)).astype("float32")
    if not with_shortcut:  # ReLU's input is computed again: by the last bits it is above 0 or not
        dout[np.abs(gamma * (x - mean) / np.sqrt(var + epsilon) + beta) < 1e-4] = 0
    dshortcut = dout if with_shortcut and kind != NONE else dout[:0]
    more = rng.standard_normal((M if len(dshortcut) and M % 3 else 0, C)).astype("float32")
    return (training, kind, slope, x, saved, shortcut, gamma, beta, mean, var, epsilon, dout, more,
            dout, dshortcut, gamma, gamma), [13, 14, 15, 16]  # fmt: skip


@pytest.mark.parametrize("with_shortcut", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("M", "C"), SHAPES)
def test_relu(M, C, training, with_shortcut, rng, two_thread_counts):
    for make, name in ((forward_case, "forward"), (backward_case, "backward")):
        arguments, outputs = make(M, C, RELU, training, with_shortcut, rng)
        full = f"{NAME}_{name}"
        compare(NAME, full, arguments, outputs, two_thread_counts, **limits(M))


@settings(max_examples=40, deadline=None)
@given(
    M=st.integers(1, 90), C=st.integers(1, 40), kind=st.sampled_from(KINDS),
    training=st.booleans(), with_shortcut=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_every_activation(M, C, kind, training, with_shortcut, seed):
    rng = np.random.default_rng(seed)
    for make, name in ((forward_case, "forward"), (backward_case, "backward")):
        arguments, outputs = make(M, C, kind, training, with_shortcut, rng)
        compare(NAME, f"{NAME}_{name}", arguments, outputs, lambda run: (run(), run()), **limits(M))


@pytest.mark.parametrize("M", [50, 70_000])
def test_float32_statistics_far_from_zero(M, rng):
    x = (1e4 + rng.standard_normal((M, 3))).astype(np.float32)
    mean, var, gamma, beta = (np.full(3, value, np.float32) for value in (1, 1, 1, 0))
    out = np.empty_like(x)
    forward = both(NAME, "batchnorm_images_forward")[0]
    forward(True, NONE, 0.1, x, x[:0], gamma, beta, 1e-5, mean, var, out)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=3e-7)
    np.testing.assert_allclose(var, exact.var(axis=0), rtol=2e-5)
    expected = (exact - exact.mean(axis=0)) / np.sqrt(exact.var(axis=0) + 1e-5)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=2e-3)


def test_float32_variance_where_the_first_pixels_are_far_from_the_others(rng):
    x = (1e3 + rng.standard_normal((70_000, 3))).astype(np.float32)
    x[::512], x[: 1 << 13] = 0, -1e3
    mean, var, gamma, beta = (np.full(3, value, np.float32) for value in (1, 1, 1, 0))
    forward = both(NAME, "batchnorm_images_forward")[0]
    forward(True, NONE, 0.1, x, x[:0], gamma, beta, 1e-5, mean, var, np.empty_like(x))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var(axis=0), rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_number_stays_in_its_channel(value, rng):
    x, gamma, beta, mean, var = inputs(3000, 40, rng)
    x[1234, 7] = value
    out = np.empty_like(x)
    for function in both(NAME, "batchnorm_images_forward"):
        with np.errstate(invalid="ignore"):
            function(True, RELU, 0.1, x, x[:0], gamma, beta, 1e-5, mean, var, out)
        bad = ~np.isfinite(out)
        assert bad[1234, 7] and not np.isfinite(var[7])
        assert not np.delete(bad, 7, axis=1).any()
