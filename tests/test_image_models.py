"""Image models: their shapes and sizes, gradients, files, folding, and PyTorch's ResNet block."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.models.image import BY_NAME, AdImageCNN, Blocks, MobileNet, ResNet, fold
from oracles import gradient_check, tolerance

import fastdl
from fastdl.graph import Graph, Node
from fastdl.layers import BatchNormalization, Conv2D
from fastdl.losses import SoftmaxCrossEntropy

SMALL = {
    "adimagecnn": (AdImageCNN, {"widths": (4, 8), "dropout": 0.0}, 8),
    "plain": (AdImageCNN, {"widths": (4,), "batch_norm": False, "head": "dense", "hidden": 8}, 8),
    "resnet": (ResNet, {"depth": 8, "width": 4}, 8),
    "bottleneck": (ResNet, {"depth": 11, "width": 4, "bottleneck": True, "zero_gamma": True}, 8),
    "mobilenet1": (MobileNet, {"width": 0.05}, 8),
    "mobilenet2": (MobileNet, {"width": 0.05, "version": 2}, 8),
}


def made(name, rng, dtype="float32", **options):
    kind, own, size = SMALL[name]
    return kind(3, size=size, rng=rng, dtype=dtype, **{**own, **options})


def settled(network, x, rng):
    """The network with statistics and weights that training could have left."""
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            C = len(layer.gamma)
            layer.gamma, layer.beta = rng.uniform(0.5, 1.5, C), rng.normal(0, 0.3, C)
    for _ in range(3):
        network.predict(x)
    return network


@pytest.mark.parametrize("name", SMALL)
def test_probabilities_have_a_column_for_each_class(name, rng):
    network = made(name, rng)
    x = rng.standard_normal((5, 3, 8, 8)).astype(np.float32)
    p = network.predict_proba(x, batch_size=2)
    assert p.shape == (5, 3) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(p, network.predict_proba(x), rtol=1e-4, atol=1e-6)
    assert all(layer.training for layer in network.layers if hasattr(layer, "training"))


@pytest.mark.parametrize("name", ["adimagecnn", "bottleneck", "mobilenet2"])
def test_gradients_are_the_slope_of_the_loss(name, rng):
    network = made(name, rng, "float64", zero_gamma=False) if name == "bottleneck" else made(
        name, rng, "float64"
    )  # fmt: skip
    x, t = rng.standard_normal((6, 3, 8, 8)), rng.integers(0, 3, 6)
    grads = network.gradient(x, t)
    arrays = network.parameters()
    gradient_check(
        lambda: network.loss(x, t), list(arrays.values()), [grads[k] for k in arrays], rng,
        step=1e-7, tolerance=2e-5,
    )  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_a_file_gives_the_same_network(name, rng, tmp_path):
    network = made(name, rng)
    x = rng.standard_normal((4, 3, 8, 8)).astype(np.float32)
    settled(network, x, rng)
    network.save(tmp_path / "network.safetensors")
    loaded = fastdl.load(tmp_path / "network.safetensors")
    assert type(loaded) is type(network) and loaded.config() == network.config()
    np.testing.assert_array_equal(loaded.predict_proba(x), network.predict_proba(x))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("dtype", "most"), [("float32", 1e-4), ("float64", 1e-10)])
def test_folding_changes_nothing_but_rounding(name, dtype, most, rng):
    network = made(name, rng, dtype)
    x = rng.standard_normal((4, 3, 8, 8)).astype(dtype)
    settled(network, x, rng)
    before = {k: v.copy() for k, v in fastdl.checkpoint.network_arrays(network).items()}
    folded = fold(network)
    assert not any(isinstance(layer, BatchNormalization) for layer in folded.layers)
    found = folded.predict(x)
    for key, array in fastdl.checkpoint.network_arrays(network).items():
        np.testing.assert_array_equal(array, before[key])
    network.eval()
    expected = network.predict(x)
    assert np.abs(found - expected).max() <= most * np.abs(expected).max()
    owners = [array for layer in folded.layers for array in layer.parameters().values()]
    assert not any(np.shares_memory(a, b) for a in owners for b in network.parameters().values())
    with pytest.raises(TypeError, match="save the one that it was made from"):
        folded.save("nowhere.safetensors")


def test_rows_of_layers_are_folded_too(rng):
    network = fastdl.Sequential(
        Conv2D(3, 4, 3, rng=rng), BatchNormalization(num_features=4), fastdl.ReLU(),
        Conv2D(4, 4, 3, rng=rng), fastdl.ReLU(), BatchNormalization(num_features=4),
        fastdl.Flatten(), fastdl.Dense(64, 3, rng=rng),
    )  # fmt: skip
    x = rng.standard_normal((4, 3, 8, 8)).astype(np.float32)
    settled(network, x, rng)
    folded = fold(network)
    network.eval()
    np.testing.assert_allclose(folded.predict(x), network.predict(x), **tolerance(np.float32))
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert kinds.count("BatchNormalization") == 1  # behind an activation nothing can be folded


def test_a_convolution_that_two_layers_take_is_not_folded(rng):
    x = Node.input()
    conv = Conv2D(3, 4, 3, padding=1, rng=rng)(x)
    both = BatchNormalization(num_features=4)(conv) + conv
    network = Graph(fastdl.Dense(4 * 16, 2, rng=rng)(fastdl.Flatten()(both)), SoftmaxCrossEntropy())
    images = rng.standard_normal((4, 3, 4, 4)).astype(np.float32)
    settled(network, images, rng)
    folded = fold(network)
    network.eval()
    np.testing.assert_allclose(
        folded.predict(images), network.predict(images), **tolerance(np.float32)
    )


def test_depth_and_width_are_those_of_the_paper():
    """He et al. 2016, table 6: 0.27 M parameters in 20 layers, 0.46 M in 32, 1.7 M in 110."""
    for depth, millions in ((20, 0.27), (32, 0.46)):
        network = ResNet(10, depth=depth)
        count = sum(array.size for array in network.parameters().values())
        assert count / 1e6 == pytest.approx(millions, abs=0.01)
        convolutions = [layer for layer in network.layers if isinstance(layer, Conv2D)]
        assert len(convolutions) == depth - 1 + 2  # the two projections beside
    count = sum(a.size for a in MobileNet(1000, size=224).parameters().values())
    assert count / 1e6 == pytest.approx(4.2, abs=0.05)  # Howard et al. 2017, table 8
    count = sum(a.size for a in MobileNet(1000, size=224, version=2).parameters().values())
    assert count / 1e6 == pytest.approx(3.5, abs=0.1)  # Sandler et al. 2018, table 4: 3.4


def test_weights_start_with_the_variance_of_he(rng):
    network = ResNet(10, depth=20, width=32, rng=rng)
    conv = [layer for layer in network.layers if isinstance(layer, Conv2D)][-1]
    assert conv.W.std() == pytest.approx(np.sqrt(2 / (128 * 9)), rel=0.02)
    first = network.predict_proba(rng.standard_normal((8, 3, 32, 32)).astype(np.float32))
    assert np.abs(first - 0.1).max() < 0.2  # all classes about equally probable
    last = [layer for layer in made("bottleneck", rng).layers
            if isinstance(layer, BatchNormalization) and not layer.gamma.any()]  # fmt: skip
    assert len(last) == 3  # one in each block


def test_a_residual_block_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    blocks = Blocks(np.dtype("float32"), rng)
    node = blocks.residual(Node.input(), 3, 6, 2)
    network = Graph(fastdl.Flatten()(node), SoftmaxCrossEntropy())
    x = rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    convs = [torch.from_numpy(layer.W.copy()) for layer in network.layers
             if isinstance(layer, Conv2D)]  # fmt: skip

    def norm(y):
        return torch.nn.functional.batch_norm(y, None, None, training=True)

    shapes = {tuple(w.shape): w for w in convs}
    first, second, short = shapes[6, 3, 3, 3], shapes[6, 6, 3, 3], shapes[6, 3, 1, 1]
    images = torch.from_numpy(x)
    conv = torch.nn.functional.conv2d
    y = norm(conv(images, first, stride=2, padding=1)).relu()
    y = (norm(conv(y, second, padding=1)) + norm(conv(images, short, stride=2))).relu()
    np.testing.assert_allclose(
        network.predict(x), y.flatten(1).numpy(), **tolerance(np.float32)
    )  # fmt: skip


def test_small_images_are_halved_less_often(rng):
    assert MobileNet(2, size=16, width=0.1, rng=rng).halvings(5, 4) == 2
    network = AdImageCNN(2, channels=1, size=(12, 20), widths=(4, 4), rng=rng)
    assert network.predict_proba(np.zeros((1, 1, 12, 20))).shape == (1, 2)
    assert network.predict_proba(np.zeros((1, 1, 30, 9))).shape == (1, 2)  # pooled: any size


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (AdImageCNN, {"size": 4, "widths": (4, 4, 4)}, "need images of 8 x 8 pixels or more"),
        (AdImageCNN, {"head": "mean"}, "head is 'mean'"),
        (AdImageCNN, {"depth": 3}, r"has no \['depth'\]; it has widths"),
        (ResNet, {"depth": 21}, r"depth is 21; expected 6 n \+ 2 without bottleneck, such as 8"),
        (ResNet, {"depth": 21, "bottleneck": True}, r"9 n \+ 2 with bottleneck, such as 11"),
        (MobileNet, {"version": 3}, "version is 3; expected 1 or 2"),
        (MobileNet, {"width": 0}, "width is 0"),
    ],
)
def test_options_that_do_not_fit_are_named(kind, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        kind(3, **options)


def test_images_that_do_not_fit_are_named(rng):
    network = made("adimagecnn", rng)
    with pytest.raises(ValueError, match=r"expected \(N, 3, H, W\)\. Its channels are last"):
        network.predict(np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="x has NaN or infinity in row 1"):
        network.predict(np.array([np.zeros((3, 8, 8)), np.full((3, 8, 8), np.nan)]))
    with pytest.raises(ValueError, match="expected images"):
        network.predict_proba(np.zeros((2, 192)))
    with pytest.raises(ValueError, match="classes is 1"):
        ResNet(1)
    assert set(BY_NAME) == {"adimagecnn", "resnet", "mobilenet"}
