"""im2col and col2im: twins, the definition, convolution by a product, memory orders, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import im2col as kernels
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_kernels_twins import compare
from test_layers_layout import both_orders, images

import fastdl
from fastdl import col2im, im2col

# (N, C, H, W), kernel, stride, padding; the first two are large enough for two threads
CASES = [
    ((3, 33, 14, 15), (3, 3), (1, 1), (1, 1)),
    ((8, 3, 28, 28), (5, 4), (2, 1), (2, 0)),
    ((1, 70, 3, 4), (2, 3), (2, 2), (1, 1)),
    ((2, 1, 1, 1), (1, 1), (3, 3), (0, 0)),
]


def outputs(shape, kernel, stride, padding):
    axes = zip(shape[2:], kernel, stride, padding, strict=True)
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in axes)


def by_definition(x, kernel, stride, padding):
    """Every number of the matrix by its formula."""
    N, C, H, W = x.shape
    OH, OW = outputs(x.shape, kernel, stride, padding)
    col = np.zeros((N, OH, OW, C, *kernel), x.dtype)
    for n, oh, ow, c, fh, fw in np.ndindex(col.shape):
        h, w = oh * stride[0] + fh - padding[0], ow * stride[1] + fw - padding[1]
        if 0 <= h < H and 0 <= w < W:
            col[n, oh, ow, c, fh, fw] = x[n, c, h, w]
    return col.reshape(N * OH * OW, -1)


def test_cases_reach_both_paths(rng):
    sizes = [im2col(np.zeros(shape, "float32"), *k, s, p).size for shape, k, s, p in CASES]
    assert [size >= kernels.SMALL for size in sizes] == [True, True, False, False]


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), CASES)
def test_are_the_twins(shape, kernel, stride, padding, rng, two_thread_counts):
    OH, OW = outputs(shape, kernel, stride, padding)
    N, C, H, W = shape
    col = rng.standard_normal((N * OH * OW, C * kernel[0] * kernel[1])).astype("float32")
    x, window = rng.standard_normal(shape).astype("float32"), (kernel, stride, padding)
    for strides in ((C * H * W, H * W, W, 1), (H * W * C, 1, W * C, C)):
        arguments = (x.reshape(-1), shape, strides, *window, col)
        compare("im2col", "im2col", arguments, [6], two_thread_counts, rtol=0)
    compare("im2col", "col2im", (col, *window, x), [4], two_thread_counts, rtol=1e-5, atol=1e-5)


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8)),
    kernel=pairs, stride=pairs, padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_definition_and_its_transpose(shape, kernel, stride, padding, seed):
    assume(min(outputs(shape, kernel, stride, padding)) > 0)
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 10, shape).astype("float32")  # sums of integers are exact
    expected = by_definition(x, kernel, stride, padding)
    col = rng.integers(-9, 10, expected.shape).astype("float32")
    for ordered in both_orders(x):
        found = im2col(ordered, *kernel, stride, padding)
        assert found.flags.c_contiguous and found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    summed = col2im(col, shape, *kernel, stride, padding)
    assert summed.shape == shape and summed.dtype == np.float32
    assert np.sum(found * col) == np.sum(x * summed)


def test_a_product_with_the_filters_is_a_convolution(rng):
    x = images((2, 5, 7, 8), rng)
    layer = fastdl.Conv2D(5, 6, 3, stride=2, padding=1, rng=rng)
    out = layer.forward(x)
    dout = images(out.shape, rng)
    dx = layer.backward(dout)
    filters = layer.W.reshape(6, -1)
    by_product = im2col(x, 3, 3, 2, 1) @ filters.T + layer.b
    rows = dout.transpose(0, 2, 3, 1).reshape(-1, 6)
    np.testing.assert_allclose(
        out, by_product.reshape(2, 4, 4, 6).transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        dx, col2im(rows @ filters, x.shape, 3, 3, 2, 1), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        layer.dW.reshape(6, -1), rows.T @ im2col(x, 3, 3, 2, 1), rtol=1e-4, atol=1e-5
    )


def test_nan_and_the_callers_arrays(rng):
    x = images((1, 2, 5, 5), rng)
    x[0, 1, 2, 2] = np.nan
    before = x.copy()
    col = im2col(x, 3, 3)
    assert np.isnan(col).sum() == 9 and x.tobytes() == before.tobytes()
    kept = col.copy()
    assert np.isnan(col2im(col, x.shape, 3, 3)).sum() == 1 and col.tobytes() == kept.tobytes()


def test_dtypes():
    whole = np.arange(8).reshape(1, 2, 2, 2)
    assert im2col(whole, 2, 2).dtype == np.float32
    np.testing.assert_array_equal(im2col(whole.tolist(), 2, 2), [range(8)])
    np.testing.assert_array_equal(col2im([list(range(8))], whole.shape, 2, 2), whole)
    with fastdl.use_backend("numpy"):
        assert im2col(whole.astype("float64"), 1, 1).dtype == np.float64
        assert col2im(np.ones((4, 2)), whole.shape, 1, 1).dtype == np.float64


def test_bad_input(rng):
    x = images((1, 2, 4, 5), rng)
    with pytest.raises(ValueError, match=r"input_data has shape \(2, 4, 5\); expected images"):
        im2col(x[0], 2, 2)
    with pytest.raises(ValueError, match=r"input_data has shape \(0, 2, 4, 5\)"):
        im2col(x[:0], 2, 2)
    with pytest.raises(TypeError, match="complex"):
        im2col(x * 1j, 2, 2)
    with pytest.raises(ValueError, match=r"4 x 5 pixels, padded by \(1, 1\), are smaller .* 7 x 2"):
        im2col(x, 7, 2, pad=1)
    for name, options in (("filter_h", {"filter_h": 0}), ("filter_w", {"filter_w": 2.0}),
                          ("stride", {"stride": 0}), ("pad", {"pad": -1})):  # fmt: skip
        for function, arguments in ((im2col, (x,)), (col2im, (np.ones((12, 8)), x.shape))):
            with pytest.raises((ValueError, TypeError), match=name):
                function(*arguments, **{"filter_h": 2, "filter_w": 2, **options})
    with pytest.raises(ValueError, match=r"col has shape \(12, 7\); expected \(12, 8\) for \(1, 2"):
        col2im(np.ones((12, 7)), x.shape, 2, 2)
    with pytest.raises(ValueError, match=r"input_shape is \(2, 4, 5\); expected \(N, C, H, W\)"):
        col2im(np.ones((12, 8)), (2, 4, 5), 2, 2)
    with pytest.raises(ValueError, match="input_shape is 0"):
        col2im(np.ones((12, 8)), (0, 2, 4, 5), 2, 2)
