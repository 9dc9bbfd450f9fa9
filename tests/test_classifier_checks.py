"""scikit-learn's own checks of estimators."""

from __future__ import annotations

import warnings

import pytest

import fastdl

checks = pytest.importorskip("sklearn.utils.estimator_checks")

EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a weight of 3 is not three rows: the batches and the order of rows are others"
    ),
}


with warnings.catch_warnings():  # fastdl can be imported without scikit-learn
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEst.*")
    every_check = checks.parametrize_with_checks(
        [fastdl.CTRClassifier()], expected_failed_checks=lambda estimator: EXPECTED
    )


@every_check
def test_check(estimator, check):
    check(estimator)
