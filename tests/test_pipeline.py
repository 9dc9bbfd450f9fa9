"""The command line, from a log to a run folder to probabilities."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import run, without_report
from pyarrow import csv, parquet

import fastdl
from fastdl import scoring
from fastdl.data import read_log, write_ad_log

CTR = Path(__file__).parents[2] / "shared" / "data" / "ctr"
real = pytest.mark.skipif(not CTR.is_dir(), reason=f"{CTR} is absent")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    assert run("train", "--rows", 20000, "--epochs", 2, "--lr", 0.003, "--out", folder) == 0
    return folder


def test_a_run_folder_has_model_metrics_and_picture(trained):
    content = json.loads((trained / "metrics.json").read_text())
    assert content["test"]["rows"] == 2000
    assert 0.6 < content["test"]["auc"] < content["best_possible"]["auc"]
    assert content["best_possible"]["log_loss"] < content["test"]["log_loss"]
    assert content["test"]["log_loss"] < content["base_rate"]["log_loss"]
    assert (trained / "report.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in trained.iterdir()} == {
        "model.safetensors", "encoder.json", "metrics.json", "report.png", "checkpoints",
        "job.json", "log.json", "report.html", "features.json", "vocabularies.parquet",
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predictions_are_the_networks(trained, tmp_path, suffix, capsys):
    log, out = tmp_path / "log.csv", tmp_path / f"p.{suffix}"
    write_ad_log(log, 500, seed=5)
    assert run("predict", "--model", trained, "--data", log, "--out", out) == 0
    assert "500 probabilities" in capsys.readouterr().out
    read = csv.read_csv if suffix == "csv" else parquet.read_table
    found = read(out)["probability"].to_numpy()
    network, encoder, _ = scoring.load_model(trained)
    expected = network.predict_proba(encoder.transform(read_log(log)))[:, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.std() > 0.02


@real
@pytest.mark.parametrize(
    ("name", "options", "least"),
    [("criteo_head_train.tsv", ["--format", "criteo"], 0.68),
     ("avazu_head.csv", ["--format", "avazu"], 0.66),
     ("adult.parquet", ["--label", "income", "--positive", ">50K"], 0.89)],
)  # fmt: skip
def test_real_logs(tmp_path, monkeypatch, name, options, least):
    if name != "adult.parquet":  # one page of a real log is enough
        without_report(monkeypatch)
    assert (
        run("train", "--data", CTR / name, *options, "--epochs", 4, "--out", tmp_path / "run") == 0
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["auc"] > least
    assert metrics["test"]["log_loss"] < metrics["base_rate"]["log_loss"]
    assert metrics["best_possible"] is None


@real
@pytest.mark.usefixtures("no_report")
def test_criteo_head_dev_gets_a_probability_for_every_row(tmp_path):
    folder, out = tmp_path / "run", tmp_path / "p.parquet"
    data = CTR / "criteo_head_train.tsv"
    assert run("train", "--data", data, "--format", "criteo", "--epochs", 3, "--out", folder) == 0
    dev = CTR / "criteo_head_dev.tsv"
    assert run("predict", "--model", folder, "--data", dev, "--out", out) == 0
    found = parquet.read_table(out)["probability"].to_numpy()
    label = read_log(dev, "criteo")["label"].to_numpy()
    assert fastdl.metrics.roc_auc(label, found) > 0.65
    assert 0.7 < fastdl.metrics.calibration_ratio(label, found) < 1.4


@pytest.mark.usefixtures("no_report")
def test_resume_ends_where_an_uninterrupted_run_ends(tmp_path, monkeypatch):
    arguments = ["train", "--rows", 6000, "--hidden", "8", "--patience", 9, "--epochs", 4]
    assert run(*arguments, "--out", tmp_path / "whole") == 0

    def interrupt(self, run):
        if run.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fastdl.EarlyStopping, "on_begin", lambda self, run: None)
        patched.setattr(fastdl.Callback, "on_steps", interrupt)
        assert run(*arguments, "--out", tmp_path / "cut") == 130
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    assert run(*arguments, "--out", tmp_path / "cut", "--resume") == 0
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert models[0] == models[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["train", "--data", "absent.csv"], "no file absent.csv"),
     (["train", "--rows", "5"], "5 rows"), (["train", "--hidden", "a,b"], "hidden"),
     (["train", "--lr", "-1"], "lr"), (["train", "--split", "odd"], "split"),
     (["train", "--threads", "0"], "threads"), (["train", "--resume"], "--out"),
     (["predict", "--model", "absent", "--data", "x.csv", "--out", "y.csv"], "absent"),
     (["train", "--epochs", "0"], "epochs"), (["bench", "odd"], "odd")],
)  # fmt: skip
def test_errors_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_used_folder_is_not_overwritten(trained, capsys):
    assert run("train", "--rows", 100, "--out", trained) == 2
    assert "not empty" in capsys.readouterr().err


def damage(folder: Path, name: str, how: str) -> None:
    path = folder / name
    if how == "remove":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "flip":
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(bytes(content))
    else:
        content = json.loads(path.read_text())
        content["format_version"] = 99
        path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [("model.safetensors", "remove", "incomplete"), ("encoder.json", "remove", "incomplete"),
     ("model.safetensors", "truncate", "damaged"), ("model.safetensors", "flip", "damaged"),
     ("encoder.json", "truncate", "damaged"), ("encoder.json", "newer", "newer")],
)  # fmt: skip
def test_a_damaged_model_folder(trained, tmp_path, name, how, message):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    damage(folder, name, how)
    kind = FileNotFoundError if how == "remove" else ValueError
    with pytest.raises(kind, match=message):
        scoring.load_model(folder)


def test_logs_that_do_not_fit_the_model(trained, tmp_path):
    (tmp_path / "log.csv").write_text("label,I1\n1,2\n0,3\n")
    with pytest.raises(ValueError, match="no column"):
        scoring.predict_ctr(trained, str(tmp_path / "log.csv"), str(tmp_path / "p.csv"))
    assert not (tmp_path / "p.csv").exists()
    with pytest.raises(ValueError, match=r"\.parquet"):
        scoring.predict_ctr(trained, "x.csv", "p.json")
    with pytest.raises(FileNotFoundError, match="run folder"):
        scoring.load_model(tmp_path / "absent")


def test_info_tells_the_machine(capsys):
    assert run("info") == 0
    text = capsys.readouterr().out
    for name in ("CPU", "BLAS", "threads", "threading layer", "kernel cache", "GFLOP/s"):
        assert name in text


@pytest.mark.usefixtures("no_report")
def test_a_model_with_embeddings_round_trip(tmp_path):
    """Trained in one process, predicted by the command from CSV and Parquet: equal to the bit."""
    log, folder = tmp_path / "log.parquet", tmp_path / "run"
    write_ad_log(log, 4000, seed=5)
    options = ["--hidden", "16", "--embedding-dim", 4, "--epochs", 2, "--lr", 0.01]
    assert run("train", "--model", "deepfm", "--data", log, *options, "--out", folder) == 0
    content = json.loads((folder / "metrics.json").read_text())
    assert content["test"]["log_loss"] < content["base_rate"]["log_loss"]
    table = parquet.read_table(log)
    csv.write_csv(table, tmp_path / "log.csv")
    found = []
    for name in ("log.csv", "log.parquet"):
        out = tmp_path / f"{name}.probabilities.parquet"
        assert run("predict", "--model", folder, "--data", tmp_path / name, "--out", out) == 0
        found.append(parquet.read_table(out)["probability"].to_numpy())
    network, encoder, _ = scoring.load_model(folder)
    found.append(network.predict_proba(encoder.transform(table))[:, 1])
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    assert found[0].std() > 0.02
    (folder / "features.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"features\.json"):
        scoring.load_model(folder)


@pytest.mark.usefixtures("no_report")
def test_a_log_in_parts(tmp_path):
    days = tmp_path / "days"
    days.mkdir()
    for day in range(3):
        write_ad_log(days / f"day_{day}.parquet", 500, seed=day)
    options = ["--epochs", 1, "--hidden", 8, "--out", tmp_path / "run"]
    assert run("train", "--data", f"{days}/*.parquet", *options) == 0
    out = tmp_path / "p.csv"
    assert run("predict", "--model", tmp_path / "run", "--data", days, "--out", out) == 0
    assert len(csv.read_csv(out)) == 1500


def test_an_unknown_model_is_named(tmp_path, capsys):
    assert run("train", "--model", "deepfn", "--out", tmp_path / "run") == 2
    assert "model is 'deepfn'; expected one of" in capsys.readouterr().err


def test_evaluate_overall_and_by_value(trained, tmp_path, capsys):
    log, out = tmp_path / "log.parquet", tmp_path / "found.json"
    write_ad_log(log, 3000, seed=0, categorical=26)
    arguments = ("--model", trained, "--data", log)
    assert run("evaluate", *arguments, "--by", "C1, I1", "--out", out) == 0
    shown = capsys.readouterr().out
    found = json.loads(out.read_text())
    network, encoder, _ = scoring.load_model(trained)
    table = read_log(log)
    p = network.predict_proba(encoder.transform(table))[:, 1]
    y = table["label"].to_numpy()
    assert found["test"] == fastdl.metrics.evaluate(y, p)
    assert f"{found['test']['auc']:.4f}" in shown
    for name, values in found["by"].items():
        assert sum(own["rows"] for own in values.values()) == 3000
        assert sum(own["clicks"] for own in values.values()) == y.sum()
        assert len(values) <= 21
        own = table[name].to_pylist()
        first = max((x for x in set(own) if x is not None), key=own.count)
        text = str(first) if name == "C1" else str(int(first))
        rows = np.array([x == first for x in own])
        assert values[text] == fastdl.metrics.evaluate(y[rows], p[rows])
    assert run("evaluate", *arguments, "--by", "nothing") == 2
    assert "The log has no column nothing; it has label" in capsys.readouterr().err


@pytest.mark.usefixtures("no_report")
def test_calibrated_on_validation_rows(tmp_path, capsys):
    options = ["--model", "logisticregression", "--rows", 5000, "--epochs", 2, "--lr", 0.01]
    assert run("train", *options, "--calibrate", "platt", "--out", tmp_path / "run") == 0
    assert "taken as" in capsys.readouterr().out  # what was inferred is printed
    network, _, _ = scoring.load_model(tmp_path / "run")
    assert [type(c).__name__ for c in network.calibrators] == ["PlattScaling"]
    for wrong in (
        ["--calibrate", "plat"],
        ["--model", "ctrpredictionnetwork", "--calibrate", "platt"],
    ):
        assert run("train", *options, *wrong, "--out", tmp_path / "other") == 2
    assert "'plat'; expected" in capsys.readouterr().err
