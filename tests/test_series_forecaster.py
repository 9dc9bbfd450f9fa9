"""AdSeriesForecaster and the forecaster that it trains."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import fastdl
from fastdl.callbacks import Callback, Checkpoint
from fastdl.data.series import BacktestFolds, SeriesSet
from fastdl.forecasting import LinearWindow, backtest
from fastdl.forecasting.conformal import autocorrelation_time, level_margin
from fastdl.forecasting.trained import TrainedForecaster

SMALL = {"horizon": 4, "context": 12, "hidden": 6, "epochs": 2, "random_state": 0}


@pytest.fixture
def series(rng):
    """Two waves with noise, a missing value, covariates and a category."""
    t = np.arange(200)
    values = [10 + 3 * np.sin(t * np.pi / 6) + rng.standard_normal(200),
              50 + 9 * np.cos(t[:150] * np.pi / 6) + 3 * rng.standard_normal(150)]  # fmt: skip
    values[0][60] = np.nan
    known = [np.sin(np.arange(n + 4) / 9)[:, None] for n in (200, 150)]
    return SeriesSet.from_arrays(
        values, ["a", "b"], frequency="h", known=known, known_names=["promotion"],
        static={"channel": ["search", "social"], "size": [1.0, 5.0]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    """A model that several tests only look at."""
    rng = np.random.default_rng(5)
    wave = 10 + 3 * np.sin(np.arange(300) * np.pi / 6) + rng.standard_normal((3, 300))
    series = SeriesSet.from_arrays(wave, ["x", "y", "z"], frequency="h")
    return fastdl.AdSeriesForecaster(**{**SMALL, "epochs": 5}).fit(series), series


@pytest.mark.parametrize(
    "options",
    [{}, {"head": "gaussian", "encoder": "conv", "model_options": {"attention": True}},
     {"model": "autoregressive", "paths": 20, "embed_ids": True, "encoder": "gru"}],
)  # fmt: skip
def test_fit_predict_save_load(series, options, tmp_path):
    model = fastdl.AdSeriesForecaster(**{**SMALL, **options}).fit(series)
    found = model.predict()
    assert found.point.shape == (2, 4) and found.quantiles.shape == (2, 4, 7)
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    assert abs(found.point[0].mean() - 10) < 6 and abs(found.point[1].mean() - 50) < 20
    assert str(found.times_of(1)[0]) == "2000-01-07T06:00:00.000000"
    model.save(tmp_path / "run")
    again = fastdl.AdSeriesForecaster.load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict(series).quantiles, found.quantiles)
    assert again.get_params() == model.get_params()
    assert again.history_["epoch"] == model.history_["epoch"]
    with pytest.raises(ValueError, match="has no series"):
        again.predict()


def test_a_forecast_knows_nothing_of_what_comes(fitted):
    model, series = fitted
    origin = series.cut(np.full(3, 280))
    before = model.predict(origin).quantiles
    changed = series.values.copy()
    for first in series.first:
        changed[first + 280 : first + 300] = 1e6
    other = SeriesSet.from_arrays(changed.reshape(3, 300), series.ids, frequency="h")
    np.testing.assert_array_equal(model.predict(other.cut(np.full(3, 280))).quantiles, before)


def test_a_backtest_fits_on_what_was_before_it(series):
    """With what comes changed the first fold's forecasts are the same, training and all."""
    folds = BacktestFolds(4, folds=3)
    model = fastdl.AdSeriesForecaster(**SMALL)
    first = backtest(model, series, folds).forecasts[0].quantiles
    values = [series.values_of(0).copy(), series.values_of(1).copy()]
    for own in values:
        own[-12:] *= -3.0
    values[0][-50:] = series.values_of(0)[-50:]  # the same clock: series b ended 50 steps before
    changed = [series.values_of(0).copy(), series.values_of(1).copy()]
    changed[0][-12:] *= -3.0
    other = SeriesSet.from_arrays(
        changed, ["a", "b"], frequency="h", known=[series.known_of(0), series.known_of(1)],
        known_names=["promotion"],
        static={"channel": ["search", "social"], "size": [1.0, 5.0]},
    )  # fmt: skip
    again = backtest(model, other, folds).forecasts[0].quantiles
    np.testing.assert_array_equal(first, again)


def test_backtest_shows_the_baselines(fitted):
    model, series = fitted
    found = model.backtest(series, 2)
    assert list(found) == [
        "direct lstm", "naive", "seasonal naive", "moving average", "drift", "linear"
    ]  # fmt: skip
    own = found["direct lstm"].metrics(found["naive"])
    assert own["values"] == 2 * 3 * 4
    assert own["skill"]["mae"] > 0.3  # a wave
    assert list(model.backtest(series, BacktestFolds(4, folds=1), baselines=False)) == [
        "direct lstm"
    ]


