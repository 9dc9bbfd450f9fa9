"""Streams of images: batches that follow from the seed, decoded once, trained and validated on."""

from __future__ import annotations

import tempfile
from collections import Counter

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image

import fastdl
from fastdl import Dense, Layer, Sequential, SoftmaxCrossEntropy
from fastdl.data.images import (
    ImageSet,
    ImageStream,
    channel_statistics,
    class_weights,
    load_npz,
    read_images,
)

ALL = {"flip": True, "shift": 0.2, "crop": 0.5, "rotation": 20, "brightness": 0.2, "contrast": 0.2,
       "saturation": 0.2, "cutout": 0.3, "mixup": 0.4, "label_smoothing": 0.1}  # fmt: skip


class Flat(Layer):
    def forward(self, x):
        self.shape = x.shape
        return np.ascontiguousarray(x.reshape(len(x), -1))

    def backward(self, dout):
        return dout.reshape(self.shape)


def network(inputs, classes=3):
    return Sequential(Flat(), Dense(inputs, classes), loss=SoftmaxCrossEntropy)


@pytest.fixture
def images(rng):
    """50 images of 3 classes; class c is brighter by 60 c."""
    labels = np.arange(50) % 3
    pixels = rng.integers(0, 100, (50, 8, 8, 3)) + 60 * labels[:, None, None, None]
    return ImageSet.from_arrays(pixels.astype(np.uint8), labels)


@pytest.fixture
def folder(tmp_path, images):
    pixels = images.load().transpose(0, 2, 3, 1)
    for i, label in enumerate(images.labels):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        Image.fromarray(pixels[i]).save(tmp_path / str(label) / f"{i:02d}.png")
    return tmp_path


def batches(stream, epoch=0, seed=3, batch=8, first=0):
    """Every batch of an epoch from a row on, as the Trainer takes them."""
    found = []
    for window in stream.windows(epoch, seed, batch, first):
        start = max(first, window.start)
        assert window.start % batch == 0
        found += [window.take(i, batch) for i in range(start, window.stop, batch)]
    return found


def same(a, b):
    return len(a) == len(b) and all(
        x.x.tobytes() == y.x.tobytes() and x.t.tobytes() == y.t.tobytes()
        and (x.weight is None or x.weight.tobytes() == y.weight.tobytes())
        for x, y in zip(a, b, strict=True)
    )  # fmt: skip


