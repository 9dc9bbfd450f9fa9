"""ConvTranspose2D: the adjoint of Conv2D, PyTorch, gradients, twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import gradient_check, tolerance

import fastdl

NUMBERS = st.integers(1, 3)
CASES = st.fixed_dictionaries({
    "channels": st.tuples(st.integers(1, 5), st.integers(1, 5)), "groups": st.integers(1, 2),
    "size": st.tuples(st.integers(1, 6), st.integers(1, 6)),
    "kernel_size": st.tuples(st.integers(1, 5), st.integers(1, 5)),
    "stride": st.tuples(NUMBERS, NUMBERS), "padding": st.tuples(*[st.integers(0, 2)] * 2),
    "output_padding": st.tuples(*[st.integers(0, 2)] * 2), "dilation": st.tuples(NUMBERS, NUMBERS),
    "bias": st.booleans(), "activation": st.sampled_from([None, "relu"]),
})  # fmt: skip


def layer_of(case, dtype="float64", rng=None):
    """The layer of a case, or None where there is none."""
    own = {k: v for k, v in case.items() if k not in ("channels", "size", "groups")}
    G = case["groups"]
    most = [max(s, d) for s, d in zip(case["stride"], case["dilation"], strict=True)]
    assume(all(q < m for q, m in zip(case["output_padding"], most, strict=True)))
    channels = (G * c for c in case["channels"])
    layer = fastdl.ConvTranspose2D(*channels, groups=G, dtype=dtype, rng=rng, **own)
    if layer.bias:
        layer.b = rng.standard_normal(layer.out_channels)
    try:
        layer.output_shape(*case["size"])
    except ValueError:
        assume(False)
    return layer


@given(CASES, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_equals_pytorch(case, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    layer = layer_of(case, rng=rng)
    x = rng.standard_normal((2, layer.in_channels, *case["size"]))
    out = layer.forward(x)
    dout = rng.standard_normal(out.shape)
    dx = layer.backward(dout)
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, layer.W)]
    b = torch.tensor(layer.b, requires_grad=True) if layer.bias else None
    theirs = torch.nn.functional.conv_transpose2d(
        *inputs, b, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    )
    theirs = torch.relu(theirs) if layer.activation else theirs
    assert theirs.shape == out.shape
    np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-10, atol=1e-11)
    theirs.backward(torch.tensor(dout))
    mine = [dx, layer.dW, *([layer.db] if layer.bias else [])]
    for found, tensor in zip(mine, [*inputs, *([b] if layer.bias else [])], strict=True):
        np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-10, atol=1e-11)


@given(CASES, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_is_the_adjoint_of_a_convolution(case, seed):
    """<conv(y), x> = <y, transposed(x)> for all x and y, with the same filters."""
    case = {**case, "bias": False, "activation": None}
    rng = np.random.default_rng(seed)
    layer = layer_of(case, rng=rng)
    size = layer.output_shape(*case["size"])
    conv = fastdl.Conv2D(
        layer.out_channels, layer.in_channels, layer.kernel_size, layer.stride, layer.padding,
        layer.dilation, layer.groups, bias=False, dtype="float64",
    )  # fmt: skip
    conv.W = layer.W
    assume(conv.output_shape(*size) == case["size"])  # not so for output padding above the stride
    x = rng.standard_normal((2, layer.in_channels, *case["size"]))
    y = rng.standard_normal((2, layer.out_channels, *size))
    left, right = np.sum(conv.forward(y) * x), np.sum(y * layer.forward(x))
    np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(layer.forward(x), conv.backward(x))


SHAPES = {
    "4x4 stride 2": (16, 8, 4, 2, 1), "one channel": (16, 1, 4, 2, 1), "colour": (8, 3, 4, 2, 1),
    "winograd": (32, 32, 3, 1, 1), "depthwise": (8, 8, 3, 1, 1, 0, 8),
    "depthwise stride 2": (8, 8, 3, 2, 1, 1, 8), "5x5 stride 2": (8, 16, 5, 2, 2, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_equals_the_twin_in_single_and_double_precision(name, dtype, rng):
    sizes = SHAPES[name]
    layers = [fastdl.ConvTranspose2D(*sizes, dtype=dtype, activation="relu") for _ in range(2)]
    for layer in layers:
        layer.W, layer.b = layers[0].W, np.linspace(-1, 1, layer.out_channels)
    x = rng.standard_normal((3, sizes[0], 7, 6)).astype(dtype)
    found = []
    for layer, backend in zip(layers, ("numba", "numpy"), strict=True):
        with fastdl.use_backend(backend):
            out = layer.forward(x)
            assert out.dtype == dtype
            dx = layer.backward(np.cos(np.arange(out.size)).reshape(out.shape).astype(dtype))
            found.append((out, dx, layer.dW, layer.db))
    for mine, twin in zip(*found, strict=True):
        np.testing.assert_allclose(mine, twin, **tolerance(np.dtype(dtype)))
    few = "columns" if np.dtype(dtype) == np.float32 or "one" in name else "direct"
    ways = {"winograd": "winograd", "one channel": few, "colour": few}
    way = "depthwise" if "depthwise" in name else ways.get(name, "direct")
    assert layers[0].algorithms["forward"].startswith(way), layers[0].algorithms


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_along_a_random_direction(name, rng):
    sizes = SHAPES[name]
    layer = fastdl.ConvTranspose2D(*sizes, dtype="float64", rng=rng)
    x = rng.standard_normal((2, sizes[0], 5, 4))
    dout = rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(dout)
    gradient_check(
        lambda: float(np.sum(layer.forward(x) * dout)), [x, layer.W, layer.b],
        [dx, layer.dW, layer.db], rng,
    )  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_bits_do_not_depend_on_the_number_of_threads(name, two_thread_counts, rng):
    sizes = SHAPES[name]
    layer = fastdl.ConvTranspose2D(*sizes, dtype="float32", rng=rng)
    x = rng.standard_normal((33, sizes[0], 14, 14)).astype(np.float32)

    def run():
        out = layer.forward(x)
        return out, layer.backward(out), layer.dW, layer.db

    for one, two in zip(*two_thread_counts(run), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", ["Conv2D", "ConvTranspose2D"])
def test_parts_of_backward_are_those_of_the_whole(kind, rng):
    layer = getattr(fastdl, kind)(4, 6, 3, 2, 1, activation="relu", rng=rng)
    out = layer.forward(rng.standard_normal((2, 4, 7, 7)))
    whole = layer.backward(out), layer.dW, layer.db
    layer.dW = layer.db = None
    np.testing.assert_array_equal(layer.backward_inputs(out), whole[0])
    assert layer.dW is None
    assert layer.db is None
    layer.backward_parameters(out)
    np.testing.assert_array_equal(layer.dW, whole[1])
    np.testing.assert_array_equal(layer.db, whole[2])


def test_saving_keeps_all_of_it(tmp_path, rng):
    layer = fastdl.ConvTranspose2D(4, 2, 5, 3, 1, 2, 2, 1, bias=False, activation="relu", rng=rng)
    network = fastdl.Sequential(layer)
    network.save(tmp_path / "network.safetensors")
    again = fastdl.load(tmp_path / "network.safetensors").layers[0]
    assert again.config() == layer.config()
    x = rng.standard_normal((1, 4, 3, 3))
    np.testing.assert_array_equal(again.forward(x), layer.forward(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 2, "in_channels": 3}, "groups=2 does not divide in_channels=3"),
        ({"output_padding": 2, "stride": 2}, r"output_padding is \(2, 2\); expected less than"),
        ({"activation": "tanh"}, "activation is 'tanh'; expected None or 'relu'"),
        ({"padding": -1}, "padding"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        fastdl.ConvTranspose2D(**{"in_channels": 4, "out_channels": 2, "kernel_size": 3, **options})


def test_bad_inputs():
    layer = fastdl.ConvTranspose2D(4, 2, 3, padding=2)
    with pytest.raises(ValueError, match=r"expected \(N, 4, H, W\)"):
        layer.forward(np.ones((1, 3, 5, 5)))
    with pytest.raises(ValueError, match="its padding leaves -1 x -1 pixels"):
        layer.forward(np.ones((1, 4, 1, 1)))
    layer.forward(np.ones((1, 4, 5, 5)))
    with pytest.raises(ValueError, match=r"got dout of shape \(1, 2, 5, 5\); expected"):
        layer.backward(np.ones((1, 2, 5, 5)))
    with pytest.raises(ValueError, match="backward was called before forward"):
        fastdl.ConvTranspose2D(4, 2, 3).backward(np.ones((1, 2, 5, 5)))
