"""LayerNorm: formula, gradients, PyTorch, ownership, layouts, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import gradient_check

from fastdl.layers.layernorm import LayerNorm

SHAPES = [(5,), (9, 5), (2, 3, 5), (4, 1), (1, 1), (2, 3, 4, 5), (600, 130)]


def make(D, rng, dtype="float64", **options):
    layer = LayerNorm(D, dtype=dtype, **options)
    layer.gamma, layer.beta = 1 + rng.random(D), rng.standard_normal(D)
    return layer


@pytest.mark.parametrize("shape", SHAPES)
def test_formula(shape, rng):
    layer, x = make(shape[-1], rng, epsilon=1e-3), 3 + rng.standard_normal(shape)
    scale = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-3)
    expected = layer.gamma * (x - x.mean(axis=-1, keepdims=True)) / scale + layer.beta
    out = layer.forward(x)
    assert out.shape == shape
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(shape, rng):
    layer, x, dout = make(shape[-1], rng), rng.standard_normal(shape), rng.standard_normal(shape)
    layer.forward(x)
    dx = layer.backward(dout)
    assert dx.shape == shape
    arrays, gradients = [x, layer.gamma, layer.beta], [dx, layer.dgamma, layer.dbeta]
    bound = 1e-5 if x.size > 10_000 else 1e-6
    gradient_check(
        lambda: float(np.sum(layer.forward(x) * dout)), arrays, gradients, rng, tolerance=bound
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_is_pytorchs(shape, dtype, rng):
    torch = pytest.importorskip("torch")
    layer = make(shape[-1], rng, dtype)
    x, dout = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, layer.gamma, layer.beta)]
    expected = torch.nn.functional.layer_norm(tensors[0], shape[-1:], *tensors[1:], 1e-5)
    expected.backward(torch.tensor(dout))
    limits = {"rtol": 1e-3, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-10}
    np.testing.assert_allclose(layer.forward(x), expected.detach().numpy(), **limits)
    mine = (layer.backward(dout), layer.dgamma, layer.dbeta)
    for gradient, tensor in zip(mine, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), **limits)


def test_training_and_evaluation_are_the_same(rng):
    layer, x = make(5, rng), rng.standard_normal((9, 5))
    out = layer.forward(x)
    layer.training = False
    np.testing.assert_array_equal(layer.forward(x), out)


def test_arrays_handed_out_are_not_overwritten(rng):
    layer, x = make(5, rng), rng.standard_normal((30, 5))
    held = [layer.forward(x), layer.x_normalized, layer.backward(x), layer.dgamma, layer.dbeta]
    before = [array.copy() for array in (*held, x)]
    layer.forward(3 + 2 * x)
    layer.backward(x + 1)
    for array, copy in zip((*held, x), before, strict=True):
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
    return x.tolist() if layout == "list" else x


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    layout=st.sampled_from(["fortran", "strided", "read-only", "list"]),
)
def test_any_shape_and_layout(shape, layout):
    rng = np.random.default_rng(len(shape))
    x, dout = rng.standard_normal(shape), rng.standard_normal(shape)
    results = []
    for given_x, given_dout in ((x, dout), (laid_out(x, layout), laid_out(dout, layout))):
        layer = make(shape[-1], np.random.default_rng(1))
        found = [layer.forward(given_x), layer.backward(given_dout), layer.dgamma, layer.dbeta]
        results.append(found)
    for plain, other in zip(*results, strict=True):
        assert plain.tobytes() == other.tobytes()
    np.testing.assert_allclose(
        results[0][3], dout.reshape(-1, shape[-1]).sum(axis=0), rtol=1e-10, atol=1e-12
    )


def test_computes_in_its_own_dtype(dtype, rng):
    for other in ("float32", "float64", "int64"):
        layer = make(3, rng, dtype)
        out = layer.forward((10 * rng.standard_normal((9, 3))).astype(other))
        dx = layer.backward(np.ones((9, 3), other))
        for array in (out, dx, layer.dgamma, layer.dbeta, layer.x_normalized):
            assert array.dtype == dtype


def test_arrays_exist_from_the_first_forward_or_from_the_start(rng):
    late, early = LayerNorm(), LayerNorm(4)
    assert late.parameters() == {}
    late.forward(rng.standard_normal((2, 9, 4)))
    for layer in (late, early):
        assert {k: v.shape for k, v in layer.parameters().items()} == {"gamma": (4,), "beta": (4,)}
    assert early.config() == {"epsilon": 1e-5, "dtype": "float32"}


def test_a_saved_layer_is_set_up_by_assignment(rng):
    trained = make(4, rng, epsilon=1e-2)
    fresh = LayerNorm(**trained.config())
    for name, array in trained.parameters().items():
        setattr(fresh, name, array)
    x = rng.standard_normal((9, 4))
    np.testing.assert_array_equal(fresh.forward(x), trained.forward(x))


@pytest.mark.parametrize("name", ["gamma", "beta"])
def test_an_array_of_another_length_is_refused(name, rng):
    layer = LayerNorm()
    setattr(layer, name, np.ones(4))
    with pytest.raises(ValueError, match=rf"\(9, 3\), but its {name} has shape \(4,\)"):
        layer.forward(rng.standard_normal((9, 3)))
    assert layer.forward(rng.standard_normal((9, 4))).shape == (9, 4)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [(np.ones((4, 3)), ValueError, r"\(4, 3\).*\(5,\)"), (3.0, ValueError, "single number"),
     (np.ones((0, 5)), ValueError, "empty"), (np.ones((4, 5)) * 1j, TypeError, "complex"),
     ([["a"] * 5], TypeError, "dtype"), ([[1.0], [1.0, 2.0]], ValueError, "regular")],
)  # fmt: skip
def test_bad_inputs(x, error, message):
    with pytest.raises(error, match=message):
        LayerNorm(5).forward(x)


@pytest.mark.parametrize("shape", [(4, 3), (20,), (5, 4), (2, 2, 5)])
def test_bad_gradients(shape, rng):
    layer = LayerNorm(5)
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(np.ones((4, 5)))
    layer.forward(rng.standard_normal((4, 5)))
    with pytest.raises(ValueError, match=r"expected \(4, 5\)"):
        layer.backward(np.ones(shape))


@pytest.mark.parametrize(
    ("options", "error"),
    [({"epsilon": 0}, ValueError), ({"epsilon": "small"}, TypeError),
     ({"num_features": -1}, ValueError), ({"num_features": True}, TypeError),
     ({"dtype": "int32"}, TypeError)],
)  # fmt: skip
def test_bad_options(options, error):
    with pytest.raises(error, match=next(iter(options))):
        LayerNorm(**options)
