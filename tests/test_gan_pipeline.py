"""train-gan, generate and inspect: from images to a run folder and new images."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import run, without_report
from PIL import Image

from fastdl.callbacks import Callback
from fastdl.checkpoint import network_arrays
from fastdl.generation.job import GANJob
from fastdl.generation.pipeline import train_gan
from fastdl.generation.trained import load_gan
from fastdl.options import options_from

OPTIONS = ("--width", 4, "--latent", 8, "--epochs", 2, "--batch-size", 16, "--judge", 60,
           "--judge-every", 1, "--pictures", 12)  # fmt: skip
CLASSES = ["blue <b>", "green", "red"]  # a name that a page has to escape


def write_images(folder: Path, each: int = 40, seed: int = 0) -> None:
    """A folder for each class, whose images have a square of its colour."""
    rng = np.random.default_rng(seed)
    for channel, name in ((2, CLASSES[0]), (1, CLASSES[1]), (0, CLASSES[2])):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 90, (28, 28, 3))
            top, left = rng.integers(2, 12, 2)
            pixels[top : top + 12, left : left + 12, channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")


@pytest.fixture(scope="module", autouse=True)
def judge_of_one_epoch():
    """How well the judge's own network is trained is told by test_adversarial_features."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("fastdl.generation.judged._EPOCHS", (1, 1))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "creatives"
    write_images(folder)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    assert run("train-gan", "--data", data, *OPTIONS, "--out", folder) == 0
    return folder


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_a_run_folder_has_model_metrics_and_pictures(trained):
    content = json.loads((trained / "metrics.json").read_text())
    assert {path.name for path in trained.iterdir()} == {
        "model.safetensors", "generation.json", "features.safetensors", "metrics.json",
        "report.png", "report.html", "checkpoints", "job.json", "data.json", "pictures",
    }  # fmt: skip
    assert content["kind"] == "gan" and content["classes"] == CLASSES
    assert content["counts"] == {
        "train": dict.fromkeys(CLASSES, 30), "held out": dict.fromkeys(CLASSES, 10)}  # fmt: skip
    history = content["history"]
    assert history["epoch"] == [1, 2] and len(history["loss_d"]) == len(history["loss_g"]) == 2
    assert history["kernel"][-1] == content["test"]["kernel"] > content["test"]["kernel_floor"]
    assert content["test"]["real"] == content["test"]["count"] == 15  # half of those held out
    assert set(content["loss_curves"]) == {"discriminator", "generator", "real", "fake"}
    assert len(content["loss_curves"]["generator"]["loss"]) == 2 * (90 // 16)
    files = {name for group in content["pictures"].values() for own in group
             for name in own["files"]}  # fmt: skip
    inside = {path.name for path in (trained / "pictures").iterdir()}
    assert files | {f"epoch-{i:04d}.png" for i in range(3)} == inside
    assert {"samples", "animation", "strips", "interpolations", "neighbours"} == set(
        content["pictures"]
    )
    assert pixels_of(trained / "report.png").shape[1] == 1500


def test_grids_are_of_always_the_same_noise(trained):
    from fastdl.generation.pictures import grid
    from fastdl.generation.shown import Fixed

    fixed = Fixed(load_gan(trained), 12, np.random.default_rng([0, 1]))
    assert fixed.columns == 8 and fixed.classes.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    expected = grid(fixed.images(), 8)
    np.testing.assert_array_equal(pixels_of(trained / "pictures" / "epoch-0002.png"), expected)
    np.testing.assert_array_equal(pixels_of(trained / "pictures" / "samples.png"), expected)
    assert (pixels_of(trained / "pictures" / "epoch-0000.png") != expected).any()


def test_the_page_has_every_picture_in_it(trained):
    page = (trained / "report.html").read_text()
    content = json.loads((trained / "metrics.json").read_text())
    files = sum(len(own["files"]) for group in content["pictures"].values() for own in group)
    assert page.count('src="data:image/') == files
    assert "blue &lt;b&gt;" in page and "blue <b>" not in page and "<script" not in page
    for title in ("Test", "Generated images", "Epoch by epoch", "Training", "Events", "Classes",
                  "Nearest training images", "Interpolations", "Run"):  # fmt: skip
        assert f"<h2>{title}</h2>" in page
    assert "<h1>DCGAN on creatives</h1>" in page and "never" not in page
    assert "not Inception" in page


def test_images_are_generated_by_class(trained, tmp_path, capsys):
    out = tmp_path / "deep" / "new"
    assert run("generate", "--model", trained, "--count", 5, "--class", "red", "--out", out) == 0
    assert "5 images of red" in capsys.readouterr().out
    files = sorted(out.iterdir())
    assert [path.name for path in files] == [f"red-{i:04d}.png" for i in range(5)]
    expected, classes = load_gan(trained).sample(5, "red", rng=np.random.default_rng(0))
    assert classes.tolist() == [2] * 5
    for path, own in zip(files, expected, strict=True):
        np.testing.assert_array_equal(pixels_of(path), own)
    assert run("generate", "--model", trained, "--count", 5, "--class", "red", "--out", out) == 2
    assert "is there already (5 of these files are)" in capsys.readouterr().err


def test_images_of_all_classes_are_as_many_of_each(trained, tmp_path):
    out = tmp_path / "new"
    assert run("generate", "--model", trained, "--count", 7, "--seed", 3, "--grid", "--out", out,
               "--truncation", 0.5) == 0  # fmt: skip
    names = sorted(path.name for path in out.iterdir())
    assert names == ["blue _b_-0000.png", "blue _b_-0001.png", "blue _b_-0002.png",
                     "green-0000.png", "green-0001.png", "grid.png",
                     "red-0000.png", "red-0001.png"]  # fmt: skip
    whole = pixels_of(out / "grid.png")
    np.testing.assert_array_equal(whole[:56:2, :56:2], pixels_of(out / "blue _b_-0000.png"))
    other = tmp_path / "other"
    assert run("generate", "--model", trained, "--count", 7, "--seed", 4, "--out", other) == 0
    one, two = (pixels_of(place / "red-0000.png") for place in (out, other))
    assert (one != two).any()


def test_truncated_noise_is_within_its_bounds(trained):
    from fastdl.generation.trained import draw

    gan = load_gan(trained).gan
    z = draw(gan, 4000, np.random.default_rng(0), 0.7)
    assert np.abs(z).max() <= 0.7 and z.dtype == np.float32
    # a normal distribution that is cut at 0.7 has this standard deviation
    assert z.std() == pytest.approx(0.3878, abs=0.003) and abs(z.mean()) < 0.01
    np.testing.assert_array_equal(
        draw(gan, 3, np.random.default_rng(1)), gan.draw(3, np.random.default_rng(1))
    )


def test_an_inspected_run_tells_everything(trained, tmp_path, capsys):
    page = tmp_path / "again.html"
    assert run("inspect", trained, "--html", page) == 0
    told = capsys.readouterr().out
    for text in ("DCGAN", "kernel distance", "discriminator", "checkpoint", "15 generated images"):
        assert text in told
    assert page.read_text() == (trained / "report.html").read_text()
    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    (copied / "generation.json").write_text("{}")
    assert run("inspect", copied) == 2
    assert "generation.json is damaged" in capsys.readouterr().err


class StopAfter(Callback):
    """An interruption in the middle of an epoch."""

    def __init__(self, step: int) -> None:
        self.step = step

    def next_step(self, step):
        return self.step if step < self.step else None

    def on_steps(self, run):
        if run.step == self.step:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("no_report")
def test_a_run_goes_on_to_equal_bits_where_it_stopped(trained, tmp_path):
    job = options_from(GANJob, json.loads((trained / "job.json").read_text())["job"], "job.json")
    cut = tmp_path / "cut"
    for step in (9, 0):  # in the second epoch
        begun = (cut / "checkpoints").is_dir()
        try:
            train_gan(job, cut, resume=begun, verbose=False, callbacks=[StopAfter(step)])
        except KeyboardInterrupt:
            assert not (cut / "model.safetensors").exists()
    for name in ("model.safetensors", "features.safetensors", "generation.json"):
        assert (cut / name).read_bytes() == (trained / name).read_bytes()
    found, expected = (json.loads((f / "metrics.json").read_text()) for f in (cut, trained))
    for one in (found, expected):
        one["history"].pop("seconds")
        one["facts"].clear()
    assert found == expected
    for path in (trained / "pictures").iterdir():
        assert (cut / "pictures" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("no_report")
def test_a_finished_run_is_not_trained_again(data, trained, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    asked = ("train-gan", "--data", data, *OPTIONS, "--out", folder)
    assert run(*asked) == 2
    assert "is not empty" in capsys.readouterr().err
    (folder / "model.safetensors").unlink()
    assert run(*asked, "--resume") == 0
    assert "Epoch" not in capsys.readouterr().out
    assert (folder / "model.safetensors").read_bytes() == (
        trained / "model.safetensors"
    ).read_bytes()
    assert run(*asked, "--resume", "--lr", 0.1) == 2
    assert "cannot be resumed with lr 0.1: it was begun with None" in capsys.readouterr().err


def test_of_a_collapse_the_last_healthy_epoch_is_kept(data, tmp_path, monkeypatch):
    seen = [(1.0, {})] * 2 + [(0.1, {"alike": "Samples are alike."})] * 3
    monkeypatch.setattr("fastdl.adversarial.watch.Reference.judge", lambda *_: seen.pop(0))
    job = GANJob(data=str(data), width=4, latent=4, epochs=9, patience=3, judge=0, pictures=4)
    outcome = train_gan(job, tmp_path / "run", verbose=False)
    content = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert content["history"]["epoch"] == [1, 2, 3, 4, 5]  # not 9
    assert [(event["epoch"], event["kind"]) for event in outcome.events] == [
        (5, "alike"), (5, "kept")]  # fmt: skip
    assert "after epoch 2, the last healthy one" in outcome.events[1]["message"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Samples are alike." in page and "after epoch 2" in page
    without_report(monkeypatch)
    healthy = GANJob(data=str(data), width=4, latent=4, epochs=2, judge=0, pictures=4)
    seen += [(1.0, {})] * 2
    train_gan(healthy, tmp_path / "two", verbose=False)
    one, two = (network_arrays(load_gan(tmp_path / name).gan) for name in ("run", "two"))
    for name, array in two.items():
        np.testing.assert_array_equal(one[name], array)


@pytest.mark.usefixtures("no_report")
def test_images_without_classes(tmp_path, rng):
    folder = tmp_path / "flat"
    folder.mkdir()
    for i in range(120):
        own = np.full((20, 30), rng.integers(0, 256)) + rng.integers(0, 20, (20, 30))
        Image.fromarray(own.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    job = GANJob(data=str(folder), width=4, latent=4, epochs=1, judge=40, pictures=4, seed=1)
    outcome = train_gan(job, tmp_path / "run", verbose=False)
    assert outcome.judged["kernel"] > 0 and outcome.judged["kind"] == "turns"
    trained = load_gan(tmp_path / "run")
    assert trained.kind.classes == () and trained.kind.channels == 1 and trained.kind.size == 32
    out = tmp_path / "new"
    assert run("generate", "--model", tmp_path / "run", "--count", 2, "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["image-0000.png", "image-0001.png"]
    assert pixels_of(out / "image-0000.png").shape == (32, 32)


def test_without_pictures_and_judge_there_is_the_rest(data, tmp_path):
    job = GANJob(data=str(data), classes="none", width=4, latent=4, epochs=1, judge=0, pictures=0)
    outcome = train_gan(job, tmp_path / "run", verbose=False)
    assert outcome.judged == {}
    assert not (tmp_path / "run" / "pictures").exists()
    assert not (tmp_path / "run" / "features.safetensors").exists()
    assert load_gan(tmp_path / "run").kind.classes == ()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h2>Training</h2>" in page and "<h2>Test</h2>" not in page


def test_recipes_are_made_as_asked_for():
    from fastdl import Adam, RMSprop
    from fastdl.generation.recipe import Recipe

    trainer = Recipe(width=4).make_trainer(Recipe(width=4).make_gan(28, 1, 0, None))
    g, d = (trainer.optimizer[name] for name in ("generator", "discriminator"))
    assert type(g) is Adam and (g.lr, d.lr, g.beta1) == (0.0002, 0.0002, 0.5)
    assert trainer.discriminator_steps == 1
    own = Recipe(width=4, loss="wasserstein", normalization="none", discriminator_lr=0.1)
    trainer = own.make_trainer(own.make_gan(32, 3, 2, None))
    g, d = (trainer.optimizer[name] for name in ("generator", "discriminator"))
    assert type(g) is RMSprop and (g.lr, d.lr) == (0.00005, 0.1)
    assert trainer.discriminator_steps == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", 48), "size is 48; the networks make square images of 28, 32, 64 pixels"),
        (("--size", 0), "size is 0"),
        (("--loss", "sharp"), "loss is 'sharp'; expected one of minimax, non-saturating"),
        (("--normalization", "layer"), "normalization is 'layer'; expected one of batch"),
        (("--augment", "much"), "augment is 'much'; expected one of none"),
        (("--classes", "all"), "classes is 'all'; expected 'auto' or 'none'"),
        (("--optimizer", "sgd"), "optimizer is 'sgd'; expected one of adam, rmsprop"),
        (("--rows", 50), "There are 50 images; a GAN needs 100 or more"),
        (("--data", "nowhere"), "nowhere"),
        (("--epochs", 0), "epochs is 0"),
        (("--average", 1.5), "average is 1.5"),
        (("--lr", -1), "lr is -1"),
        (("--judge", -1), "judge is -1"),
    ],
)
def test_options_that_do_not_fit_are_one_line(options, message, tmp_path, capsys):
    assert run("train-gan", *options, "--out", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and "Traceback" not in said


def test_images_that_cannot_be_learned_from_are_told(tmp_path, capsys, rng):
    same = rng.integers(0, 256, (28, 28, 3)).astype(np.uint8)
    for name in ("bag", "shoe"):
        (tmp_path / "same" / name).mkdir(parents=True)
        for i in range(60):
            Image.fromarray(same).save(tmp_path / "same" / name / f"{i}.png")
    assert run("train-gan", "--data", tmp_path / "same", "--out", tmp_path / "a") == 2
    assert "All 90 training images are the same image" in capsys.readouterr().err
    write_images(tmp_path / "rare")
    for path in list((tmp_path / "rare" / "red").iterdir())[4:]:
        path.unlink()
    write_images(tmp_path / "more", seed=1)
    for i, path in enumerate((tmp_path / "more" / "green").iterdir()):
        shutil.copy(path, tmp_path / "rare" / "green" / f"more-{i}.png")
    assert run("train-gan", "--data", tmp_path / "rare", "--out", tmp_path / "b") == 2
    assert "The class 'red' (4) has too few images" in capsys.readouterr().err
    assert not any((tmp_path / "b").iterdir())


def test_damaged_files_stop_it_or_are_counted(data, tmp_path, capsys):
    folder = tmp_path / "creatives"
    shutil.copytree(data, folder)
    (folder / "red" / "empty.png").write_bytes(b"")
    asked = ("train-gan", "--data", folder, *OPTIONS[:4], "--epochs", 1, "--judge", 0,
             "--pictures", 4)  # fmt: skip
    assert run(*asked, "--out", tmp_path / "a") == 2
    assert "empty.png" in capsys.readouterr().err
    assert run(*asked, "--on-error", "skip", "--out", tmp_path / "b") == 0
    content = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert sum(entry["rows"] for entry in content["skipped"]) == 1
    assert "<h2>Skipped</h2>" in (tmp_path / "b" / "report.html").read_text()


def test_what_cannot_be_generated_is_told(trained, tmp_path, capsys):
    def said(*asked):
        assert run("generate", "--out", tmp_path / "new", *asked) == 2
        return capsys.readouterr().err

    assert "The class 'hat' was not trained; the GAN makes: blue <b>, green, red." in said(
        "--model", trained, "--class", "hat"
    )
    assert "count is 0" in said("--model", trained, "--count", 0)
    assert "truncation is 0" in said("--model", trained, "--truncation", 0)
    assert "seed is -1" in said("--model", trained, "--seed", -1)
    assert "A grid takes up to 400" in said("--model", trained, "--count", 401, "--grid")
    assert "There is no run folder" in said("--model", tmp_path / "none")
    other = tmp_path / "other"
    other.mkdir()
    assert "it has no model.safetensors" in said("--model", other)
    kinds = {
        "images.json": "images that are classified; `fastdl predict-image`",
        "series.json": "series; `fastdl predict-series`", "encoder.json": "a log; `fastdl predict`",
    }  # fmt: skip
    for name, told in kinds.items():
        (other / name).write_text("{}")
        assert f"is a run on {told} is for those" in said("--model", other)
        (other / name).unlink()
    for command in ("predict", "predict-image", "predict-series"):
        assert run(command, "--model", trained, "--data", "x.csv", "--out", "y.csv") == 2
        assert "is a run on images that a GAN makes; `fastdl generate`" in capsys.readouterr().err
    shutil.copytree(trained, tmp_path / "copied")
    shutil.copy(trained / "features.safetensors", tmp_path / "copied" / "model.safetensors")
    assert "copied" in said("--model", tmp_path / "copied")
    shutil.rmtree(tmp_path / "copied")
    shutil.copytree(trained, tmp_path / "copied")
    known = json.loads((trained / "generation.json").read_text())
    known["classes"].append("hat")
    (tmp_path / "copied" / "generation.json").write_text(json.dumps(known))
    assert "files are damaged or do not fit" in said("--model", tmp_path / "copied")
    assert not (tmp_path / "new").exists()


def test_the_commands_defaults_are_the_jobs():
    from fastdl.generation.commands import train_gan as command

    given = inspect.signature(command).parameters
    for name, value in GANJob().to_dict().items():
        assert given[name].default == value, name
    assert options_from(GANJob, {}, "nothing") == GANJob()
    assert options_from(GANJob, {"average": 0}, "a file").average is None
    assert options_from(GANJob, {"lr": 1, "size": 64}, "a file").lr == 1.0
    with pytest.raises(TypeError, match=r"size is 28\.5"):
        options_from(GANJob, {"size": 28.5}, "a file")


def test_the_estimator_takes_a_run_folder(trained):
    from fastdl import AdImageGAN

    found = AdImageGAN.load(trained)
    assert found.classes_.tolist() == CLASSES and found.n_iter_ == 2
    assert (found.width, found.latent, found.epochs, found.resize) == (4, 8, 2, "crop")
    expected, _ = load_gan(trained).sample(3, "green", rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found.sample(3, "green", random_state=0), expected)


def test_a_saved_network_is_the_trained_one(trained):
    gan = load_gan(trained).gan
    assert str(gan) == "DCGAN" and gan.classes == 3 and gan.averaged is not None
    names = network_arrays(gan)
    assert all(np.isfinite(array).all() for array in names.values() if array.dtype.kind == "f")
