"""BatchNormalization of images, with activation and shortcut: gradients, PyTorch, memory order."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check
from test_layers_layout import both_orders, images

import fastdl
from fastdl import BatchNormalization
from fastdl.graph import Graph, Node
from fastdl.layers import layout
from fastdl.layers.batchnorm import KINDS
from fastdl.layers.combine import Flatten

SHAPE = (3, 5, 4, 6)
OPTIONS = [(name, joined) for name in KINDS for joined in (False, True)]


def make(C=5, rng=None, dtype="float32", **options):
    """A layer with random parameters, and running statistics as after some training."""
    layer = BatchNormalization(num_features=C, dtype=dtype, **options)
    rng = rng or np.random.default_rng(5)
    layer.gamma, layer.beta = 1 + rng.random(C), rng.standard_normal(C)
    layer.running_mean = rng.standard_normal(C).astype(dtype)
    layer.running_var = (0.5 + rng.random(C)).astype(dtype)
    return layer


def run(layer, x, shortcut, dout):
    """[out, dx, dshortcut if there was a shortcut, dgamma, dbeta]."""
    inputs = (x,) if shortcut is None else (x, shortcut)
    out = layer.forward(*inputs)
    found = layer.backward(dout)
    gradients = found if isinstance(found, tuple) else (found,)
    assert len(gradients) == len(inputs)
    return [out, *gradients, layer.dgamma, layer.dbeta]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("activation", "joined"), OPTIONS)
def test_gradients(activation, joined, training, rng):
    """In float64 on the twins, to which the kernels are compared elsewhere."""
    with fastdl.use_backend("numpy"):
        layer = make(rng=rng, dtype="float64", activation=activation)
        layer.training = training
        x, shortcut, dout = (images(SHAPE, rng, dtype="float64") for _ in range(3))
        found = run(layer, x, shortcut if joined else None, dout)
        inputs = (x, shortcut) if joined else (x,)
        arrays = [*inputs, layer.gamma, layer.beta]
        gradient_check(lambda: float(np.sum(layer.forward(*inputs) * dout)), arrays, found[1:], rng)


@pytest.mark.parametrize(("activation", "joined"), OPTIONS)
def test_two_gradients_are_added_up(activation, joined, rng):
    layer = make(rng=rng, activation=activation)
    x, shortcut, dout, more = (images(SHAPE, rng) for _ in range(4))
    expected = run(layer, x, shortcut if joined else None, dout + more)[1:]
    found = layer.backward(dout, more)
    found = [*(found if joined else (found,)), layer.dgamma, layer.dbeta]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [SHAPE, (7, 5)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("activation", "joined"), OPTIONS)
def test_is_pytorchs(activation, joined, training, shape, rng):
    torch = pytest.importorskip("torch")
    layer = make(rng=rng, activation=activation)
    layer.training = training
    x, shortcut, dout = (rng.standard_normal(shape).astype("float32") for _ in range(3))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, shortcut, layer.gamma, layer.beta)]
    running = [torch.tensor(a) for a in (layer.running_mean, layer.running_var)]
    z = torch.nn.functional.batch_norm(
        tensors[0], running[0], running[1], tensors[2], tensors[3], training, 0.1, 1e-5
    )
    z = z + tensors[1] if joined else z
    expected = getattr(torch.nn.functional, activation)(z) if activation else z
    expected.backward(torch.tensor(dout))
    found = run(layer, x, shortcut if joined else None, dout)
    oracle = [expected.detach(), *(t.grad for t in tensors if t.grad is not None)]
    for mine, theirs in zip(found, oracle, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(layer.running_mean, running[0].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, (1, 5, 1, 1), (2, 1, 3, 3), (6, 16, 40, 40)])
def test_memory_order_threads_and_backend_change_nothing(shape, rng, two_thread_counts):
    C = shape[1]
    x, shortcut, dout = (images(shape, rng, "first") for _ in range(3))
    results = []
    for a, b, d in zip(*map(both_orders, (x, shortcut, dout)), strict=True):
        one, two = two_thread_counts(lambda a=a, b=b, d=d: run(make(C, activation="relu"), a, b, d))
        assert all(m.tobytes() == n.tobytes() for m, n in zip(one, two, strict=True))
        results.append(one)
        for array in one[:3]:
            assert array.transpose(0, 2, 3, 1).flags.c_contiguous
    for first, last in zip(*results, strict=True):
        np.testing.assert_array_equal(first, last)
    with fastdl.use_backend("numpy"):
        twin = run(make(C, activation="relu"), x, shortcut, dout)
    scale = (x.size / C) ** 0.5
    for mine, expected in zip(results[0], twin, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=3e-4, atol=3e-5 * scale)


def test_images_are_the_columns_of_their_pixels(rng):
    x, dout = images(SHAPE, rng, "first"), images(SHAPE, rng, "first")
    found = run(make(), x, None, dout)
    pixels = [layout.as_pixels(a, a.dtype, "a")[0] for a in (x, dout)]
    plain = make()
    expected = run(plain, pixels[0], None, pixels[1])
    assert plain.x_normalized.shape == pixels[0].shape
    for i in (0, 1):
        np.testing.assert_allclose(
            layout.as_pixels(found[i], x.dtype, "out")[0], expected[i], rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-4, atol=1e-4)


def test_nothing_is_kept_but_the_input_and_the_output(rng):
    x, shortcut = images(SHAPE, rng), images(SHAPE, rng)
    for activation, of_input in ((None, True), ("relu", False), ("gelu", True)):
        layer = make(activation=activation)
        out = layer.forward(x, shortcut)
        kept, saved, extra = layer._kept
        assert np.shares_memory(kept, x)
        assert np.shares_memory(saved, x if of_input else out)
        assert np.shares_memory(extra, shortcut) == (activation == "gelu")
        assert layer.x_normalized is None


def test_the_arrays_of_others_are_left_alone(rng):
    x, shortcut, dout = (images(SHAPE, rng) for _ in range(3))
    before = [a.copy() for a in (x, shortcut, dout)]
    layer = make(activation="relu")
    held = run(layer, x, shortcut, dout)
    copies = [a.copy() for a in held]
    run(layer, 2 * x, shortcut, dout)
    for array, copy in zip([x, shortcut, dout, *held], before + copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_residual_block_is_a_layer_of_a_graph(rng):
    """Its shortcut is the block's input, whose gradients come from both ways."""
    x, t = images((6, 3, 4, 4), rng), rng.integers(0, 2, 6)

    def graph(joined):
        node = Node.input()
        inner = make(3, activation="tanh")(node)
        if joined:
            outer = make(3, activation="relu")(inner, inner)
        else:
            outer = fastdl.ReLU()(make(3)(inner) + inner)
        head = fastdl.Dense(48, 2, rng=np.random.default_rng(1))
        return Graph(head(Flatten()(outer)), fastdl.SoftmaxCrossEntropy())

    one, other = graph(True), graph(False)
    mine, expected = one.gradient(x, t), other.gradient(x, t)
    assert one.latest_loss == pytest.approx(other.latest_loss, rel=1e-5)
    for name, gradient in zip(sorted(mine), (expected[k] for k in sorted(expected)), strict=True):
        np.testing.assert_allclose(mine[name], gradient, rtol=2e-4, atol=1e-5)


