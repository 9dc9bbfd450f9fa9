"""A maximum pool behind a convolution's ReLU, whose gradient it applies: the same as one by one."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl.layers import rectified


def layers(rng, channels, window):
    conv = fastdl.Conv2D(2, channels, 3, padding=1, activation="relu", rng=rng)
    conv.b[...] = -0.3  # so that whole windows are below 0
    return conv, fastdl.MaxPool2D(*window)


def one_by_one(conv, pool, x, dout):
    """The gradients with a copy of the convolution's output, which no pool knows."""
    out = conv.forward(x).copy()
    assert (out <= 0).mean() > 0.3
    pool.forward(out)
    dx = conv.backward(pool.backward(dout))
    return dx, conv.dW, conv.db


@pytest.mark.parametrize("window", [(2,), (3, 2, 1)])
@pytest.mark.parametrize("channels", [16, 5])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_gradients_are_those_of_the_layers_one_by_one(window, channels, backend, rng):
    with fastdl.use_backend(backend):
        conv, pool = layers(rng, channels, window)
        x = rng.standard_normal((3, 2, 9, 8)).astype("float32")
        out = pool.forward(conv.forward(x))
        dout = rng.standard_normal(out.shape).astype("float32")
        expected = one_by_one(conv, pool, x, dout)
        given = pool.forward(conv.forward(x))
        dx = pool.backward(dout)
        assert given.shape == out.shape and rectified.has_passed(
            conv._out, dx.transpose(0, 2, 3, 1)
        )
        found = conv.backward(dx), conv.dW, conv.db
    for mine, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_other_gradients_pass_through_the_relu(rng):
    conv, pool = layers(rng, 16, (2,))
    x = rng.standard_normal((3, 2, 8, 8)).astype("float32")
    out = conv.forward(x)
    pool.forward(out)
    dx = pool.backward(np.ones((3, 16, 4, 4), "float32"))
    both = dx + 1  # as where another layer takes the output too
    found = conv.backward(both)
    assert not rectified.has_passed(conv._out, both.transpose(0, 2, 3, 1))
    conv.forward(x)
    np.testing.assert_array_equal(found, conv.backward(np.where(out > 0, both, 0)))


def test_outputs_without_a_relu_are_not_taken_for_rectified(rng):
    conv, pool = fastdl.Conv2D(2, 16, 3, rng=rng), fastdl.MaxPool2D(2)
    out = conv.forward(rng.standard_normal((2, 2, 6, 6)).astype("float32") - 5)
    assert (out < 0).any()
    dout = np.ones((2, 16, 2, 2), "float32")
    pool.forward(out)
    assert pool.backward(dout).sum() == dout.sum()


def test_a_pass_that_was_kept_is_gated_by_its_own_output(rng):
    network = fastdl.Sequential(*layers(rng, 16, (2,)), fastdl.Flatten(), fastdl.Dense(256, 1))
    first, second = (rng.standard_normal((2, 2, 8, 8)).astype("float32") for _ in range(2))
    dout = np.ones((2, 1), "float32")
    alone = [network.run(x).backward(dout) for x in (first, second)]
    passes = [network.run(x) for x in (first, second)]
    for kept, wanted in zip(passes, alone, strict=True):
        for name, gradient in kept.backward(dout).items():
            np.testing.assert_array_equal(gradient, wanted[name])
