"""Forecast metrics on known values, against SciPy's distributions and obvious sums."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import special
from fastdl.metrics import forecast as m
from fastdl.metrics.crps import negative_binomial_cdf, student_t_cdf

stats = pytest.importorskip("scipy.stats")
scipy_special = pytest.importorskip("scipy.special")


# ---------------------------------------------------------------------------- points
def test_points_on_known_values():
    y, f = [[1.0, 4.0], [np.nan, 0.0]], [[2.0, 1.0], [100.0, 0.0]]
    assert m.mae(y, f) == 4 / 3
    assert m.rmse(y, f) == math.sqrt(10 / 3)
    # 2 |1 - 2| / 3, 2 |4 - 1| / 5 and 0 / 0
    assert m.smape(y, f) == pytest.approx(100 * (2 / 3 + 6 / 5) / 3, rel=1e-14)
    assert m.smape([1.0, -1.0], [0.0, 1.0]) == 200


def test_mase_is_the_error_over_that_of_the_seasonal_naive():
    history = np.array([1.0, 5.0, 2.0, 9.0, np.nan, 4.0])
    assert m.seasonal_scale(history).tolist() == [pytest.approx((4 + 3 + 7) / 3)]
    assert m.seasonal_scale(history, 2).tolist() == [pytest.approx((1 + 4 + 5) / 3)]
    assert np.isnan(m.seasonal_scale([[1.0], [2.0]])).all()
    assert m.mase([[1.0, 2.0], [3.0, 4.0]], [[2.0, 2.0], [3.0, 8.0]], [0.5, 2.0]) == 1.0
    with pytest.raises(ValueError, match="scale of series 1 is 0"):
        m.mase([[1.0], [2.0]], [[1.0], [2.0]], [1.0, 0.0])


def test_sums_are_in_float64():
    y = np.full(1_000_001, 0.1, np.float32)
    assert m.mae(y, np.zeros_like(y)) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


# ---------------------------------------------------------------------------- quantiles
def test_pinball_loss_and_intervals():
    y = np.array([1.0, 5.0, np.nan])
    q = np.array([[0.0, 2.0], [6.0, 8.0], [0.0, 0.0]])
    # level 0.1: 0.1 * 1 and 0.9 * 1; level 0.9: 0.1 * 1 and 0.1 * 3
    np.testing.assert_allclose(m.pinball_loss(y, q, [0.1, 0.9]), [0.5, 0.2], rtol=1e-14)
    assert m.interval_coverage(y, q[:, 0], q[:, 1]) == 0.5
    assert m.interval_width(y, q[:, 0], q[:, 1]) == 2
    assert m.interval_score(y, q[:, 0], q[:, 1], 0.8) == pytest.approx(2 + 10 * 1 / 2)
    assert m.pinball_loss([3.0], [[1.0]], [0.5])[0] == m.mae([3.0], [1.0]) / 2


def test_the_right_quantile_has_the_least_pinball_loss(rng):
    y = rng.exponential(size=20_000)
    for level in (0.1, 0.5, 0.9):
        losses = [m.pinball_loss(y, np.full((len(y), 1), c), [level])[0]
                  for c in np.quantile(y, [level - 0.05, level, level + 0.05])]  # fmt: skip
        assert losses[1] < min(losses[0], losses[2])


def test_crps_of_many_quantiles_is_that_of_the_distribution(rng):
    y = rng.standard_normal(50)
    levels = (np.arange(500) + 0.5) / 500
    q = np.tile(stats.norm.ppf(levels), (50, 1))
    exact = m.crps_gaussian(y, np.zeros(50), np.ones(50))
    assert m.crps_quantiles(y, q, levels) == pytest.approx(exact, rel=2e-3)
    uneven = np.sort(rng.random(500))
    found = m.crps_quantiles(y, np.tile(stats.norm.ppf(uneven), (50, 1)), uneven)
    assert found == pytest.approx(exact, rel=0.02)


# ---------------------------------------------------------------------------- distributions
def squares(cdf, y, low, high, points=400_001):
    """The integral of (F(x) - 1{x >= y})^2 by the trapezoidal rule, cut at y."""
    total = 0.0
    for a, b, step in ((low, y, 0.0), (y, high, 1.0)):
        x = np.linspace(a, b, points)
        total += np.trapezoid((cdf(x) - step) ** 2, x)
    return total


@pytest.mark.parametrize(("y", "mean", "std"), [(0.0, 0.0, 1.0), (3.0, 1.0, 0.5), (-2.0, 0.0, 3.0)])
def test_crps_gaussian(y, mean, std):
    cdf = stats.norm(mean, std).cdf
    expected = squares(cdf, y, mean - 12 * std - 5, mean + 12 * std + 5)
    assert m.crps_gaussian([y], [mean], [std]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("y", "mean", "scale", "v"), [(0, 0, 1, 5), (4, 1, 2, 3), (-1, 0, 1, 30)])
def test_crps_student_t(y, mean, scale, v):
    cdf = stats.t(v, mean, scale).cdf
    expected = squares(cdf, y, -3000.0, 3000.0, 4_000_001)
    assert m.crps_student_t([y], [mean], [scale], [v]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("mean", "shape"), [(2, 1), (0.05, 0.1), (30, 5), (400, 80), (3, 1e4)])
def test_crps_negative_binomial(mean, shape):
    distribution = stats.nbinom(shape, shape / (shape + mean))
    k = np.arange(int(distribution.ppf(1 - 1e-13)) + int(3 * mean) + 300)
    for y in (0, int(mean), int(3 * mean) + 2):
        expected = np.sum((distribution.cdf(k) - (k >= y)) ** 2)
        found = m.crps_negative_binomial([y], [float(mean)], [float(shape)])
        assert found == pytest.approx(expected, rel=1e-8)
    with pytest.raises(ValueError, match=r"actual must be counts, got 0.5"):
        m.crps_negative_binomial([0.5], [1.0], [1.0])


def test_crps_of_samples(rng):
    x = rng.standard_normal((3, 8))
    y = np.array([0.3, -1.0, 5.0])
    pairs = np.abs(x[:, :, None] - x[:, None, :]).sum(axis=(1, 2))
    first = np.abs(x - y[:, None]).mean(axis=1)
    assert m.crps_samples(y, x) == pytest.approx(np.mean(first - pairs / 128), rel=1e-12)
    assert m.crps_samples(y, x, fair=True) == pytest.approx(np.mean(first - pairs / 112), rel=1e-12)
    many = rng.normal(1.0, 2.0, (1, 200_000))
    exact = m.crps_gaussian([0.5], [1.0], [2.0])
    assert m.crps_samples([0.5], many) == pytest.approx(exact, rel=0.02)


def test_distributions_are_best_where_they_are_true(rng):
    y = rng.negative_binomial(5, 5 / (5 + 20.0), 5000)
    true, wide, high = (m.crps_negative_binomial(y, np.full(5000, a), np.full(5000, b))
                        for a, b in ((20.0, 5.0), (20.0, 1.0), (26.0, 5.0)))  # fmt: skip
    assert true < min(wide, high)


# ---------------------------------------------------------------------------- bad input
def test_what_does_not_fit():
    with pytest.raises(ValueError, match="no value that is not missing"):
        m.mae([np.nan], [1.0])
    with pytest.raises(ValueError, match=r"forecast has shape \(3,\); actual has \(2,\)"):
        m.mae([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"forecast is missing or infinite at \[1\]"):
        m.rmse([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(ValueError, match="expected rising numbers between 0 and 1"):
        m.pinball_loss([1.0], [[1.0, 2.0]], [0.9, 0.1])
    with pytest.raises(ValueError, match="the quantiles have 2 columns"):
        m.pinball_loss([1.0], [[1.0, 2.0]], [0.5])
    with pytest.raises(TypeError, match="real numbers"):
        m.mae(["a"], [1.0])
    with pytest.raises(ValueError, match="std must be positive"):
        m.crps_gaussian([1.0], [1.0], [0.0])
    with pytest.raises(ValueError, match="more than 1 degree"):
        m.crps_student_t([1.0], [1.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="baseline's score is 0"):
        m.skill_score(1.0, 0.0)


def test_everything_at_once_is_json():
    y = np.array([[1.0, 2.0], [3.0, np.nan]])
    q = np.stack([y - 1, y, y + 1], axis=-1)
    q[1, 1] = 0
    found = m.evaluate_forecast(y, np.nan_to_num(y), q, [0.1, 0.5, 0.9], scale=[1.0, 2.0])
    assert json.loads(json.dumps(found)) == found
    assert found["values"] == 3
    assert found["mase"] == 0
    assert found["intervals"] == [{"coverage": 0.8, "covered": 1.0, "width": 2.0}]
    assert m.evaluate_forecast(y, np.nan_to_num(y), scale=[1.0, 0.0])["mase"] is None


# ---------------------------------------------------------------------------- special functions
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_special_functions_are_scipys(seed):
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform(-3, 6, 50)
    expected = scipy_special.gammaln(x)
    np.testing.assert_allclose(special.log_gamma(x), expected, rtol=1e-13, atol=1e-13)
    a, b = 10 ** rng.uniform(-2, 5, (2, 50))
    mean = a / (a + b)
    near = mean + rng.standard_normal(50) * np.sqrt(mean * (1 - mean) / (a + b + 1))
    for z in (rng.random(50), np.clip(near, 0, 1)):
        expected = scipy_special.betainc(a, b, z)
        np.testing.assert_allclose(special.beta_cdf(z, a, b), expected, atol=2e-9)
    p = np.concatenate([rng.random(50), 10 ** rng.uniform(-15, -2, 9)])
    np.testing.assert_allclose(
        special.normal_quantile(p), stats.norm.ppf(p), rtol=1e-11, atol=1e-12
    )
    z, v = 5 * rng.standard_normal(50), 10 ** rng.uniform(0, 3, 50)
    np.testing.assert_allclose(student_t_cdf(z, v), stats.t.cdf(z, v), atol=1e-10)
    count, mu, r = (
        rng.integers(-1, 60, 50),
        10 ** rng.uniform(-1, 2, 50),
        10 ** rng.uniform(-1, 2, 50),
    )
    expected = stats.nbinom.cdf(count, r, r / (r + mu))
    np.testing.assert_allclose(negative_binomial_cdf(count, mu, r), expected, atol=1e-10)


def test_ends_of_special_functions():
    assert special.normal_quantile([0.0, 0.5, 1.0]).tolist() == [-np.inf, 0, np.inf]
    assert special.beta_cdf([0.0, 1.0], 2.0, 3.0).tolist() == [0, 1]
    assert special.normal_cdf([-np.inf, np.inf]).tolist() == [0, 1]
