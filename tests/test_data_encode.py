"""The encoder: learned on training rows only, stable, saved as JSON."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import metrics
from fastdl.data import LogEncoder, generate_ad_log, iter_ad_log, labels, one_hot
from fastdl.data.encode import bucket


def test_what_comes_out_of_small_columns():
    log = pa.table({"label": [0, 1, 0], "n": [0.0, None, 2.0], "c": ["b", None, "a"]})
    encoder = LogEncoder(log=False).fit(log)
    assert encoder.feature_names_ == ["n", "n is missing", "c = a", "c = b", "c is missing"]
    expected = [[-1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [1, 0, 1, 0, 0]]
    np.testing.assert_array_equal(encoder.transform(log), np.float32(expected))
    new = pa.table({"n": [4.0], "c": ["unseen"], "more": [1]})
    np.testing.assert_array_equal(encoder.transform(new), [[3, 0, 0, 0, 0]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=50))
def test_training_columns_have_mean_zero_and_variance_one(values):
    x = LogEncoder().fit(pa.table({"a": values})).transform(pa.table({"a": values}), np.float64)
    scaled = np.sign(values) * np.log1p(np.abs(values))
    assert abs(x.mean()) < 1e-6
    if scaled.std() > 1e-6:
        np.testing.assert_allclose(x.std(), 1, rtol=1e-6)


def test_many_values_are_hashed_and_fall_where_they_always_fall():
    values = [f"id{i}" for i in range(100)]
    log = pa.table({"c": values})
    x = LogEncoder(buckets=8).fit(log).transform(log)
    assert x.shape == (100, 8)
    np.testing.assert_array_equal(x.sum(axis=1), 1)
    assert [bucket("c", v, 8) for v in values] == x.argmax(axis=1).tolist()
    assert x.sum(axis=0).min() > 3
    # fixed for ever, or saved models would read other buckets than they were trained with
    assert [bucket("C1", "05db9164", 32), bucket("C2", "05db9164", 32)] == [15, 22]


def test_pieces_teach_the_same_as_the_whole():
    whole = LogEncoder().fit(generate_ad_log(5000))
    pieces = LogEncoder().fit(iter_ad_log(5000, batch_rows=333))
    assert whole.feature_names_ == pieces.feature_names_
    for a, b in zip(whole.columns_, pieces.columns_, strict=True):
        assert a.keys() == b.keys()
        for key in a:
            assert a[key] == (pytest.approx(b[key], rel=1e-9) if key in ("mean", "std") else b[key])


def test_description_gives_the_same_encoder():
    log = generate_ad_log(2000)
    encoder = LogEncoder(buckets=5).fit(log)
    again = LogEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert np.array_equal(again.transform(log), encoder.transform(log))
    assert not any("click_probability" in n or "label" in n for n in encoder.feature_names_)


@pytest.mark.parametrize(
    "damage",
    [{}, {"version": 1}, {"version": 2, "buckets": 3, "log": True, "columns": []},
     {"version": 1, "buckets": 3, "log": True, "columns": [{"kind": "numeric", "name": "a"}]},
     {"version": 1, "buckets": 3, "log": True, "columns": [{"kind": "other", "name": "a"}]}],
)  # fmt: skip
def test_damaged_descriptions(damage):
    with pytest.raises(ValueError, match="encoder"):
        LogEncoder.from_dict(damage)


def test_logs_that_do_not_fit():
    encoder = LogEncoder().fit(pa.table({"n": [1.0, 2.0], "c": ["a", "b"]}))
    with pytest.raises(ValueError, match="no column c"):
        encoder.transform(pa.table({"n": [1.0]}))
    with pytest.raises(ValueError, match="n must be numeric"):
        encoder.transform(pa.table({"n": ["x"], "c": ["a"]}))
    with pytest.raises(ValueError, match="infinite"):
        encoder.transform(pa.table({"n": [np.inf], "c": ["a"]}))
    with pytest.raises(ValueError, match="not fitted"):
        LogEncoder().transform(pa.table({"n": [1.0]}))
    with pytest.raises(ValueError, match="no column z"):
        LogEncoder(numeric=["z"]).fit(pa.table({"n": [1.0]}))


def test_one_hot_and_labels():
    np.testing.assert_array_equal(one_hot(np.array([1, 0])), [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="classes"):
        one_hot(np.array([2]))
    with pytest.raises(ValueError, match="label"):
        labels(pa.table({"a": [1]}))


def test_a_linear_model_learns_from_it_but_not_more_than_there_is():
    linear = pytest.importorskip("sklearn.linear_model")
    log = generate_ad_log(24_000)
    train, test = log[:20_000], log[20_000:]
    encoder = LogEncoder().fit(train)
    model = linear.LogisticRegression(C=0.1, max_iter=200)
    model.fit(encoder.transform(train), labels(train))
    found = model.predict_proba(encoder.transform(test))[:, 1]
    best = metrics.roc_auc(labels(test), test["click_probability"].to_numpy())
    assert 0.65 < metrics.roc_auc(labels(test), found) < best
