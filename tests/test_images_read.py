"""Image sets from folders, CSV files and arrays: what is found, and what is refused."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from PIL import Image

from fastdl.data.images import ImageSet, find_images, read_images, split_images
from fastdl.data.images.faults import skipped_images
from fastdl.data.images.split import stratified_rows


@pytest.fixture
def folder(tmp_path):
    """Two classes of three images each; image i of class c is filled with 50 c + i."""
    for c, name in enumerate(("bag", "shoe")):
        (tmp_path / "ads" / name / "deep").mkdir(parents=True)
        for i in range(3):
            place = tmp_path / "ads" / name / ("deep" if i == 2 else ".") / f"{i}.png"
            Image.new("RGB", (6 + i, 6), (50 * c + i,) * 3).save(place)
    return tmp_path / "ads"


def values(images):
    return images.load(size=4)[:, 0, 0, 0].tolist()


# ---------------------------------------------------------------------------- folders
def test_a_folder_for_each_class(folder):
    images = read_images(folder)
    assert images.classes == ("bag", "shoe") and images.counts() == {"bag": 3, "shoe": 3}
    assert images.labels.dtype == np.int64 and images.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert values(images) == [0, 1, 2, 50, 51, 52]
    assert images.names[2].endswith(os.path.join("bag", "deep", "2.png"))
    assert images.image_shape is None and images[[0, 3]].image_shape == (3, 6, 6)
    with pytest.raises(ValueError, match="several sizes"):
        images.load()
    part = images[[5, 0]]
    assert values(part) == [52, 0] and part.source is images.source
    assert values(part[1:]) == [0] and len(images[:0]) == 0


def test_what_systems_leave_is_passed_over(folder):
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "bag" / "Thumbs.db").write_bytes(b"x")
    (folder / "bag" / ".hidden.png").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / "notes.md").write_text("not an image, and not in a class")
    assert len(read_images(folder)) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_loops_of_links_end(folder):
    (folder / "bag" / "deep" / "again").symlink_to(folder / "bag", target_is_directory=True)
    assert len(read_images(folder)) == 6
    (folder / "bag" / "gone.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(FileNotFoundError, match=r"gone.png"):
        read_images(folder)
    assert read_images(folder, on_error="skip").skipped.rows == 1


def test_folders_that_cannot_be_used(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder or file"):
        read_images(tmp_path / "absent")
    (folder / "watch").mkdir()
    with pytest.raises(ValueError, match=r"class folder .*watch has no images"):
        read_images(folder)
    with pytest.raises(ValueError, match="has no folders, but no images"):
        read_images(folder / "watch")
    with pytest.raises(ValueError, match="has no folders, but 1 images"):
        read_images(folder / "bag" / "deep")
    (folder / "watch").rmdir()
    Image.new("L", (4, 4)).save(folder / "stray.png")
    with pytest.raises(ValueError, match=r"stray.png lies beside"):
        read_images(folder)
    (folder / "stray.png").unlink()
    with pytest.raises(ValueError, match="neither a folder nor a CSV"):
        read_images(folder / "bag" / "0.png")
    for path in (folder / "shoe").rglob("*.png"):
        path.unlink()
    (folder / "shoe" / "deep").rmdir()
    (folder / "shoe").rmdir()
    with pytest.raises(ValueError, match=r"All 3 images are of one class, 'bag'"):
        read_images(folder)


def test_classes_of_a_model_that_is_there(folder):
    images = read_images(folder, classes=["watch", "shoe", "bag"])
    assert images.labels.tolist() == [2, 2, 2, 1, 1, 1] and images.counts()["watch"] == 0
    with pytest.raises(ValueError, match=r"bag.* has the label 'bag'; expected one of the 2"):
        read_images(folder, classes=["shoe", "watch"])


def test_grey_and_coloured_files_in_one_set(folder):
    grey = folder / "bag" / "grey.png"
    Image.new("L", (6, 6), 77).save(grey)
    images = read_images(folder)
    mixed = images[[images.names.index(str(grey)), 0]]
    assert mixed.image_shape == (3, 6, 6)
    assert mixed.load()[:, :, 0, 0].tolist() == [[77] * 3, [0] * 3]
    assert mixed.load(channels=1)[:, :, 0, 0].tolist() == [[77], [0]]


# ---------------------------------------------------------------------------- bad files
def damage(folder):
    (folder / "bag" / "a.png").write_bytes(b"")
    (folder / "bag" / "b.txt").write_text("hello")
    content = (folder / "shoe" / "1.png").read_bytes()
    (folder / "shoe" / "c.png").write_bytes(content[:-30])  # the header is fine


def test_bad_files_stop_or_are_skipped_and_counted(folder):
    damage(folder)
    with pytest.raises(ValueError, match=r"a.png is empty"):
        read_images(folder)
    images = read_images(folder, on_error="skip")
    assert values(images) == [0, 1, 2, 50, 51, 52]
    assert images.skipped.to_dict()["by_reason"] == {
        "empty file": 1, "not an image": 1, "damaged file": 1,
    }  # fmt: skip
    assert skipped_images(images.skipped).startswith("Skipped 3 images: 1 by ")
    with pytest.raises(ValueError, match="on_error is 'odd'"):
        read_images(folder, on_error="odd")


def test_a_damaged_body_is_found_when_it_is_loaded(folder):
    damage(folder)
    (folder / "bag" / "a.png").unlink()
    (folder / "bag" / "b.txt").unlink()
    images = read_images(folder)
    with pytest.raises(ValueError, match=r"c.png is damaged: .*truncated"):
        images.load(size=4)
    with pytest.raises(ValueError, match=r"c.png is damaged"):
        images.verify()
    assert len(images.verify("skip")) == 6 and images.skipped.rows == 1


def test_a_class_of_bad_files_only(folder):
    for path in (folder / "shoe").rglob("*.png"):
        path.write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"class 'shoe' has no image that can be used: Skipped 3"):
        read_images(folder, on_error="skip")


# ---------------------------------------------------------------------------- CSV
def test_a_csv_of_paths_and_labels(folder):
    table = folder / "ads.csv"
    table.write_text("id,Image_Path,label\n1,bag/0.png,10\n\n2,shoe/1.png,9\n3,bag/1.png,9\n")
    images = read_images(table)
    assert images.classes == ("9", "10") and images.labels.tolist() == [1, 0, 0]
    assert values(images) == [0, 51, 1]
    other = folder / "ads.tsv"
    other.write_bytes("\ufeffwhere\tkind\nbag/0.png\tä b\nshoe/0.png\tb\n".encode())
    assert read_images(other, path_column="where", label_column="kind").classes == ("b", "ä b")
    assert len(find_images(table)) == 3


@pytest.mark.parametrize(
    ("rows", "message", "reason"),
    [("bag/9.png,a", r"line 3, column 'path': there is no file .*9.png", "missing file"),
     ("bag/1.png,", "line 3, column 'label' is empty", "missing label"),
     (",a", "line 3, column 'path' is empty", "missing path"),
     ("bag/1.png", "line 3: expected 2 columns, got 1", "ragged row")],
)  # fmt: skip
def test_bad_rows_of_a_csv(folder, rows, message, reason):
    table = folder / "ads.csv"
    table.write_text(f"path,label\nbag/0.png,a\n{rows}\nshoe/0.png,b\n")
    with pytest.raises(ValueError, match=message):
        read_images(table)
    images = read_images(table, on_error="skip")
    assert len(images) == 2 and images.skipped.to_dict()["by_reason"] == {reason: 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"path,label\n", "no rows"), (b"path,kind\nx,y\n", "label_column"),
     (b"a,b\nx,y\n", "path_column"), (b"path,label\n\xff,a\n", "not UTF-8"),
     (b'path,label\n"x,a\n', "line 2")],
)  # fmt: skip
def test_bad_csv_files(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_images(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("path,label,label\nx,y,z\n")
    with pytest.raises(ValueError, match="several columns"):
        read_images(tmp_path / "a.csv", label_column="label")


# ---------------------------------------------------------------------------- no labels
def test_images_without_labels(folder):
    images = find_images(folder)
    assert len(images) == 6 and images.classes == () and set(images.labels) == {-1}
    assert values(find_images(folder / "shoe" / "1.png")) == [51]
    (folder / "notes.md").write_text("hello")
    assert len(find_images(folder)) == 6
    with pytest.raises(ValueError, match="not an image"):
        find_images(folder / "notes.md")


# ---------------------------------------------------------------------------- arrays
def test_layouts_and_ranges_of_arrays(rng):
    pixels = rng.integers(0, 256, (6, 9, 8, 3), np.uint8)
    labels = ["a", "b"] * 3
    expected = pixels.transpose(0, 3, 1, 2)
    for array in (pixels, expected, pixels / 255, expected.astype(np.float32) / 255,
                  pixels.astype(np.int64), pixels.astype(np.uint16) * 257):  # fmt: skip
        images = read_images(array, labels)
        assert images.image_shape == (3, 9, 8)
        np.testing.assert_array_equal(images.load(), expected)
        grey = images.load(channels=1)[:, 0]
        slow = images.load(size=(9, 8), channels=1, fit="pad")[:, 0]
        np.testing.assert_array_equal(grey, slow)
    grey = read_images(pixels[..., 0], labels)
    assert grey.image_shape == (1, 9, 8)
    np.testing.assert_array_equal(grey.load()[:, 1], pixels[..., 0])
    bits = read_images(pixels[..., 0] > 9, labels).load(channels=1)[:, 0]
    np.testing.assert_array_equal(bits, (pixels[..., 0] > 9) * 255)
    alpha = np.concatenate([pixels, np.full((6, 9, 8, 1), 255, np.uint8)], 3)
    np.testing.assert_array_equal(read_images(alpha, labels).load(), expected)
    alpha[..., 3] = 0
    assert read_images(alpha, labels).load().min() == 255


@pytest.mark.parametrize(
    ("array", "message"),
    [(np.zeros((2, 5)), "shape"), (np.zeros((2, 9, 9, 7)), "shape"), (np.zeros((0, 5, 5)), "no im"),
     (np.full((2, 5, 5), 9.0), "0 to 1"), (np.full((2, 5, 5), np.nan), "0 to 1"),
     (np.full((2, 5, 5), -1), "0 to 255"), (np.zeros((2, 5, 5), complex), "dtype")],
)  # fmt: skip
def test_arrays_that_are_no_images(array, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_images(array, [0, 1])


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [([0, 1], None, r"shape \(2,\); expected \(3,\)"), ([0, 0, 0], None, "one class, '0'"),
     ([0, 1, 2], ["a", "b"], "image 2 has the label 2; expected one of the 2 classes a, b"),
     ([0, 1, -1], ["a", "b"], "image 2 has the label -1"), ([0.0, np.nan, 1], None, "label nan"),
     ([0.5, 1, 0], None, "whole numbers"), (["a", None, "b"], None, "image 1 has no label"),
     (["a", "", "b"], None, "image 1 has no label"), ([0, 1, 0], ["a", "a"], "twice"),
     (["a", "b", "c"], ["a", "b"], "image 2 has the label 'c'"), ([0j, 1, 2], None, "dtype"),
     (None, None, "labels is missing")],
)  # fmt: skip
def test_labels_that_do_not_fit(labels, classes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_images(np.zeros((3, 4, 4)), labels, classes=classes)


def test_rows_that_are_not_there():
    images = read_images(np.zeros((3, 4, 4)), [[0], [1], [0]])
    with pytest.raises(IndexError, match="3 images"):
        images.load(3)
    with pytest.raises(TypeError, match="slice or by indices"):
        images[[0.5]]
    for options, message in (({"size": 0}, "size"), ({"size": (1, 2, 3)}, "size"),
                             ({"channels": 4}, "channels"), ({"fit": "odd"}, "fit")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            images.load(**options)


# ---------------------------------------------------------------------------- parts
def test_parts_have_every_class_share_no_row_and_lose_none(rng):
    labels = np.repeat(np.arange(5), [3, 10, 101, 40, 7])
    for seed in (0, 1):
        parts = stratified_rows(labels, (0.8, 0.1, 0.1), seed)
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(161))
        for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True):
            found = np.bincount(labels[part], minlength=5)
            assert found.min() >= 1 and abs(found[2] - 101 * share) < 1
            np.testing.assert_array_equal(part, np.sort(part))
    again = stratified_rows(labels, (0.8, 0.1, 0.1), 1)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    other = stratified_rows(labels, (0.8, 0.1, 0.1), 2)
    assert not np.array_equal(parts[1], other[1])


def test_parts_that_cannot_be_made():
    images = ImageSet.from_arrays(np.zeros((5, 4, 4)), ["bag"] * 2 + ["shoe"] * 3)
    with pytest.raises(ValueError, match=r"class 'bag' has 2 images; .* 3 parts"):
        split_images(images)
    with pytest.raises(ValueError, match=r"add up to 0.9"):
        split_images(images, (0.5, 0.4))
    with pytest.raises(ValueError, match=r"shares\[1\]"):
        split_images(images, (1.0, 0.0))