# ---------------------------------------------------------------------------- batches
def test_an_epoch_has_every_row_once_in_a_new_order(images):
    stream = ImageStream(images, mean=0, std=1)
    expected = Counter(row.tobytes() for row in images.load().transpose(0, 2, 3, 1))
    orders = []
    for epoch in range(2):
        rows = batches(stream, epoch)
        assert [len(r) for r in rows] == [8] * 6 + [2]
        x = np.concatenate([r.x for r in rows])
        assert x.dtype == np.float32 and rows[0].x.transpose(0, 2, 3, 1).flags.c_contiguous
        pixels = np.rint(x.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        assert Counter(row.tobytes() for row in pixels) == expected
        t = np.concatenate([r.t for r in rows])
        bright = np.clip((x.mean(axis=(1, 2, 3)) * 255 - 20) // 60, 0, 2)
        np.testing.assert_array_equal(np.argmax(t, axis=1), bright)
        orders.append(x)
    assert not np.array_equal(*orders)


@pytest.mark.parametrize("keep", ["memory", "disk", "nowhere"])
def test_batches_follow_from_epoch_and_seed_alone(images, folder, keep, monkeypatch):
    options = {"mean": 0.5, "std": 0.25, "augmentation": ALL, "class_weight": "balanced"}
    stream = ImageStream(images, **options)
    first = batches(stream, 1)
    assert not same(first, batches(stream, 1, seed=4)) and not same(first, batches(stream, 2))
    files = read_images(folder)
    order = np.argsort([int(name[-6:-4]) for name in files.names])
    from_files = ImageStream(files[order], keep=keep, **options)
    assert same(batches(from_files, 1), first)
    monkeypatch.setattr("fastdl.data.images.threads.MOST", 1)
    monkeypatch.setattr("fastdl.data.images.stream._WINDOW_BYTES", 30_000)
    small = ImageStream(files[order], keep=keep, **options)
    assert same(batches(small, 1), first)
    for row in (8, 24, 48):
        assert same(batches(small, 1, first=row), first[row // 8 :])


def test_images_are_decoded_once_if_there_is_room(images, folder, monkeypatch):
    decoded = []
    load = ImageSet.load

    def counted(self, rows=None, *options, **more):
        decoded.append(len(rows))
        return load(self, rows, *options, **more)

    monkeypatch.setattr(ImageSet, "load", counted)
    files = read_images(folder)
    for keep, times in (("memory", 1), ("disk", 1), ("nowhere", 3)):
        decoded.clear()
        stream = ImageStream(files, mean=0, std=1, keep=keep)
        for epoch in range(2):
            batches(stream, epoch)
        list(stream.blocks())
        assert sum(decoded) == 50 * times, keep
    decoded.clear()
    stream = ImageStream(files, mean=0, std=1, memory_bytes=50 * 8 * 8 * 3 - 1)
    for epoch in range(2):
        batches(stream, epoch)
    assert sum(decoded) == 100
    decoded.clear()
    batches(ImageStream(images, mean=0, std=1))
    assert decoded == []  # arrays of the wanted size are taken as they are


def test_a_full_disk_is_told_before_training(folder, monkeypatch):
    import os

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=f"need 0 MB in {tempfile.gettempdir()}.*TMPDIR"):
        ImageStream(read_images(folder), mean=0, std=1, keep="disk")


def test_blocks_are_the_images_themselves_in_their_order(images, monkeypatch):
    monkeypatch.setattr("fastdl.memory.INPUT_BYTES", 10 * 8 * 8 * 3 * 4)
    stream = ImageStream(images, augmentation=ALL, mean=[0.1, 0.2, 0.3], std=0.5)
    blocks = list(stream.blocks())
    assert [len(block) for block in blocks] == [10] * 5
    x = np.concatenate([block.x for block in blocks])
    mean = np.array([0.1, 0.2, 0.3])[:, None, None]
    np.testing.assert_allclose(x, (images.load() / 255 - mean) / 0.5, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate([b.t for b in blocks]), np.eye(3)[images.labels])
    unlabelled = ImageSet.from_arrays(images.load())
    other = stream.evaluating(unlabelled)
    assert next(other.blocks()).t.shape == (10, 0) and other.settings() == stream.settings()
    with pytest.raises(ValueError, match="no labels"):
        next(other.windows(0, 0, 8))


def test_smoothing_mixup_and_weights(images):
    smooth = np.concatenate(
        [r.t for r in batches(ImageStream(images, augmentation={"label_smoothing": 0.3}))]
    )
    np.testing.assert_allclose(np.sort(smooth)[0], [0.1, 0.1, 0.8], rtol=1e-6)
    plain = batches(ImageStream(images, mean=0, std=1, class_weight={"1": 5, "2": 0}))
    mixed = batches(
        ImageStream(images, mean=0, std=1, class_weight={"1": 5, "2": 0}, augmentation={"mixup": 1})
    )
    several = 0
    for a, b in zip(plain, mixed, strict=True):
        np.testing.assert_array_equal(a.weight, a.t @ [1.0, 5.0, 0.0])
        np.testing.assert_allclose(b.weight, b.t @ [1.0, 5.0, 0.0], rtol=1e-5)
        np.testing.assert_allclose(b.t.sum(axis=1), 1, rtol=1e-6)
        several += int((b.t.max(axis=1) < 0.99).sum())
        for i in range(len(b)):  # mixed images and mixed targets are of the same share
            errors = [
                np.abs(b.x[i] - s * a.x[i] - (1 - s) * a.x[j]).max()
                for j in range(len(a)) for s in [_share(a, b, i, j)] if s is not None
            ]  # fmt: skip
            assert not errors or min(errors) < 1e-5 or (a.t[i] == b.t[i]).all()
    assert several > 15


def _share(a, b, i, j):
    own, other = np.argmax(a.t[i]), np.argmax(a.t[j])
    return None if own == other else float(b.t[i, own])


def test_arrays_that_must_not_be_written_and_the_other_backend(images):
    stream = ImageStream(images, augmentation=ALL)
    locked = images.load().transpose(0, 2, 3, 1)
    locked.flags.writeable = False
    other = ImageStream(ImageSet.from_arrays(locked, images.labels), augmentation=ALL)
    assert same(batches(stream), batches(other))
    with fastdl.use_backend("numpy"):
        slow = batches(other)
    for a, b in zip(batches(stream), slow, strict=True):
        np.testing.assert_allclose(a.x, b.x, atol=1e-4)


# ---------------------------------------------------------------------------- statistics
def test_channel_statistics_are_exact(images):
    pixels = images.load().astype(np.float64) / 255
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=(0, 2, 3)), rtol=1e-6)
    stream = ImageStream(images)
    np.testing.assert_array_equal(stream.mean, mean)
    some, _ = channel_statistics(images, most=10)
    assert not np.array_equal(some, mean) and np.abs(some - mean).max() < 0.2
    again = ImageStream(images, **stream.settings())
    assert same(list(stream.blocks()), list(again.blocks()))


def test_class_weights_are_those_of_scikit_learn(rng):
    from sklearn.utils.class_weight import compute_class_weight

    labels = rng.integers(0, 4, 100) ** 2 // 3
    found = class_weights(labels, ("a", "b", "c", "d"), "balanced")
    present = np.unique(labels)
    expected = compute_class_weight("balanced", classes=present, y=labels)
    np.testing.assert_allclose(found[present], expected)
    assert class_weights(labels, ("a", "b"), None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [({"keep": "odd"}, "keep"), ({"fit": "odd"}, "fit"), ({"channels": 2}, "channels"),
     ({"std": 0}, "std"), ({"mean": [1, 2]}, "mean has shape"), ({"class_weight": "odd"}, "balanc"),
     ({"class_weight": {"x": 1}}, "names 'x'"), ({"class_weight": {"1": -1}}, "class_weight"),
     ({"class_weight": {"0": 0, "1": 0, "2": 0}}, "weight 0"), ({"augmentation": 3}, "preset"),
     ({"size": -1}, "size")],
)  # fmt: skip
def test_options_that_do_not_fit(images, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ImageStream(images, **options)


def test_a_set_without_images(images):
    with pytest.raises(ValueError, match="no images"):
        ImageStream(images[:0], 8)


# ---------------------------------------------------------------------------- training
def test_training_on_a_stream_is_training_on_its_batches(images):
    """The first steps through the Trainer, and by hand on the same batches with their weights."""
    stream = ImageStream(images, augmentation=ALL, class_weight="balanced")
    mine, other = network(192), network(192)
    for a, b in zip(mine.parameters().values(), other.parameters().values(), strict=True):
        b[...] = a
    trainer = fastdl.Trainer(mine, fastdl.SGD(0.01))
    seed = int(np.random.default_rng(5).integers(1 << 31))
    trainer.train(stream, epochs=1, batch_size=8, rng=np.random.default_rng(5), verbose=False,
                  loss_at="before")  # fmt: skip
    optimizer, losses = fastdl.SGD(0.01), []
    for rows in batches(stream, 0, seed)[:6]:
        grads = other.gradient(rows.x, rows.t, rows.weight)
        losses.append(other.latest_loss)
        optimizer.update(other.parameters(), grads)
    np.testing.assert_array_equal(trainer.loss_history, losses)


def test_resumed_in_the_middle_of_an_epoch_to_equal_bits(images, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("fastdl.data.images.stream._WINDOW_BYTES", 30_000)

    def train(callbacks=(), **options):
        np.random.seed(1)
        net = network(192)
        stream = ImageStream(read_images(folder), augmentation=ALL, class_weight="balanced")
        trainer = fastdl.Trainer(net, fastdl.Adam(0.01))
        trainer.train(
            stream,
            None,
            stream.evaluating(images),
            epochs=3,
            batch_size=8,
            rng=np.random.default_rng(2),
            verbose=False,
            callbacks=callbacks,
            **options,
        )
        return np.concatenate([p.ravel() for p in net.parameters().values()]), trainer.history

    class Stop(fastdl.Callback):
        def next_step(self, step):
            return step + 1

        def on_steps(self, run):
            if run.step == 10:
                run.save(tmp_path / "step.safetensors")
                raise KeyboardInterrupt

    whole, history = train([fastdl.Callback()])
    with pytest.raises(KeyboardInterrupt):
        train([Stop()])

    class Go(Stop):
        def on_steps(self, run):
            pass

    Go.__name__ = "Stop"
    found, again = train([Go()], resume=tmp_path / "step.safetensors")
    np.testing.assert_array_equal(found, whole)
    assert again["val_loss"] == history["val_loss"]


def test_validation_on_a_stream_is_that_on_arrays(images, monkeypatch):
    stream = ImageStream(images, class_weight="balanced")
    net = network(192)
    block = next(stream.blocks())  # of all images
    monkeypatch.setattr("fastdl.memory.INPUT_BYTES", 10 * 8 * 8 * 3 * 4)
    found = fastdl.evaluation.evaluate(net, stream, None)
    expected = fastdl.evaluation.evaluate(net, block.x, block.t, block.weight)
    np.testing.assert_allclose(found[:2], expected[:2], rtol=1e-12)
    np.testing.assert_allclose(found[0], net.loss(block.x, block.t, block.weight), rtol=1e-6)
    assert found[2] is None


def test_streams_that_do_not_fit(images):
    stream = ImageStream(images)
    trainer = fastdl.Trainer(network(192), fastdl.Adam())
    with pytest.raises(ValueError, match="leave t_train"):
        trainer.train(stream, images.labels)
    with pytest.raises(ValueError, match="leave t_val"):
        trainer.train(stream, None, stream, images.labels)
    with pytest.raises(ValueError, match=r"t has shape \(8, 3\)"):
        fastdl.Trainer(network(192, 4), fastdl.Adam()).train(stream, batch_size=8)


def test_a_damaged_file_ends_training_with_its_name(folder):
    path = folder / "1" / "01.png"
    path.write_bytes(path.read_bytes()[:-30])
    files = read_images(folder)
    trainer = fastdl.Trainer(network(192), fastdl.Adam())
    with pytest.raises(ValueError, match=r"01.png is damaged"):
        trainer.train(ImageStream(files, mean=0, std=1), epochs=1, verbose=False)
    files = read_images(folder, on_error="skip")
    trainer.train(ImageStream(files), epochs=1, verbose=False)
    assert len(files) == 49 and len(trainer.loss_history) == 1


def test_real_digits_are_learnt_from_a_stream():
    path = SHARED / "data" / "images" / "mnist.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    train, test = load_npz(path)
    stream = ImageStream(train[:12_000], channels=1, augmentation={"shift": 0.04})
    np.testing.assert_allclose([stream.mean[0], stream.std[0]], [0.1307, 0.3081], atol=0.003)
    trainer = fastdl.Trainer(network(784, 10), fastdl.Adam(0.003))
    validation = stream.evaluating(test[:2000])
    trainer.train(stream, None, validation, epochs=2, batch_size=64, verbose=False)
    assert trainer.history["val_accuracy"][-1] > 0.86
