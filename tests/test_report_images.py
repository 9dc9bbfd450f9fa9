"""The page and the pictures of a training on images."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from fastdl.metrics.classes import evaluate
from fastdl.report import write_page
from fastdl.report.confusion import confusion, confusion_table, pairs_table
from fastdl.report.gallery import image
from fastdl.report.image_picture import plot_image_run
from fastdl.vision.pictures import filter_sheet, heated, write_png
from fastdl.vision.shown import most_wrong, surely_right


def results(rng, classes=3, rows=60):
    """What metrics.json holds, without pictures."""
    label = np.arange(rows) % classes
    p = rng.random((rows, classes)) + 2 * np.eye(classes)[label]
    p /= p.sum(axis=1, keepdims=True)
    names = [f"class <{i}>" for i in range(classes)]
    return {
        "kind": "images", "test": evaluate(label, p, names=names),
        "base_rate": {"accuracy": 1 / classes, "log_loss": np.log(classes)},
        "history": {"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [0.9, None],
                    "val_accuracy": [0.5, 0.7]},
        "loss_curve": {"epoch": [0.5, 1.5], "loss": [1.0, 0.5], "smoothed": [1.0, 0.5],
                       "window": 1},
        "job": {"data": "creatives", "model": "resnet", "augment": "light"},
    }  # fmt: skip


def test_the_matrix_has_counts_and_shares_of_the_row(rng):
    test = evaluate([0, 0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]],
                    names=["a&b", "c"])  # fmt: skip
    text = confusion_table(test)
    cells = re.findall(r'<td class="([^"]*)" style="--share:(\d+)%">(\d+)<small>(\d+)%', text)
    assert cells == [("right dark", "82", "2", "67"), ("mistake", "58", "1", "33"),
                     ("right dark", "100", "1", "100")]  # fmt: skip
    assert "a&amp;b" in text and text.count('class="none"') == 1
    assert re.findall(r"<td>([^<]*)</td>", pairs_table(test)) == ["a&amp;b", "c"]


def test_of_many_classes_those_that_are_confused_most_are_shown(rng):
    matrix = np.diag(np.full(30, 10))
    matrix[3, 7], matrix[25, 3] = 5, 4
    names = [f"class number {i}" for i in range(30)]
    test = {"classes": [{"name": name} for name in names], "confusion": matrix.tolist()}
    shown, counts, left = confusion(test)
    assert len(shown) == 20 and left == 10 and counts.shape == (20, 20)
    assert {"class number 3", "class number 7", "class number 25"} <= set(shown)
    assert "10 more are not shown" in confusion_table(test)
    assert pairs_table(test).index("class number 7") < pairs_table(test).index("class number 25")
    with pytest.raises(ValueError, match=r"shape \(2, 2\) for 30 classes"):
        confusion({**test, "confusion": [[1, 0], [0, 1]]})


def test_a_page_without_pictures_has_the_rest(rng, tmp_path):
    found = results(rng)
    found["pictures"] = {"wrong": [{"files": ["wrong-00-0.png"], "name": "x", "label": "a",
                                    "said": "b", "sure": 0.9, "own": 0.1}]}  # fmt: skip
    write_page(tmp_path / "page.html", found)
    page = (tmp_path / "page.html").read_text()
    assert "<h1>resnet on creatives</h1>" in page and "Most wrong" not in page
    assert "class &lt;1&gt;" in page and "class <1>" not in page and "<img" not in page
    titles = re.findall("<h2>([^<]*)</h2>", page)
    assert titles == ["Test", "Confusion", "Classes", "Training", "Run"]
    colours = set(re.findall(r"var\(--(\w+)\)", page)) - set(re.findall(r"--(\w+):", page))
    assert not colours
    with pytest.raises(ValueError, match="classes cannot be shown"):
        write_page(tmp_path / "page.html", {**found, "counts": {"train": 3}})


def test_pictures_are_read_from_their_folder_alone(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in (folder / "wrong-00-0.png", tmp_path / "other-00-0.png"):
        write_png(path, pixels)
    text = image("wrong-00-0.png", folder, 'a "name"')
    content = base64.b64decode(re.search('base64,([^"]*)"', text).group(1))
    with Image.open(io.BytesIO(content)) as shown:
        np.testing.assert_array_equal(np.asarray(shown), pixels)
    assert 'alt="a &quot;name&quot;"' in text
    for name in ("../other-00-0.png", "/etc/passwd", "none-00-0.png", 3, "wrong-00-0.png\n"):
        assert image(name, folder, "x") == ""
    assert image("wrong-00-0.png", None, "x") == ""


def test_written_pictures_have_the_given_pixels(tmp_path, rng):
    grey = rng.integers(0, 256, (5, 7, 1)).astype(np.uint8)
    write_png(tmp_path / "grey.png", grey)
    with Image.open(tmp_path / "grey.png") as shown:
        assert shown.mode == "L"
        np.testing.assert_array_equal(np.asarray(shown), grey[:, :, 0])
    write_png(tmp_path / "large.png", np.zeros((300, 150, 3), np.uint8))
    with Image.open(tmp_path / "large.png") as shown:
        assert shown.size == (56, 112)


def test_heat_is_red_where_it_is_hot_and_nothing_where_it_is_not():
    heat = np.array([[0.0, 0.5, 1.0]])
    cold, warm, hot = heated(np.full((1, 3, 1), 100, np.uint8), heat)[0].astype(int)
    assert cold.tolist() == [123, 123, 123]  # 48 + 0.75 * 100, grey
    assert hot[0] > 150 and hot[1] < 60 and hot[2] < 60
    assert warm[0] > warm[1] > warm[2]


def test_filters_are_scaled_one_by_one():
    W = np.zeros((3, 3, 1, 1))
    W[0, :, 0, 0], W[1, :, 0, 0] = [1, -1, 0], [0.1, 0.1, 0.1]
    sheet = filter_sheet(W, 2)
    assert sheet.shape[2] == 4
    found = [sheet[0, 0].tolist()[:3], sheet[0, 6].tolist()[:3]]
    assert found == [[255, 0, 128], [255, 255, 255]]
    assert sheet[0, 3, 3] == 0 and sheet[6, 0].tolist() == [128, 128, 128, 255]
    assert filter_sheet(np.ones((5, 2, 3, 3)))[0, 0].tolist() == [255, 255, 255, 255]


def test_which_images_are_shown(rng):
    label = np.array([0, 1, 0, 1, 0, 1])
    own = np.array([0.2, 0.1, 0.9, 0.8, 0.7, 0.95])
    p = np.stack([np.where(label == 0, own, 1 - own), np.where(label == 1, own, 1 - own)], axis=1)
    assert most_wrong(label, p, 5).tolist() == [1, 0]
    assert most_wrong(label, p, 1).tolist() == [1]
    assert surely_right(label, p, 3).tolist() == [2, 5, 4]  # the surest of each class in turn


def test_the_picture_is_drawn_for_any_number_of_classes(rng, tmp_path):
    for classes in (2, 25):
        plot_image_run(tmp_path / "run.png", results(rng, classes, 100), "fastdl: $x$ 광고")
        with Image.open(tmp_path / "run.png") as shown:
            assert shown.size == (1500, 500)
    with pytest.raises(ValueError, match=r"ending in \.png"):
        plot_image_run(tmp_path / "run.jpg", results(rng), "x")
