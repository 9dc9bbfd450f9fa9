"""Files of known data sets, and generated ads."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from conftest import SHARED

from fastdl.data.images import (
    generate_ads,
    load_cifar10,
    load_fashion_mnist,
    load_mnist,
    load_npz,
)
from fastdl.data.images.mnist import DIGITS
from fastdl.options import options_from
from fastdl.vision.job import ImageJob
from fastdl.vision.sources import data_of


# ---------------------------------------------------------------------------- MNIST
@pytest.fixture(scope="module")
def digits():
    """Pixels and labels of 60,000 + 10,000 images, most of them blank."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, rows in (("train", 60_000), ("t10k", 10_000)):
        pixels = np.zeros((rows, 28, 28), np.uint8)
        pixels[:50] = rng.integers(0, 256, (50, 28, 28))
        parts[part] = pixels, (np.arange(rows) % 10).astype(np.uint8)
    return parts


def write_idx(folder, digits, compressed=()):
    for part, (pixels, labels) in digits.items():
        for kind, array, dimensions in (("images", pixels, 3), ("labels", labels, 1)):
            name = f"{part}-{kind}-idx{dimensions}-ubyte"
            header = struct.pack(f">{1 + dimensions}i", 0x800 + dimensions, *array.shape)
            content = header + array.tobytes()
            if part in compressed:
                name, content = f"{name}.gz", gzip.compress(content, 1)
            (folder / name).write_bytes(content)


def test_mnist_files_plain_and_compressed(tmp_path, digits):
    write_idx(tmp_path, digits, ["t10k"])
    for load, first in ((load_mnist, "0"), (load_fashion_mnist, "T-shirt/top")):
        train, test = load(tmp_path)
        assert train.classes[0] == first and train.image_shape == test.image_shape == (1, 28, 28)
        for found, (pixels, labels) in zip((train, test), digits.values(), strict=True):
            np.testing.assert_array_equal(found.load(slice(60), channels=1)[:, 0], pixels[:60])
            np.testing.assert_array_equal(found.labels, labels)


def test_a_command_tells_mnist_from_fashion_mnist(tmp_path, digits):
    folder = tmp_path / "FashionMNIST" / "raw"  # as torchvision leaves it
    folder.mkdir(parents=True)
    write_idx(folder, digits)
    plain = tmp_path / "mnist"
    plain.symlink_to(folder)
    kuzushiji = "o,ki,su,tsu,na,ha,ma,ya,re,wo"
    asked = [({"data": str(folder)}, "T-shirt/top"), ({"data": str(plain)}, "T-shirt/top"),
             ({"data": str(folder), "class_names": kuzushiji}, "o")]  # fmt: skip
    for options, first in asked:
        for part in data_of(options_from(ImageJob, options, "here")):
            assert part.classes[0] == first
    plain.unlink()
    folder.rename(plain)
    assert data_of(ImageJob(data=str(plain)))[0].classes == DIGITS
    with pytest.raises(ValueError, match="the label 2; expected one of the 2 classes a, b"):
        data_of(ImageJob(data=str(plain), class_names=("a", "b")))


