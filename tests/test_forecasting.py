"""Baselines, conformal intervals, backtests, quantiles of distributions, generated ad series."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from conftest import SHARED

from fastdl.data.series import (
    BacktestFolds,
    SeriesSet,
    WindowMaker,
    generate_ad_series,
    read_series,
    write_ad_series,
)
from fastdl.forecasting import (
    AdaptiveConformal,
    Drift,
    Forecast,
    LinearWindow,
    MovingAverage,
    Naive,
    SeasonalNaive,
    adaptive_conformal,
    backtest,
    baselines,
    conformal_levels,
    conformal_quantile,
    conformalized,
    split_conformal,
)
from fastdl.forecasting.baseline import error_quantiles
from fastdl.forecasting.distributions import (
    gaussian_quantiles,
    negative_binomial_quantiles,
    student_t_quantiles,
)


# ---------------------------------------------------------------------------- baselines
def test_points_of_the_simple_rules():
    y = [np.array([1.0, 2, 3, 4, 5, 6, 7]), np.array([5.0, np.nan, 2, np.nan])]
    series = SeriesSet.from_arrays(y)
    assert Naive().predict(series, 2).point.tolist() == [[7, 7], [2, 2]]
    assert SeasonalNaive(3).predict(series, 4).point.tolist() == [[5, 6, 7, 5], [2, 2, 5, 2]]
    assert SeasonalNaive(2).predict(series, 3).point.tolist() == [[6, 7, 6], [2, 2, 2]]
    assert MovingAverage(3).predict(series, 1).point.tolist() == [[6], [2]]
    assert Drift().predict(series, 2).point.tolist() == [[8, 9], [0.5, -1.0]]


def test_the_season_is_the_frequencys():
    series = SeriesSet.from_arrays([np.arange(48.0)], frequency="h")
    assert SeasonalNaive().predict(series, 2).point.tolist() == [[24, 25]]


def test_quantiles_are_those_of_the_rules_own_errors(rng):
    walk = np.cumsum(rng.standard_normal(4000))
    found = Naive().predict(SeriesSet.from_arrays([walk]), 16, [0.1, 0.9])
    width = found.quantiles[0, :, 1] - found.quantiles[0, :, 0]
    assert 2.0 < width[0] < 3.2  # 2.56 standard deviations of one step
    assert width[15] > 2 * width[0]  # sixteen steps: about four times as wide


def test_quantiles_without_errors_are_the_point():
    found = SeasonalNaive(3).predict(SeriesSet.from_arrays([[4.0]]), 2, [0.1, 0.9])
    assert found.quantiles.tolist() == [[[4, 4], [4, 4]]]


def test_error_quantiles_are_numpys(rng):
    errors = rng.standard_normal((30, 4, 3))
    errors[5:9, 1] = np.nan
    levels = np.array([0.1, 0.5, 0.95])
    expected = np.moveaxis(np.nanquantile(errors, levels, axis=0), 0, -1)
    np.testing.assert_allclose(error_quantiles(errors, levels), expected, rtol=1e-12)
    errors[:, 2, 1:] = np.nan  # no errors of later steps: those of the step before
    found = error_quantiles(errors, levels)
    assert found[2, 2].tolist() == found[2, 0].tolist()


def test_blocks_of_series_change_nothing(rng, monkeypatch):
    from fastdl.forecasting import baseline

    series = SeriesSet.from_arrays(rng.standard_normal((7, 50)))
    whole = Drift().predict(series, 3)
    monkeypatch.setattr(baseline, "_BLOCK", 1)
    assert Drift().predict(series, 3).quantiles.tobytes() == whole.quantiles.tobytes()


@pytest.mark.parametrize("scaling", ["none", "standard", "last"])
def test_the_linear_model_is_the_least_squares_solution(rng, scaling):
    values = np.cumsum(rng.standard_normal((3, 90)), axis=1)
    series = SeriesSet.from_arrays(values)
    model = LinearWindow(6, ridge=0.0, scaling=scaling).fit(series)
    found = model.predict(series, 2).point
    maker = WindowMaker(6, 2, scaling, parts=(), dtype=np.float64)
    rows, origins = (a.reshape(-1) for a in np.mgrid[:3, 3:89])
    made, y, _ = maker.make(series, rows, origins)
    X = np.hstack([np.ones((len(y), 1)), made.x[:, :6, 0]])
    W = np.linalg.lstsq(X, y, rcond=None)[0]
    last = maker.make(series, np.arange(3), np.full(3, 90))[0]
    expected = last.inverse(np.hstack([np.ones((3, 1)), last.x[:, :6, 0]]) @ W)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)  # windows are float32


def test_the_linear_model_bears_gaps_and_short_series(rng):
    values = np.sin(np.arange(400) / 3) + 5
    values[rng.random(400) < 0.2] = np.nan
    series = SeriesSet.from_arrays([values, values[:9]], frequency="h")
    found = LinearWindow(12).fit(series).predict(series, 8)
    assert np.isfinite(found.quantiles).all()
    assert np.abs(found.point[0] - (np.sin(np.arange(400, 408) / 3) + 5)).max() < 0.7
    with pytest.raises(ValueError, match="has to be fitted"):
        LinearWindow().predict(series, 2)
    with pytest.raises(ValueError, match="horizon is 0"):
        Naive().predict(series, 0)


def test_forecasts_say_what_they_are():
    series = SeriesSet.from_arrays([[1.0, 2.0]], ["ad"], frequency="MS", start="2024-01-01")
    found = Naive().predict(series, 2, [0.1, 0.5, 0.9])
    table = found.table().to_pydict()
    assert [str(t)[:10] for t in table["time"]] == ["2024-03-01", "2024-04-01"]
    assert list(table) == ["series", "time", "step", "point", "q0.1", "q0.5", "q0.9"]
    lower, upper = found.interval(0.8)
    assert (lower <= upper).all()
    with pytest.raises(ValueError, match=r"level 0\.2 was not forecast"):
        found.at(0.2)
    crossed = Forecast.of(series, found.point, np.array([[[3.0, 1.0]] * 2]), [0.1, 0.9])
    assert crossed.quantiles.tolist() == [[[1, 3], [1, 3]]]
    assert crossed.clipped(2.0).quantiles.tolist() == [[[2, 3], [2, 3]]]


def test_ett_by_the_linear_model():
    path = SHARED / "data" / "series" / "ETTh1.csv"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    series = read_series(path, time="date", value=["OT"])
    month = 30 * 24
    train = series.cut(np.array([12 * month]))
    mean, std = train.values_of(0).mean(), train.values_of(0).std()
    model = LinearWindow(336, scaling="last").fit(train)
    errors = []
    for origin in range(16 * month, 20 * month - 24, 24):
        found = model.predict(series.cut(np.array([origin])), 24).point[0]
        errors.append((found - series.values_of(0)[origin : origin + 24]) / std)
    assert np.isfinite(mean)
    assert np.mean(np.square(errors)) < 0.035  # all origins: 0.026; DeepAR's is published as 0.107


# ---------------------------------------------------------------------------- conformal
def test_the_conformal_quantile_counts_the_new_value():
    scores = np.arange(1.0, 10)  # nine: the 80 % quantile is the eighth
    assert conformal_quantile(scores, 0.8) == 8
    assert conformal_quantile(scores, 0.9) == 9
    assert conformal_quantile(scores, 0.95) == np.inf
    both = conformal_quantile(np.array([[1.0, np.nan], [2, 5], [3, np.nan], [4, 7]]), 0.5)
    assert both.tolist() == [3, 7]


def test_split_conformal_covers_what_is_exchangeable(rng):
    errors = rng.standard_t(3, (400, 2)) * [1, 4]
    lower, upper = split_conformal(np.zeros((1, 2)), errors, 0.8)
    new = rng.standard_t(3, (4000, 2)) * [1, 4]
    assert np.abs(((lower <= new) & (new <= upper)).mean(axis=0) - 0.8).max() < 0.06
    levels = conformal_levels(np.zeros((1, 2)), errors, [0.1, 0.5, 0.9])
    inside = (levels[0, :, 0] <= new) & (new <= levels[0, :, 2])
    assert np.abs(inside.mean(axis=0) - 0.8).max() < 0.06
    with pytest.raises(ValueError, match=r"errors has shape \(400, 2\); expected \(n, 3\)"):
        split_conformal(np.zeros((1, 3)), errors)


def test_intervals_that_are_too_narrow_or_wide_are_mended(rng):
    y, new = rng.standard_normal((2, 999, 1))
    for half in (0.5, 4.0):
        bound = np.full((999, 1), half)
        lower, upper = conformalized(-bound, bound, y, (-bound, bound), 0.8)
        assert abs(np.mean((lower <= new) & (new <= upper)) - 0.8) < 0.04


def test_adaptive_intervals_keep_their_coverage_when_the_world_changes(rng):
    T = 3000
    y = rng.standard_normal((T, 1)) * np.linspace(1, 6, T)[:, None]
    errors = rng.standard_normal((200, 1))
    low, high = split_conformal(np.zeros((T, 1)), errors, 0.8)
    assert np.mean((low <= y) & (y <= high)) < 0.5
    low, high = adaptive_conformal(y, np.zeros((T, 1)), errors, 0.8, rate=0.02, memory=300)
    missed = ~((low <= y) & (y <= high))
    assert abs(missed.mean() - 0.2) < (1 + 0.02) / (0.02 * T)  # their proposition 4.1
    y[5] = np.nan
    assert np.isfinite(adaptive_conformal(y[:9], np.zeros((9, 1)), errors)[0]).all()


def test_the_adaptive_level_is_the_papers():
    state = AdaptiveConformal(0.9, rate=0.5, steps=2)
    state.update([True, False])
    np.testing.assert_allclose(state.alpha, [0.1 + 0.5 * (0.1 - 1), 0.1 + 0.5 * 0.1])
    assert state.coverage.tolist() == [1, pytest.approx(0.85)]
    assert state.margin(np.ones((50, 2))).tolist() == [np.inf, 1]
    state.update([np.nan, np.nan])
    np.testing.assert_allclose(state.alpha, [-0.35, 0.15])


# ---------------------------------------------------------------------------- backtests
def test_backtests_pool_their_folds():
    series = SeriesSet.from_arrays(
        [np.tile(np.arange(7.0), 8), np.tile(np.arange(7.0) * 2, 8)], ["a", "b"]
    )
    folds = BacktestFolds(7, 7, 3)
    naive, best = (backtest(model, series, folds) for model in (Naive(), SeasonalNaive()))
    assert best.errors.shape == (6, 7)
    assert not best.errors.any()
    found = best.metrics(naive)
    assert found["skill"] == {"mae": 1.0, "crps": 1.0}
    assert found["mase"] is None  # the seasonal scale of a perfect season is 0
    assert found["values"] == 42
    assert [step["mae"] for step in naive.by_step()] == [9, 7.5, 6, 4.5, 3, 1.5, 0]


@pytest.mark.parametrize("refit", [False, True])
def test_models_learn_before_the_first_origin_or_before_each(refit):
    seen = []

    class Recorder(Naive):
        name = "recorder"

        def fit(self, series):
            seen.append(series.length.tolist())
            return self

    series = SeriesSet.from_arrays([np.arange(30.0)])
    backtest(Recorder(), series, BacktestFolds(5, 5, 2), refit=refit)
    assert seen == ([[20], [25]] if refit else [[20]])


def test_all_baselines_on_generated_series_have_calibrated_intervals():
    series = generate_ad_series(12, 24 * 60, "h", seed=2).series("clicks")
    folds = BacktestFolds(24, 24, 5)
    naive = backtest(SeasonalNaive(), series, folds)
    names = []
    for model in baselines():
        found = backtest(model, series, folds).metrics(naive)
        names.append(model.name)
        covered = {i["coverage"]: i["covered"] for i in found["intervals"]}
        assert 0.65 < covered[0.8] < 0.9, model.name  # 1440 values of five days
    assert names == ["naive", "seasonal naive", "moving average", "drift", "linear"]
    assert found["skill"]["crps"] > 0.1  # the linear model's


# ---------------------------------------------------------------------------- distributions
def test_quantiles_of_distributions(rng):
    stats = pytest.importorskip("scipy.stats")
    levels = np.array([0.001, 0.05, 0.25, 0.4, 0.5, 0.501, 0.75, 0.9, 0.999])
    mean, scale = rng.standard_normal(200), rng.random(200) + 0.5
    found = gaussian_quantiles(mean, scale, levels)
    np.testing.assert_allclose(
        found, stats.norm.ppf(levels, mean[:, None], scale[:, None]), rtol=1e-9
    )
    v = np.concatenate([1 + 3 * rng.random(100), 10 ** rng.uniform(0, 4, 100)])
    found = student_t_quantiles(mean, scale, v, levels)
    expected = stats.t.ppf(levels, v[:, None], mean[:, None], scale[:, None])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
    mean, shape = 10 ** rng.uniform(-2, 4, 150), 10 ** rng.uniform(-1.5, 3, 150)
    found = negative_binomial_quantiles(mean, shape, levels)
    expected = stats.nbinom.ppf(levels, shape[:, None], (shape / (shape + mean))[:, None])
    np.testing.assert_array_equal(found, np.maximum(expected, 0))


# ---------------------------------------------------------------------------- generator
def test_generated_series_have_the_expectation_they_tell():
    made = generate_ad_series(60, 24 * 40, "h", seed=3)
    for name in ("impressions", "clicks", "spend"):
        np.testing.assert_allclose(made.values[name].mean(), made.expected[name].mean(), rtol=0.01)
    mean = made.expected["clicks"]
    z = (made.values["clicks"] - mean) / np.sqrt(mean + mean**2 / made.shape[:, None] + 1e-12)
    fine = mean > 0
    assert abs(z[fine].mean()) < 0.02
    assert abs(z[fine].var() - 1) < 0.03  # negative binomial, with the shape that is told
    assert not made.values["impressions"][made.outage].any()
    assert 0 < made.outage.mean() < 0.01
    spend = made.expected["spend"].reshape(60, 40, 24).sum(axis=2)
    assert (spend <= made.budget.reshape(60, 40, 24)[:, :, 0] * (1 + 1e-9)).all()  # caps hold


def test_generated_series_follow_from_their_seed_and_number():
    few, many = (generate_ad_series(n, 50, "D", seed=5, missing=0.1) for n in (2, 5))
    for name, found in few.values.items():
        np.testing.assert_array_equal(found, many.values[name][:2])
    other = generate_ad_series(2, 50, "D", seed=6)
    assert not np.array_equal(other.values["clicks"], few.values["clicks"])
    assert 0.02 < np.isnan(many.values["clicks"]).mean() < 0.25


@pytest.mark.parametrize("frequency", ["15min", "h", "D", "W", "MS"])
def test_every_frequency_is_read_back(tmp_path, frequency):
    path = tmp_path / "ads.parquet"
    write_ad_series(path, 3, steps=30, frequency=frequency, seed=1, future=4)
    series = read_series(path, value="clicks", series_id="series", static="channel",
                         known=["promotion", "budget"])  # fmt: skip
    assert str(series.frequency) == frequency
    assert series.length.tolist() == [30] * 3
    assert series.known_length.tolist() == [34] * 3
    made = generate_ad_series(3, 30, frequency, seed=1, future=4)
    for i in range(3):
        np.testing.assert_array_equal(series.values_of(i), made.values["clicks"][i])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"n": 0}, "n is 0"), ({"steps": 0}, "steps is 0"), ({"frequency": "x"}, "'x' is not known"),
     ({"missing": 2.0}, "missing is 2.0"), ({"start": "soon"}, "start is 'soon'")],
)  # fmt: skip
def test_options_out_of_range(options, words):
    with pytest.raises(ValueError, match=words):
        generate_ad_series(**options)
    with pytest.raises(ValueError, match=r"expected a name in .csv or .parquet"):
        write_ad_series("ads.txt")


def test_importing_fastdl_imports_none_of_it():
    code = "import sys, fastdl; print([m for m in sys.modules if 'data' in m and 'fastdl' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fastdl.data.series" not in done.stdout
    assert "fastdl.forecasting" not in done.stdout
