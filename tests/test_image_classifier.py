"""AdImageClassifier: scikit-learn's conventions, all kinds of X and y, files, further training."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

import fastdl
from fastdl import AdImageClassifier, schedules
from fastdl.data.images import Augmentation, ImageSet
from fastdl.estimators.image_samples import unlabelled

SMALL = {
    "model_options": {"widths": (6,), "dropout": 0.0}, "epochs": 6, "batch_size": 16,
    "lr": 0.02, "random_state": 0,
}  # fmt: skip
NAMES = np.array(["bag", "lamp", "shoe"])


def drawn(rng, rows=90, channels=3):
    """uint8 (rows, 8, 8, channels): classes by which channel, or which level, is bright."""
    t = np.arange(rows) % 3
    x = rng.integers(0, 60, (rows, 8, 8, channels))
    for row, label in enumerate(t):
        if channels == 3:
            x[row, 2:6, 2:6, label] += 150
        else:
            x[row, 2:6, 2:6] += 90 * label
    return x.astype(np.uint8), t


@pytest.fixture(scope="module")
def data():
    return drawn(np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(data):
    return AdImageClassifier(**SMALL).fit(data[0], NAMES[data[1]])


def test_it_learns_and_predicts_the_users_labels(fitted, data):
    x, t = data
    assert fitted.score(x, NAMES[t]) > 0.95
    assert fitted.classes_.tolist() == NAMES.tolist() and fitted.n_features_in_ == 192
    p = fitted.predict_proba(x)
    assert p.shape == (90, 3) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(fitted.predict(x), NAMES[p.argmax(axis=1)])
    np.testing.assert_allclose(fitted.predict_log_proba(x), np.log(p))
    weights = (t == 0).astype(float)
    assert fitted.score(x, NAMES[t], weights) == np.mean(fitted.predict(x[t == 0]) == "bag")
    assert fitted.n_iter_ == 6 and len(fitted.history_["loss"]) == 6


def test_every_kind_of_x_gives_the_same(fitted, data, tmp_path):
    x, t = data
    expected = fitted.predict_proba(x[:6])
    paths = []
    for row in range(6):
        folder = tmp_path / NAMES[t[row]]
        folder.mkdir(exist_ok=True)
        paths.append(str(folder / f"{row}.png"))
        Image.fromarray(x[row]).save(paths[-1])
    same = {
        "floats": x[:6] / 255, "channels first": x[:6].transpose(0, 3, 1, 2), "paths": paths,
        "array of paths": np.array(paths), "set": ImageSet.from_arrays(x[:6]),
    }  # fmt: skip
    for name, own in same.items():
        np.testing.assert_allclose(
            fitted.predict_proba(own), expected, rtol=1e-4, atol=1e-6, err_msg=name
        )
    assert fitted.predict_proba(str(tmp_path)).shape == (6, 3)
    assert fitted.score(str(tmp_path)) == fitted.score(paths, NAMES[t[:6]])
    own = AdImageClassifier(**{**SMALL, "epochs": 1}).fit(str(tmp_path))
    assert own.classes_.tolist() == NAMES.tolist()
    images = ImageSet.from_arrays(x, NAMES[t])
    assert AdImageClassifier(**{**SMALL, "epochs": 1}).fit(images).classes_.tolist() == (
        NAMES.tolist()
    )


@pytest.mark.parametrize(
    "labels", [np.array([3, 5, 12]), np.array([True, False]), np.array(["10", "9", "a"])]
)
def test_labels_of_any_kind_come_back(labels, rng):
    x, t = drawn(rng, 30, channels=1)
    y = labels[t % len(labels)]
    found = AdImageClassifier(**{**SMALL, "epochs": 1}).fit(x, y)
    assert found.classes_.tolist() == np.unique(y).tolist()
    assert found.predict(x).dtype == y.dtype
    assert found.preparation_.channels == 1


def test_parameters_are_scikit_learns(data):
    parameters = {"model": "resnet", "augmentation": Augmentation(flip=True), "lr": 0.1}
    classifier = AdImageClassifier(**parameters)
    assert {k: classifier.get_params()[k] for k in parameters} == parameters
    twin = clone(classifier.set_params(epochs=3))
    assert twin.get_params() == classifier.get_params() and not hasattr(twin, "model_")
    assert "AdImageClassifier(model='resnet'" in repr(twin)
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        classifier.set_params(depth=3)
    with pytest.raises(NotFittedError):
        classifier.predict(data[0])
    scores = cross_val_score(AdImageClassifier(**{**SMALL, "epochs": 15}), *data, cv=2)
    assert scores.mean() > 0.8


def test_a_list_of_one_sets_parts_is_a_set(data):  # as cross_val_score makes them
    images = ImageSet.from_arrays(*data)
    parts = [images[:1], images[1:3]]
    assert unlabelled(parts).load().tobytes() == images[:3].load().tobytes()
    other = ImageSet.from_arrays(*data)
    with pytest.raises(ValueError, match="several sources"):
        unlabelled([images, other])


def test_the_same_seed_gives_the_same_bits(data):
    a, b = (AdImageClassifier(**{**SMALL, "augmentation": "standard"}).fit(*data) for _ in "ab")
    np.testing.assert_array_equal(a.predict_proba(data[0]), b.predict_proba(data[0]))


def test_a_folder_and_a_pickle_give_the_same_classifier(fitted, data, tmp_path):
    expected = fitted.predict_proba(data[0])
    fitted.save(tmp_path / "run")
    for found in (AdImageClassifier.load(tmp_path / "run"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(found.predict_proba(data[0]), expected)
        assert found.classes_.dtype == fitted.classes_.dtype
        assert found.history_ == fitted.history_ and found.n_features_in_ == 192
        assert found.get_params()["epochs"] == 6
    (tmp_path / "run" / "images.json").write_text("{}")
    with pytest.raises(ValueError, match=r"images\.json is damaged"):
        AdImageClassifier.load(tmp_path / "run")
    schedule = AdImageClassifier(
        lr=schedules.Constant(0.1), augmentation=Augmentation(flip=True), **{
            k: v for k, v in SMALL.items() if k != "lr"}).fit(*data)  # fmt: skip
    schedule.save(tmp_path / "other")
    found = AdImageClassifier.load(tmp_path / "other")
    assert found.lr == schedules.Constant(0.1) and found.augmentation["flip"] is True
    assert found.fit(*data).n_iter_ == 6


def test_training_goes_on(data):
    x, t = data
    classifier = AdImageClassifier(**{**SMALL, "epochs": 2, "warm_start": True}).fit(x, t)
    first = classifier.model_
    assert classifier.fit(x, t).model_ is first
    with pytest.raises(ValueError, match=r"the values \[7\], which are none of the classes"):
        classifier.fit(x, np.where(t == 2, 7, t))
    online = AdImageClassifier(**SMALL)
    online.partial_fit(x[t < 2], t[t < 2], classes=[0, 1, 2])
    for _ in range(8):
        online.partial_fit(x, t)
    assert online.classes_.tolist() == [0, 1, 2] and online.score(x, t) > 0.9


def test_held_out_images_stop_the_training(rng):
    x, t = drawn(rng, 240)
    noise = rng.integers(0, 3, 240)  # labels that nothing can be learned from
    classifier = AdImageClassifier(**{**SMALL, "epochs": 30, "validation_fraction": 0.25,
                                      "patience": 2}).fit(x, noise)  # fmt: skip
    assert classifier.n_iter_ < 30 and None not in classifier.history_["val_loss"]
    few = AdImageClassifier(**{**SMALL, "epochs": 1}).fit(x[:60], t[:60])
    assert few.history_["val_loss"] == [None]


def test_weights_of_classes_shift_the_predictions(rng):
    x, t = drawn(rng)
    noise = rng.integers(0, 256, x.shape).astype(np.uint8)  # nothing to tell them by
    means = []
    for weight in (None, {0: 20.0}, "balanced"):
        kept = np.concatenate([np.flatnonzero(t == 0)[:6], np.flatnonzero(t > 0)])
        own = AdImageClassifier(**SMALL, class_weight=weight).fit(noise[kept], t[kept])
        means.append(own.predict_proba(noise)[:, 0].mean())
    assert means[1] > 2 * means[0] and means[2] > means[0]


# one step of all images an epoch, and nothing that mixes a batch's images
WEIGHTED = {
    **SMALL, "model_options": {"widths": (4,), "dropout": 0.0, "batch_norm": False},
    "batch_size": 200, "warmup": 0.0, "epochs": 2, "warm_start": True,
}  # fmt: skip


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_a_weight_counts_as_repeated_images(class_weight, data, rng):
    x, t = data
    weight = rng.integers(1, 4, len(t))
    begun = AdImageClassifier(**WEIGHTED, class_weight=class_weight).fit(x, t)
    a, b = (pickle.loads(pickle.dumps(begun)) for _ in "ab")  # mean and std stay those of x
    a.fit(x, t, sample_weight=weight)
    b.fit(np.repeat(x, weight, axis=0), np.repeat(t, weight))
    np.testing.assert_allclose(a.predict_proba(x), b.predict_proba(x), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(a.history_["loss"], b.history_["loss"], rtol=1e-4)
    begun.fit(x, t)
    assert abs(begun.history_["loss"][0] - a.history_["loss"][0]) > 1e-4


def test_images_of_weight_0_are_left_out(data):
    x, t = data
    kept = np.arange(len(t)) % 4 > 0
    a = AdImageClassifier(**SMALL).fit(x, t, sample_weight=kept)
    b = AdImageClassifier(**SMALL).fit(x[kept], t[kept])
    np.testing.assert_array_equal(a.predict_proba(x), b.predict_proba(x))
    assert a.preparation_ == b.preparation_
    for own in (a, b):
        own.partial_fit(x, t, sample_weight=kept) if own is a else own.partial_fit(x[kept], t[kept])
    np.testing.assert_array_equal(a.predict_proba(x), b.predict_proba(x))


def test_weights_of_images_judge_the_held_out_ones(rng):
    x, t = drawn(rng, 240)
    wrong = np.where(t == 0, 1, t)  # class 1 is class 0's images too, which count for nothing there
    options = {**SMALL, "epochs": 4, "validation_fraction": 0.25}
    X, y = np.concatenate([x, x]), np.concatenate([t, wrong])
    weight = np.concatenate([np.ones(240), np.full(240, 1e-6)])
    losses = [AdImageClassifier(**options).fit(X, y, w).history_["val_loss"][-1]
              for w in (weight, None)]  # fmt: skip
    assert losses[0] < losses[1] / 2


def test_weights_that_do_not_fit_are_named(data):
    x, t = data
    for weight, message in (
        (np.ones(5), r"sample_weight has shape \(5,\); expected \(90,\)"),
        (np.zeros(90), "zero in all rows"),
        (-np.ones(90), "not negative"),
        (np.full(90, np.nan), "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            AdImageClassifier(**SMALL).fit(x, t, sample_weight=weight)
    request = AdImageClassifier().set_fit_request(sample_weight=True).get_metadata_routing()
    assert request.fit.requests == {"sample_weight": True}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "vgg"}, "model is 'vgg'; expected one of adimagecnn, resnet, mobilenet"),
        ({"model": 3}, "expected a name or a subclass"),
        ({"model_options": {"depth": 8}}, r"has no \['depth'\]"),
        ({"optimizer": "adam"}, "optimizer is 'adam'; expected one of adamw, sgd"),
        ({"lr": 0}, "lr is 0"),
        ({"augmentation": "strong"}, "augmentation is 'strong'"),
        ({"class_weight": {"hat": 2}}, "class_weight names 'hat'"),
        ({"size": 1}, "need images of 2 x 2 pixels or more"),
        ({"epochs": 0}, "epochs is 0"),
        ({"resize": "zoom"}, "zoom"),
    ],
)
def test_parameters_that_do_not_fit_are_named(options, message, data):
    with pytest.raises((ValueError, TypeError), match=message):
        AdImageClassifier(**{**SMALL, **options}).fit(*data)


def test_images_and_labels_that_do_not_fit_are_named(data, fitted):
    x, t = data
    for X, y, message in (
        (x, None, "requires y to be passed"),
        (x, t[:5], "inconsistent numbers of samples: X has 90, y has 5"),
        (x, np.zeros(90, int), r"only one class, \[0\]"),
        (x.reshape(90, -1), t, r"Reshape rows of pixels first"),
        (x, t + 0.5, "continuous"),
    ):
        with pytest.raises(ValueError, match=message):
            AdImageClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="Reshape rows of pixels"):
        fitted.predict(x.reshape(90, -1))
    assert issubclass(fastdl.AdImageClassifier, fastdl.estimators.conventions.Classifier)
