"""Conv2D: gradients, PyTorch, memory order, Winograd's switch, saving, networks, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check
from test_layers_layout import both_orders, images

import fastdl
from fastdl import Conv2D

GEOMETRIES = {
    "plain": {"kernel_size": 3},
    "padded": {"kernel_size": 3, "padding": 1, "activation": "relu"},
    "same": {"kernel_size": (2, 5), "padding": "same", "dilation": (1, 2)},
    "strided": {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0), "activation": "relu"},
    "grouped": {"kernel_size": 3, "groups": 2, "dilation": 2, "padding": 2},
    "depthwise": {"kernel_size": 3, "groups": 4, "padding": 1, "stride": 2},
    "pointwise": {"kernel_size": 1, "bias": False, "activation": "relu"},
}
SHAPE = (2, 4, 8, 9)


def make(name, rng, dtype="float32"):
    layer = Conv2D(4, 4, **GEOMETRIES[name], dtype=dtype, rng=rng)
    if layer.bias:
        layer.b[...] = rng.standard_normal(4)
    return layer


@pytest.fixture
def winograd():
    """set_winograd, put back after the test."""
    before = fastdl.get_winograd()
    yield fastdl.set_winograd
    fastdl.set_winograd(before)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_gradients(name, backend, rng, winograd):
    winograd(0)
    with fastdl.use_backend(backend):
        layer, x = make(name, rng, "float64"), images(SHAPE, rng, dtype="float64")
        dout = rng.standard_normal(layer.forward(x).shape)
        dx = layer.backward(dout)
        arrays, gradients = [x, layer.W], [dx, layer.dW]
        if layer.bias:
            arrays, gradients = [*arrays, layer.b], [*gradients, layer.db]
        gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), arrays, gradients, rng)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", GEOMETRIES)
def test_is_pytorchs(name, rng):
    torch = pytest.importorskip("torch")
    layer, x = make(name, rng), images(SHAPE, rng, "first")
    theirs = torch.nn.Conv2d(
        4, 4, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups,
        layer.bias,
    )  # fmt: skip
    theirs.weight.data = torch.tensor(layer.W.copy())
    if layer.bias:
        theirs.bias.data = torch.tensor(layer.b.copy())
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    if layer.activation:
        expected = torch.relu(expected)
    dout = rng.standard_normal(tuple(expected.shape)).astype("float32")
    expected.backward(torch.tensor(dout))
    limits = {"rtol": 1e-4, "atol": 2e-5}
    np.testing.assert_allclose(layer.forward(x), expected.detach().numpy(), **limits)
    np.testing.assert_allclose(layer.backward(dout), tensor.grad.numpy(), **limits)
    np.testing.assert_allclose(layer.dW, theirs.weight.grad.numpy(), **limits)
    if layer.bias:
        np.testing.assert_allclose(layer.db, theirs.bias.grad.numpy(), **limits)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_backends_give_the_same(name, rng):
    layer, x = make(name, rng), images(SHAPE, rng)
    dout = rng.standard_normal(layer.forward(x).shape)
    found = []
    for backend in ("numba", "numpy"):
        with fastdl.use_backend(backend):
            found.append([layer.forward(x), layer.backward(dout), layer.dW, layer.db])
    for mine, expected in zip(*found, strict=True):
        assert mine.dtype == expected.dtype == np.float32 and mine.shape == expected.shape
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("largest", [0, 4])
def test_memory_order_and_threads_change_nothing(largest, rng, winograd, two_thread_counts):
    winograd(largest)
    layer = Conv2D(20, 24, 3, padding=1, activation="relu", rng=rng)
    x = images((6, 20, 16, 17), rng, "first")
    dout = images((6, 24, 16, 17), rng, "first")
    results = []
    for given in both_orders(x):
        for upstream in both_orders(dout):

            def run(given=given, upstream=upstream):
                return layer.forward(given), layer.backward(upstream), layer.dW, layer.db

            results += two_thread_counts(run)
    for out, dx, *rest in results:
        assert out.transpose(0, 2, 3, 1).flags.c_contiguous
        assert dx.transpose(0, 2, 3, 1).flags.c_contiguous
        for mine, expected in zip((out, dx, *rest), results[0], strict=True):
            assert mine.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["padded", "pointwise"])
@pytest.mark.parametrize("memory", ["first", "last"])
def test_arrays_of_the_caller_are_not_changed(name, memory, rng):
    layer = make(name, rng)
    x, other = images(SHAPE, rng, memory), images(SHAPE, rng, memory)
    out = layer.forward(x)
    dout = images(out.shape, rng, memory)
    kept = [array.copy() for array in (x, dout, out)]
    given = [x, dout, out, layer.backward(dout), layer.dW]
    kept += [array.copy() for array in given[3:]]
    layer.forward(other)
    layer.backward(dout)
    for array, before in zip(given, kept, strict=True):
        assert array.tobytes() == before.tobytes()


def test_other_dtypes_become_the_layers(rng):
    layer = make("plain", rng)
    x = rng.integers(0, 255, SHAPE).astype(np.uint8)
    assert layer.forward(x).dtype == np.float32
    np.testing.assert_array_equal(layer.forward(x), layer.forward(x.astype("float32")))
    np.testing.assert_array_equal(layer.forward(x.tolist()), layer.forward(x.astype("float64")))


def test_shapes():
    def shape(x=(1, 4, 7, 8), **options):
        return Conv2D(4, 6, **options).forward(np.ones(x, "float32")).shape[2:]

    assert shape(kernel_size=(3, 2)) == (5, 7) == shape(kernel_size=(3, 2), padding="valid")
    for kernel_size in range(1, 6):
        assert shape(kernel_size=kernel_size, padding="same", dilation=(1, 2)) == (7, 8)
    assert shape(kernel_size=3, stride=(2, 3), padding=(1, 0)) == (4, 2)
    assert shape((1, 4, 1, 1), kernel_size=1) == (1, 1)
    assert shape((1, 4, 2, 1), kernel_size=5, padding=2) == (2, 1)  # smaller than the filter
    assert shape((1, 4, 1, 1), kernel_size=3, padding="same") == (1, 1)


@pytest.mark.parametrize("largest", [0, 2, 4])
def test_one_pixel(largest, rng, winograd):
    winograd(largest)
    x = images((1, 3, 1, 1), rng)
    for kernel_size, middle in ((1, 0), (3, 1)):
        layer = Conv2D(3, 5, kernel_size, padding="same", rng=rng)
        W = layer.W[:, :, middle, middle]
        np.testing.assert_allclose(layer.forward(x)[0, :, 0, 0], W @ x[0, :, 0, 0], rtol=1e-5)
        dx = layer.backward(np.ones((1, 5, 1, 1)))
        np.testing.assert_allclose(dx[0, :, 0, 0], W.sum(axis=0), rtol=1e-5)


# ---------------------------------------------------------------------------- Winograd
def test_winograd_is_chosen_recorded_and_near_the_direct_way(rng, winograd):
    layer = Conv2D(64, 64, 3, padding=1, activation="relu", rng=rng)
    x, dout = images((4, 64, 16, 16), rng), images((4, 64, 16, 16), rng)
    found = {}
    for largest in (0, 2, 4):
        winograd(largest)
        assert fastdl.get_winograd() == largest
        found[largest] = [layer.forward(x), layer.backward(dout), layer.dW, layer.db]
        name = f"winograd {largest}x{largest}" if largest else "direct"
        assert layer.algorithms == dict.fromkeys(
            ("forward", "backward data", "backward weights"), name
        )
    for largest, limit in ((2, 2e-5), (4, 4e-5)):
        for i, (mine, direct) in enumerate(zip(found[largest], found[0], strict=True)):
            assert np.abs(mine - direct).max() <= limit * direct.std()
            assert mine.tobytes() != direct.tobytes() or i == 3


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"dilation": 2}, {"groups": 2}, {"padding": 3}, {"kernel_size": 5}]
)
def test_winograd_is_only_for_3x3(options, rng):
    layer = Conv2D(64, 64, **{"kernel_size": 3, **options}, rng=rng)
    layer.backward(layer.forward(images((2, 64, 16, 16), rng)))
    assert set(layer.algorithms.values()) == {"direct"}


@pytest.mark.parametrize("largest", [1, 3, 8, -2, True, "4", None])
def test_bad_set_winograd(largest):
    with pytest.raises(ValueError, match="set_winograd expects 4, 2 or 0, got"):
        fastdl.set_winograd(largest)
    assert fastdl.get_winograd() == 4


# ---------------------------------------------------------------------------- networks
def small_network(rng):
    return fastdl.Sequential(
        Conv2D(3, 8, 3, padding=1, activation="relu", rng=rng), fastdl.MaxPool2D(2),
        Conv2D(8, 6, (3, 2), stride=2, bias=False, rng=rng), fastdl.ReLU(), fastdl.Flatten(),
        fastdl.Dense(6 * 3 * 4, 3, rng=rng), loss=fastdl.SoftmaxCrossEntropy(),
    )  # fmt: skip


def batch(rng, rows=8):
    return images((rows, 3, 14, 16), rng), rng.integers(0, 3, rows)


def test_training_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    network, (x, t) = small_network(rng), batch(rng)
    parts = [torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
             torch.nn.Conv2d(8, 6, (3, 2), 2, bias=False), torch.nn.ReLU(), torch.nn.Flatten(),
             torch.nn.Linear(72, 3)]  # fmt: skip
    theirs = torch.nn.Sequential(*parts)
    pairs = [(0, 0), (2, 3), (5, 6)]
    for mine, other in pairs:
        layer, part = network.layers[mine], parts[other]
        part.weight.data = torch.tensor(np.array(layer.W.T if mine == 5 else layer.W))
        if part.bias is not None:
            part.bias.data = torch.tensor(np.array(layer.b))
    ours, optimizer = fastdl.SGD(0.1), torch.optim.SGD(theirs.parameters(), 0.1)
    losses = []
    for _ in range(20):
        ours.update(network.parameters(), network.gradient(x, t))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(t))
        loss.backward()
        optimizer.step()
        losses.append((network.latest_loss, loss.item()))
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-3)
    assert losses[-1][0] < 0.7 * losses[0][0]
    for mine, other in pairs:
        W, weight = network.layers[mine].W, parts[other].weight.detach().numpy()
        np.testing.assert_allclose(W.T if mine == 5 else W, weight, rtol=1e-3, atol=1e-4)


def test_the_first_layers_input_gradient_is_left_out(rng, monkeypatch):
    network, (x, t) = small_network(rng), batch(rng)
    asked = []
    monkeypatch.setattr(
        Conv2D, "backward_parameters",
        lambda layer, dout, own=Conv2D.backward_parameters: asked.append(layer) or own(layer, dout),
    )  # fmt: skip
    gradients = network.gradient(x, t)
    assert asked == [network.layers[0]] and "backward data" not in asked[0].algorithms
    assert "backward data" in network.layers[2].algorithms
    dout = network.loss_layer.backward()
    for layer in reversed(network.layers):
        dout = layer.backward(dout)
    assert dout.shape == x.shape
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Conv2D):
            assert gradients[f"W{index}"].tobytes() == layer.dW.tobytes()
    assert gradients["b0"].tobytes() == network.layers[0].db.tobytes()
    assert sorted(gradients) == ["W0", "W2", "W5", "b0", "b5"]


def test_frozen_layers_keep_their_filters(rng):
    network, (x, t) = small_network(rng), batch(rng)
    network.layers[0].trainable = False
    before = network.layers[0].W.copy(), network.layers[2].W.copy()
    gradients = network.gradient(x, t)
    assert sorted(gradients) == ["W2", "W5", "b5"]
    fastdl.SGD(0.1).update(network.parameters(), gradients)
    np.testing.assert_array_equal(network.layers[0].W, before[0])
    assert not np.array_equal(network.layers[2].W, before[1])


def test_saved_and_loaded(tmp_path, rng):
    network, (x, _) = small_network(rng), batch(rng)
    network.layers[0].b[...] = rng.standard_normal(8)
    network.layers[0].trainable = False
    network.save(tmp_path / "network.safetensors")
    again = fastdl.load(tmp_path / "network.safetensors")
    for mine, loaded in zip(network.layers, again.layers, strict=True):
        assert mine.config() == loaded.config() and mine.trainable == loaded.trainable
    assert again.predict(x).tobytes() == network.predict(x).tobytes()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_config_makes_the_layer_again(name, rng):
    layer = make(name, rng)
    again = Conv2D(**layer.config())
    assert again.config() == layer.config() and again.W.shape == layer.W.shape
    again.W = layer.W
    if layer.bias:
        again.b = layer.b
    x = images(SHAPE, rng)
    assert again.forward(x).tobytes() == layer.forward(x).tobytes()


def test_first_filters(rng):
    layer = Conv2D(32, 64, 3, rng=np.random.default_rng(1))
    assert layer.W.dtype == np.float32 and not layer.b.any() and layer.b.shape == (64,)
    np.testing.assert_allclose(layer.W.std(), np.sqrt(2 / (32 * 9)), rtol=0.02)  # He
    again = Conv2D(32, 64, 3, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(layer.W, again.W)
    assert Conv2D(4, 4, 3, bias=False).b is None


# ---------------------------------------------------------------------------- bad input
def test_bad_arrays(rng):
    layer, x = make("padded", rng), images(SHAPE, rng)
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(x)
    with pytest.raises(ValueError, match=r"x has shape \(4, 8, 9\); expected images"):
        layer.forward(x[0])
    with pytest.raises(ValueError, match=r"x is empty: shape \(0, 4, 8, 9\)"):
        layer.forward(x[:0])
    with pytest.raises(ValueError, match=r"x of shape \(2, 3, 8, 9\); expected \(N, 4, H, W\)"):
        layer.forward(x[:, :3])
    with pytest.raises(TypeError, match="complex"):
        layer.forward(x * 1j)
    layer.forward(x)
    with pytest.raises(ValueError, match=r"got dout of shape \(1, 4, 8, 9\); expected \(2, 4, 8"):
        layer.backward(x[:1])
    with pytest.raises(ValueError, match="dout has shape"):
        layer.backward(x[0])


def test_images_smaller_than_the_filters(rng):
    layer = Conv2D(3, 2, (3, 2), dilation=(2, 1), padding=(1, 0), rng=rng)
    assert layer.forward(images((1, 3, 3, 2), rng)).shape == (1, 2, 1, 1)
    with pytest.raises(ValueError, match=r"images of 2 x 2; with the padding .* 5 along axis 2"):
        layer.forward(images((1, 3, 2, 2), rng))
    with pytest.raises(ValueError, match=r"images of 3 x 1; .* span 2 along axis 3"):
        layer.forward(images((1, 3, 3, 1), rng))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [({"in_channels": 0}, ValueError, "in_channels is 0; expected a positive int"),
     ({"out_channels": 2.0}, TypeError, "out_channels is 2.0; expected a positive int"),
     ({"groups": 0}, ValueError, "groups is 0"),
     ({"groups": 3}, ValueError, "groups=3 does not divide in_channels=4 and out_channels=6"),
     ({"groups": 4}, ValueError, "groups=4 does not divide"),
     ({"kernel_size": 0}, ValueError, "kernel_size is 0; expected an int or a pair of positive"),
     ({"kernel_size": 3.0}, TypeError, "kernel_size is 3.0; expected an int or a pair"),
     ({"kernel_size": True}, TypeError, "kernel_size is True"),
     ({"kernel_size": (3, 3, 3)}, TypeError, "kernel_size"),
     ({"stride": (1, 0)}, ValueError, "stride"),
     ({"dilation": -1}, ValueError, "dilation is -1"),
     ({"padding": -1}, ValueError, "padding is -1; expected .* at least 0"),
     ({"padding": "full"}, ValueError, "padding is 'full' with stride .*'valid', or 'same'"),
     ({"padding": "same", "stride": 2}, ValueError, "padding is 'same' with stride .2, 2."),
     ({"activation": "tanh"}, ValueError, "activation is 'tanh'; expected None or 'relu'"),
     ({"dtype": "int32"}, TypeError, "dtype is 'int32'; fastdl computes in float32 or float64"),
     ({"initializer": "hee"}, ValueError, "hee")],
)  # fmt: skip
def test_bad_options(options, error, message):
    given = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, **options}
    with pytest.raises(error, match=message):
        Conv2D(**given)