def test_it_begins_as_the_linear_baseline(series):
    """Before it has learnt anything (a rate of nearly 0) its forecasts are the linear model's."""
    options = {**SMALL, "lr": 1e-12, "scaling": "standard", "validation_fraction": 0.0}
    model = fastdl.AdSeriesForecaster(**{**options, "conformal": False}).fit(series)
    line = LinearWindow(12, windows=20_000).fit(series).predict(series, 4).point
    bias = np.median(model.predict().point - line, axis=1)  # the median of the errors
    np.testing.assert_allclose(model.predict().point - bias[:, None], line, rtol=1e-4)
    assert np.abs(bias).max() < 0.6


def test_counts(rng):
    counts = rng.poisson(8 + 4 * np.sin(np.arange(200) * np.pi / 6), (2, 200)).astype(float)
    options = {**SMALL, "head": "negative_binomial", "epochs": 5}
    found = fastdl.AdSeriesForecaster(**options, conformal=False).fit(counts).predict()
    assert (found.quantiles == np.round(found.quantiles)).all() and found.quantiles.min() >= 0
    assert 3 < found.point.mean() < 15
    counts[1, 7] = -1
    with pytest.raises(ValueError, match=r"Series '1', row 8 .*the value -1 is negative"):
        fastdl.AdSeriesForecaster(**options).fit(counts)
    with pytest.raises(ValueError, match="counts can be divided, not shifted"):
        fastdl.AdSeriesForecaster(**options, scaling="standard").fit(np.abs(counts))


def test_unknown_categories_and_series(series):
    model = fastdl.AdSeriesForecaster(**SMALL, embed_ids=True).fit(series)
    other = SeriesSet.from_arrays(
        [series.values_of(0)], ["new"], frequency="h", known=[series.known_of(0)],
        known_names=["promotion"], static={"channel": ["video"], "size": [2.0]},
    )  # fmt: skip
    assert np.isfinite(model.predict(other).quantiles).all()
    assert model.forecaster_.preparation.prepared(other).static.codes.tolist() == [[0, 0]]


def test_intervals_cover(rng):
    """Noise whose deviation doubled after training: raw quantiles cover too little, moved ones do.

    60 origins, of three seeds.
    """
    raw, moved = [], []
    for seed in range(3):
        noise = np.random.default_rng(seed).standard_normal((4, 700))
        noise[:, 300:] *= 2
        data = SeriesSet.from_arrays(20 + noise, frequency="h")
        model = fastdl.AdSeriesForecaster(**{**SMALL, "random_state": seed, "epochs": 3})
        model.fit(data.cut(np.full(4, 360)))
        for origin in range(600, 696, 5):
            history = data.cut(np.full(4, origin))
            actual = data.values.reshape(4, 700)[:, origin : origin + 4]
            for conformal, hits in ((False, raw), (True, moved)):
                model.forecaster_.conformal = conformal
                low, high = model.predict(history).interval(0.8)
                hits.append((actual >= low) & (actual <= high))
    # a window's scale follows the noise, so that even the raw quantiles are not far off
    assert 0.76 < np.mean(moved) < 0.86
    assert abs(np.mean(moved) - 0.8) < abs(np.mean(raw) - 0.8) + 0.02


def test_margins_of_few_and_dependent_errors(rng):
    independent = rng.standard_normal((4000, 1))
    assert abs(level_margin([independent], 0.9) - 1.2816) < 0.06
    assert abs(level_margin([independent], 0.1) + 1.2816) < 0.06
    assert level_margin([independent], 0.5) == 0 and level_margin([], 0.9) == 0
    walk = np.repeat(independent[:100], 20, axis=0)  # 100 values, each 20 times
    assert level_margin([walk], 0.9) > np.quantile(walk, 0.9)
    few = level_margin([independent[:5]], 0.9)  # no more than 0.4 of the way to 1
    np.testing.assert_allclose(few, np.quantile(independent[:5], 0.94))
    x = np.zeros((20_000, 1))
    for t in range(1, len(x)):  # AR(1): (1 + 0.8) / (1 - 0.8) = 9
        x[t] = 0.8 * x[t - 1] + rng.standard_normal()
    assert 7 < autocorrelation_time(x) < 10
    assert autocorrelation_time(np.full((5, 2), np.nan)) == 1


def test_one_and_two_threads_give_the_same_bits(series, two_thread_counts):
    def run():
        return fastdl.AdSeriesForecaster(**SMALL).fit(series).predict().quantiles

    one, two = two_thread_counts(run)
    np.testing.assert_array_equal(one, two)


