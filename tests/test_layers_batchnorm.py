"""BatchNormalization: the course's numbers, gradients, PyTorch, ownership, layouts, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import gradient_check

from fastdl.layers.batchnorm import BatchNormalization

LIMITS = {"rtol": 1e-12, "atol": 1e-12}
STATISTICS = ("running_mean", "running_var")


def make(D=5, rng=None, dtype="float64", **options):
    """A layer with random parameters, and running statistics as after some training."""
    layer = BatchNormalization(num_features=D, dtype=dtype, **options)
    if rng is not None:
        layer.gamma, layer.beta = 1 + rng.random(D), rng.standard_normal(D)
        layer.running_mean = rng.standard_normal(D).astype(dtype)
        layer.running_var = (0.5 + rng.random(D)).astype(dtype)
    return layer


# ------------------------------------------------------------------ the original's numbers
@pytest.mark.parametrize("options", [(), (0.7,), (0.5, 1e-3)])
@pytest.mark.parametrize("shape", [(40, 5), (1, 3), (6, 1), (900, 130)])
def test_equals_the_courses_class(original, shape, options, rng):
    theirs, ours = (
        original.BatchNormalization(*options),
        BatchNormalization(*options, dtype="float64"),
    )
    for training in (True, True, False, True, False):
        theirs.training = ours.training = training
        x = 2 + 3 * rng.standard_normal(shape)
        np.testing.assert_allclose(ours.forward(x), theirs.forward(x), **LIMITS)
        for name in ("gamma", "beta", *STATISTICS, "x_normalized"):
            mine, expected = getattr(ours, name), getattr(theirs, name)
            assert mine.shape == expected.shape and mine.dtype == expected.dtype
            np.testing.assert_allclose(mine, expected, **LIMITS, err_msg=name)


def test_batchnorm_reads_a_training_flag_that_is_set(rng):
    """The original's forward raises AttributeError until its user sets ``training``."""
    layer, x = make(), 5 + rng.standard_normal((30, 5))
    assert layer.training is True
    np.testing.assert_allclose(layer.forward(x).mean(axis=0), 0, atol=1e-12)
    assert (layer.running_mean > 0.3).all()
    layer.training = False
    assert layer.forward(x).mean() > 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(9, 5), (2, 1), (700, 130)])
def test_batchnorm_has_a_backward(shape, training, rng):
    """The original has none; this one goes through mean and variance, in training only."""
    layer = make(shape[1], rng)
    layer.training = training
    x, dout = 2 * rng.standard_normal(shape), rng.standard_normal(shape)
    layer.forward(x)
    dx = layer.backward(dout)
    arrays, gradients = [x, layer.gamma, layer.beta], [dx, layer.dgamma, layer.dbeta]

    def loss():  # the running statistics move, but in training nothing depends on them
        return float(np.sum(layer.forward(x) * dout))

    bound = 1e-5 if x.size > 10_000 else 1e-6
    gradient_check(loss, arrays, gradients, rng, tolerance=bound)


def test_gradients_of_one_input_alone(rng):
    """dx by single differences: a common factor or a lost mean cannot hide in a sum."""
    layer, x, dout = make(2, rng), rng.standard_normal((4, 2)), rng.standard_normal((4, 2))
    layer.forward(x)
    dx = layer.backward(dout)
    for place in np.ndindex(x.shape):
        values = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[place] += step
            values.append(np.sum(layer.forward(moved) * dout))
        np.testing.assert_allclose(dx[place], (values[0] - values[1]) / 2e-6, atol=1e-7)


# ------------------------------------------------------------------ PyTorch
@pytest.mark.parametrize("training", [True, False])
def test_is_pytorchs(training, dtype, rng):
    torch = pytest.importorskip("torch")
    layer = make(7, rng, dtype)
    layer.training = training
    x, dout = (rng.standard_normal((50, 7)).astype(dtype) for _ in range(2))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, layer.gamma, layer.beta)]
    running = [torch.tensor(getattr(layer, name)) for name in STATISTICS]
    expected = torch.nn.functional.batch_norm(
        tensors[0], running[0], running[1], tensors[1], tensors[2], training, 0.1, 1e-5
    )
    expected.backward(torch.tensor(dout))
    limits = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(layer.forward(x), expected.detach().numpy(), **limits)
    mine = (layer.backward(dout), layer.dgamma, layer.dbeta)
    for gradient, tensor in zip(mine, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), **limits)
    np.testing.assert_allclose(layer.running_mean, running[0].numpy(), **limits)
    if not training:  # theirs takes the unbiased variance into the running one
        np.testing.assert_allclose(layer.running_var, running[1].numpy(), **limits)


# ------------------------------------------------------------------ ownership and layouts
def test_arrays_handed_out_are_not_overwritten(rng):
    layer, x = make(5, rng), rng.standard_normal((30, 5))
    held = [layer.running_mean, layer.running_var, layer.forward(x), layer.x_normalized]
    held += [layer.backward(x), layer.dgamma, layer.dbeta, layer.running_mean, layer.running_var]
    before = [array.copy() for array in held]
    for training in (True, False):
        layer.training = training
        layer.forward(3 + 2 * x)
        layer.backward(x + 1)
    for array, copy in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not np.array_equal(layer.running_mean, held[-2])


def test_the_callers_arrays_are_not_written(rng):
    layer, x, dout = make(5, rng), rng.standard_normal((30, 5)), rng.standard_normal((30, 5))
    for training in (True, False):
        layer.training, before = training, (x.copy(), dout.copy())
        layer.forward(x)
        layer.backward(dout)
        for array, copy in zip((x, dout), before, strict=True):
            np.testing.assert_array_equal(array, copy)


