"""Dropout: the course's stream of random numbers, evaluation, gradients, layouts, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import gradient_check

from fastdl.layers.dropout import Dropout


class Fixed:
    """Stands for a generator: the same draws at every call."""

    def __init__(self, draws):
        self.draws = draws

    def random(self, shape):
        return self.draws.reshape(shape)


def evaluating(ratio=0.5):
    layer = Dropout(ratio)
    layer.training = False
    return layer


# ------------------------------------------------------------------ the original's numbers
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("shape", [(50, 4), (1, 1), (7,), (2, 3, 4), (300, 400)])
def test_equals_the_courses_class(original, shape, ratio, rng):
    x, dout = rng.standard_normal(shape), rng.standard_normal(shape)
    found = []
    for layer in (original.Dropout(ratio), Dropout(ratio)):
        np.random.seed(8)
        for training in (True, True, False):
            layer.training = training
            out = layer.forward(x)
            found.append([out, layer.mask, layer.backward(dout) if training else out])
        found.append([np.random.rand(3)])  # both leave the global state at the same place
    for theirs, ours in zip(found[:4], found[4:], strict=True):
        for expected, mine in zip(theirs, ours, strict=True):
            assert mine.dtype == expected.dtype
            np.testing.assert_allclose(mine, expected, rtol=1e-12)


def test_dropout_backward_after_evaluation(rng):
    """The original fails where no training forward went before, and else applies its old mask."""
    x, dout = rng.standard_normal((6, 5)), rng.standard_normal((6, 5))
    fresh = evaluating()
    np.testing.assert_array_equal(fresh.forward(x), x)
    np.testing.assert_array_equal(fresh.backward(dout), dout)
    trained = Dropout(0.9)
    trained.forward(x[:2])
    trained.training = False
    trained.forward(x)
    np.testing.assert_array_equal(trained.backward(dout), dout)
    assert trained.mask.shape == (2, 5)  # of the last forward in training, as in the original


def test_backward_belongs_to_the_last_forward(rng):
    """Switching the flag between forward and backward changes nothing."""
    layer, x = Dropout(0.5), np.ones((20, 5))
    out = layer.forward(x)
    layer.training = False
    np.testing.assert_array_equal(layer.backward(x), out)


def test_gradients(rng):
    x, dout, draws = (rng.standard_normal((30, 7)) for _ in range(3))
    layer = Dropout(0.4, rng=Fixed(np.abs(np.sin(draws))))
    layer.forward(x)
    assert 0 < layer.mask.mean() < 1
    dx = layer.backward(dout)
    gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), [x], [dx], rng)


@pytest.mark.parametrize("training", [True, False])
def test_is_pytorchs(training, dtype, rng):
    """Their mask is their own, so ours is taken over: out and gradient then agree."""
    torch = pytest.importorskip("torch")
    x, dout = (rng.standard_normal((40, 30)).astype(dtype) for _ in range(2))
    theirs = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.dropout(theirs, 0.3, training)
    expected.backward(torch.tensor(dout))
    kept = theirs.grad.numpy() != 0
    layer = Dropout(0.3, rng=Fixed(np.where(kept, 0.9, 0.1)))
    layer.training = training
    assert 0.5 < kept.mean() < 0.9 or not training
    np.testing.assert_allclose(layer.forward(x), expected.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(layer.backward(dout), theirs.grad.numpy(), rtol=1e-6)


# ------------------------------------------------------------------ randomness
def test_share_and_mean_are_kept():
    layer = Dropout(0.3, rng=np.random.default_rng(1))
    out = layer.forward(np.ones((1000, 100)))
    np.testing.assert_allclose(layer.mask.mean(), 0.7, atol=0.01)
    np.testing.assert_allclose(out.mean(), 1, atol=0.02)
    np.testing.assert_array_equal(out != 0, layer.mask)


def test_ratio_zero_keeps_everything(rng):
    layer, x = Dropout(0.0), rng.standard_normal((30, 40))
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * x)


def test_an_rng_leaves_the_global_state(rng):
    before = np.random.get_state()[1].copy()
    layer = Dropout(0.5, rng=rng)
    masks = [layer.forward(np.ones((9, 9))) != 0 for _ in range(2)]
    assert not np.array_equal(*masks)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    again = Dropout(0.5, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.forward(np.ones((9, 9))) != 0, masks[0])


def test_evaluation_draws_nothing():
    before = np.random.get_state()[2]
    evaluating().forward(np.ones((9, 9)))
    assert np.random.get_state()[2] == before


# ------------------------------------------------------------------ ownership and layouts
def test_arrays_are_left_alone(rng):
    layer, x, dout = Dropout(0.5), rng.standard_normal((30, 5)), rng.standard_normal((30, 5))
    held = [layer.forward(x), layer.mask, layer.backward(dout), x, dout]
    before = [array.copy() for array in held]
    layer.forward(x + 1)
    layer.backward(dout + 1)
    for array, copy in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def laid_out(x, layout):
    """The same values in another memory layout."""
    if layout == "fortran":
        return np.asfortranarray(x)
    if layout == "strided":
        return np.repeat(x, 3, axis=-1)[..., ::3]
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
    return x


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=0, max_size=4),
    layout=st.sampled_from(["plain", "fortran", "strided", "read-only"]),
    dtype=st.sampled_from(["float32", "float64"]),
    training=st.booleans(),
)
def test_any_shape_and_layout(shape, layout, dtype, training):
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    layout = layout if shape else "plain"
    layer = Dropout(0.25)
    layer.training = training
    np.random.seed(5)
    out = layer.forward(laid_out(x, layout))
    dx = layer.backward(laid_out(2 * x, layout))
    np.random.seed(5)
    scale = (np.random.rand(*shape) > 0.25) / 0.75 if training else 1.0
    assert out.dtype == dx.dtype == dtype and out.shape == dx.shape == x.shape
    np.testing.assert_allclose(out, x * scale, rtol=1e-6)
    np.testing.assert_allclose(dx, 2 * x * scale, rtol=1e-6)


def test_the_gradient_has_the_inputs_dtype(dtype):
    for layer in (Dropout(), evaluating()):
        assert layer.forward(np.ones((3, 2), dtype)).dtype == dtype
        for other in (np.float32, np.float64, np.int64):
            assert layer.backward(np.ones((3, 2), other)).dtype == dtype


# ------------------------------------------------------------------ description, bad input
def test_description():
    assert Dropout(0.25).config() == {"dropout_ratio": 0.25}
    assert Dropout().parameters() == Dropout().states() == {}
    assert repr(Dropout(0.25)) == "Dropout(dropout_ratio=0.25)"


@pytest.mark.parametrize("make", [Dropout, evaluating])
def test_bad_arrays(make):
    layer = make()
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(np.ones((3, 2)))
    for x, error, message in (
        (np.ones((0, 2)), ValueError, "empty"), (np.ones((3, 2)) * 1j, TypeError, "complex"),
        ([["a"]], TypeError, "dtype"), ([[1.0], [1.0, 2.0]], ValueError, "regular"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            layer.forward(x)
    layer.forward(np.ones((3, 2)))
    for shape in ((2, 3), (6,), (3, 2, 1)):
        with pytest.raises(ValueError, match=r"expected \(3, 2\)"):
            layer.backward(np.ones(shape))


@pytest.mark.parametrize("ratio", [1.0, 1.5, -0.1, float("nan"), float("inf")])
def test_bad_ratios(ratio):
    with pytest.raises(ValueError, match="dropout_ratio"):
        Dropout(ratio)


@pytest.mark.parametrize("ratio", ["half", None, True, [0.5]])
def test_ratios_that_are_no_numbers(ratio):
    with pytest.raises(TypeError, match="dropout_ratio"):
        Dropout(ratio)
