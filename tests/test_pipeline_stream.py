"""The command line on streams: parts, options files, warm start, kills, files that change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from commands import run
from pyarrow import csv, parquet

import fastdl
from fastdl.callbacks import checkpoint_files
from fastdl.data import FeatureEncoder, Log, generate_ad_log, read_log, write_ad_log
from fastdl.data.generated_log import GeneratedLog
from fastdl.data.split import split
from fastdl.files import read_arrays
from fastdl.job import Job, job_from

pytestmark = pytest.mark.usefixtures("no_report")
SMALL = ["--hidden", "8", "--embedding-dim", 4]


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    log = generate_ad_log(6000, seed=1)
    for day in range(3):
        parquet.write_table(log[day * 2000 : day * 2000 + 2000], folder / f"day_{day + 1}.parquet")
    return folder


# ---------------------------------------------------------------------------- parts
@pytest.mark.parametrize("how", ["order", "random"])
@pytest.mark.parametrize("rows", [100, 70_000])
def test_parts_share_no_row_and_lose_none(how, rows):
    parts = split(GeneratedLog(rows, 3), rows, how, (0.8, 0.1, 0.1), 5)
    found = []
    for part in parts:
        taken = np.concatenate([t["click_probability"].to_numpy() for t in part.tables()])
        assert len(taken) == part.rows
        found.append(taken)
    whole = read_whole(rows)
    assert abs(len(found[0]) - 0.8 * rows) <= 2
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.sort(whole))
    if how == "order":
        np.testing.assert_array_equal(np.concatenate(found), whole)


def read_whole(rows):
    tables = GeneratedLog(rows, 3).tables()
    return np.concatenate([t["click_probability"].to_numpy() for t in tables])


def test_validation_and_test_logs_take_the_place_of_shares(days, tmp_path, capsys):
    command = ["train", "--model", "logisticregression", "--epochs", 1, "--data", days / "day_1.*"]
    valid = ["--valid", days / "day_2.parquet"]
    assert run(*command, *valid, "--out", tmp_path / "a") == 0
    assert "validation rows: 2,000" in capsys.readouterr().out
    facts = metrics_of(tmp_path / "a")["facts"]
    assert (facts["train rows"], facts["validation rows"]) == (2000, 2000)
    assert run(*command, *valid, "--test", days / "day_3.parquet", "--out", tmp_path / "b") == 0
    assert "test rows: 2,000" in capsys.readouterr().out
    assert run(*command, "--test", days / "day_3.parquet", "--out", tmp_path / "c") == 0
    facts = metrics_of(tmp_path / "c")["facts"]
    assert [facts[f"{n} rows"] for n in ("train", "validation", "test")] == [1800, 200, 2000]


# ---------------------------------------------------------------------------- options
def test_options_from_a_file_and_flags_before_them(tmp_path, days):
    options = tmp_path / "job.toml"
    options.write_text(
        f'model = "fwfm"\ndata = "{days / "day_1.parquet"}"\nhidden = [8]\nembedding-dim = 4\n'
        "epochs = 3\nlr = 1\npositive = 1\n"
    )
    command = ["train", "--options", options, "--model", "deepfm", "--lr", "0.01", "--out"]
    assert run(*command, tmp_path / "run") == 0
    job = metrics_of(tmp_path / "run")["job"]
    assert (job["model"], job["lr"], job["hidden"], job["embedding_dim"]) == (
        "deepfm", 0.01, [8], 4,
    )  # fmt: skip
    assert job["positive"] == "1" and job["epochs"] == 3


def test_kinds_of_columns_are_in_the_options_file(tmp_path, days):
    options = tmp_path / "job.toml"
    options.write_text('hidden = "8"\n[columns]\nI1 = "number"\nC1 = "ignore"\n'
                       'C2 = {kind = "hashed", size = 30}\n')  # fmt: skip
    command = ["train", "--options", options, "--data", days / "day_1.parquet", "--epochs", 1]
    assert run(*command, "--out", tmp_path / "run") == 0
    found = {name: (kind, gives) for name, kind, gives in metrics_of(tmp_path / "run")["columns"]}
    assert found["I1"][0] == "number" and "C1" not in found and found["C2"] == ("hashed", "31 ids")
    options.write_text('columns = "I1"\n')
    assert run("train", "--options", options, "--out", tmp_path / "odd") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [("epoch = 3", "unknown option epoch"), ("epochs = '3'", "epochs is '3'"), ("a = [", "TOML"),
     ("cache = 1", "cache is 1"), ("hidden = 'a'", "hidden"), ("model = 'x'", "model is 'x'")],
)  # fmt: skip
def test_bad_options_files(text, message, tmp_path, capsys):
    (tmp_path / "job.toml").write_text(text)
    assert run("train", "--options", tmp_path / "job.toml", "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert run("train", "--options", tmp_path / "absent.toml") == 2


def test_the_command_has_an_option_for_every_field_of_a_job():
    assert job_from({}, "nothing") == Job()
    import dataclasses
    import inspect

    from fastdl import cli

    flags = set(inspect.signature(cli.train).parameters)
    fields = [field for field in dataclasses.fields(Job) if field.name != "columns"]
    assert {field.name for field in fields} <= flags
    for field in fields:
        default = inspect.signature(cli.train).parameters[field.name].default
        assert default == (
            ",".join(map(str, field.default)) if field.name == "hidden" else field.default
        )


# ---------------------------------------------------------------------------- runs
def test_the_cache_serves_while_training_and_is_gone_afterwards(days, tmp_path):
    command = ["train", "--model", "deepfm", *SMALL, "--data", days, "--epochs", 3]
    seen = []

    class Look(fastdl.Callback):
        pass

    def look(self, run):
        seen.append(sorted(p.name for p in (tmp_path / "a" / "cache").rglob("*.safetensors")))

    before = fastdl.EarlyStopping.on_epoch
    try:
        fastdl.EarlyStopping.on_epoch = lambda self, r: (look(self, r), before(self, r))[1]
        assert run(*command, "--out", tmp_path / "a") == 0
    finally:
        fastdl.EarlyStopping.on_epoch = before
    assert seen[0] == ["000000.safetensors", "000000.safetensors"]  # train and validation
    assert not (tmp_path / "a" / "cache").exists()
    assert run(*command, "--no-cache", "--out", tmp_path / "b") == 0
    assert not (tmp_path / "b" / "cache").exists()
    a, b = (metrics_of(tmp_path / name) for name in "ab")
    assert a["history"]["loss"] == b["history"]["loss"]  # one window: no blocks to mix


def test_progressive_validation_covers_the_first_epoch(days, tmp_path):
    command = ["train", "--model", "logisticregression", "--lr", "0.01", "--data", days]
    assert run(*command, "--epochs", 2, "--batch-size", 100, "--out", tmp_path / "run") == 0
    found = metrics_of(tmp_path / "run")
    points = found["progressive"]
    assert points["rows"] == [1000, 2000, 3000, 4000, 4800]
    weights = np.diff([0, *points["rows"]])
    mean = float(np.average(points["log_loss"], weights=weights))
    np.testing.assert_allclose(mean, found["history"]["loss"][0], rtol=1e-6)
    assert all(0 < auc < 1 for auc in points["auc"])


def test_warm_start_goes_on_from_another_run(days, tmp_path, capsys):
    command = ["train", "--model", "deepfm", *SMALL, "--lr", "0.005"]
    assert run(*command, "--data", days / "day_1.parquet", "--epochs", 1, "--calibrate", "platt",
               "--out", tmp_path / "one") == 0  # fmt: skip
    further = [*command, "--data", days / "day_2.parquet", "--epochs", 1]
    assert run(*further, "--warm-start", tmp_path / "one", "--out", tmp_path / "two") == 0
    assert run(*further, "--out", tmp_path / "cold") == 0
    warm, cold = (metrics_of(tmp_path / n)["history"]["loss"][0] for n in ("two", "cold"))
    assert warm < cold - 0.01
    assert fastdl.load(tmp_path / "two" / "model.safetensors").calibrators == []
    old, new = (FeatureEncoder.load(tmp_path / name) for name in ("one", "two"))
    grew = False
    for a, b in zip(old.columns_, new.columns_, strict=True):
        if a.vocabulary is not None:
            values = b.vocabulary.values.to_pylist()
            assert values[: len(a.vocabulary.values)] == a.vocabulary.values.to_pylist()
            grew |= len(values) > len(a.vocabulary.values)
    assert grew
    dense = ["--model", "ctrpredictionnetwork"]
    assert run("train", *dense, "--rows", 100, "--warm-start", tmp_path / "one") == 2
    assert "needs a model with embeddings" in capsys.readouterr().err


# ---------------------------------------------------------------------------- kills and changes
def asked(days, out, *more):
    return ["train", "--model", "deepfm", *SMALL, "--data", days, "--epochs", 3, "--batch-size",
            100, "--patience", 9, "--out", out, *more]  # fmt: skip


def process_of(*arguments):
    code = "import sys; from fastdl.cli import main; from fastdl import pipeline; " \
           "pipeline._CHECKPOINT_SECONDS = 0.0; main(sys.argv[1:])"  # fmt: skip
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)],
                            stdout=subprocess.DEVNULL)  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_in_the_middle_of_an_epoch_and_resumed_to_equal_bits(days, tmp_path, monkeypatch):
    monkeypatch.setattr("fastdl.pipeline._CHECKPOINT_SECONDS", 0.0)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(*asked(days, whole)) == 0  # what nothing kills need not be a process of its own
    kills = []
    for steps in (10, 60):  # in the first epoch, and in the second, of 48 steps each
        process = process_of(*asked(days, cut, *(["--resume"] if kills else [])))
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            files = checkpoint_files(cut / "checkpoints")
            if files and int(files[-1].stem.split("-")[1]) >= steps:
                break
            time.sleep(0.004)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills.append(steps)
        process.wait()
    assert kills == [10, 60]
    _, known = read_arrays(checkpoint_files(cut / "checkpoints")[-1], "checkpoint")
    assert 60 <= known["progress"][1] < 144
    assert run(*asked(days, cut, "--resume")) == 0
    for name in ("model.safetensors", "features.json", "vocabularies.parquet"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    expected, resumed = (metrics_of(folder) for folder in (whole, cut))
    assert expected["test"] == resumed["test"]
    assert expected["progressive"] == resumed["progressive"]


def interrupted(monkeypatch, epoch):
    def interrupt(self, run):
        if run.epoch == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(fastdl.EarlyStopping, "on_steps", interrupt)


def test_a_log_that_changed_is_refused_on_resuming(days, tmp_path, monkeypatch, capsys):
    data = tmp_path / "log.parquet"
    data.write_bytes((days / "day_1.parquet").read_bytes())
    command = ["train", "--model", "logisticregression", "--data", data, "--epochs", 3,
               "--out", tmp_path / "run"]  # fmt: skip
    with monkeypatch.context() as patched:
        interrupted(patched, 1)
        assert run(*command) == 130
    stamp = data.stat().st_mtime_ns
    os.utime(data, ns=(stamp + 1, stamp + 1))
    assert run(*command, "--resume") == 2
    assert "changed" in capsys.readouterr().err
    os.utime(data, ns=(stamp, stamp))
    assert run(*command, "--lr", "0.1", "--resume") == 2
    assert "begun with 0.001" in capsys.readouterr().err
    assert run(*command, "--resume") == 0


def test_train_here_predict_there_from_every_kind_of_file(days, tmp_path):
    command = ["train", "--model", "deepfm", *SMALL, "--data", days / "day_1.parquet"]
    assert run(*command, "--epochs", 1, "--out", tmp_path / "run") == 0
    table = read_log(days / "day_2.parquet")
    encoder, model = FeatureEncoder.load(tmp_path / "run"), fastdl.load(
        tmp_path / "run" / "model.safetensors"
    )  # fmt: skip
    expected = model.predict_proba(encoder.transform(table))[:, 1]
    frame = model.predict_proba(encoder.transform(table.to_pandas()))[:, 1]
    assert frame.tobytes() == expected.tobytes()


def test_a_log_too_large_for_the_dense_network_is_told_before_it_is_read(
    days, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("fastdl.pipeline.available_memory", lambda: 1 << 20)
    dense = ["--model", "ctrpredictionnetwork"]
    assert run("train", *dense, "--data", days, "--out", tmp_path / "run") == 2
    assert "--model deepfm" in capsys.readouterr().err


def test_bad_rows_are_skipped_counted_and_told_by_every_command(tmp_path, capsys):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    write_ad_log(good, 600, seed=2, numeric=2, categorical=2, cardinality=50)
    lines = good.read_text().splitlines(keepends=True)
    lines[30] = "1,2,3\n"
    lines[400] = "7" + lines[400][1:]  # a label that is none
    bad.write_text("".join(lines))
    command = ["train", "--model", "logisticregression", "--epochs", 1, "--data", bad]
    assert run(*command, "--out", tmp_path / "stop") == 2
    assert "bad.csv" in capsys.readouterr().err
    assert run(*command, "--on-error", "skip", "--out", tmp_path / "run") == 0
    assert "ragged" in capsys.readouterr().out
    found = metrics_of(tmp_path / "run")
    skipped = sum(entry["rows"] for entry in found["skipped"])
    facts = found["facts"]
    rows = sum(facts[f"{name} rows"] for name in ("train", "validation", "test"))
    assert skipped == facts["skipped rows"] == 2 and rows + skipped == 600
    for more in (["predict", "--out", tmp_path / "p.csv"], ["evaluate"]):
        ask = [more[0], "--model", tmp_path / "run", "--data", bad, *more[1:]]
        assert run(*ask) == 2
        assert run(*ask, "--on-error", "skip") == 0
        assert "ragged" in capsys.readouterr().out
    assert run(*command, "--on-error", "odd", "--out", tmp_path / "odd") == 2


def test_hashed_categories_and_an_encoder_of_the_first_rows(days, tmp_path):
    command = ["train", "--data", days, *SMALL, "--epochs", 1, "--categories", "hashed"]
    options = ["--hash-size", 100, "--fit-rows", 500]
    assert run(*command, *options, "--out", tmp_path / "run") == 0
    columns = {name: (kind, gives) for name, kind, gives in metrics_of(tmp_path / "run")["columns"]}
    assert columns["C1"] == ("hashed", "101 ids")
    first = read_log(days, rows=500)
    borders = FeatureEncoder().fit(first).columns_[0].borders
    assert FeatureEncoder.load(tmp_path / "run").columns_[0].borders == borders
    assert run(*command, "--fit-rows", 0, "--out", tmp_path / "odd") == 2


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_parts_of_a_log_in_several_files_are_its_rows(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("fastdl.data.cut.BLOCK_BYTES", 20_000)
    log = generate_ad_log(1500, seed=3)
    for i in range(3):
        own = log[i * 500 : i * 500 + 500]
        if suffix == "csv":
            csv.write_csv(plain(own), tmp_path / f"part_{i}.csv")
        else:
            parquet.write_table(own, tmp_path / f"part_{i}.parquet", row_group_size=60)
    files = Log(tmp_path)
    for part, (low, high) in zip(
        split(files, 1500, "order", (0.8, 0.1, 0.1), 0), [(0, 1200), (1200, 1350), (1350, 1500)],
        strict=True,
    ):  # fmt: skip
        for tables in (part.tables(), part.pieces()):
            found = np.concatenate([t["click_probability"].to_numpy() for t in tables])
            np.testing.assert_allclose(found, log["click_probability"].to_numpy()[low:high])


def plain(table):
    """Strings in the place of dictionaries, which pyarrow's CSV writer does not take."""
    fields = [pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type)
              for f in table.schema]  # fmt: skip
    return table.cast(pa.schema(fields))
