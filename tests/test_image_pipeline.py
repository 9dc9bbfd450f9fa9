"""train-image, predict-image, evaluate and inspect: from images to a run folder and back."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import run
from PIL import Image

import fastdl
from fastdl.data.images import read_images
from fastdl.options import options_from
from fastdl.vision.job import ImageJob
from fastdl.vision.pipeline import train_images
from fastdl.vision.trained import load_trained

OPTIONS = ("--size", 16, "--epochs", 3, "--batch-size", 16, "--lr", 0.02)
CLASSES = ["blue <b>", "green", "red"]  # a name that a page has to escape


def write_images(folder: Path, each: int = 30, seed: int = 0) -> None:
    """A folder for each class, whose images have a square of its colour."""
    rng = np.random.default_rng(seed)
    for channel, name in ((2, CLASSES[0]), (1, CLASSES[1]), (0, CLASSES[2])):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 90, (20, 24, 3))
            top, left = rng.integers(2, 8, 2)
            pixels[top : top + 9, left : left + 9, channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "creatives"
    write_images(folder)
    return folder


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> Path:
    """Model options that only a file can have."""
    path = tmp_path_factory.mktemp("options") / "options.toml"
    path.write_text("patience = 3\npictures = 4\n[model-options]\nwidths = [8]\ndropout = 0.0\n")
    return path


@pytest.fixture(scope="module")
def trained(data, options, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    assert run("train-image", "--data", data, *OPTIONS, "--options", options, "--out", folder) == 0
    return folder


def test_a_run_folder_has_model_metrics_and_pictures(trained):
    content = json.loads((trained / "metrics.json").read_text())
    assert content["test"]["rows"] == 9 and content["test"]["accuracy"] >= 7 / 9
    assert [own["name"] for own in content["test"]["classes"]] == CLASSES
    assert np.sum(content["test"]["confusion"]) == 9
    assert content["base_rate"]["accuracy"] == pytest.approx(1 / 3)
    assert content["counts"]["train"] == dict.fromkeys(CLASSES, 24)
    assert content["job"]["model_options"] == {"widths": [8], "dropout": 0.0}
    assert {path.name for path in trained.iterdir()} == {
        "model.safetensors", "images.json", "metrics.json", "report.png", "report.html",
        "checkpoints", "job.json", "data.json", "pictures",
    }  # fmt: skip
    with Image.open(trained / "report.png") as picture:
        assert picture.size == (1500, 500)
    files = [name for group in content["pictures"].values() for own in group
             for name in own["files"]]  # fmt: skip
    assert {path.name for path in (trained / "pictures").iterdir()} == set(files)
    assert {"right", "classes", "augmented", "filters"} <= set(content["pictures"])


def test_the_page_has_every_picture_in_it(trained):
    page = (trained / "report.html").read_text()
    content = json.loads((trained / "metrics.json").read_text())
    files = sum(len(own["files"]) for group in content["pictures"].values() for own in group)
    assert page.count('src="data:image/png;base64,') == files
    assert "blue &lt;b&gt;" in page and "blue <b>" not in page and "<script" not in page
    for title in ("Test", "Confusion", "Classes", "Surely right", "Training", "Filters", "Run"):
        assert f"<h2>{title}</h2>" in page
    assert "<h1>adimagecnn on creatives</h1>" in page


def test_predictions_are_the_networks(trained, tmp_path, capsys):
    folder, out = tmp_path / "new", tmp_path / "p.csv"
    write_images(folder, each=3, seed=9)
    one = folder / "red" / "0.png"
    assert run("predict-image", "--model", trained, "--data", folder, "--data", one,
               "--out", out) == 0  # fmt: skip
    assert "classes of 10 images" in capsys.readouterr().out
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["path", "class", *(f"probability_{name}" for name in CLASSES)]
    by_path = {row["path"]: row for row in rows}
    images = read_images(folder, classes=CLASSES)
    expected = load_trained(trained).network.predict_proba(load_trained(trained).preparation.load(
        images))  # fmt: skip
    for path, p in zip(images.names, expected, strict=True):
        found = [float(by_path[path][f"probability_{name}"]) for name in CLASSES]
        np.testing.assert_allclose(found, p, rtol=1e-4, atol=1e-5)
        assert by_path[path]["class"] == CLASSES[int(p.argmax())]
    assert rows[-1] == by_path[str(one)]


def test_a_labelled_folder_is_evaluated(trained, data, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert run("evaluate", "--model", trained, "--data", data, "--out", out) == 0
    assert "90 given images" in capsys.readouterr().out
    found = json.loads(out.read_text())
    trained_model, images = load_trained(trained), read_images(data)
    p = trained_model.predict_proba(images)
    assert found["test"]["accuracy"] == np.mean(p.argmax(axis=1) == images.labels)
    assert run("evaluate", "--model", trained, "--data", data, "--by", "city") == 2
    assert "--by: options of logs" in capsys.readouterr().err


def test_an_inspected_run_tells_everything(trained, tmp_path, capsys):
    page = tmp_path / "again.html"
    assert run("inspect", trained, "--html", page) == 0
    told = capsys.readouterr().out
    for text in ("AdImageCNN", "parameters", "taken for", "9 test images", "checkpoint"):
        assert text in told
    assert page.read_text() == (trained / "report.html").read_text()
    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    (copied / "model.safetensors").write_bytes(b"x")
    assert run("inspect", copied) == 2
    (copied / "metrics.json").write_text('{"test": {"rows": 3}}')
    assert run("inspect", copied) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_only_pictures_of_the_run_are_read(trained, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    secret = tmp_path / "secret-00-0.png"
    secret.write_bytes(b"not to be shown")
    content = json.loads((copied / "metrics.json").read_text())
    content["pictures"]["filters"][0]["files"] = ["../secret-00-0.png"]
    (copied / "metrics.json").write_text(json.dumps(content))
    assert run("inspect", copied, "--html", copied / "again.html") == 0
    assert "bm90IHRvIGJlIHNob3du" not in (copied / "again.html").read_text()


@pytest.mark.usefixtures("no_report")
def test_a_run_goes_on_where_it_stopped(data, options, trained, tmp_path, capsys):
    folder = tmp_path / "run"
    asked = ("train-image", "--data", data, *OPTIONS, "--options", options, "--out", folder)
    assert run(*asked) == 0
    assert run(*asked) == 2
    assert "is not empty" in capsys.readouterr().err
    (folder / "model.safetensors").unlink()
    assert run(*asked, "--resume") == 0  # nothing is left to be done
    same = (folder / "model.safetensors").read_bytes()
    assert same == (trained / "model.safetensors").read_bytes()
    assert run(*asked, "--resume", "--lr", 0.1) == 2
    assert "cannot be resumed with lr 0.1: it was begun with 0.02" in capsys.readouterr().err
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    shutil.rmtree(changed / "red")
    write_images(tmp_path / "other", each=2)
    shutil.copytree(tmp_path / "other" / "red", changed / "red")
    job = ImageJob(data=str(changed), size=16)
    with pytest.raises(ValueError, match=r"not those that the run in .* there were 90 of data"):
        train_images(job, _with_data(folder, tmp_path), resume=True)
    assert run("train-image", "--resume") == 2
    assert "--resume needs --out" in capsys.readouterr().err


def _with_data(folder: Path, tmp_path: Path) -> Path:
    """A run that knows its images and nothing else."""
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(folder / "data.json", begun)
    return begun


@pytest.mark.usefixtures("no_report")
def test_arrays_and_own_test_images_are_taken(tmp_path, rng):
    t = np.arange(60) % 2
    x = rng.integers(0, 80, (60, 8, 8)) + 150 * t[:, None, None]
    path = tmp_path / "set.npz"
    np.savez(path, x_train=x[:40].astype(np.uint8), y_train=t[:40], x_test=x[40:].astype(np.uint8),
             y_test=t[40:])  # fmt: skip
    job = ImageJob(data=str(path), epochs=8, batch_size=8, pictures=0, lr=0.02, seed=2,
                   model_options={"widths": [4]}, class_weight="balanced")  # fmt: skip
    outcome = train_images(job, tmp_path / "run", verbose=False)
    assert outcome.model["rows"] == 20 and outcome.model["accuracy"] > 0.8
    assert load_trained(tmp_path / "run").preparation.channels == 1
    assert not (tmp_path / "run" / "pictures").exists()
    table = tmp_path / "table.csv"
    folder = tmp_path / "creatives"
    write_images(folder, each=4)
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in folder.rglob("*.png")]
    table.write_text("image,label\n" + "\n".join(sorted(rows)) + "\n")
    own = ImageJob(data=str(table), valid=str(folder), size=8, epochs=1, batch_size=4, pictures=1,
                   model="resnet", model_options={"depth": 8, "width": 4})  # fmt: skip
    outcome = train_images(own, tmp_path / "other", verbose=False)
    assert outcome.tested_on == "validation" and outcome.model["rows"] == 12


def test_damaged_files_stop_it_or_are_counted(data, tmp_path, capsys):
    folder = tmp_path / "creatives"
    shutil.copytree(data, folder)
    (folder / "red" / "broken.png").write_bytes((folder / "red" / "1.png").read_bytes()[:200])
    asked = ("train-image", "--data", folder, "--size", 8, "--epochs", 1, "--pictures", 1)
    assert run(*asked, "--test", folder, "--out", tmp_path / "a") == 2
    said = capsys.readouterr()
    assert "broken.png is damaged" in said.err and "Epoch" not in said.out  # before training
    assert not any((tmp_path / "a").iterdir())
    (folder / "red" / "empty.png").write_bytes(b"")
    assert run(*asked, "--out", tmp_path / "a") == 2
    said = capsys.readouterr().err
    assert said.startswith("fastdl: ") and said.count("\n") == 1 and "empty.png" in said
    assert run(*asked, "--on-error", "skip", "--out", tmp_path / "b") == 0
    content = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert sum(entry["rows"] for entry in content["skipped"]) == 2
    assert "<h2>Skipped</h2>" in (tmp_path / "b" / "report.html").read_text()
    out = tmp_path / "p.csv"
    predict = ("predict-image", "--model", tmp_path / "b", "--data", folder, "--out", out)
    assert run(*predict) == 2 and not out.exists()
    assert run(*predict, "--on-error", "skip") == 0
    assert len(out.read_text().splitlines()) == 91


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "vgg"), "model is 'vgg'; expected one of adimagecnn, resnet, mobilenet"),
        (("--augment", "strong"), "augmentation is 'strong'"),
        (("--fit", "zoom"), "fit is 'zoom'; expected 'crop' or 'pad' or 'stretch'"),
        (("--optimizer", "adam"), "optimizer is 'adam'"),
        (("--class-weight", "even"), "class_weight is 'even'"),
        (("--data", "nowhere"), "nowhere"),
        (("--epochs", 0), "epochs is 0"),
        (("--difficulty", 2), "difficulty is 2.0"),
        (("--size", 8, "--rows", 100), "rows"),
    ],
)
def test_options_that_do_not_fit_are_one_line(options, message, tmp_path, capsys):
    out = tmp_path / "run"
    if options[0] == "--size":
        path = tmp_path / "options.toml"
        path.write_text("rows = 2.5\n")
        options = ("--options", path)
    assert run("train-image", *options, "--out", out) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_model_folder_that_is_damaged_is_told(trained, tmp_path, capsys):
    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    text = (copied / "images.json").read_text()
    (copied / "images.json").write_text(re.sub('"mean": \\[', '"mean": [0.5, ', text))
    for folder, message in ((copied, "mean"), (tmp_path / "none", "There is no run folder")):
        assert run("predict-image", "--model", folder, "--data", "x", "--out", "p.csv") == 2
        assert message in capsys.readouterr().err
    (copied / "images.json").unlink()
    assert run("predict-image", "--model", copied, "--data", "x", "--out", "p.csv") == 2
    assert "it has no images.json" in capsys.readouterr().err
    assert run("predict-image", "--model", trained, "--data", "x", "--out", "p.txt") == 2
    assert "expected a name ending in .csv" in capsys.readouterr().err


def test_a_loss_that_diverges_says_what_to_do(tmp_path, rng):
    job = ImageJob(rows=60, size=24, epochs=4, batch_size=8, lr=1e30, warmup=0.0, optimizer="sgd",
                   model_options={"widths": [4], "batch_norm": False}, pictures=0)  # fmt: skip
    with (
        np.errstate(all="ignore"),
        pytest.raises(fastdl.DivergedError, match="Try a smaller learning rate"),
    ):
        train_images(job, tmp_path / "run", verbose=False)


def test_the_commands_defaults_are_the_jobs(tmp_path):
    import inspect

    from fastdl.vision.commands import train_image

    given = inspect.signature(train_image).parameters
    for name, value in ImageJob().to_dict().items():
        if name != "model_options":
            assert given[name].default == value, name
    assert options_from(ImageJob, {}, "nothing") == ImageJob()
    assert ImageJob(augment="standard", label_smoothing=0.0).augmentation().label_smoothing == 0
    table = {
        "augment": {"flip": True, "label-smoothing": 0.1},
        "model_options": {"batch-norm": False},
    }
    job = options_from(ImageJob, table, "a file")
    assert job.augmentation().on == ("flip", "label_smoothing")
    assert job.model_options == {"batch_norm": False}
    with pytest.raises(ValueError, match="Augmentation has no field blur"):
        options_from(ImageJob, {"augment": {"blur": 1}}, "a file")
    with pytest.raises(TypeError, match="expected a table of options"):
        options_from(ImageJob, {"model_options": "deep"}, "a file")


def test_the_classifier_reads_and_writes_run_folders(trained, data, tmp_path):
    classifier = fastdl.AdImageClassifier.load(trained)
    images = read_images(data)
    expected = load_trained(trained).predict_proba(images)
    np.testing.assert_array_equal(classifier.predict_proba(images), expected)
    np.testing.assert_array_equal(
        classifier.predict(images.names), np.array(CLASSES)[expected.argmax(axis=1)]
    )
    assert classifier.score(str(data)) == np.mean(expected.argmax(axis=1) == images.labels)
    assert classifier.n_iter_ == 3 and classifier.size == (16, 16)
    classifier.save(tmp_path / "saved")
    out = tmp_path / "p.csv"
    one = ("--data", images.names[0], "--out", out)
    assert run("predict-image", "--model", tmp_path / "saved", *one) == 0
    assert out.read_text().splitlines()[1].split(",")[1] == classifier.predict([images.names[0]])[0]


def test_an_unfinished_run_tells_how_far_it_is(trained, tmp_path, capsys):
    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    for name in ("model.safetensors", "metrics.json"):
        (copied / name).unlink()
    assert run("inspect", copied) == 0
    told = capsys.readouterr().out
    assert "Training has not finished" in told and "epoch 3 of 3" in told
