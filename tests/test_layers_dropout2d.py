"""Dropout2D: whole channels, the draws of Dropout, gradients, memory order, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check
from test_layers_layout import both_orders, images

import fastdl
from fastdl import Dropout2D

SHAPE = (6, 5, 3, 4)


class Fixed:
    """Stands for a generator: the same draws at every call."""

    def random(self, shape):
        return np.random.default_rng(3).random(shape)


def test_whole_channels_are_dropped_by_the_draws_of_the_global_state(rng):
    x, layer = images(SHAPE, rng), Dropout2D(0.3)
    out = layer.forward(x)
    np.random.seed(0)
    kept = np.random.rand(6, 5) > 0.3
    np.testing.assert_array_equal(layer.mask, kept)
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(out, x * kept[:, :, None, None] / 0.7, rtol=1e-6)
    dx = layer.backward(2 * x)
    np.testing.assert_array_equal(dx, 2 * out)


def test_share_and_mean_are_kept():
    layer = Dropout2D(0.3, rng=np.random.default_rng(1))
    out = layer.forward(np.ones((200, 100, 2, 1), np.float32))
    np.testing.assert_allclose(layer.mask.mean(), 0.7, atol=0.01)
    np.testing.assert_allclose(out.mean(), 1, atol=0.02)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_gradients(training, backend, rng):
    with fastdl.use_backend(backend):
        layer, x = Dropout2D(0.4, rng=Fixed()), images(SHAPE, rng, dtype="float64")
        layer.training = training
        dout = rng.standard_normal(SHAPE)
        layer.forward(x)
        dx = layer.backward(dout)
        gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), [x], [dx], rng)


def test_is_pytorchs(rng):
    """Theirs draws other channels: what it keeps is compared through its own mask."""
    torch = pytest.importorskip("torch")
    x, dout = images(SHAPE, rng, "first"), images(SHAPE, rng, "first")
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.dropout2d(tensor, 0.4, training=True)
    expected.backward(torch.tensor(dout))
    kept = (expected.detach().numpy() != 0).all(axis=(2, 3))
    assert 0 < kept.sum() < kept.size
    layer = Dropout2D(0.4, rng=Fixed())
    layer.forward(x)
    layer.mask = kept
    np.testing.assert_allclose(layer._scaled(x), expected.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(layer.backward(dout), tensor.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, (1, 1, 2, 2), (6, 16, 40, 40)])
def test_memory_order_and_threads_change_nothing(shape, rng, two_thread_counts):
    x, dout = images(shape, rng, "first"), images(shape, rng, "first")
    results = []

    def run(a, d):
        layer = Dropout2D(0.5, rng=Fixed())
        return layer.forward(a), layer.backward(d)

    for a, d in zip(both_orders(x), both_orders(dout), strict=True):
        results += two_thread_counts(lambda a=a, d=d: run(a, d))
    for found in results:
        for array, first in zip(found, results[0], strict=True):
            assert array.tobytes() == first.tobytes()
            assert array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_evaluation_returns_the_images_and_draws_nothing(rng):
    layer, x = Dropout2D(0.5), images(SHAPE, rng)
    layer.training = False
    before = np.random.get_state()[2]
    assert np.shares_memory(layer.forward(x), x)
    assert np.shares_memory(layer.backward(x), x)
    assert np.random.get_state()[2] == before
    np.testing.assert_array_equal(layer.forward(x), x)


def test_description_and_bad_input(rng):
    assert Dropout2D(0.25).config() == {"dropout_ratio": 0.25}
    layer, x = Dropout2D(), images(SHAPE, rng)
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(x)
    for bad in (x[0], x[..., None], x[0, 0]):
        with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\)"):
            layer.forward(bad)
    with pytest.raises(ValueError, match="empty"):
        layer.forward(x[:0])
    layer.forward(x)
    with pytest.raises(ValueError, match=r"expected \(6, 5, 3, 4\)"):
        layer.backward(x[:2])
    with pytest.raises(ValueError, match="dropout_ratio"):
        Dropout2D(1.0)
