"""forecast, predict-series and inspect: from a table of series to a run folder and back."""

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
from pyarrow import parquet

import fastdl
from fastdl.data.series import BacktestFolds, generate_ad_series, read_series, write_ad_series
from fastdl.forecasting import LinearWindow, backtest
from fastdl.forecasting.anomaly import anomaly_columns
from fastdl.forecasting.job import ForecastJob, names
from fastdl.forecasting.pipeline import forecast_series
from fastdl.forecasting.shown import residuals, shown_series
from fastdl.forecasting.sources import read_job
from fastdl.options import options_from

SMALL = ("--hidden", 4, "--epochs", 2, "--context", 16, "--horizon", 6, "--lr", 0.01)
COLUMNS = ("--time", "time", "--value", "clicks", "--series-id", "series")
KNOWN = ("--known", "promotion,budget", "--static", "channel")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "ads.csv"
    write_ad_series(path, 3, steps=90, frequency="D", seed=2, future=6)
    return path


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    assert run("forecast", "--data", data, *COLUMNS, *KNOWN, *SMALL, "--out", folder) == 0
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_folder_has_forecast_backtest_metrics_and_pictures(trained):
    assert {path.name for path in trained.iterdir()} == {
        "anomalies.csv", "backtest", "backtest.csv", "checkpoints", "checkpoints-refit",
        "data.json", "forecast.csv", "forecaster.json", "job.json", "metrics.json",
        "model.safetensors", "report.html", "report.png", "series.json",
    }  # fmt: skip
    found = json.loads((trained / "metrics.json").read_text())
    assert found["kind"] == "series" and found["name"] == "direct lstm"
    assert list(found["models"]) == [
        "direct lstm", "naive", "seasonal naive", "moving average", "drift", "linear"
    ]  # fmt: skip
    assert found["models"]["seasonal naive"]["skill"] == {"mae": 0, "crps": 0}
    skill = 1 - found["test"]["mae"] / found["models"]["seasonal naive"]["mae"]
    assert found["test"]["skill"]["mae"] == pytest.approx(skill)
    folds = found["facts"]["folds of the backtest"]
    assert folds == 4 and found["test"]["values"] == 3 * folds * 6
    assert len(found["by_step"]["direct lstm"]["crps"]) == 6
    assert found["calibration"]["nominal"] == [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
    with Image.open(trained / "report.png") as picture:
        assert picture.size == (1500, 900)


def test_forecasts_follow_the_last_step_and_are_not_negative(trained):
    found = rows(trained / "forecast.csv")
    assert len(found) == 3 * 6
    assert found[0]["series"] == "account_0" and found[0]["time"].startswith("2024-03-31")
    for row in found:
        own = [float(row[f"q{level}"]) for level in ("0.05", "0.1", "0.5", "0.9", "0.95")]
        assert own == sorted(own) and own[0] >= 0


def test_the_backtest_file_has_every_step_and_the_baselines_of_the_same_origins(trained, data):
    found = rows(trained / "backtest.csv")
    series = read_series(data, time="time", value="clicks", series_id="series",
                         known=("promotion", "budget"))  # fmt: skip
    folds = BacktestFolds(6, folds=4)
    linear = backtest(LinearWindow(), series, folds)
    points = np.concatenate([np.maximum(f.point, 0).reshape(-1) for f in linear.forecasts])
    assert len(found) == len(points)
    np.testing.assert_allclose([float(r["point of linear"]) for r in found], points)
    values = [fold.actual.reshape(-1) for fold in folds.of(series)]
    np.testing.assert_allclose([float(r["actual"]) for r in found], np.concatenate(values))
    flagged = [row for row in found if row["flagged"] == "true"]
    assert rows(trained / "anomalies.csv") == [
        {k: v for k, v in row.items() if not k.startswith("point of")} for row in flagged
    ]


def test_the_forecaster_of_the_backtest_has_not_seen_the_folds(trained, data):
    early = fastdl.AdSeriesForecaster.load(trained / "backtest").forecaster_.preparation
    late = fastdl.AdSeriesForecaster.load(trained).forecaster_.preparation
    job = options_from(ForecastJob, {
        "data": str(data), "time": "time", "value": "clicks", "series_id": "series",
        "horizon": 6, "context": 16,
    }, "test")  # fmt: skip
    found = read_job(job)
    origin = found.folds.origins(found.series)[0]
    assert early.trained_until < origin and late.trained_until > early.trained_until


def test_the_page_has_a_picture_of_every_kind_and_runs_nothing(trained):
    page = (trained / "report.html").read_text()
    for name in ("series-0", "series-2", "step-mae", "levels", "residuals-time",
                 "residuals-spread", "residuals-weekday", "loss"):  # fmt: skip
        assert f'id="{name}-' in page
    assert "<script" not in page and len(page) < 1_500_000
    for title in ("Backtest", "Beside the baselines", "Forecasts", "Residuals", "Anomalies"):
        assert f"<h2>{title}</h2>" in page


def test_further_data_is_forecast_with_the_saved_model(trained, data, tmp_path, capsys):
    out = tmp_path / "more.csv"
    assert run("predict-series", "--model", trained, "--data", data, "--out", out) == 0
    assert out.read_bytes() == (trained / "forecast.csv").read_bytes()
    assert run("predict-series", "--model", trained, "--data", data, "--horizon", 2, "--out",
               tmp_path / "two.parquet") == 0  # fmt: skip
    two, six = parquet.read_table(tmp_path / "two.parquet"), rows(out)
    assert two["series"].to_pylist() == [name for i in range(3) for name in [f"account_{i}"] * 2]
    assert two["q0.5"][0].as_py() == pytest.approx(float(six[0]["q0.5"]))
    lines = data.read_text().splitlines()
    early = tmp_path / "early.csv"  # without the days to come, of which something has to be known
    early.write_text("\n".join(line for line in lines if ",,,,," not in line) + "\n")
    capsys.readouterr()
    assert run("predict-series", "--model", trained, "--data", early, "--out", out) == 2
    assert "known covariates promotion, budget are missing" in capsys.readouterr().err
    assert run("predict-series", "--model", trained, "--data", data, "--horizon", 7, "--out",
               out) == 2  # fmt: skip
    assert "trained for 6 steps; 7 are asked for" in capsys.readouterr().err


def test_other_commands_say_which_one_is_for_series(trained, data, capsys):
    assert run("evaluate", "--model", trained, "--data", data) == 2
    assert "is a run on series; `fastdl predict-series` is for those" in capsys.readouterr().err


def test_inspect_tells_of_the_run_and_writes_the_page_again(trained, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run("inspect", trained, "--html", page) == 0
    told = capsys.readouterr().out
    assert "DirectForecaster" in told and "CRPS skill" in told and "forecast.csv" in told
    assert page.read_text() == (trained / "report.html").read_text()


@pytest.mark.usefixtures("no_report")
def test_a_run_that_was_cut_off_ends_with_the_same_forecast(trained, data, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(trained, folder)
    for name in ("model.safetensors", "metrics.json", "forecast.csv", "series.json"):
        (folder / name).unlink()
    for newest in sorted((folder / "checkpoints-refit").iterdir())[1:]:
        newest.unlink()
    command = ("forecast", "--data", data, *COLUMNS, *KNOWN, *SMALL, "--out", folder, "--resume")
    assert run(*command) == 0
    assert (folder / "forecast.csv").read_bytes() == (trained / "forecast.csv").read_bytes()
    assert (folder / "backtest.csv").read_bytes() == (trained / "backtest.csv").read_bytes()


def test_other_data_is_no_reason_to_go_on(trained, data, tmp_path, capsys):
    folder, other = tmp_path / "cut", tmp_path / "ads.csv"
    shutil.copytree(trained, folder)
    other.write_text(data.read_text().replace(",8.0,", ",9.0,", 1).replace(",5.0,", ",6.0,", 1))
    job = json.loads((folder / "job.json").read_text())
    job["job"]["data"] = str(other)
    (folder / "job.json").write_text(json.dumps(job))
    lines = data.read_text().splitlines()
    other.write_text("\n".join(lines[:50] + lines[51:]) + "\n")
    assert run("forecast", "--data", other, *COLUMNS, *KNOWN, *SMALL, "--resume", "--resample",
               "D", "--out", folder) == 2  # fmt: skip
    assert "cannot be resumed with resample 'D'" in capsys.readouterr().err


@pytest.mark.usefixtures("no_report")
def test_built_in_series_are_forecast_without_a_table(tmp_path, capsys):
    assert run("forecast", *SMALL, "--accounts", 2, "--steps", 120, "--frequency", "D", "--folds",
               2, "--no-refit", "--out", tmp_path / "run") == 0  # fmt: skip
    told = capsys.readouterr().out
    assert "Skill against the seasonal naive (CRPS):" in told
    assert "2 folds of 6 steps" in told and "Fitting on all steps" not in told


def test_a_wide_table_with_gaps_is_resampled_and_reported(tmp_path, capsys):
    ads = generate_ad_series(2, 150, "h", seed=1).values["spend"]
    lines = ["hour,one,two <b>"]
    lines += [
        f"{np.datetime64('2024-03-01T00:00:01') + np.timedelta64(i, 'h')},{a},{b}"
        for i, (a, b) in enumerate(ads.T.tolist()) if not 60 <= i < 65
    ]  # fmt: skip
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(lines) + "\n")
    command = ("forecast", "--data", path, "--value", "one,two <b>", *SMALL, "--out")
    assert run(*command, tmp_path / "a") == 2
    assert "has a gap: 5 steps of 'h' are missing" in capsys.readouterr().err
    assert run(*command, tmp_path / "b", "--resample", "h") == 0
    assert "Resampled 290 rows of 2 series to 300 steps of 'h'" in capsys.readouterr().out
    found = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert [own["gaps"] for own in found["resampling"]["series"]] == [5, 5]
    page = (tmp_path / "b" / "report.html").read_text()
    assert "two &lt;b&gt;" in page and "two <b>" not in page


def test_shown_series_are_the_largest_the_worst_and_random_ones():
    ads = generate_ad_series(20, 100, "D", seed=1)
    tested = backtest(LinearWindow(16), ads.series(), BacktestFolds(7, folds=2))
    chosen = shown_series(tested, 0)
    assert list(chosen.values()) == (
        ["one of the largest"] * 4 + ["one of the worst forecast"] * 4 + ["a random one"] * 4
    )
    actual = np.concatenate([fold.actual for fold in tested.folds], axis=1).mean(axis=1)
    assert list(chosen)[:4] == [ads.ids[i] for i in np.argsort(-actual)[:4]]
    assert shown_series(tested, 0) == chosen != shown_series(tested, 1)


def test_residuals_are_those_of_the_forecasts():
    ads = generate_ad_series(1, 24 * 20, "h", seed=1)
    tested = backtest(LinearWindow(24), ads.series(), BacktestFolds(24, folds=3))
    found, own = residuals(tested), anomaly_columns(tested)
    error = own["actual"] - own["point"]
    assert found["values"] == 72 and found["unit"] == "the series' units"
    assert found["mean"] == pytest.approx(error.mean(), rel=1e-5)
    assert sum(found["histogram"]["count"]) == 72
    hour = own["time"].astype("datetime64[h]").astype(int) % 24
    np.testing.assert_allclose(
        [q[2] for q in found["hour"]["quantiles"]],
        [np.median(error[hour == h]) for h in range(24)], rtol=1e-5,
    )  # fmt: skip
    assert len(found["time"]["time"]) == 72


def test_names_are_told_from_text_and_lists():
    assert names("a, b", "known") == names(["a", "b"], "known") == ("a", "b")
    with pytest.raises(TypeError, match=r"known is 3; expected columns such as"):
        names(3, "known")


@pytest.mark.usefixtures("no_report")
def test_functions_do_what_the_command_does(data, tmp_path):
    job = options_from(ForecastJob, {
        "data": str(data), "time": "time", "value": "clicks", "series_id": "series",
        "horizon": 3, "context": 8, "hidden": 4, "epochs": 1, "folds": 1, "refit": False,
        "encoder": "gru", "model_options": {"width": 8},
    }, "test")  # fmt: skip
    seen = []
    outcome = forecast_series(job, tmp_path / "run", verbose=False, on_data=seen.append)
    assert outcome.name == "direct gru" and len(seen[0].series) == 3
    (entry,) = outcome.skipped  # rows of the days to come, whose columns are not named as known
    assert entry["reason"] == "no series has a value" and entry["rows"] == 18
    assert outcome.forecast.point.shape == (3, 3)
    assert re.fullmatch(r"2024-03-3\d", str(outcome.forecast.times_of(0)[0])[:10])