class Stop(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch(self, run):
        if run.epoch == self.epoch:
            raise KeyboardInterrupt


def test_resume_gives_the_same_bits(series, tmp_path):
    options = {**SMALL, "epochs": 4, "patience": 9}

    def fit(stop, **how):
        callbacks = [Checkpoint(tmp_path), Stop(stop)]
        return fastdl.AdSeriesForecaster(**options).fit(series, callbacks=callbacks, **how)

    with pytest.raises(KeyboardInterrupt):
        fit(2)
    again = fit(99, resume=tmp_path)
    whole = fastdl.AdSeriesForecaster(**options).fit(series)
    np.testing.assert_array_equal(again.predict().quantiles, whole.predict().quantiles)


def test_tables(series):
    pandas = pytest.importorskip("pandas")
    t = np.arange(100)
    frame = pandas.DataFrame({
        "hour": np.tile(pandas.date_range("2024-01-01", periods=100, freq="h"), 2),
        "campaign": np.repeat(["a", "b"], 100), "clicks": np.tile(5 + np.sin(t / 3), 2),
    })  # fmt: skip
    columns = {"time": "hour", "value": "clicks", "series_id": "campaign"}
    model = fastdl.AdSeriesForecaster(**SMALL).fit(frame, **columns)
    assert model.predict().ids == ("a", "b")
    same = model.predict(frame, **columns).quantiles
    np.testing.assert_array_equal(model.predict().quantiles, same)
    with pytest.raises(TypeError, match="A SeriesSet has its columns; got time"):
        model.fit(series, time="hour")


def test_without_a_validation_part(rng):
    """Too short for one: all is trained on, and quantiles are not moved."""
    wave = np.sin(np.arange(17.0)) + 3
    model = fastdl.AdSeriesForecaster(**SMALL).fit([wave])
    assert model.history_["val_loss"] == [None, None]
    assert not model.forecaster_.margins.any()
    assert np.isfinite(model.predict().quantiles).all()


def test_wrong_use(series, fitted, tmp_path):
    model, _ = fitted
    for options, message in (
        ({"model": "prophet"}, "model is 'prophet'; expected one of direct, autoregressive"),
        ({"scaling": "log"}, "scaling is 'log'; expected one of"),
        ({"horizon": 0}, "horizon"), ({"epochs": 0}, "epochs"), ({"lr": 0.0}, "lr"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"encoder": "tcn"}, "encoder is 'tcn'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            fastdl.AdSeriesForecaster(**{**SMALL, **options}).fit(series)
    with pytest.raises(TypeError, match="model_options is 3"):
        fastdl.AdSeriesForecaster(**SMALL, model_options=3).fit(series)
    with pytest.raises(ValueError, match="not fitted yet"):
        fastdl.AdSeriesForecaster().predict()
    with pytest.raises(ValueError, match="trained for 4 steps; 5 are asked for"):
        model.predict(horizon=5)
    assert model.predict(horizon=2).point.shape == (3, 2)
    with pytest.raises(ValueError, match="known covariates promotion; the forecaster was trained "):
        model.predict(series)
    daily = SeriesSet.from_arrays([np.arange(30.0)], frequency="D")
    with pytest.raises(ValueError, match="frequency 'D'; the forecaster was trained on 'h'"):
        model.predict(daily)
    with pytest.raises(ValueError, match="Series '0' has 9 steps; a window of 12"):
        fastdl.AdSeriesForecaster(**SMALL).fit([np.arange(9.0)])
    with pytest.raises(ValueError, match=r"Series 'a', row 201 .*promotion are missing"):
        with_covariates = fastdl.AdSeriesForecaster(**SMALL).fit(series)
        short = SeriesSet.from_arrays(
            [series.values_of(0)], ["a"], frequency="h", known=[series.known_of(0)[:200]],
            known_names=["promotion"], static={"channel": ["search"], "size": [1.0]},
        )  # fmt: skip
        with_covariates.predict(short)


def test_damaged_folders(fitted, tmp_path):
    model, _ = fitted
    with pytest.raises(FileNotFoundError, match="it has no model"):
        TrainedForecaster.load(tmp_path)
    model.save(tmp_path)
    path = tmp_path / "series.json"
    known = json.loads(path.read_text())
    for change in ({"maker": 3}, {"frequency": "fortnight"}, {"margins": [1.0]}):
        path.write_text(json.dumps({**known, **change}))
        with pytest.raises(ValueError, match=r"series.json is damaged"):
            fastdl.AdSeriesForecaster.load(tmp_path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"series.json is damaged"):
        fastdl.AdSeriesForecaster.load(tmp_path)
    path.write_text(json.dumps(known))
    (tmp_path / "forecaster.json").write_text("[]")
    with pytest.raises(ValueError, match=r"forecaster.json is damaged"):
        fastdl.AdSeriesForecaster.load(tmp_path)


def test_scikit_learns_conventions():
    clone = pytest.importorskip("sklearn.base").clone
    model = fastdl.AdSeriesForecaster(horizon=7, encoder="gru")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert clone(model).get_params() == model.get_params()
    assert repr(model) == "AdSeriesForecaster(horizon=7, encoder='gru')"
