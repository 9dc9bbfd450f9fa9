"""Elementwise layers and Flatten on images: channels-last memory stays, values do not notice it."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl.layers import layout
from fastdl.layers.combine import Add, Flatten, Multiply

LAYERS = {
    "relu": fastdl.ReLU,
    "gelu": fastdl.GELU,
    "sigmoid": fastdl.Sigmoid,
    "dropout": lambda: fastdl.Dropout(0.4, rng=np.random.default_rng(3)),
}
SHAPES = [(3, 5, 4, 6), (1, 2, 1, 3), (2, 1, 3, 3), (2, 3, 1, 1), (4, 16, 40, 40)]


def images(shape, rng, memory="last", dtype="float32"):
    """Random (N, C, H, W) in one of two memory orders."""
    x = rng.standard_normal(shape).astype(dtype)
    return layout.channels_first(layout.channels_last(x, x.dtype, "x")) if memory == "last" else x


def both_orders(x):
    first = np.ascontiguousarray(x)
    return first, layout.channels_first(layout.channels_last(first, x.dtype, "x"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", LAYERS)
def test_values_do_not_depend_on_the_memory_order(name, shape, rng):
    x, dout = images(shape, rng), images(shape, rng)
    results = []
    for given in both_orders(x):
        for upstream in both_orders(dout):
            layer = LAYERS[name]()
            out = layer.forward(given)
            dx = layer.backward(upstream)
            assert layout.is_channels_last(out) == layout.is_channels_last(given)
            assert layout.is_channels_last(dx) == layout.is_channels_last(given)
            results.append((out, dx))
    for out, dx in results[1:]:
        np.testing.assert_array_equal(out, results[0][0])
        np.testing.assert_array_equal(dx, results[0][1])


def test_nothing_is_copied_on_the_way(rng):
    x = images((2, 3, 4, 5), rng)
    assert layout.as_real_in_order(x, x.dtype, "x").base is x.base
    assert np.shares_memory(layout.flat(x), x)
    assert layout.flat(x).tolist() == x.transpose(0, 2, 3, 1).reshape(-1).tolist()
    dropout = fastdl.Dropout()
    dropout.training = False
    assert np.shares_memory(dropout.forward(x), x)
    assert np.shares_memory(dropout.backward(x), x)


@pytest.mark.parametrize("other", ["first", "last"])
def test_sums_and_products_take_the_order_of_their_own_inputs(other, rng):
    a, b = images((2, 3, 4, 5), rng), images((2, 3, 4, 5), rng, other)
    dout = images((2, 3, 4, 5), rng, "first")
    total, product = Add().forward(a, b, b), Multiply()
    assert layout.is_channels_last(total)
    np.testing.assert_array_equal(total, np.ascontiguousarray(a) + b + b)
    out = product.forward(a, b)
    assert layout.is_channels_last(out)
    np.testing.assert_array_equal(out, np.ascontiguousarray(a) * b)
    da, db = product.backward(dout)
    assert layout.is_channels_last(da)
    assert layout.is_channels_last(db) == (other == "last")
    np.testing.assert_array_equal(da, dout * b)
    np.testing.assert_array_equal(db, dout * a)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("memory", ["first", "last"])
def test_flatten_has_pytorchs_order_and_gives_the_memory_order_back(shape, memory, rng):
    x, layer = images(shape, rng, memory), Flatten()
    out = layer.forward(x)
    np.testing.assert_array_equal(out, np.ascontiguousarray(x).reshape(len(x), -1))
    dx = layer.backward(2 * out)
    np.testing.assert_array_equal(dx, 2 * x)
    assert layout.is_channels_last(dx) == layout.is_channels_last(x)


def test_gradients_of_other_shapes_are_refused(rng):
    for layer in (fastdl.ReLU(), fastdl.Dropout()):
        layer.forward(images((2, 3, 4, 5), rng))
        for shape in ((2, 4, 5, 3), (2, 60), (2, 3, 4, 6)):
            with pytest.raises(ValueError, match=r"expected \(2, 3, 4, 5\)"):
                layer.backward(np.ones(shape, np.float32))


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 4, 5, 6), (3, 4)])
def test_channels_last_wants_images(shape):
    with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\)"):
        layout.channels_last(np.ones(shape), np.dtype("float32"), "x")