def test_saved_and_loaded(tmp_path, rng):
    network = fastdl.Sequential(
        make(3, activation="gelu"), Flatten(), fastdl.Dense(48, 2), loss=fastdl.SoftmaxCrossEntropy
    )
    x = images((4, 3, 4, 4), rng)
    network.predict(x)  # moves the running statistics
    fastdl.save(network, tmp_path / "network.safetensors")
    again = fastdl.load(tmp_path / "network.safetensors")
    assert again.layers[0].activation == "gelu"
    assert again.eval().predict(x).tobytes() == network.eval().predict(x).tobytes()


def test_bad_input(rng):
    layer, x = make(activation="relu"), images(SHAPE, rng)
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(x)
    with pytest.raises(ValueError, match=r"shape \(3, 5, 4, 6\) and a shortcut of shape \(3, 5, 6"):
        layer.forward(x, x.transpose(0, 1, 3, 2))
    with pytest.raises(ValueError, match=r"its gamma has shape \(5,\)"):
        layer.forward(x[:, :4])
    for bad in (x[:0], x[..., :0]):
        with pytest.raises(ValueError, match="empty"):
            layer.forward(bad)
    for bad in (x[0], x[..., None]):
        with pytest.raises(ValueError, match="expected 2 dimensions"):
            layer.forward(bad)
    with pytest.raises(TypeError, match="complex"):
        layer.forward(x * 1j)
    layer.forward(x)
    with pytest.raises(ValueError, match=r"expected \(3, 5, 4, 6\)"):
        layer.backward(x[:2])
    with pytest.raises(ValueError, match="activation is 'swish'; expected one of None, 'relu'"):
        BatchNormalization(activation="swish")
