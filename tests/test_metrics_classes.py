"""Metrics of several classes against scikit-learn, and against loops."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle

from fastdl.metrics import classes

C = 5


@pytest.fixture(params=[False, True], ids=["plain", "weighted"])
def rows(request, rng):
    """label, probability and weights or None; class 4 is never a label, class 3 never predicted."""
    label = rng.integers(0, C - 1, 300)
    scores = rng.standard_normal((300, C)) + 1.5 * np.eye(C)[label]
    scores[:, 3] -= 20
    p = np.exp(scores)
    p /= p.sum(axis=1, keepdims=True)
    return label, p, rng.random(300) if request.param else None


def test_counts_and_shares_are_those_of_scikit_learn(rows):
    y, p, w = rows
    said = p.argmax(axis=1)
    expected = oracle.confusion_matrix(y, said, labels=range(C), sample_weight=w)
    np.testing.assert_allclose(classes.confusion_matrix(y, p, w), expected, rtol=1e-12)
    np.testing.assert_allclose(classes.confusion_matrix(y, said, w, classes=C), expected)
    np.testing.assert_allclose(
        classes.accuracy(y, p, w), oracle.accuracy_score(y, said, sample_weight=w), rtol=1e-12
    )
    found = classes.per_class(y, p, w)
    figures = {"labels": range(C), "sample_weight": w, "zero_division": 0.0}
    theirs = oracle.precision_recall_fscore_support(y, said, **figures)
    for mine, expected in zip(found, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-12)
    for average in ("macro", "weighted"):
        theirs = oracle.precision_recall_fscore_support(y, said, average=average, **figures)
        own = classes.averages(found)[average]
        np.testing.assert_allclose(
            [own["precision"], own["recall"], own["f1"]], theirs[:3], rtol=1e-12
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_likelihood_and_ranks_are_those_of_scikit_learn(rows, dtype):
    y, p, w = rows
    p = p.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn on float32 rows that add up to 1 - 6e-8
        expected = oracle.log_loss(y, p, sample_weight=w, labels=range(C))
    np.testing.assert_allclose(classes.log_loss(y, p, w), expected, rtol=1e-6)
    for k in (1, 2, 4):
        expected = oracle.top_k_accuracy_score(y, p, k=k, sample_weight=w, labels=range(C))
        np.testing.assert_allclose(classes.top_k_accuracy(y, p, k, w), expected, rtol=1e-12)
    sure = np.eye(C, dtype=dtype)[y]
    assert 0 < classes.log_loss((y + 1) % C, sure) < 40  # clipped, as there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = oracle.log_loss((y + 1) % C, sure, labels=range(C))
    np.testing.assert_allclose(classes.log_loss((y + 1) % C, sure), expected, rtol=1e-6)


def test_equally_probable_classes_are_ranked_as_argmax_ranks_them():
    p = np.full((3, 3), 1 / 3)
    assert classes.accuracy([0, 1, 2], p) == pytest.approx(1 / 3)
    assert [classes.top_k_accuracy([0, 1, 2], p, k) for k in (1, 2, 3)] == pytest.approx(
        [1 / 3, 2 / 3, 1]
    )


def test_calibration_error_is_that_of_a_loop(rows):
    y, p, w = rows
    weight = np.ones(len(y)) if w is None else w
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    expected = 0.0
    for b in range(10):
        inside = (confidence > b / 10) & (confidence <= (b + 1) / 10)
        if inside.any():
            own = weight[inside] / weight.sum()
            expected += abs(float(np.sum(own * (right[inside] - confidence[inside]))))
    found = classes.expected_calibration_error(y, p, 10, w)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_everything_is_one_dict_for_json(rows):
    y, p, w = rows
    found = classes.evaluate(y, p, w, names=list("abcde"), top=2)
    assert json.loads(json.dumps(found)) == found
    assert [entry["name"] for entry in found["classes"]] == list("abcde")
    assert found["top_k_accuracy"] == classes.top_k_accuracy(y, p, 2, w)
    assert found["macro"] == classes.averages(classes.per_class(y, p, w))["macro"]
    assert np.sum(found["confusion"]) == pytest.approx(300 if w is None else w.sum())
    assert classes.evaluate(y, p, top=5)["top_k_accuracy"] is None
    assert isinstance(classes.evaluate(y, p)["confusion"][0][0], int)


@pytest.mark.parametrize(
    ("label", "probability", "message"),
    [
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "label must hold class indices from 0 to 1, got 2"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], "got -1 in row 1"),
        ([0, 0.5], [[0.5, 0.5], [0.5, 0.5]], "got 0.5 in row 1"),
        ([0], [[0.5, 0.5], [0.5, 0.5]], "probability has 2 rows, label 1"),
        ([0], [0.5], "expected .rows, classes."),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "in row 1"),
        ([0, 1], [[2.0, -1.0], [0.5, 0.5]], r"in \[0, 1\], got .* in row 0"),
        ([0, 1], [[0.5, 0.5], [0.2, 0.2]], "add up to 1 in every row, got 0.4 in row 1"),
        ([], np.empty((0, 2)), "has no rows"),
    ],
)
def test_wrong_rows_are_named(label, probability, message):
    with pytest.raises(ValueError, match=message):
        classes.log_loss(label, probability)


def test_wrong_options_are_named():
    p = [[0.5, 0.5]]
    with pytest.raises(ValueError, match="k is 0"):
        classes.top_k_accuracy([0], p, 0)
    with pytest.raises(ValueError, match="bins is 0"):
        classes.expected_calibration_error([0], p, 0)
    with pytest.raises(ValueError, match="names has 1 entries for 2"):
        classes.evaluate([0], p, names=["a"])
    with pytest.raises(ValueError, match=r"finite and not negative, got -1\.0 in row 0"):
        classes.accuracy([0], p, [-1.0])
    with pytest.raises(ValueError, match="0 in every row"):
        classes.accuracy([0], p, [0.0])
    with pytest.raises(TypeError, match="real numbers"):
        classes.log_loss([0], [["a", "b"]])
