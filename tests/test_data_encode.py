"""The encoder: learned on training rows only, stable, saved as JSON."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import metrics
from fastdl.data import LogEncoder, generate_ad_log, iter_ad_log, labels, one_hot
from fastdl.data.hashing import bucket_of, hash_codes

LEARNT = generate_ad_log(400, seed=2, numeric=3, categorical=4, cardinality=60)


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
    assert bucket_of(hash_codes("c", values), 8).tolist() == x.argmax(axis=1).tolist()
    assert x.sum(axis=0).min() > 3
    # fixed for ever, or saved models would read other buckets than they were trained with
    found = [int(bucket_of(hash_codes(name, ["05db9164"]), 32)[0]) for name in ("C1", "C2")]
    assert found == [15, 22]


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


NUMBER = {"kind": "numeric", "name": "a", "missing": False, "mean": 0.0, "std": 1.0}
TEXTS = {"kind": "values", "name": "a", "missing": False, "rare": False, "values": ["x"]}
HASHED = {"kind": "hashed", "name": "a", "missing": False, "rare": True, "buckets": 4}


def described(*columns, **changes):
    whole = {"version": 2, "buckets": 3, "log": True, "min_count": 1, "columns": list(columns)}
    return whole | changes


@pytest.mark.parametrize(
    "damage",
    [{}, [], None, {"version": 2}, described(), described(NUMBER, version=True),
     described(NUMBER, version="2"), described(NUMBER, buckets=0), described(NUMBER, log="yes"),
     described(NUMBER, min_count=0), described(NUMBER, columns=3), described("numeric"),
     described(NUMBER, NUMBER), described({**NUMBER, "std": 0.0}), described({**NUMBER, "name": 3}),
     described({**NUMBER, "mean": float("nan")}), described({**NUMBER, "std": True}),
     described({**NUMBER, "missing": 1}), described({**NUMBER, "kind": "other"}),
     described({k: v for k, v in NUMBER.items() if k != "std"}),
     described({**TEXTS, "values": [1]}), described({**TEXTS, "values": ["x", "x"]}),
     described({**HASHED, "buckets": 0}), described(HASHED), described({**HASHED, "frequent": "?"}),
     described({**HASHED, "frequent": "AAAA"})],
)  # fmt: skip
def test_damaged_descriptions(damage):
    with pytest.raises(ValueError, match="description is damaged"):
        LogEncoder.from_dict(damage)


def test_newer_and_older_descriptions():
    with pytest.raises(ValueError, match=r"version 3.*newer fastdl"):
        LogEncoder.from_dict(described(NUMBER, version=3))
    old = {k: v for k, v in TEXTS.items() if k != "rare"}
    first = {"version": 1, "buckets": 3, "log": True, "columns": [NUMBER | {"name": "n"}, old]}
    encoder = LogEncoder.from_dict(first)
    assert encoder.feature_names_ == ["n", "a = x"]
    x = encoder.transform(pa.table({"n": [1.0], "a": ["x"]}))
    np.testing.assert_allclose(x, [[np.log(2), 1]], rtol=1e-6)


def test_logs_that_do_not_fit():
    encoder = LogEncoder().fit(pa.table({"n": [1.0, 2.0], "c": ["a", "b"]}))
    with pytest.raises(ValueError, match="no column c"):
        encoder.transform(pa.table({"n": [1.0]}))
    for texts in (["x"], ["1"]):
        with pytest.raises(ValueError, match=r"n must be numeric.*string.*numeric=\['n'\]"):
            encoder.transform(pa.table({"n": texts, "c": ["a"]}))
    with pytest.raises(ValueError, match="Column n is infinite in row 1"):
        encoder.transform(pa.table({"n": [1, -np.inf], "c": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"c has the type list"):
        encoder.transform(pa.table({"n": [1.0], "c": [["a"]]}))
    with pytest.raises(TypeError, match="dict"):
        encoder.transform({"n": [1.0]})
    with pytest.raises(ValueError, match="not fitted"):
        LogEncoder().transform(pa.table({"n": [1.0]}))
    large = LogEncoder(log=False).fit(pa.table({"n": [0.0, 1.0]}))
    with pytest.raises(ValueError, match="too large for float32"):
        large.transform(pa.table({"n": [1e300]}))


@pytest.mark.parametrize(
    ("options", "columns", "error", "message"),
    [({"numeric": ["z"]}, {"n": [1.0]}, ValueError, "no column z"),
     ({"numeric": ["n"], "categorical": ["n"]}, {"n": [1.0]}, ValueError, "n is in numeric="),
     ({}, {"label": [1]}, ValueError, "no columns"), ({}, {"n": []}, ValueError, "no rows"),
     ({"log": False}, {"n": [1e200, -1e200]}, ValueError, "n has values as large as 1e"),
     ({"buckets": 0}, {"n": [1.0]}, ValueError, "buckets is 0"),
     ({"min_count": 1.5}, {"n": [1.0]}, TypeError, "min_count is 1.5")],
)  # fmt: skip
def test_what_cannot_be_learned(options, columns, error, message):
    with pytest.raises(error, match=message):
        LogEncoder(**options).fit(pa.table(columns))


@pytest.mark.parametrize("log", [3, "log.csv", {"n": [1.0]}, [1]])
def test_fit_takes_tables_only(log):
    with pytest.raises(TypeError, match="expected a pyarrow Table"):
        LogEncoder().fit(log)


def test_parameters_are_stored_as_given():
    names = ("a",)
    encoder = LogEncoder(buckets=-3, numeric=names)
    assert encoder.buckets == -3
    assert encoder.numeric is names


def test_constant_columns_and_columns_without_values():
    log = pa.table({"a": [0.1] * 3, "b": pa.nulls(3, pa.float64()), "c": pa.nulls(3, pa.string())})
    encoder = LogEncoder().fit(log)
    assert encoder.feature_names_ == ["a", "b", "b is missing", "c is missing"]
    np.testing.assert_array_equal(encoder.transform(log), [[0, 0, 1, 1]] * 3)


@pytest.mark.parametrize(
    ("values", "kind", "names", "places"),
    [([True, False], None, ["false", "true"], [1, 0]), ([7, 1], None, ["1", "7"], [1, 0]),
     ([7.0, np.nan], None, ["7", None], [0, 1]),
     (["7", "1"], pa.large_string(), ["1", "7"], [1, 0]),
     (["7", None], pa.dictionary(pa.int8(), pa.string()), ["7", None], [0, 1])],
)  # fmt: skip
def test_categories_of_other_types(values, kind, names, places):
    log = pa.table({"c": pa.array(values, kind)})
    encoder = LogEncoder(categorical=["c"]).fit(log)
    assert encoder.feature_names_ == [f"c = {n}" if n else "c is missing" for n in names]
    np.testing.assert_array_equal(encoder.transform(log), np.eye(2)[places])


def test_a_dictionary_with_a_missing_entry():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["b", None, "a"]))
    log = pa.table({"c": column})
    encoder = LogEncoder().fit(log)
    assert encoder.feature_names_ == ["c = a", "c = b", "c is missing"]
    assert encoder.transform(log).argmax(axis=1).tolist() == [1, 2, 2, 0]


def test_a_piece_of_a_log_is_encoded_like_the_whole():
    log = generate_ad_log(3000, cardinality=20_000)
    encoder = LogEncoder().fit(log)
    whole = encoder.transform(log)
    assert np.array_equal(encoder.transform(log[1000:1010]), whole[1000:1010])
    assert encoder.transform(log[:0]).shape == (0, whole.shape[1])
    assert whole.flags.c_contiguous
    assert encoder.transform(log[:5], np.float64).dtype == np.float64


def test_memory_is_that_of_the_result_and_a_few_columns():
    log = generate_ad_log(20_000)
    encoder = LogEncoder().fit(log)
    tracemalloc.start()
    out = encoder.transform(log)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out.nbytes < peak < out.nbytes + 12 * 8 * len(log)


def rare_log():
    few = ["often"] * 5 + ["seldom"] + [None]
    return pa.table({"few": few * 10, "many": [f"id{i}" for i in range(35)] + ["hit"] * 35})


def test_rare_and_unseen_values_share_a_column():
    encoder = LogEncoder(buckets=8, min_count=20).fit(rare_log())
    assert [n for n in encoder.feature_names_ if "few" in n] == [
        "few = often", "few is rare", "few is missing",
    ]  # fmt: skip
    assert "many is rare" in encoder.feature_names_
    new = pa.table({"few": ["often", "seldom", "new", None], "many": ["hit", "id3", "new", None]})
    found = [np.flatnonzero(row).tolist() for row in encoder.transform(new)]
    rare = encoder.feature_names_.index("many is rare")
    assert [row[0] for row in found] == [0, 1, 1, 2]
    assert [row[1:] == [rare] for row in found] == [False, True, True, False]
    assert found[0][1] < rare
    assert found[3][1:] == []  # the column had no gaps in training
    again = LogEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert np.array_equal(again.transform(new), encoder.transform(new))


def test_without_rare_values_there_is_no_column_for_them():
    log = pa.table({"c": ["a", "b"] * 5})
    assert LogEncoder(min_count=5).fit(log).feature_names_ == ["c = a", "c = b"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 4))
def test_learning_bit_by_bit_is_learning_at_once(cuts, min_count):
    log = LEARNT[: sum(cuts)]
    whole = LogEncoder(buckets=6, min_count=min_count).fit(log)
    parts = LogEncoder(buckets=6, min_count=min_count)
    for end, size in zip(np.cumsum(cuts), cuts, strict=True):
        parts.partial_fit(log[end - size : end])
    assert parts.feature_names_ == whole.feature_names_
    for table in (log, LEARNT):
        a, b = parts.transform(table, np.float64), whole.transform(table, np.float64)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_fit_starts_anew_and_partial_fit_goes_on():
    first, second = pa.table({"n": [0.0, 2.0]}), pa.table({"n": [4.0, 6.0]})
    encoder = LogEncoder(log=False).fit(first).fit(second)
    assert encoder.columns_[0]["mean"] == 5
    assert encoder.partial_fit(first).columns_[0]["mean"] == 3
    with pytest.raises(ValueError, match="from_dict"):
        LogEncoder.from_dict(encoder.to_dict()).partial_fit(first)


def test_means_and_variances_are_stable_far_from_zero():
    values = 1e9 + np.arange(1000.0)
    log = pa.table({"n": values})
    encoder = LogEncoder(log=False).fit(log[i : i + 7] for i in range(0, 1000, 7))
    np.testing.assert_allclose(encoder.columns_[0]["mean"], values.mean(), rtol=1e-15)
    np.testing.assert_allclose(encoder.columns_[0]["std"], values.std(), rtol=1e-9)


def test_one_hot_and_labels():
    np.testing.assert_array_equal(one_hot(np.array([1, 0])), [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="classes"):
        one_hot(np.array([2]))
    with pytest.raises(ValueError, match="shape"):
        one_hot(np.zeros((2, 2)))
    np.testing.assert_array_equal(labels(pa.table({"label": [1, 0]})), np.float32([1, 0]))
    for wrong in ({"a": [1]}, {"label": [0, None]}, {"label": [0, 2]}, {"label": ["0", "1"]}):
        with pytest.raises(ValueError, match="label"):
            labels(pa.table(wrong))


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
