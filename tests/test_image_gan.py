"""AdImageGAN: scikit-learn's conventions, all kinds of X and y, files, judging."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import fastdl
from fastdl import AdImageGAN
from fastdl.callbacks import Checkpoint
from fastdl.data.images import ImageSet

SMALL = {"width": 4, "latent": 6, "epochs": 2, "batch_size": 16, "random_state": 0}
NAMES = np.array(["bag", "lamp", "shoe"])


def drawn(rng, rows=120, channels=3):
    """uint8 (rows, 28, 28, channels): classes by which channel, or which level, is bright."""
    t = np.arange(rows) % 3
    x = rng.integers(0, 60, (rows, 28, 28, channels))
    for row, label in enumerate(t):
        if channels == 1:
            x[row] += 60 * label
        else:
            x[row, :, :, label] += 150
    return x.astype(np.uint8), t


@pytest.fixture(scope="module")
def data():
    return drawn(np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(data):
    return AdImageGAN(**SMALL).fit(data[0], NAMES[data[1]])


def test_samples_are_pixels_of_the_classes(fitted):
    assert fitted.classes_.tolist() == NAMES.tolist() and fitted.n_iter_ == 2
    assert set(fitted.history_) >= {"epoch", "loss_d", "loss_g", "real", "fake"}
    found = fitted.sample(4, "shoe", random_state=1)
    assert found.shape == (4, 28, 28, 3) and found.dtype == np.uint8
    np.testing.assert_array_equal(found, fitted.sample(4, "shoe", random_state=1))
    assert (found != fitted.sample(4, "shoe", random_state=2)).any()
    assert (found != fitted.sample(4, "bag", random_state=1)).any()
    every = fitted.sample(6, random_state=1)
    z = fitted.draw(6, 1)
    for label, name in enumerate(NAMES):
        own = fitted.generate(z, name)
        np.testing.assert_array_equal(every[label::3], own[label::3])
    assert isinstance(fitted.model_, fastdl.DCGAN) and fitted.kind_.size == 28


def test_interpolations_go_from_one_image_to_the_other(fitted):
    a, b = fitted.draw(2, 3)
    found = fitted.interpolate(a, b, 5, "lamp")
    assert found.shape == (5, 28, 28, 3)
    ends = fitted.generate(np.stack([a, b]), "lamp")
    np.testing.assert_allclose(found[[0, -1]].astype(int), ends.astype(int), atol=1)
    steps = np.abs(np.diff(found.astype(float), axis=0)).mean(axis=(1, 2, 3))
    whole = np.abs(ends[0].astype(float) - ends[1]).mean()
    assert steps.max() < whole  # no jump
    np.testing.assert_array_equal(fitted.interpolate(a, b, 3), fitted.interpolate(a, b, 3, "bag"))
    with pytest.raises(ValueError, match=r"b has shape \(2,\); expected \(6,\)"):
        fitted.interpolate(a, [1.0, 2.0])


def test_grey_images_have_the_shape_they_came_in(rng):
    x, _ = drawn(rng, channels=1)
    found = []
    for X in (x[..., 0], x, x.transpose(0, 3, 1, 2), x[..., 0] / 255):
        gan = AdImageGAN(**{**SMALL, "epochs": 1}).fit(X)
        found.append(gan.sample(2, random_state=0))
        assert found[-1].shape == (2, 28, 28) and not len(gan.classes_)
        np.testing.assert_array_equal(found[-1], found[0])
    with pytest.raises(ValueError, match="trained without classes"):
        gan.sample(2, "bag")


def test_labels_may_be_left_aside_and_numbers(data):
    x, t = data
    without = AdImageGAN(**{**SMALL, "epochs": 1, "classes": "none"}).fit(x, t)
    assert without.model_.classes == 0
    with_numbers = AdImageGAN(**{**SMALL, "epochs": 1}).fit(x, t + 5)
    assert with_numbers.classes_.tolist() == [5, 6, 7]
    assert with_numbers.sample(2, 6).shape == (2, 28, 28, 3)
    with pytest.raises(ValueError, match="The class '9' was not trained; the GAN makes: 5, 6, 7"):
        with_numbers.sample(2, 9)
    images = ImageSet.from_arrays(x, NAMES[t])
    own = AdImageGAN(**{**SMALL, "epochs": 1}).fit(images)
    assert own.classes_.tolist() == NAMES.tolist()


def test_folders_are_taken(tmp_path, data, fitted):
    x, t = data
    for i, (pixels, label) in enumerate(zip(x, t, strict=True)):
        folder = tmp_path / "classes" / NAMES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i:03d}.png")
    gan = AdImageGAN(**{**SMALL, "epochs": 1}).fit(tmp_path / "classes")
    assert gan.classes_.tolist() == NAMES.tolist()
    paths = sorted((tmp_path / "classes").rglob("*.png"))
    flat = AdImageGAN(**{**SMALL, "epochs": 1}).fit([str(path) for path in paths])
    assert not len(flat.classes_) and flat.sample(1).shape == (1, 28, 28, 3)


def test_the_same_seed_gives_the_same_bits(data, fitted):
    again = AdImageGAN(**SMALL).fit(data[0], NAMES[data[1]])
    np.testing.assert_array_equal(again.sample(3, random_state=0), fitted.sample(3, random_state=0))
    assert clone(fitted).get_params() == fitted.get_params()
    assert repr(fitted).startswith("AdImageGAN(latent=6, width=4, epochs=2")


def test_a_folder_and_a_pickle_give_the_same_gan(fitted, tmp_path):
    expected = fitted.sample(4, "lamp", random_state=5)
    fitted.save(tmp_path / "run")
    for found in (AdImageGAN.load(tmp_path / "run"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(found.sample(4, "lamp", random_state=5), expected)
        assert found.classes_.dtype == fitted.classes_.dtype and found.n_iter_ == 2
        assert found.history_ == fitted.history_
        assert found.get_params()["width"] == 4
        with pytest.raises(ValueError, match="has no images that it learned from"):
            found.judge(np.zeros((4, 28, 28)))
    from commands import run

    out = tmp_path / "new"
    assert run("generate", "--model", tmp_path / "run", "--count", 2, "--class", "bag",
               "--out", out) == 0  # fmt: skip
    assert len(list(out.iterdir())) == 2
    (tmp_path / "run" / "generator.json").write_text("{}")
    with pytest.raises(ValueError, match=r"generator\.json is damaged"):
        AdImageGAN.load(tmp_path / "run")


def test_training_goes_on_from_a_checkpoint(data, fitted, tmp_path):
    labels = NAMES[data[1]]
    half = AdImageGAN(**{**SMALL, "epochs": 1})
    half.fit(data[0], labels, callbacks=[Checkpoint(tmp_path)])
    whole = AdImageGAN(**SMALL)
    whole.fit(data[0], labels, callbacks=[Checkpoint(tmp_path)], resume=tmp_path)
    assert whole.n_iter_ == 2
    np.testing.assert_array_equal(whole.sample(3, random_state=0), fitted.sample(3, random_state=0))


def test_held_out_images_judge(fitted, monkeypatch):
    monkeypatch.setattr("fastdl.generation.judged._EPOCHS", (2, 2))
    x, t = drawn(np.random.default_rng(9), 280)
    found = fitted.judge(x, NAMES[t], count=280)
    assert found["frechet"] > 0 and found["kernel"] > found["kernel_floor"]
    assert found == fitted.judge(x, NAMES[t], count=280)
    own = {name: found[name] for name in ("precision", "recall", "coverage")}
    assert all(0 <= value <= 1 for value in own.values())
    assert hasattr(fitted, "features_")
    assert fitted.score(x, NAMES[t]) < 0
    with pytest.raises(ValueError, match="Half of X are 30 images; a Fréchet distance needs more"):
        fitted.score(x[:60], NAMES[t[:60]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 30}, "size is 30; the networks make square images of 28, 32, 64 pixels"),
        ({"loss": "sharp"}, "loss is 'sharp'"),
        ({"classes": "some"}, "classes is 'some'; expected one of auto, none"),
        ({"latent": 0}, "latent is 0"),
        ({"average": 1.0}, "average is 1"),
        ({"lr": 0}, "lr is 0"),
        ({"beta1": -0.1}, "beta1 is -0.1"),
        ({"augment": 3}, "augment is 3"),
        ({"resize": "zoom"}, "zoom"),
    ],
)
def test_parameters_that_do_not_fit_are_named(options, message, data):
    with pytest.raises((ValueError, TypeError), match=message):
        AdImageGAN(**{**SMALL, **options}).fit(*data)


def test_images_that_do_not_fit_are_named(data, fitted):
    x, t = data
    for X, y, message in (
        (x[:60], t[:60], "There are 60 images; a GAN needs 100 or more"),
        (np.repeat(x[:1], 120, axis=0), None, "All 120 training images are the same image"),
        (np.repeat(x[:5], 24, axis=0), None, "All 120 training images are copies of 5 images"),
        (x.reshape(120, -1), None, "Reshape rows of pixels first"),
        (x, t[:5], "inconsistent numbers of samples"),
        (x, np.where(np.arange(120) < 4, 1, 0), r"The class '1' \(4\) has too few images"),
    ):
        with pytest.raises(ValueError, match=message):
            AdImageGAN(**SMALL).fit(X, y)
    with pytest.raises(NotFittedError):
        AdImageGAN().sample(1)
    with pytest.raises(ValueError, match="The class 'hat' was not trained"):
        fitted.sample(1, "hat")
