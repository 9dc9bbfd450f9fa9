"""The feature network: what its features are, both tasks, files, and images that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl.adversarial.features import FeatureNetwork
from fastdl.adversarial.turns import turned
from fastdl.data.images import ImageSet


def stripes(count, rng, classes=3, labels=True):
    """Grey images of stripes whose width tells the class, with noise."""
    own = np.arange(count) % classes
    x = np.arange(12)
    waves = np.sin(np.pi * x / (own[:, None] + 1) + rng.uniform(0, 6, (count, 1)))
    pixels = 127 + 60 * np.broadcast_to(waves[:, None, :], (count, 12, 12))
    pixels = np.clip(pixels + rng.normal(0, 15, pixels.shape), 0, 255).astype(np.uint8)
    return ImageSet.from_arrays(pixels, own if labels else None)


def scaled(images):
    return images.load() / 127.5 - 1.0


@pytest.fixture(scope="module")
def of_classes():
    images = stripes(300, np.random.default_rng(0))
    return FeatureNetwork.fit(images, channels=1, epochs=4, rng=np.random.default_rng(1))


def grey(images):
    return scaled(images)[:, :1]


def test_classes_are_learned_and_recognised(of_classes, rng):
    assert of_classes.kind == "classes" and of_classes.classes == ("0", "1", "2")
    assert of_classes.accuracy > 0.9 and of_classes.held_out == 30
    other = stripes(90, rng)
    assert np.mean(of_classes.predict(grey(other)) == other.labels) > 0.9


def test_features_are_what_the_last_layer_sees(of_classes, rng):
    x = grey(stripes(9, rng))
    network = of_classes.network
    network.eval()
    logits = network.predict(x)
    features = of_classes.features(x)
    assert features.dtype == np.float64 and features.shape == (9, of_classes.width)
    last = network.layers[-1]
    assert type(last) is fastdl.Dense and len(last.W) == of_classes.width
    np.testing.assert_allclose(features @ last.W + last.b, logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_classes.probabilities(x), network.predict_proba(x), atol=1e-5)
    seen = []
    last.forward, forward = lambda h: seen.append(h) or forward(h), last.forward
    try:
        network.predict(x)
    finally:
        del last.forward
    np.testing.assert_allclose(features, seen[0], rtol=1e-4, atol=1e-5)


def test_blocks_give_the_same_as_all_at_once(of_classes, rng, monkeypatch):
    images = stripes(23, rng)
    whole = of_classes.features(grey(images))
    monkeypatch.setattr("fastdl.adversarial.features.rows_at_once", lambda values: 5)
    np.testing.assert_allclose(of_classes.features_of(images), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        of_classes.features_of(grey(images), 7), whole[:7], rtol=1e-5, atol=1e-6
    )
    assert [len(b) for b in of_classes.blocks(images, 12)] == [5, 5, 2]


def test_a_file_gives_the_same_features(of_classes, tmp_path, rng):
    path = tmp_path / "features.safetensors"
    of_classes.save(path)
    again = FeatureNetwork.load(path)
    x = grey(stripes(9, rng))
    np.testing.assert_array_equal(again.features(x), of_classes.features(x))
    for name in ("kind", "classes", "accuracy", "held_out"):
        assert getattr(again, name) == getattr(of_classes, name)
    fastdl.save(fastdl.Sequential(fastdl.Dense(2, 2)), path)
    with pytest.raises(ValueError, match="holds a Sequential, no FeatureNetwork"):
        FeatureNetwork.load(path)


def test_turns_of_images_without_classes(rng):
    ramp = np.linspace(0, 255, 12)[None, :, None] * np.ones((150, 1, 12))
    pixels = np.clip(ramp + rng.normal(0, 30, ramp.shape), 0, 255).astype(np.uint8)
    found = FeatureNetwork.fit(
        ImageSet.from_arrays(pixels), channels=1, epochs=3, rng=np.random.default_rng(0)
    )
    assert found.kind == "turns" and found.classes == ("0", "90", "180", "270")
    assert found.accuracy > 0.9 and found.held_out == 60
    x = pixels[:5, None] / 127.5 - 1
    assert found.predict(x).tolist() == [0] * 5
    assert found.predict(np.rot90(x, 1, axes=(2, 3))).tolist() == [1] * 5


def test_turned_images(rng):
    pixels = rng.integers(0, 256, (5, 6, 6, 3), np.uint8)
    images = turned(ImageSet.from_arrays(pixels)[[3, 1]])
    assert len(images) == 8 and images.labels.tolist() == [0, 1, 2, 3] * 2
    loaded = images.load([1, 6, 4]).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(loaded[0], np.rot90(pixels[3], 1))
    np.testing.assert_array_equal(loaded[1], np.rot90(pixels[1], 2))
    np.testing.assert_array_equal(loaded[2], pixels[1])
    assert images.names[7] == "image 1 turned by 270"


def test_options_of_the_network(rng):
    found = FeatureNetwork.fit(
        stripes(30, rng), channels=1, epochs=1, rng=rng, model_options={"widths": (8, 24)}
    )
    assert found.width == 24 and found.network.widths == (8, 24)


def test_one_class_alone_is_told_by_turns(rng):
    images = stripes(60, rng)[np.arange(20) * 3]
    assert not images.labels.any()
    assert FeatureNetwork.fit(images, channels=1, epochs=1, rng=rng).kind == "turns"


def test_the_seed_decides(rng):
    images = stripes(60, rng)
    fits = [
        FeatureNetwork.fit(images, channels=1, epochs=1, rng=np.random.default_rng(s))
        for s in (5, 5, 6)
    ]
    x = grey(images)
    a, b, c = (fit.features(x) for fit in fits)
    assert a.tobytes() == b.tobytes() != c.tobytes()


def test_images_and_fits_that_are_wrong(of_classes, rng):
    with pytest.raises(
        ValueError, match=r"shape \(2, 3, 12, 12\); expected images \(N, 1, 12, 12\)"
    ):
        of_classes.features(np.zeros((2, 3, 12, 12)))
    with pytest.raises(ValueError, match=r"from 0 to 200; expected -1 to 1.*127.5"):
        of_classes.features(np.linspace(0, 200, 144).reshape(1, 1, 12, 12))
    with pytest.raises(ValueError, match="NaN"):
        of_classes.features(np.full((1, 1, 12, 12), np.nan))
    with pytest.raises(ValueError, match="There are 1 images"):
        FeatureNetwork.fit(stripes(4, rng)[:1])
    with pytest.raises(ValueError, match="The class '1' has 1 image"):
        FeatureNetwork.fit(stripes(9, rng)[[0, 3, 6, 1]])
    with pytest.raises(ValueError, match="12 x 16: quarter turns"):
        FeatureNetwork.fit(stripes(9, rng, labels=False), size=(12, 16))