def test_class_names_are_of_numbers_only(tmp_path, rng):
    x, y = rng.integers(0, 255, (40, 4, 4, 3)).astype(np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    job = options_from(ImageJob, {"data": str(tmp_path / "a.npz"), "class_names": ["bag", "hat"]},
                       "here")  # fmt: skip
    assert data_of(job)[1].counts() == {"bag": 20, "hat": 20}
    for data in (None, str(tmp_path)):
        with pytest.raises(ValueError, match="class_names is a, b, but the classes of"):
            data_of(ImageJob(data=data, class_names=("a", "b")))
    for names, error in (
        ("a", ValueError),
        ("a,a", ValueError),
        ("a,,b", ValueError),
        (3, TypeError),
    ):
        with pytest.raises(error, match="class_names is"):
            options_from(ImageJob, {"class_names": names}, "here")


def test_bad_mnist_files(tmp_path, digits):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        load_mnist(tmp_path)
    write_idx(tmp_path, digits)
    name = tmp_path / "t10k-images-idx3-ubyte"
    content = name.read_bytes()
    for broken, message in ((content[:-1], "cut off"), (content + b"0", "7,840,001 values"),
                            (b"<html>" + content[6:], "3c68746d"), (b"", "begins with nothing"),
                            (content[:7] + b"\0" + content[8:], r"shape is \[9984, 28, 28\]"),
                            ((tmp_path / "t10k-labels-idx1-ubyte").read_bytes(), "00000801"),
                            ):  # fmt: skip
        name.write_bytes(broken)
        with pytest.raises(ValueError, match=message) as caught:
            load_mnist(tmp_path)
        assert "t10k-images" in str(caught.value)
    name.unlink()
    for broken in (b"no gzip", gzip.compress(content, 1)[:-2000]):
        name.with_name(f"{name.name}.gz").write_bytes(broken)
        with pytest.raises(ValueError, match="gzip"):
            load_mnist(tmp_path)


# ---------------------------------------------------------------------------- CIFAR-10
def test_cifar10_files(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.zeros((10_000, 3073), np.uint8)
    records[:, 0] = np.arange(10_000) % 10
    records[:20, 1:] = rng.integers(0, 256, (20, 3072))
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for i, name in enumerate(names):
        (folder / name).write_bytes(np.roll(records, i, axis=0).tobytes())
    train, test = load_cifar10(tmp_path)
    assert (len(train), len(test), train.image_shape) == (50_000, 10_000, (3, 32, 32))
    pixels = records[:20, 1:].reshape(20, 3, 32, 32)
    np.testing.assert_array_equal(train.load(slice(20)), pixels)
    np.testing.assert_array_equal(test.load(np.arange(5, 25)), pixels)
    assert train.classes[train.labels[3]] == "cat"
    records[7, 0] = 10
    (folder / names[2]).write_bytes(records.tobytes())
    with pytest.raises(ValueError, match="image 7 has the label 10"):
        load_cifar10(tmp_path)
    (folder / names[2]).write_bytes(records.tobytes()[:-1])
    with pytest.raises(ValueError, match="30,729,999 bytes; expected 30,730,000"):
        load_cifar10(tmp_path)
    (folder / names[2]).unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_3.bin"):
        load_cifar10(folder)


def test_pickled_cifar10_is_refused(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz"):
        load_cifar10(tmp_path)


# ---------------------------------------------------------------------------- npz
def test_npz_files(tmp_path):
    path, pixels = tmp_path / "a.npz", np.zeros((6, 5, 5), np.uint8)
    labels = np.array([7, 3, 7, 3, 9, 9])
    np.savez(path, train_images=pixels, train_labels=labels, images_val=pixels, labels_val=labels)
    train, test = load_npz(path)
    assert train.classes == test.classes == ("3", "7", "9")
    assert train.labels.tolist() == test.labels.tolist() == [1, 0, 1, 0, 2, 2]
    np.savez(path, x_train=pixels, y_train=labels)
    with pytest.raises(ValueError, match=r"has the arrays .*; expected one named such as x_test"):
        load_npz(path)
    np.savez(path, x_train=np.array([{}], object))
    with pytest.raises(ValueError, match="pickled objects"):
        load_npz(path)
    path.write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"a.npz is damaged"):
        load_npz(path)
    np.save(tmp_path / "b.npy", pixels)
    with pytest.raises(ValueError, match="one array"):
        load_npz(tmp_path / "b.npy")
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "absent.npz")


def test_real_photographs():
    path = SHARED / "data" / "images" / "cifar10_12k.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    train, test = load_npz(path)
    assert (len(train), len(test), train.image_shape) == (10_000, 2_000, (3, 32, 32))
    assert train.classes[train.labels[0]] in train.classes and set(train.counts()) == {
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    }  # fmt: skip
    with np.load(path) as file:
        np.testing.assert_array_equal(test.load(slice(5)), file["x_test"][:5].transpose(0, 3, 1, 2))


# ---------------------------------------------------------------------------- ads
def test_an_ad_follows_from_seed_and_number_alone():
    ads = generate_ads(60, size=48, seed=3)
    few = generate_ads(20, size=48, seed=3)
    np.testing.assert_array_equal(ads.labels[:20], few.labels)
    np.testing.assert_array_equal(ads.load([17, 3]), few[[17, 3]].load())
    other = generate_ads(20, size=48, seed=4)
    assert not np.array_equal(other.labels, few.labels)
    assert not np.array_equal(other.load([0]), few.load([0]))
    for labels, classes in (("layout", 7), ("action", 5)):
        same = generate_ads(20, size=48, seed=3, labels=labels)
        np.testing.assert_array_equal(same.load([5]), few.load([5]))
        assert len(same.classes) == classes == len(set(generate_ads(200, labels=labels).labels))
    assert ads.load([0], size=24, channels=1).shape == (1, 1, 24, 24)
    assert set(generate_ads(200).counts().values()).isdisjoint({0})


def test_ads_of_some_layouts():
    wanted = ["top", "centre"]
    ads = generate_ads(60, size=32, seed=3, difficulty=0, layouts=wanted, labels="layout")
    assert ads.classes == ("top", "centre")
    assert set(ads.labels) == {0, 1}
    tall = {"top": (0.02, 0.6), "centre": (0.17, 0.79)}
    for layout, (first, last) in tall.items():  # the product covers the middle of its box
        own = generate_ads(80, size=64, seed=5, difficulty=0, layouts=[layout], labels="layout")
        varied = own.load(channels=1).std(axis=0)[0, :, 24:40].mean(axis=1)
        middle = int(64 * (first + last) / 2)
        assert varied[middle - 8 : middle + 8].min() > 40, (layout, varied)


def test_ads_become_harder():
    """Products told apart by kernel ridge regression on grey pixels; chance is 0.1."""
    accuracy = []
    for difficulty in (0.0, 0.5, 1.0):
        ads = generate_ads(700, size=24, seed=1, difficulty=difficulty)
        x = ads.load(channels=1).reshape(700, -1) / 255
        squares = (x**2).sum(axis=1)
        near = np.exp(-(squares[:, None] + squares - 2 * x @ x.T) / 40)
        t = np.eye(10)[ads.labels]
        weight = np.linalg.solve(near[:500, :500] + 0.1 * np.eye(500), t[:500])
        found = np.argmax(near[500:, :500] @ weight, axis=1)
        accuracy.append(np.mean(found == ads.labels[500:]))
    assert accuracy[0] > 0.9 and accuracy[0] > accuracy[1] + 0.1 and accuracy[1] > 0.4
    assert accuracy[1] > accuracy[2] + 0.1


@pytest.mark.parametrize(
    "options",
    [
        {"rows": 0}, {"size": 8}, {"difficulty": 2}, {"labels": "x"}, {"seed": -1},
        {"layouts": ["middle"]}, {"layouts": []}, {"layouts": "centre"},
    ],
)  # fmt: skip
def test_ads_that_cannot_be_drawn(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        generate_ads(**{"rows": 5, **options})
