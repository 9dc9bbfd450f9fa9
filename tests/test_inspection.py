"""Run folders, finished, unfinished and damaged: what is told, and the page made again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import run, without_report

import fastdl
from fastdl.data import write_ad_log
from fastdl.inspection import inspect_run, page_results


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "dense"
    assert (
        run(
            "train",
            "--model",
            "ctrpredictionnetwork",
            "--rows",
            3000,
            "--epochs",
            2,
            "--out",
            folder,
        )
        == 0
    )
    return folder


@pytest.fixture(scope="module")
def deepfm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deepfm"
    log = folder.parent / "log.csv"
    write_ad_log(log, 3000, seed=3)
    options = ("--epochs", 2, "--calibrate", "platt", "--numbers", "number", "--out", folder)
    with pytest.MonkeyPatch.context() as patched:
        without_report(patched)
        assert run("train", "--model", "deepfm", "--data", log, *options) == 0
    return folder


@pytest.fixture
def copied(deepfm, tmp_path) -> Path:
    """A run that may be spoilt."""
    return Path(shutil.copytree(deepfm, tmp_path / "run"))


def test_a_finished_run(deepfm):
    found = inspect_run(deepfm)
    model = fastdl.load(deepfm / "model.safetensors")
    metrics = json.loads((deepfm / "metrics.json").read_text())
    assert found["finished"] and not found["problems"]
    assert found["results"] == metrics and found["history"] == metrics["history"]
    assert found["model"]["class"] == "DeepFM"
    counts = found["model"]["parameters"]
    assert counts["tables"] == model.spec.rows * (16 + 1)
    assert sum(counts.values()) == sum(array.size for array in model.parameters().values())
    options = found["model"]["options"]
    assert options["embedding_dim"] == 16 and options["calibrators"] == ["PlattScaling"]
    assert options["features"] == (
        f"{len(model.spec.numeric)} numbers, {len(model.spec.fields)} fields and 0 sequences of "
        f"together {model.spec.rows:,} ids"
    )
    assert ["I1", "number", "a number"] in found["columns"] and len(found["columns"]) == 39
    steps = 2400 // 256  # as the course has it: rows that fill no batch wait
    assert found["checkpoints"] == [
        {"file": f"step-{steps * n:012}.safetensors", "epoch": n, "epochs": 2, "step": steps * n,
         "steps": 2 * steps} for n in (1, 2)
    ]  # fmt: skip
    assert found["files"]["metrics.json"] == (deepfm / "metrics.json").stat().st_size
    sizes = [path.stat().st_size for path in (deepfm / "checkpoints").iterdir()]
    assert found["files"]["checkpoints/ (2 files)"] == sum(sizes)


def test_a_dense_run(dense):
    found = inspect_run(dense)
    network = fastdl.load(dense / "model.safetensors")
    total = sum(array.size for array in network.parameters().values())
    assert found["model"]["parameters"] == {"dense": total, "tables": 0}
    assert found["model"]["options"]["layer 1"] == "ReLU()"
    assert ["I1", "numeric", "2 inputs"] in found["columns"]
    inputs = sum(int(gives.split()[0]) for _, _, gives in found["columns"])
    assert inputs == network.layers[0].W.shape[0]


def test_what_is_printed(deepfm, capsys):
    assert run("inspect", deepfm) == 0
    out = capsys.readouterr().out
    test = json.loads((deepfm / "metrics.json").read_text())["test"]
    for text in ("DeepFM", "numbers in tables", "epoch 1 of 2", "(50.0%)", "base rate",
                 f"{test['auc']:.4f}", "metrics.json", "validation", "taken as"):  # fmt: skip
        assert text in out, text
    assert "not finished" not in out


def test_the_page_is_made_again(dense, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run("inspect", dense, "--html", page) == 0
    text = page.read_text()
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert [name for name in headings if name in ("Test", "Training", "Columns", "Run")] == (
        ["Test", "Training", "Columns", "Run"]
    )
    assert "33 inputs" in text and "ctrpredictionnetwork on generated ad log" in text
    assert str(page) in capsys.readouterr().out.replace("\n", "")


def test_an_unfinished_run(copied, tmp_path, capsys):
    for name in ("model.safetensors", "metrics.json"):
        (copied / name).unlink()
    found = inspect_run(copied)
    assert not found["finished"] and not found["problems"] and found["results"] == {}
    assert found["model"]["class"] == "DeepFM"
    model = found["model"]["parameters"]["all"]
    finished = inspect_run(copied)["checkpoints"][-1]
    assert finished["step"] == finished["steps"] and model > 10_000
    assert found["history"]["epoch"] == [1, 2]
    assert run("inspect", copied) == 0
    assert "Training has not finished" in capsys.readouterr().out
    assert run("inspect", copied, "--html", tmp_path / "a.html") == 2
    assert "no usable metrics.json" in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()


def test_parameters_of_a_checkpoint_are_the_models(copied):
    counted = inspect_run(copied)["model"]["parameters"]
    (copied / "model.safetensors").unlink()
    assert inspect_run(copied)["model"]["parameters"] == {"all": sum(counted.values())}


def test_a_damaged_checkpoint_is_told_beside_the_whole_one(copied, capsys):
    last = max((copied / "checkpoints").iterdir())
    last.write_bytes(last.read_bytes()[:5000])
    for name in ("model.safetensors", "metrics.json"):
        (copied / name).unlink()
    found = inspect_run(copied)
    assert "damaged" in found["checkpoints"][1]["problem"]
    assert found["checkpoints"][0]["epoch"] == 1 and found["history"]["epoch"] == [1]
    assert run("inspect", copied) == 0
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, message",
    [
        ("model.safetensors", "damaged"),
        ("encoder.json", "damaged"),
        ("metrics.json", "not what `fastdl train` writes"),
        ("features.json", "damaged"),
    ],
)
def test_damage_is_told_after_what_is_whole(copied, name, message, capsys):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[: len(content) // 2])
    assert run("inspect", copied) == 2
    printed = capsys.readouterr()
    assert message in printed.err and "checkpoints/ (2 files)" in printed.out
    assert inspect_run(copied)["problems"]


@pytest.mark.parametrize("content", ['{"test": 5}', "[]", '{"test": {"rows": "x"}}'])
def test_results_of_another_form_are_told(copied, content, capsys):
    (copied / "metrics.json").write_text(content)
    assert run("inspect", copied) == 2
    assert capsys.readouterr().err.startswith("fastdl: ")


def test_markup_in_a_log_is_text(copied, capsys):
    results = json.loads((copied / "metrics.json").read_text())
    one = results["test"]
    results |= {"by": {"[/red]": {"[bold]x[/wrong]": one}}, "facts": {"[/a]": "\x1b[31m"}}
    results["importance"] = {"metric": "auc", "repeats": 3, "rows": 5, "features": [
        {"name": "[/c]", "mean": 0.5, "std": 0.25}]}  # fmt: skip
    (copied / "metrics.json").write_text(json.dumps(results))
    assert run("inspect", copied) == 0
    out = capsys.readouterr().out
    for text in ("[/red]", "[bold]x[/wrong]", "[/a]", "□[31m", "[/c]", "0.50000"):
        assert text in out, text
    assert "\x1b" not in out
    assert page_results(inspect_run(copied))["by"] == results["by"]


def test_folders_that_are_no_runs(deepfm, tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder"):
        inspect_run(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="is not a run folder: it has neither"):
        inspect_run(tmp_path)
    with pytest.raises(ValueError, match="It holds runs: deepfm; name one of them"):
        inspect_run(deepfm.parent)
    with pytest.raises(FileNotFoundError):
        inspect_run(tmp_path / "notes.txt")
