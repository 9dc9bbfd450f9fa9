"""The Judge: floors, lost classes, images learned by heart, against the metrics themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_adversarial_features import grey, stripes

from fastdl.adversarial.features import FeatureNetwork
from fastdl.adversarial.judge import Judge
from fastdl.metrics.generated import frechet_distance, kernel_distance, neighbour_scores


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    return stripes(330, rng), stripes(402, rng), stripes(240, rng)


@pytest.fixture(scope="module")
def features(parts):
    return FeatureNetwork.fit(parts[0], channels=1, epochs=4, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def judge(features, parts):
    return Judge(features, parts[1], parts[0])


def test_real_images_reach_the_floor(judge, parts):
    x, classes = grey(parts[2]), parts[2].labels
    found = judge.judge(x, classes)
    assert found["count"] == 201
    assert found["frechet"] < 3 * found["frechet_floor"]
    assert abs(found["kernel"]) < 0.5 and abs(found["kernel_floor"]) < 0.5
    for name in ("precision", "recall", "density", "coverage"):
        assert found[name] > 0.75 * found[f"{name}_floor"] > 0.5
    assert found["recognised"] > 0.95 and min(found["recognised_by_class"]) > 0.9
    np.testing.assert_allclose(found["shares"], 1 / 3, atol=0.03)
    for name in ("nearest_features", "nearest_pixels"):
        assert 0.5 < found[name] / found[f"{name}_real"] < 2
    assert json.loads(json.dumps(found)) == found
    assert judge.judge(x, classes) == found


def test_figures_are_those_of_the_metrics(judge, features, parts):
    x = grey(parts[2])
    found = judge.judge(x)
    order = np.random.default_rng(0).permutation(402)
    real = features.features_of(parts[1][order])
    f = features.features(x)[:201]
    assert found["frechet"] == pytest.approx(frechet_distance(f, real[201:]), rel=1e-5)
    assert found["frechet_floor"] == pytest.approx(
        frechet_distance(real[:201], real[201:]), rel=1e-5
    )
    assert found["kernel"] == pytest.approx(kernel_distance(f, real[201:]), rel=1e-4, abs=1e-6)
    expected = neighbour_scores(real[201:], f)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.01)
    assert found["recognised"] is found["recognised_by_class"] is None


def test_noise_and_a_lost_class_are_seen(judge, parts, rng):
    good = judge.judge(grey(parts[2]))
    noise = judge.judge(rng.uniform(-1, 1, (240, 1, 12, 12)))
    assert noise["frechet"] > 20 * good["frechet"] and noise["kernel"] > 5
    assert noise["precision"] < 0.1 and noise["coverage"] < 0.1
    two = parts[2][parts[2].labels != 1]
    lost = judge.judge(np.concatenate([grey(two)] * 2), np.concatenate([two.labels] * 2))
    assert lost["shares"][1] < 0.05 and lost["smallest"] == min(lost["shares"])
    assert lost["recall"] < 0.75 < lost["precision"]
    assert lost["recognised_by_class"][1] is None
    assert lost["frechet"] > 3 * good["frechet"]
    wrong = judge.judge(grey(two), (two.labels + 1) % 3)
    assert wrong["recognised"] < 0.05


def test_images_learned_by_heart_are_seen(judge, parts):
    found = judge.judge(grey(parts[0][:100]))
    assert found["nearest_pixels"] < 1e-4 < 1 < found["nearest_pixels_real"]
    assert found["nearest_features"] < 1e-4 < found["nearest_features_real"]


def test_nearest_training_images(judge, parts, monkeypatch):
    monkeypatch.setattr("fastdl.adversarial.judge._BYTES", 8 * 144 * 50)  # 50 images at a time
    own = grey(parts[0])[[7, 300, 120]]
    distances, indices = judge.neighbours(0.999 * own)
    assert indices.tolist() == [7, 300, 120]
    np.testing.assert_allclose(
        distances, 0.001 * np.linalg.norm(own.reshape(3, -1), axis=1), rtol=1e-3
    )


def test_arrays_are_judged_as_sets_are(judge, features, parts):
    from_arrays = Judge(features, grey(parts[1]), grey(parts[0]))
    x = grey(parts[2])
    found, expected = from_arrays.judge(x), judge.judge(x)
    assert found.keys() == expected.keys()
    for name in ("frechet", "nearest_pixels", "nearest_features_real"):
        assert found[name] == pytest.approx(expected[name], rel=1e-3)


def test_few_images_and_turns(parts, rng):
    alike = parts[0][:40]
    unlabelled = type(alike)(alike.source, alike.rows, np.full(40, -1), ())
    features = FeatureNetwork.fit(unlabelled, channels=1, epochs=1, rng=rng)
    found = Judge(features, parts[1][:30], unlabelled).judge(grey(parts[2][:12]))
    assert found["count"] == 12
    assert found["frechet"] is found["frechet_floor"] is found["shares"] is None
    assert found["precision"] is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda j, x: j.judge(x[:1]), "1 images; the Judge needs 2"),
     (lambda j, x: j.judge(x[:, :, :8]), "expected images"),
     (lambda j, x: j.judge(x, np.zeros(3, int)), r"classes has shape \(3,\)"),
     (lambda j, x: j.judge(x, np.full(240, 3)), "knows 0 to 2"),
     (lambda j, x: j.judge(x, np.full(240, 0.5)), "expected indices"),
     (lambda j, x: Judge(j.features, x[:3], x), "3 held-out images.*needs 4")],
)  # fmt: skip
def test_what_does_not_fit(change, message, judge, parts):
    with pytest.raises(ValueError, match=message):
        change(judge, grey(parts[2]))


def test_few_images_have_no_neighbours_and_count_holds_for_each_half(features, parts):
    x = grey(parts[2])
    found = Judge(features, parts[1][:9], parts[0]).judge(x[:50])
    assert found["precision"] is found["coverage_floor"] is None and found["kernel"] is not None
    one = Judge(features, parts[1], parts[0], count=150)
    assert one.judge(x)["frechet"] == one.judge(x[:150])["frechet"] > 0


def test_images_of_another_shape_are_brought_to_size_as_training_does(features):
    pixels = np.full((8, 12, 24), 255, np.uint8)
    pixels[:, :, 6:18] = 0
    images = type(stripes(2, np.random.default_rng(0))).from_arrays(pixels)
    cropped, stretched = (next(features.blocks(images, 3, fit)) for fit in ("crop", "stretch"))
    assert cropped.shape == stretched.shape == (3, 1, 12, 12)
    assert (cropped == -1).all() and stretched.max() > 0.999
    assert not np.array_equal(
        features.features_of(images, fit="crop"), features.features_of(images, fit="stretch")
    )
