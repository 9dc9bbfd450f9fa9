"""Upsample2D: gradients, PyTorch, memory order, saving, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check
from test_layers_layout import both_orders, images

import fastdl
from fastdl import Upsample2D
from fastdl.layers.combine import Flatten

SHAPE = (2, 5, 3, 4)
CASES = [(scale, mode) for scale in (2, (3, 1), (1, 4)) for mode in ("nearest", "bilinear")]


def run(layer, x, dout):
    return layer.forward(x), layer.backward(dout)


@pytest.mark.parametrize(("scale", "mode"), CASES)
def test_gradients(scale, mode, rng):
    with fastdl.use_backend("numpy"):  # the kernels equal the twins in float32: compiling is slow
        layer, x = Upsample2D(scale, mode), images(SHAPE, rng, dtype="float64")
        dout = rng.standard_normal(layer.forward(x).shape)
        dx = layer.backward(dout)
        assert dx.dtype == np.float64
        gradient_check(lambda: float(np.sum(layer.forward(x) * dout)), [x], [dx], rng)


@pytest.mark.parametrize("shape", [SHAPE, (1, 1, 1, 1), (3, 16, 17, 20)])
@pytest.mark.parametrize(("scale", "mode"), CASES)
def test_is_pytorchs(scale, mode, shape, rng):
    torch = pytest.importorskip("torch")
    x = images(shape, rng, "first")
    tensor = torch.tensor(x, requires_grad=True)
    options = {} if mode == "nearest" else {"align_corners": False}
    factor = tuple(map(float, scale)) if isinstance(scale, tuple) else float(scale)
    expected = torch.nn.functional.interpolate(tensor, None, factor, mode, **options)
    dout = rng.standard_normal(tuple(expected.shape)).astype("float32")
    expected.backward(torch.tensor(dout))
    out, dx = run(Upsample2D(scale, mode), x, dout)
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_memory_order_and_threads_change_nothing(mode, rng, two_thread_counts):
    layer = Upsample2D((2, 3), mode)
    x, dout = images((4, 16, 20, 20), rng, "first"), images((4, 16, 40, 60), rng, "first")
    results = []
    for given in both_orders(x):
        for upstream in both_orders(dout):
            results += two_thread_counts(lambda a=given, d=upstream: run(layer, a, d))
    for found in results:
        for array, first in zip(found, results[0], strict=True):
            assert array.tobytes() == first.tobytes()
            assert array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_saved_and_loaded(tmp_path, rng):
    network = fastdl.Sequential(Upsample2D((2, 1), "bilinear"), Flatten(), fastdl.Dense(120, 2))
    x = images(SHAPE, rng)
    fastdl.save(network, tmp_path / "network.safetensors")
    again = fastdl.load(tmp_path / "network.safetensors")
    assert tuple(again.layers[0].scale_factor) == (2, 1) and again.layers[0].mode == "bilinear"
    assert again.predict(x).tobytes() == network.predict(x).tobytes()


def test_bad_input(rng):
    layer, x = Upsample2D(2), images(SHAPE, rng)
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(x)
    for bad in (x[0], x[..., None]):
        with pytest.raises(ValueError, match=r"expected images \(N, C, H, W\)"):
            layer.forward(bad)
    layer.forward(x)
    with pytest.raises(ValueError, match=r"expected \(2, 5, 6, 8\)"):
        layer.backward(x)
    with pytest.raises(ValueError, match="mode is 'cubic'; expected 'nearest' or 'bilinear'"):
        Upsample2D(2, "cubic")
    with pytest.raises(TypeError, match=r"scale_factor is 1\.5"):
        Upsample2D(1.5)
    with pytest.raises(ValueError, match="scale_factor is 0"):
        Upsample2D(0)
