"""Pooling layers: gradients, PyTorch, memory order, saving, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check
from test_layers_layout import both_orders, images

import fastdl
from fastdl import AvgPool2D, GlobalAvgPool2D, MaxPool2D

LAYERS = {
    "max": lambda: MaxPool2D(2),
    "max-overlapping": lambda: MaxPool2D(3, stride=2, padding=1),
    "max-dilated": lambda: MaxPool2D((2, 3), (1, 2), (1, 0), (3, 2)),
    "max-wide": lambda: MaxPool2D((2, 7), stride=(3, 1), padding=(0, 3)),
    "avg": lambda: AvgPool2D(2),
    "avg-overlapping": lambda: AvgPool2D(3, stride=(1, 2), padding=1),
    "avg-inside": lambda: AvgPool2D((3, 2), stride=2, padding=(1, 1), count_include_pad=False),
    "global": GlobalAvgPool2D,
}
SHAPE = (2, 5, 8, 9)


def theirs(torch, name, x):
    functional, layer = torch.nn.functional, LAYERS[name]()
    if name == "global":
        return x.mean(dim=(2, 3))
    window = (layer.kernel_size, layer.stride, layer.padding)
    if name.startswith("max"):
        return functional.max_pool2d(x, *window, layer.dilation)
    return functional.avg_pool2d(x, *window, count_include_pad=layer.count_include_pad)


def run(name, x, dout=None):
    layer = LAYERS[name]()
    out = layer.forward(x)
    return out, layer.backward(np.ones(out.shape, "float32") if dout is None else dout)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients(name, rng):
    with fastdl.use_backend("numpy"):  # the kernels equal the twins in float32: compiling is slow
        layer, x = LAYERS[name](), images(SHAPE, rng, dtype="float64")
        dout = rng.standard_normal(layer.forward(x).shape)
        dx = layer.backward(dout)
        assert dx.dtype == np.float64
        gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), [x], [dx], rng)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", [SHAPE, (1, 1, 8, 8), (3, 16, 30, 31)])
@pytest.mark.parametrize("name", LAYERS)
def test_is_pytorchs(name, shape, ties, rng):
    torch = pytest.importorskip("torch")
    x = images(shape, rng, "first")
    x = np.maximum(x.round(), 0) if ties else x
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(torch, name, tensor)
    dout = rng.standard_normal(tuple(expected.shape)).astype("float32")
    expected.backward(torch.tensor(dout))
    out, dx = run(name, x, dout)
    assert out.dtype == dx.dtype == np.float32
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_memory_order_and_threads_change_nothing(name, rng, two_thread_counts):
    x = images((6, 16, 40, 40), rng, "first")
    dout = rng.standard_normal(LAYERS[name]().forward(x).shape).astype("float32")
    results = []
    for given in both_orders(x):
        for upstream in both_orders(dout) if dout.ndim == 4 else (dout,):
            results += two_thread_counts(lambda a=given, d=upstream: run(name, a, d))
    for out, dx in results:
        assert out.tobytes() == results[0][0].tobytes()
        assert dx.tobytes() == results[0][1].tobytes()
        assert dx.transpose(0, 2, 3, 1).flags.c_contiguous
        assert out.ndim == 2 or out.transpose(0, 2, 3, 1).flags.c_contiguous


def test_nan_goes_through_as_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x = images(SHAPE, rng, "first")
    x[0, 1, 3, 3] = x[1, 2, 4, 4] = np.nan
    for name in LAYERS:
        with np.errstate(invalid="ignore"):
            out = run(name, x)[0]
        expected = theirs(torch, name, torch.tensor(x)).numpy()
        np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))


def test_one_byte_an_output_is_kept(rng):
    small, large = MaxPool2D(16), MaxPool2D((16, 17))
    x = images((1, 2, 34, 34), rng)
    small.forward(x), large.forward(x)
    assert small._index.dtype == np.uint8 and large._index.dtype == np.int32
    flat = x.transpose(0, 2, 3, 1)[0, :16, :17].reshape(-1, 2)
    np.testing.assert_array_equal(large._index[0, 0, 0], flat.argmax(axis=0))


def test_saved_and_loaded(tmp_path, rng):
    layers = [LAYERS[name]() for name in ("max-dilated", "avg-inside", "global")]
    network = fastdl.Sequential(*layers, fastdl.Dense(5, 2))
    x = images((2, 5, 20, 20), rng)
    fastdl.save(network, tmp_path / "network.safetensors")
    again = fastdl.load(tmp_path / "network.safetensors")
    assert [layer.config() for layer in again.layers[:3]] == [layer.config() for layer in layers]
    assert again.predict(x).tobytes() == network.predict(x).tobytes()


@pytest.mark.parametrize("name", LAYERS)
def test_bad_arrays(name, rng):
    layer, x = LAYERS[name](), images(SHAPE, rng)
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(x)
    for bad in (x[0], x[..., None], x[0, 0]):
        with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\)"):
            layer.forward(bad)
    with pytest.raises(ValueError, match="empty"):
        layer.forward(x[:0])
    with pytest.raises(TypeError, match="complex"):
        layer.forward(x * 1j)
    out = layer.forward(x)
    with pytest.raises(ValueError, match=r"got dout of shape .*; expected \(2, 5"):
        layer.backward(out[:1])


@pytest.mark.parametrize("name", ["max", "max-dilated", "max-wide", "avg"])
def test_images_smaller_than_the_window(name, rng):
    with pytest.raises(ValueError, match=r"images of 1 x 1 pixels, smaller than its window of \d"):
        LAYERS[name]().forward(images((2, 3, 1, 1), rng))


@pytest.mark.parametrize("make", [MaxPool2D, AvgPool2D])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [({"kernel_size": 0}, ValueError, "kernel_size is 0; expected an int or a pair of positive"),
     ({"kernel_size": (2, 2, 2)}, TypeError, "kernel_size"),
     ({"kernel_size": 2.0}, TypeError, "kernel_size"),
     ({"kernel_size": True}, TypeError, "kernel_size"),
     ({"kernel_size": 2, "stride": (1, 0)}, ValueError, "stride"),
     ({"kernel_size": 2, "padding": -1}, ValueError, "padding is -1; expected .* at least 0"),
     ({"kernel_size": (4, 2), "padding": (2, 2)}, ValueError, "at most half of kernel_size")],
)  # fmt: skip
def test_bad_options(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)
