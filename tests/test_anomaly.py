"""Anomaly scores: against known distributions, degenerate quantiles and known outages."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from fastdl.data.series import BacktestFolds, SeriesSet, generate_ad_series
from fastdl.forecasting import LEVELS, Forecast, LinearWindow, backtest
from fastdl.forecasting.anomaly import (
    anomaly_columns,
    anomaly_scores,
    anomaly_table,
    flag,
    predictive_cdf,
    tail_probability,
)
from fastdl.forecasting.backtest import Backtest

FINE = tuple(np.linspace(0.005, 0.995, 199))


def test_normal_quantiles_give_the_true_probability_between_them():
    y = np.linspace(-2.5, 2.5, 41)
    quantiles = np.broadcast_to(stats.norm.ppf(FINE), (41, len(FINE)))
    true = 2 * np.minimum(stats.norm.cdf(y), stats.norm.sf(y))
    assert_allclose(tail_probability(y, quantiles, FINE), true, atol=2e-3)
    below, upto = predictive_cdf(y, quantiles, FINE)
    assert_allclose(below, upto, atol=1e-12)
    assert_allclose(upto, stats.norm.cdf(y), atol=1e-3)


@pytest.mark.parametrize("side", [-1, 1])
def test_tails_of_a_laplace_distribution_are_exact(side):
    y = side * np.linspace(3, 12, 10)
    quantiles = np.broadcast_to(stats.laplace.ppf(LEVELS), (10, len(LEVELS)))
    assert_allclose(tail_probability(y, quantiles, LEVELS), np.exp(-np.abs(y)), rtol=1e-9)


def test_probabilities_are_monotone_outside_and_larger_than_the_normal_ones():
    y = np.linspace(1.7, 9, 200)
    quantiles = np.broadcast_to(stats.norm.ppf(LEVELS), (200, len(LEVELS)))
    p = tail_probability(y, quantiles, LEVELS)
    assert (np.diff(p) < 0).all() and (p >= 2 * stats.norm.sf(y)).all()
    assert_allclose(tail_probability(-y, quantiles, LEVELS), p, rtol=1e-9)
    scores = anomaly_scores(y, quantiles, LEVELS)
    assert (np.diff(scores) > 0).all() and scores.max() <= 16


def test_equal_quantiles_are_a_mass():
    zeros = np.zeros((4, 3))
    y = np.array([0.0, 1e-9, -1.0, np.nan])
    p = tail_probability(y, zeros, [0.1, 0.5, 0.9])
    assert_allclose(p, [1, 0, 0, np.nan])
    assert_allclose(anomaly_scores(y, zeros, [0.1, 0.5, 0.9]), [0, 16, 16, np.nan], atol=1e-12)
    counts = np.array([[0.0, 0.0, 4.0]] * 3)  # half of the values are 0
    below, upto = predictive_cdf([0.0, 2.0, -1.0], counts, [0.1, 0.5, 0.9])
    assert_allclose(upto[:2], [0.5, 0.7])
    assert below[0] < 0.1 + 1e-12
    assert tail_probability([0.0], counts[:1], [0.1, 0.5, 0.9]) == 1
    assert 0 < upto[2] < 0.1


def test_one_level_has_tails_of_nothing_and_shapes_are_checked():
    assert_allclose(tail_probability([1.0, 2.0], [[1.0], [1.0]], [0.5]), [1, 0])
    with pytest.raises(ValueError, match=r"quantiles has shape \(2, 3\); expected \(3, 3\)"):
        tail_probability(np.zeros(3), np.zeros((2, 3)), [0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="threshold"):
        flag([1.0], 0)


def test_missing_values_have_no_score_and_no_flag():
    assert flag([np.nan, 2.9, 3.0, 16.0]).tolist() == [False, False, True, True]
    series = SeriesSet.from_arrays([[1.0, 2, 3, 4, 5, np.nan, 90.0, 8]], ["a"], frequency="h")
    fold = next(BacktestFolds(3).of(series))
    forecast = Forecast.of(fold.history, np.full((1, 3), 5.0), np.array([[[4.0, 5, 6]] * 3]),
                           (0.1, 0.5, 0.9))  # fmt: skip
    found = anomaly_columns(Backtest("mine", [fold], [forecast], [np.ones(1)]))
    assert np.isnan(found["score"][0]) and not found["flagged"][0]
    assert found["flagged"].tolist() == [False, True, False]
    assert found["step"].tolist() == [1, 2, 3] and found["lower"].tolist() == [4, 4, 4]
    assert str(found["time"][1]) == "2000-01-01T06:00:00.000000"
    table = anomaly_table(Backtest("mine", [fold], [forecast], [np.ones(1)]))
    assert table["score"].null_count == table["actual"].null_count == 1
    assert table["flagged"].null_count == 0


def test_known_outages_of_generated_series_are_found_and_false_alarms_are_as_rare_as_said():
    ads = generate_ad_series(12, 24 * 70, "h", seed=3, outages=0.03)
    tested = backtest(LinearWindow(168), ads.series("impressions"), BacktestFolds(24, folds=14))
    found = anomaly_columns(tested)
    step = (found["time"] - np.datetime64(ads.start, "us")) // np.timedelta64(1, "h")
    account = np.array([ads.ids.index(name) for name in found["series"]])
    outage = ads.outage[account, step.astype(int)]
    assert 0.02 < outage.mean() < 0.03
    for threshold, precision in ((1.5, 0.3), (2, 0.5), (3, 0.85)):
        flagged = flag(found["score"], threshold)
        assert outage[flagged].mean() > precision
        assert flagged[~outage].mean() < 1.2 * 10.0**-threshold
    # at night hardly anything is shown: there an outage is nothing strange
    clear = outage & (found["lower"] > 0.05 * found["point"])
    assert clear.sum() > 70 and flag(found["score"], 1.5)[clear].mean() > 0.75
