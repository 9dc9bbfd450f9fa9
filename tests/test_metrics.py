"""Metrics against scikit-learn, against obvious loops, and on bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import metrics

Case = tuple[np.ndarray, np.ndarray, np.ndarray]
WEIGHTED = [
    metrics.roc_auc,
    metrics.average_precision,
    metrics.pr_auc,
    lambda y, p, w=None: metrics.grouped_auc(y, p, np.zeros(len(y)), w),
    metrics.log_loss,
    metrics.normalized_entropy,
    metrics.calibration_ratio,
    metrics.brier_score,
    lambda y, p, w=None: metrics.accuracy(y, p, sample_weight=w),
    lambda y, p, w=None: metrics.expected_calibration_error(y, p, 1, sample_weight=w),
]
ALL: list[Callable[..., object]] = [
    *WEIGHTED,
    metrics.evaluate,
    metrics.roc_curve,
    metrics.calibration_curve,
]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels of both classes, probabilities with and without ties, weights with zeros."""
    rows = draw(st.integers(2, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    label = rng.random(rows) < draw(st.sampled_from([0.02, 0.3, 0.5, 0.9]))
    label[:2] = [True, False]
    probability = rng.random(rows) ** draw(st.sampled_from([1, 4]))
    levels = draw(st.sampled_from([0, 1, 2, 10]))  # 0: as drawn, without ties
    if levels:
        probability = np.round(probability * levels) / levels
    weight = rng.exponential(size=rows) * (rng.random(rows) < 0.8)
    weight[:2] = 1.0
    return label.astype(draw(st.sampled_from(["?", "u1", "i8", "f4"]))), probability, weight


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_equal_to_scikit_learn(case: Case, weighted: bool) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    label, p, w = case
    y, weight = label.astype(bool), w if weighted else None
    expected = {
        "auc": sklearn.roc_auc_score(y, p, sample_weight=weight),
        "log_loss": sklearn.log_loss(y, p, sample_weight=weight),
        "brier": sklearn.brier_score_loss(y, p, sample_weight=weight),
        "accuracy": sklearn.accuracy_score(y, p > 0.5, sample_weight=weight),
        "average_precision": sklearn.average_precision_score(y, p, sample_weight=weight),
        "base_rate": np.average(y, weights=weight),
        "calibration": np.average(p, weights=weight) / np.average(y, weights=weight),
    }
    base = np.full(len(y), expected["base_rate"])
    expected["base_rate_log_loss"] = sklearn.log_loss(y, base, sample_weight=weight)
    expected["normalized_entropy"] = expected["log_loss"] / expected["base_rate_log_loss"]
    ours = metrics.evaluate(label, p, weight)
    for name, value in expected.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-12, atol=1e-14, err_msg=name)


@settings(max_examples=100, deadline=None)
@given(cases(), st.booleans())
def test_pr_auc_is_the_trapezoidal_area_of_scikit_learns_curve(case: Case, weighted: bool) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    label, p, w = case
    weight = w if weighted else None
    precision, recall, _ = sklearn.precision_recall_curve(label, p, sample_weight=weight)
    ours = metrics.pr_auc(label, p, weight)
    np.testing.assert_allclose(ours, sklearn.auc(recall, precision), rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(cases(), st.booleans(), st.sampled_from(["f4", "f8"]), st.sampled_from([1, 3, 40]))
def test_grouped_auc_is_the_mean_of_the_groups(
    case: Case, weighted: bool, dtype: str, groups: int
) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    label, p, w = case
    y, p = label.astype(bool), p.astype(dtype)
    w = w if weighted else np.ones(len(y))
    users = np.random.default_rng(len(y)).integers(0, groups, len(y))
    users[:2] = 0
    aucs, rows, clicks = [], [], []
    for user in np.unique(users):
        own = (users == user) & (w > 0)
        if len(set(y[own])) == 2:
            aucs.append(sklearn.roc_auc_score(y[own], p[own], sample_weight=w[own]))
            rows.append(w[own].sum())
            clicks.append((w * y)[own].sum())
    names = np.array([f"user {user}" for user in users])
    for weighting, weights in {"rows": rows, "clicks": clicks, "equal": None}.items():
        ours = metrics.grouped_auc(y, p, names, w if weighted else None, weighting=weighting)
        np.testing.assert_allclose(ours, np.average(aucs, weights=weights), rtol=1e-11)


def test_grouped_auc_names_what_is_wrong() -> None:
    y, p = [0, 1, 1], [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="None of the 3 groups"):
        metrics.grouped_auc(y, p, [1, 2, 3])
    with pytest.raises(ValueError, match="one value a row"):
        metrics.grouped_auc(y, p, [1, 2])
    with pytest.raises(ValueError, match="NaN"):
        metrics.grouped_auc(y, p, [1.0, 1.0, math.nan])
    with pytest.raises(ValueError, match="expected rows, clicks, equal"):
        metrics.grouped_auc(y, p, [1, 1, 1], weighting="users")


def test_auc_is_exact_where_sums_of_ranks_in_float32_are_not() -> None:
    rng = np.random.default_rng(3)
    p = rng.integers(0, 1 << 20, 3_000_000).astype(np.float32) / (1 << 20)
    y = rng.random(len(p)) < 0.3
    by_level = [np.bincount((p[which] * (1 << 20)).astype(int), minlength=1 << 20)
                for which in (y, ~y)]  # fmt: skip
    below = np.cumsum(by_level[1]) - by_level[1]
    twice = int(np.sum(by_level[0] * (2 * below + by_level[1])))
    clicks, others = int(y.sum()), int((~y).sum())
    assert metrics.roc_auc(y, p) == twice / (2 * clicks * others)


def test_minus_zero_is_zero() -> None:
    assert metrics.roc_auc([0, 1], [0.0, -0.0]) == 0.5


@settings(max_examples=100, deadline=None)
@given(cases())
def test_auc_counts_pairs(case: Case) -> None:
    y, p, w = case
    click, other = y.astype(bool), ~y.astype(bool)
    order = np.sign(p[click][:, None] - p[other][None, :]) / 2 + 0.5
    pairs = w[click][:, None] * w[other][None, :]
    np.testing.assert_allclose(metrics.roc_auc(y, p), order.mean(), rtol=1e-12)
    expected = (order * pairs).sum() / pairs.sum()
    np.testing.assert_allclose(metrics.roc_auc(y, p, w), expected, rtol=1e-12, atol=1e-15)


def full_curve(y, p):
    """Rates at every different probability."""
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    clicks, others = np.cumsum(y[order])[last], np.cumsum(~y[order])[last]
    return np.append(0, others / others[-1]), np.append(0, clicks / clicks[-1])


def test_roc_curve_at_some_thresholds_has_points_of_the_whole_one():
    rng = np.random.default_rng(0)
    p = rng.integers(0, 3000, 20_000) / 3000
    y = rng.random(20_000) < p
    whole = set(zip(*(np.round(a, 12) for a in full_curve(y, p)), strict=True))
    fpr, tpr = metrics.roc_curve(y, p, points=500)
    assert 400 < len(fpr) <= 501
    assert set(zip(np.round(fpr, 12), np.round(tpr, 12), strict=True)) <= whole
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    np.testing.assert_allclose(np.trapezoid(tpr, fpr), metrics.roc_auc(y, p), atol=1e-4)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_roc_curve_is_the_curve_without_collinear_points(case: Case) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    y, p, _ = case
    ours = list(zip(*metrics.roc_curve(y, p), strict=True))
    full = list(zip(*sklearn.roc_curve(y, p, drop_intermediate=False)[:2], strict=True))
    others, clicks = int(np.sum(y == 0)), int(np.sum(y == 1))
    grid = [(round(a * others), round(b * clicks)) for a, b in full]
    corners = [
        grid[i]
        for i in range(len(grid))
        if i in (0, len(grid) - 1)
        or (grid[i][0] - grid[i - 1][0]) * (grid[i + 1][1] - grid[i][1])
        != (grid[i + 1][0] - grid[i][0]) * (grid[i][1] - grid[i - 1][1])
    ]
    assert [(round(a * others), round(b * clicks)) for a, b in ours] == corners
    fpr, tpr = np.array(ours).T
    np.testing.assert_allclose(np.trapezoid(tpr, fpr), metrics.roc_auc(y, p), rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(1, 20), st.sampled_from(["quantile", "uniform"]))
def test_calibration_curve_equals_scikit_learn(case: Case, bins: int, strategy: str) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    y, p, _ = case
    observed, predicted = calibration.calibration_curve(y, p, n_bins=bins, strategy=strategy)
    ours = metrics.calibration_curve(y, p, bins, strategy)
    np.testing.assert_allclose(ours[0], predicted, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ours[1], observed, rtol=1e-12, atol=1e-15)
    assert ours[2].dtype == np.int64 and ours[2].min() > 0 and ours[2].sum() == len(y)
    expected = np.sum(ours[2] * np.abs(predicted - observed)) / len(y)
    ece = metrics.expected_calibration_error(y, p, bins, strategy)
    np.testing.assert_allclose(ece, expected, rtol=1e-10, atol=1e-14)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_whole_weights_repeat_rows(case: Case) -> None:
    y, p, _ = case
    w = np.random.default_rng(len(y)).integers(1, 4, len(y))
    repeated = np.repeat(y, w), np.repeat(p, w)
    for metric in WEIGHTED:
        np.testing.assert_allclose(metric(y, p, w), metric(*repeated), rtol=1e-11, atol=1e-14)


def test_weighted_ece_of_a_known_case() -> None:
    y, p, w = [0, 1, 0, 1], [0.2, 0.2, 0.6, 0.6], [3.0, 1.0, 1.0, 3.0]
    # Bin of 0.2: observed 1/4, of 0.6: observed 3/4; half of the weight in each.
    ece = metrics.expected_calibration_error(y, p, 2, "uniform", w)
    assert ece == pytest.approx(0.5 * 0.05 + 0.5 * 0.15, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_log_loss_clips_at_the_resolution_of_the_dtype(dtype: type) -> None:
    eps = float(np.finfo(dtype).eps)
    p = np.array([0.0, 1.0], dtype)
    assert metrics.log_loss([1, 0], p) == pytest.approx(-math.log(eps), rel=1e-12)
    assert metrics.log_loss([0, 1], p) == pytest.approx(-math.log1p(-eps), rel=1e-9)
    assert metrics.log_loss([1, 0], p, eps=0.1) == pytest.approx(-math.log(0.1), rel=1e-12)


def test_float32_is_accumulated_in_float64() -> None:
    rng = np.random.default_rng(3)
    p = rng.random(100_000).astype(np.float32) * 0.98 + np.float32(0.01)
    y = rng.random(100_000) < p
    single, double = metrics.evaluate(y, p), metrics.evaluate(y, p.astype(np.float64))
    assert single == double


def test_accuracy_predicts_no_click_at_the_threshold() -> None:
    assert metrics.accuracy([0, 0, 1], [0.5, 0.3, 0.6]) == 1.0
    assert metrics.accuracy([0, 0, 1], [0.5, 0.3, 0.6], threshold=0.2) == pytest.approx(1 / 3)


def test_perfect_reversed_and_constant_predictions() -> None:
    y = np.array([0, 0, 1, 1, 0])
    assert metrics.roc_auc(y, y.astype(float)) == 1.0
    assert metrics.roc_auc(y, 1.0 - y) == 0.0
    assert metrics.roc_auc(y, np.full(5, 0.3)) == 0.5
    fpr, tpr = metrics.roc_curve(y, np.full(5, 0.3))
    assert fpr.tolist() == [0.0, 1.0] and tpr.tolist() == [0.0, 1.0]
    base = np.full(5, y.mean())
    assert metrics.normalized_entropy(y, base) == pytest.approx(1.0, rel=1e-14)
    assert metrics.expected_calibration_error(y, base) == pytest.approx(0.0, abs=1e-15)


def test_evaluate_can_be_written_as_json_and_counts_rows() -> None:
    y, p = np.array([1, 0, 0, 0], np.int8), np.array([0.5, 0.5, 0.25, 0.25], np.float32)
    result = metrics.evaluate(y, p, [2, 1, 1, 1])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result) == [
        *(
            "rows",
            "clicks",
            "base_rate",
            "auc",
            "average_precision",
            "log_loss",
            "base_rate_log_loss",
        ),
        *("normalized_entropy", "calibration", "ece", "brier", "accuracy"),
    ]
    assert (result["rows"], result["clicks"], result["base_rate"]) == (4, 1, 0.4)
    assert result["calibration"] == pytest.approx(2.0 / 2)


@pytest.mark.parametrize("label", [[0, 0, 0], [1, 1, 1]])
def test_evaluate_of_one_class_has_none_where_nothing_is_defined(label: list[int]) -> None:
    result = metrics.evaluate(label, [0.2, 0.4, 0.6])
    assert result["auc"] is None and result["normalized_entropy"] is None
    assert (result["calibration"] is None) == (label[0] == 0)
    assert result["base_rate_log_loss"] == 0.0
    assert result["log_loss"] == pytest.approx(metrics.log_loss(label, [0.2, 0.4, 0.6]))


@pytest.mark.parametrize("label, missing", [([0, 0], "no click"), ([1, 1], "no non-click")])
def test_a_missing_class_is_named(label: list[int], missing: str) -> None:
    for metric in (metrics.roc_auc, metrics.roc_curve, metrics.normalized_entropy):
        with pytest.raises(ValueError, match=missing):
            metric(label, [0.1, 0.9])
    with pytest.raises(ValueError, match="with a positive weight"):
        metrics.roc_auc([0, 1], [0.1, 0.9], [label[0] == 0, label[0] == 1])


def test_calibration_ratio_needs_a_click() -> None:
    with pytest.raises(ValueError, match="no row of label is 1"):
        metrics.calibration_ratio([0, 0], [0.1, 0.9])


def test_arrays_may_be_strided_read_only_and_are_not_changed() -> None:
    rng = np.random.default_rng(5)
    y, p = rng.random(400) < 0.3, rng.random(400)
    before = metrics.evaluate(y[::2].copy(), p[::2].copy())
    y.flags.writeable = p.flags.writeable = False
    copies = y.copy(), p.copy()
    assert metrics.evaluate(y[::2], p[::2]) == before
    assert np.array_equal(y, copies[0]) and np.array_equal(p, copies[1])


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize(
    "label, probability, error, message",
    [
        ([], [], ValueError, "no rows"),
        ([0, 1], [0.1], ValueError, "1 values for 2 labels"),
        ([[0, 1], [1, 0]], [0.1, 0.2], ValueError, r"shape \(2, 2\).*second column"),
        ([0, 1], [[0.1], [0.2]], ValueError, r"shape \(2, 1\)"),
        ([0, 2], [0.1, 0.2], ValueError, "got 2 in row 1"),
        ([-1, 1], [0.1, 0.2], ValueError, "0 or 1, got -1 in row 0"),
        ([0.0, math.nan], [0.1, 0.2], ValueError, "got nan in row 1"),
        ([0, 1], [0.1, math.nan], ValueError, "got nan in row 1"),
        ([0, 1], [math.inf, 1.5], ValueError, "got inf in row 0.*1 more"),
        ([0, 1], [-0.1, 0.2], ValueError, "got -0.1 in row 0"),
        (["a", "b"], [0.1, 0.2], TypeError, "label must hold"),
        ([0, 1], [0.1j, 0.2], TypeError, "complex128"),
        ([0, None], [0.1, 0.2], TypeError, "object"),
    ],
)
def test_bad_input(
    metric: Callable[..., object], label: object, probability: object, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        metric(label, probability)


@pytest.mark.parametrize("metric", [*WEIGHTED, metrics.evaluate])
@pytest.mark.parametrize(
    "weight, message",
    [
        ([1.0], "1 values for 2 labels"),
        ([1.0, -1.0], "got -1.0 in row 1"),
        ([math.nan, 1.0], "got nan in row 0"),
        ([1.0, math.inf], "got inf in row 1"),
        ([0.0, 0.0], "0 in every row"),
    ],
)
def test_bad_weights(metric: Callable[..., object], weight: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric([0, 1], [0.1, 0.2], weight)


@pytest.mark.parametrize("bins, error", [(0, ValueError), (True, TypeError), (2.0, TypeError)])
def test_bad_bins(bins: object, error: type) -> None:
    with pytest.raises(error, match="bins must be"):
        metrics.calibration_curve([0, 1], [0.1, 0.2], bins)  # type: ignore[arg-type]


def test_bad_options() -> None:
    with pytest.raises(ValueError, match='"quantile" or "uniform", got \'even\''):
        metrics.expected_calibration_error([0, 1], [0.1, 0.2], strategy="even")
    for eps in (0.0, 0.5, math.nan):
        with pytest.raises(ValueError, match="eps must be above 0"):
            metrics.log_loss([0, 1], [0.1, 0.2], eps=eps)
    with pytest.raises(ValueError, match="threshold must be in"):
        metrics.accuracy([0, 1], [0.1, 0.2], threshold=1.5)
