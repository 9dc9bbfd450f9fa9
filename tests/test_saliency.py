"""Grad-CAM: its formula, where the deciding place is known, and that it leaves no trace."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from fastdl.models.image import AdImageCNN, ResNet

import fastdl
from fastdl.layers import Conv2D, Dense, Flatten, GlobalAvgPool2D
from fastdl.losses import SoftmaxCrossEntropy
from fastdl.saliency import enlarged, grad_cam


def patches(rng, rows=64, size=16):
    """Noise with a patch in one corner, bright (class 0) or dark (class 1): (x, t, corner)."""
    x = rng.normal(0, 0.3, (rows, 1, size, size)).astype(np.float32)
    t, corner = rng.integers(0, 2, rows), rng.integers(0, 4, rows)
    for row in range(rows):
        top, left = 10 * (corner[row] // 2) + 1, 10 * (corner[row] % 2) + 1
        x[row, :, top : top + 4, left : left + 4] += 3 - 6 * t[row]
    return x, t, corner


def shares_of_quarters(maps):
    """Each corner's share of a map's sum, (N, 4)."""
    N, H, W = maps.shape
    parts = maps.reshape(N, 2, H // 2, 2, W // 2).sum(axis=(2, 4)).reshape(N, 4)
    return parts / parts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["row", "graph"])
def test_the_map_lies_where_the_class_is(kind, rng):
    x, t, corner = patches(rng)
    if kind == "row":
        network = fastdl.Sequential(
            Conv2D(1, 6, 3, padding=1, rng=rng), fastdl.ReLU(), Conv2D(6, 6, 3, 2, 1, rng=rng),
            fastdl.ReLU(), GlobalAvgPool2D(), Dense(6, 2, rng=rng), loss=SoftmaxCrossEntropy,
        )  # fmt: skip
    else:
        network = AdImageCNN(2, channels=1, size=16, widths=(8,), dropout=0.0, rng=rng)
    trainer = fastdl.Trainer(network, fastdl.Adam(0.02))
    trainer.train(x, np.eye(2, dtype=np.float32)[t], epochs=20, batch_size=16, verbose=False)
    assert np.mean(network.eval().predict(x).argmax(axis=1) == t) == 1
    maps = grad_cam(network, x)
    assert maps.shape == (64, 16, 16) and maps.dtype == np.float32
    assert maps.min() >= 0 and maps.max() == 1
    found = shares_of_quarters(maps + 1e-9)[np.arange(64), corner]
    assert found.mean() > 0.7
    other = grad_cam(network, x, 1 - t)  # what speaks for the other class lies elsewhere
    assert shares_of_quarters(other + 1e-9)[np.arange(64), corner].mean() < 0.5


def test_the_map_is_that_of_the_formula(rng):
    """One convolution and a dense layer: the gradient at the maps is the dense layer's column."""
    conv, dense = Conv2D(1, 3, 1, rng=rng, dtype="float64"), Dense(12, 2, rng=rng, dtype="float64")
    network = fastdl.Sequential(conv, Flatten(), dense, loss=SoftmaxCrossEntropy)
    x = rng.standard_normal((2, 1, 2, 2))
    a = conv.forward(x)
    weights = dense.W[:, 1].reshape(3, 4).mean(axis=1)
    expected = np.maximum(0, np.einsum("k,nkhw->nhw", weights, a))
    top = expected.max(axis=(1, 2), keepdims=True)
    expected = np.divide(expected, top, out=np.zeros_like(expected), where=top > 0)
    np.testing.assert_allclose(grad_cam(network, x, 1), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(grad_cam(network, x, [1, 1], layer=conv), expected, rtol=1e-6)
    np.testing.assert_allclose(grad_cam(network, x, 1, layer=0), expected, rtol=1e-6)


def test_nothing_in_the_network_changes(rng):
    network = ResNet(3, depth=8, width=4, size=8, rng=rng)
    x, t = rng.standard_normal((4, 3, 8, 8)).astype(np.float32), rng.integers(0, 3, 4)
    network.gradient(x, t)
    network.layers[0].training = False
    before = [dict(vars(layer)) for layer in network.layers]
    arrays = copy.deepcopy(fastdl.checkpoint.network_arrays(network))
    bindings = fastdl.Layer.bindings
    grad_cam(network, x)
    assert [dict(vars(layer)).keys() for layer in network.layers] == [b.keys() for b in before]
    for layer, known in zip(network.layers, before, strict=True):
        for name, value in vars(layer).items():
            assert value is known[name], (layer, name)
    for key, array in fastdl.checkpoint.network_arrays(network).items():
        np.testing.assert_array_equal(array, arrays[key])
    assert fastdl.Layer.bindings == bindings


def test_what_cannot_be_shown_is_told(rng):
    network = ResNet(3, depth=8, width=4, size=8, rng=rng)
    x = np.zeros((2, 3, 8, 8))
    for options, message in (
        ({"classes": 3}, "classes has indices from 3 to 3; the network has 3 classes"),
        ({"classes": [0.5, 1]}, "dtype float64; expected an index"),
        ({"classes": [0, 1, 2]}, r"shape \(3,\)"),
        ({"layer": 99}, "layer is 99; the network has"),
        ({"layer": fastdl.ReLU()}, "is not a layer of this network"),
        ({"layer": -1}, r"a heat map needs maps \(N, K, h, w\)"),
    ):
        with pytest.raises(ValueError, match=message):
            grad_cam(network, x, **options)
    with pytest.raises(ValueError, match="expected images"):
        grad_cam(network, np.zeros((3, 8, 8)))
    with pytest.raises(ValueError, match="has no Conv2D"):
        grad_cam(fastdl.Sequential(Flatten(), Dense(4, 2)), np.zeros((1, 1, 2, 2)))


def test_maps_are_enlarged_as_pytorch_does(rng):
    torch = pytest.importorskip("torch")
    maps = rng.random((2, 3, 5))
    for size in ((7, 8), (3, 5), (12, 20)):
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(maps)[:, None], size, mode="bilinear", align_corners=False
        )[:, 0].numpy()
        np.testing.assert_allclose(enlarged(maps, size), expected, rtol=1e-12)