def laid_out(x, layout):
    """The same values in another memory layout."""
    if layout == "fortran":
        return np.asfortranarray(x)
    if layout == "strided":
        return np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3]
    if layout == "backwards":
        return x[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
    return x.tolist() if layout == "list" else x


LAYOUTS = ["fortran", "strided", "backwards", "read-only", "list"]


@settings(max_examples=30, deadline=None)
@given(
    N=st.integers(1, 40), D=st.integers(1, 70), layout=st.sampled_from(LAYOUTS),
    training=st.booleans(),
)  # fmt: skip
def test_any_shape_and_layout(N, D, layout, training):
    rng = np.random.default_rng(N)
    x, dout = rng.standard_normal((N, D)), rng.standard_normal((N, D))
    results = []
    for given_x, given_dout in ((x, dout), (laid_out(x, layout), laid_out(dout, layout))):
        layer = make(D, np.random.default_rng(1))
        layer.training = training
        found = [layer.forward(given_x), layer.backward(given_dout)]
        results.append([*found, layer.dgamma, layer.dbeta, layer.running_mean])
    for plain, other in zip(*results, strict=True):
        assert plain.tobytes() == other.tobytes()
    variance = x.var(axis=0) if training else layer.running_var
    mean = x.mean(axis=0) if training else layer.running_mean
    expected = layer.gamma * (x - mean) / np.sqrt(variance + 1e-5) + layer.beta
    np.testing.assert_allclose(results[0][0], expected, rtol=1e-9, atol=1e-10)


def test_computes_in_its_own_dtype(dtype, rng):
    for other in ("float32", "float64", "int64"):
        layer = make(3, rng, dtype)
        out = layer.forward((10 * rng.standard_normal((9, 3))).astype(other))
        dx = layer.backward(np.ones((9, 3), other))
        for array in (out, dx, layer.dgamma, layer.dbeta, layer.running_mean, layer.x_normalized):
            assert array.dtype == dtype


# ------------------------------------------------------------------ parameters and states
def test_arrays_exist_from_the_first_forward_or_from_the_start(rng):
    late, early = BatchNormalization(), BatchNormalization(num_features=4)
    assert late.parameters() == late.states() == {}
    late.forward(rng.standard_normal((9, 4)))
    for layer in (late, early):
        assert list(layer.parameters()) == ["gamma", "beta"]
        assert list(layer.states()) == list(STATISTICS)
        assert all(a.shape == (4,) for a in (layer.parameters() | layer.states()).values())
    assert early.config() == {
        "momentum": 0.9, "epsilon": 1e-5, "activation": None, "negative_slope": 0.01, "parts": 1,
            "dtype": "float32",
    }  # fmt: skip


def test_a_saved_layer_is_set_up_by_assignment(rng):
    """As a loader does: a fresh layer from the configuration, then its arrays by name."""
    trained = make(4, rng, momentum=0.6, epsilon=1e-3)
    trained.forward(rng.standard_normal((20, 4)))
    fresh = BatchNormalization(**trained.config())
    for name, array in (trained.parameters() | trained.states()).items():
        setattr(fresh, name, array)
    trained.training = fresh.training = False
    x = rng.standard_normal((9, 4))
    np.testing.assert_array_equal(fresh.forward(x), trained.forward(x))


def test_some_arrays_set_by_hand(rng):
    """What the user has not set is made at the first forward; other dtypes are converted."""
    layer, x = BatchNormalization(), rng.standard_normal((9, 3))
    layer.gamma = [1.0, 2.0, 3.0]
    layer.running_mean = np.zeros(3, np.float64)
    layer.running_var = [1, 1, 1]
    layer.training = False
    out = layer.forward(x)
    np.testing.assert_allclose(out, x * [1, 2, 3], rtol=1e-4, atol=1e-5)
    assert out.dtype == np.float32


@pytest.mark.parametrize("name", ["gamma", "beta", *STATISTICS])
def test_an_array_of_another_length_is_refused(name, rng):
    layer = BatchNormalization()
    setattr(layer, name, np.ones(4))
    with pytest.raises(ValueError, match=rf"\(9, 3\), but its {name} has shape \(4,\)"):
        layer.forward(rng.standard_normal((9, 3)))
    layer.forward(rng.standard_normal((9, 4)))


# ------------------------------------------------------------------ bad input
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [(np.ones((4, 3)), ValueError, r"\(4, 3\).*\(5,\)"), (np.ones(5), ValueError, r"\(5,\)"),
     (np.ones((2, 2, 5)), ValueError, "2 dimensions"), (np.ones((0, 5)), ValueError, "empty"),
     (np.ones((4, 5)) * 1j, TypeError, "complex"), ([["a"] * 5], TypeError, "dtype")],
)  # fmt: skip
def test_bad_inputs(x, error, message):
    layer = make()
    with pytest.raises(error, match=message):
        layer.forward(x)


@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (5,), (4, 5, 1)])
def test_bad_gradients(shape, rng):
    layer = make()
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(np.ones((4, 5)))
    layer.forward(rng.standard_normal((4, 5)))
    with pytest.raises(ValueError, match=r"expected \(4, 5\)"):
        layer.backward(np.ones(shape))


@pytest.mark.parametrize(
    ("options", "error"),
    [({"momentum": 1.1}, ValueError), ({"momentum": -0.1}, ValueError),
     ({"momentum": None}, TypeError), ({"epsilon": 0}, ValueError),
     ({"epsilon": float("nan")}, ValueError), ({"num_features": 0}, ValueError),
     ({"num_features": 2.5}, TypeError), ({"dtype": "float16"}, TypeError)],
)  # fmt: skip
def test_bad_options(options, error):
    with pytest.raises(error, match=next(iter(options))):
        BatchNormalization(**options)
