"""What the README says: its example runs, and its commands are the ones that CI runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from fastdl.job import job_from

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    names: dict[str, object] = {}
    exec(code, names)
    assert (tmp_path / "network.safetensors").is_file()
    printed = eval(capsys.readouterr().out.splitlines()[-1], {"nan": float("nan")})
    assert printed["rows"] == 5000
    assert 0.6 < printed["auc"] < 0.85


def test_the_example_of_embeddings_runs_as_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", README, re.S)[1]
    names: dict[str, object] = {}
    exec(code, names)
    assert (tmp_path / "model.safetensors").is_file()
    assert max(names["trainer"].history["val_auc"]) > 0.66
    assert 0.9 < names["probability"].sum() / names["t_test"].sum() < 1.1


def test_the_example_of_a_stream_runs_as_it_is_written(capsys):
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[2], names)
    assert len(names["trainer"].loss_history) == 78
    assert "Epoch 1/1" in capsys.readouterr().out


def test_the_example_of_the_classifier_runs_as_it_is_written(capsys):
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[3], names)
    assert float(capsys.readouterr().out.split()[-1]) > 0.7


def test_the_options_file_has_options_of_the_command():
    options = tomllib.loads(re.findall(r"```toml\n(.*?)```", README, re.S)[0])
    job_from({name.replace("-", "_"): value for name, value in options.items()}, "README")


def test_the_example_of_the_encoder_runs_as_it_is_written(capsys):
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[4], {})
    assert capsys.readouterr().out.startswith("('price', 'city', 'seen') [[")


def test_ci_runs_the_readmes_test_command():
    (command,) = re.findall(r'pip install -e "\.\[dev\]" && pytest', README)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command.replace('"', "") in ci.replace(" --quiet", "").replace('"', "")


def test_the_table_of_the_drop_in_names_what_exists():
    import fastdl

    rows = README.split("| course | fastdl |")[1].split("\n\n")[0]
    for name in set(re.findall(r"`([A-Z]\w+)", rows)):
        assert hasattr(fastdl, name), name


@pytest.mark.parametrize("marker", ["<!-- benchmark table -->", "<!-- end of benchmark table -->"])
def test_the_benchmark_table_has_its_place(marker):
    assert README.count(marker) == 1


def test_the_example_of_images_runs_as_it_is_written(capsys):
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[5], names)
    assert float(capsys.readouterr().out.split()[-1]) > 0.9
    assert names["heat"].shape == (4, 32, 32)


def test_the_example_of_series_runs_as_it_is_written(capsys):
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[6], names)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("direct lstm") and told[-1].endswith("anomalies")
    assert names["low"].shape == (4, 14) and (names["low"] <= names["high"]).all()


def test_the_example_of_new_images_runs_as_it_is_written():
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[7], names)
    assert names["shoes"].shape == (8, 32, 32, 3)
    assert names["shoes"].dtype.name == "uint8"


def test_the_example_of_several_passes_runs_as_it_is_written():
    names: dict[str, object] = {}
    exec(re.findall(r"```python\n(.*?)```", README, re.S)[8], names)
    assert names["through"].shape == (4, 3)
    assert set(names["grads"]) == {"W0", "b0", "W2", "b2"}
