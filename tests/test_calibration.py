"""Calibrators against scikit-learn's, sampled negatives, and calibrators kept with a model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels_twins import compare

import fastdl
from fastdl import metrics
from fastdl.calibration import (
    Calibrator,
    DownsamplingCorrection,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    downsample_negatives,
)


def rows(n=5000, seed=0, levels=0):
    """Labels, and probabilities that are too sure and too high."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 1.5, n)
    y = rng.random(n) < 1 / (1 + np.exp(-z))
    p = 1 / (1 + np.exp(-(2 * z + 1)))
    return y, np.round(p * levels) / levels if levels else p, rng.exponential(size=n)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**32 - 1), st.sampled_from([0, 3]))
def test_isotonic_regression_is_scikit_learns(n, seed, levels):
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(n) + np.arange(n) / n
    y = np.round(y * levels) if levels else y
    w, out = rng.exponential(size=n) + 1e-3, np.empty(n)
    from fastdl.kernels.isotonic import pool_adjacent_violators as kernel

    kernel(y, w, out)
    expected = isotonic.isotonic_regression(y, sample_weight=w)
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 50, 400])
def test_isotonic_kernel_is_its_twin(n, rng, two_thread_counts):
    y, w = rng.standard_normal(n) + np.arange(n) / 50, rng.exponential(size=n)
    arguments = (y, w, np.empty(n))
    compare("isotonic", "pool_adjacent_violators", arguments, [2], two_thread_counts, rtol=1e-9,
            atol=1e-12)  # fmt: skip


@pytest.mark.parametrize("levels", [0, 20])
@pytest.mark.parametrize("weighted", [True, False])
def test_isotonic_calibration_predicts_scikit_learns_numbers(levels, weighted):
    isotonic = pytest.importorskip("sklearn.isotonic")
    y, p, w = rows(3000, levels=levels)
    w = np.where(np.arange(len(w)) % 7, w, 0.0) if weighted else None
    theirs = isotonic.IsotonicRegression(out_of_bounds="clip").fit(p, y, w)
    ours = IsotonicCalibration().fit(y, p, w)
    new = np.linspace(0, 1, 500)
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weighted", [True, False])
def test_platt_scaling_finds_scikit_learns_coefficients(weighted):
    calibration = pytest.importorskip("sklearn.calibration")
    y, p, w = rows()
    w = w if weighted else None
    slope, shift = calibration._sigmoid_calibration(np.log(p / (1 - p)), y, w)
    ours = PlattScaling().fit(y, p, w)
    np.testing.assert_allclose([ours.slope, ours.shift], [-slope, -shift], rtol=1e-4)


def test_temperature_is_where_the_log_loss_is_least():
    y, p, _ = rows()
    ours = TemperatureScaling().fit(y, p)
    z = np.log(p / (1 - p))
    losses = [metrics.log_loss(y, 1 / (1 + np.exp(-z / t)))
              for t in ours.temperature * np.array([0.98, 1, 1.02])]  # fmt: skip
    assert losses[1] < min(losses[0], losses[2]) and ours.temperature > 1.5
    with pytest.raises(ValueError, match="no temperature mends that"):
        TemperatureScaling().fit(~y, p)


@pytest.mark.parametrize("kind", [PlattScaling, IsotonicCalibration, TemperatureScaling])
def test_calibration_mends_unseen_rows_and_goes_through_json(kind):
    import json

    y, p, _ = rows(40_000)
    new_y, new_p, _ = rows(40_000, seed=1)
    fitted = kind().fit(y, p)
    better = fitted.predict(new_p)
    assert metrics.log_loss(new_y, np.clip(better, 1e-6, 1 - 1e-6)) < metrics.log_loss(new_y, new_p)
    if kind is not TemperatureScaling:  # which keeps the mean wrong
        assert metrics.expected_calibration_error(new_y, better) < 0.01
    again = Calibrator.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert np.array_equal(again.predict(new_p), better)


def test_probabilities_of_0_and_1_can_be_calibrated():
    y, p, _ = rows(300)
    p[:20] = y[:20]
    for kind in (PlattScaling, IsotonicCalibration, TemperatureScaling):
        assert np.isfinite(kind().fit(y, p).predict([0.0, 0.5, 1.0])).all()


def test_sampled_negatives_are_corrected():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 20, (60_000, 2))
    rate = 1 / (1 + np.exp(-(rng.standard_normal(20)[ids].sum(1) - 3)))
    y = (rng.random(len(ids)) < rate).astype(np.float32)
    kept = downsample_negatives(y, 0.1, rng)
    assert y[kept].sum() == y.sum() and abs((1 - y[kept]).sum() / (1 - y).sum() - 0.1) < 0.01
    model = fastdl.LogisticRegression(fastdl.FeatureSpec(fields=[20, 20]))
    model.start_from_rate(y[kept])
    fastdl.Trainer(model, fastdl.Adam(0.02)).train(
        ids[kept], y[kept], epochs=8, batch_size=256, verbose=False, rng=rng
    )
    assert metrics.calibration_ratio(y, model.predict_proba(ids)[:, 1]) > 3
    model.calibrators.append(DownsamplingCorrection(0.1))
    corrected = model.predict_proba(ids)[:, 1]
    assert 0.93 < metrics.calibration_ratio(y, corrected) < 1.07
    assert metrics.log_loss(y, corrected) < metrics.log_loss(y, rate.astype(np.float64)) + 0.01


def test_calibrators_are_saved_with_their_model(tmp_path):
    rng = np.random.default_rng(0)
    ids, y = rng.integers(0, 20, (500, 2)), rng.random(500) < 0.3
    model = fastdl.DeepFM(fastdl.FeatureSpec(fields=[20, 20]), 4, (8,), rng=rng)
    before = model.predict_proba(ids)
    model.calibrators.append(DownsamplingCorrection(0.5))
    model.calibrate(ids, y, "isotonic")
    model.calibrate(ids, y, PlattScaling())
    after = model.predict_proba(ids)
    assert not np.allclose(before, after)
    assert abs(after[:, 1].mean() - y.mean()) < 0.01
    model.save(tmp_path / "model.safetensors")
    loaded = fastdl.load(tmp_path / "model.safetensors")
    assert [type(c).__name__ for c in loaded.calibrators] == [
        "DownsamplingCorrection", "IsotonicCalibration", "PlattScaling",
    ]  # fmt: skip
    assert np.array_equal(loaded.predict_proba(ids), after)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PlattScaling().predict([0.5]), "not fitted; call fit"),
        (lambda: PlattScaling().fit([1, 1], [0.2, 0.3]), "no non-click"),
        (lambda: IsotonicCalibration().fit([0, 1], [0.2, 1.3]), "got 1.3 in row 1"),
        (lambda: DownsamplingCorrection(0.5).predict([2.0]), "not logits"),
        (lambda: DownsamplingCorrection(0.0), "keep is .*expected a number in"),
        (lambda: DownsamplingCorrection(1.5), "keep is .*expected a number in"),
        (lambda: downsample_negatives([0, 2], 0.5), "0 or 1"),
        (lambda: Calibrator.from_dict({"class": "os.system"}), "is no calibrator"),
        (lambda: fastdl.calibration.as_calibrator("beta"), "expected 'platt'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
