"""Permutation importance: beside a plain loop, scikit-learn's, and models whose truth is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastdl
from fastdl import metrics
from fastdl.data import FeatureEncoder, LogEncoder, generate_ad_log, labels
from fastdl.importance import column_groups, permutation_importance

ROWS = 9000  # more than one piece


class Replay:
    """The permutations that scikit-learn has applied to each column, one after the other."""

    def __init__(self, seed: int, rows: int, repeats: int) -> None:
        state = np.random.RandomState(np.random.RandomState(seed).randint(np.iinfo(np.int32).max))
        shuffled, held, self.found = np.arange(rows), np.arange(rows), []
        for _ in range(repeats):
            state.shuffle(shuffled)
            held = held[shuffled]
            self.found.append(held)

    def permutation(self, rows: int) -> np.ndarray:
        return self.found.pop(0)


@pytest.mark.parametrize("metric", ["log_loss", "auc"])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_scikit_learn(rng, metric, weighted):
    inspection = pytest.importorskip("sklearn.inspection")
    from sklearn.base import BaseEstimator
    from sklearn.metrics import log_loss, roc_auc_score

    x = rng.standard_normal((500, 4)).astype(np.float32)
    t = (rng.random(500) < 1 / (1 + np.exp(-2 * x[:, 0] - x[:, 1]))).astype(int)
    weight = rng.random(500) if weighted else None
    network = fastdl.CTRPredictionNetwork(4, [], rng=rng)
    network.layers[0].W = np.array([[0, 2], [0, 1], [0, 0], [0.1, 0]])

    class Fitted(BaseEstimator):
        def fit(self, x: Any, t: Any) -> Any:
            return self

    def score(_: Any, x: Any, t: Any, sample_weight: Any = None) -> float:
        p = network.predict_proba(x)[:, 1].astype(np.float64)
        if metric == "auc":
            return float(roc_auc_score(t, p, sample_weight=sample_weight))
        return -float(log_loss(t, p, sample_weight=sample_weight))

    expected = inspection.permutation_importance(
        Fitted(), x, t, scoring=score, n_repeats=4, random_state=3, sample_weight=weight
    )
    replay: Any = Replay(3, 500, 4)
    found = permutation_importance(
        network, x, np.eye(2)[t], metric=metric, repeats=4, rng=replay, sample_weight=weight
    )
    own = {entry["name"]: entry for entry in found["features"]}
    for i in range(4):
        np.testing.assert_allclose(own[f"x{i}"]["mean"], expected.importances_mean[i], atol=2e-7)
        np.testing.assert_allclose(own[f"x{i}"]["std"], expected.importances_std[i], atol=2e-7)
    assert [entry["name"] for entry in found["features"]][:2] == ["x0", "x1"]
    assert own["x1"]["mean"] > 0.01 and own["x2"] == {"name": "x2", "mean": 0.0, "std": 0.0}


SPEC = fastdl.FeatureSpec(
    numeric=["age", "noise"],
    fields=[fastdl.Field("user", 50), fastdl.Field("ad", 20), fastdl.Field("unused", 5)],
    sequences=[fastdl.SequenceField("seen", 30), fastdl.SequenceField("idle", 4)],
)


def log(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    ids = [rng.integers(0, f.size, rows) for f in SPEC.fields]  # type: ignore[union-attr]
    lengths = rng.integers(0, 4, (2, rows))
    return {
        "numeric": rng.standard_normal((rows, 2)).astype(np.float32),
        "ids": np.stack(ids, 1),
        **{f.name: (rng.integers(0, f.size, size.sum()), size)
           for f, size in zip(SPEC.sequences, lengths, strict=True)},
    }  # fmt: skip


@pytest.fixture
def model(rng) -> fastdl.LogisticRegression:
    """A model that looks at one number, one field and one sequence."""
    model = fastdl.LogisticRegression(SPEC, rng=rng)
    (linear,) = (layer for layer in model.layers if hasattr(layer, "w"))
    weights = np.zeros_like(linear.w)
    for name, strength in (("ad", 1.0), ("seen", 1.5)):
        i = [f.name for f in SPEC.columns].index(name)
        rows = slice(SPEC.offsets[i], SPEC.offsets[i] + SPEC.sizes[i])
        weights[rows, 0] = strength * rng.standard_normal(SPEC.sizes[i])
    linear.w = weights
    numbers = np.zeros_like(linear.v)
    numbers.reshape(-1)[0] = 2.0
    linear.v = numbers
    return model


def test_only_what_the_model_uses_is_important(model, rng):
    x = log(rng, ROWS)
    t = rng.random(ROWS) < model.predict_proba(x)[:, 1]
    found = permutation_importance(model, x, t, rng=rng)
    own = {entry["name"]: (entry["mean"], entry["std"]) for entry in found["features"]}
    assert set(own) == set(SPEC.names)
    assert {name for name, (mean, _) in own.items() if mean != 0} == {"age", "ad", "seen"}
    assert all(
        own[name][0] > 0.02 and 0 < own[name][1] < own[name][0] / 5
        for name in ("age", "ad", "seen")
    )
    assert [entry["name"] for entry in found["features"]][:1] == ["age"]
    assert found["rows"] == ROWS and found["repeats"] == 3
    p = model.predict_proba(x)[:, 1]
    np.testing.assert_allclose(found["baseline"], metrics.log_loss(t, p), rtol=1e-12)


def shuffled(x: dict[str, Any], order: np.ndarray, features: list[str]) -> dict[str, Any]:
    """x with whole columns exchanged, the plain way."""
    out = {"numeric": x["numeric"].copy(), "ids": x["ids"].copy()}
    names = [f.name for f in SPEC.fields]  # type: ignore[union-attr]
    for feature in features:
        if feature in SPEC.numeric:  # type: ignore[operator]
            column = SPEC.numeric.index(feature)  # type: ignore[union-attr]
            out["numeric"][:, column] = x["numeric"][order, column]
        elif feature in names:
            column = names.index(feature)
            out["ids"][:, column] = x["ids"][order, column]
    for f in SPEC.sequences:
        values, lengths = x[f.name]
        lists = np.split(values, np.cumsum(lengths)[:-1])
        out[f.name] = [lists[i] for i in order] if f.name in features else lists
    return out


def test_equals_a_plain_loop_for_features_and_groups(model, rng):
    x, t = log(rng, ROWS), rng.integers(0, 2, ROWS)
    groups = {"person": ["user", "age", "seen"], "ad": ["ad"]}
    found = permutation_importance(
        model, x, t, metric="auc", repeats=2, rng=np.random.default_rng(5), groups=groups
    )
    orders = np.random.default_rng(5)
    both = [orders.permutation(ROWS) for _ in range(2)]
    base = metrics.roc_auc(t, model.predict_proba(x)[:, 1])
    entries = {**groups, **{name: [name] for name in ("noise", "unused", "idle")}}
    assert {entry["name"] for entry in found["features"]} == set(entries)
    for entry in found["features"]:
        costs = [
            base - metrics.roc_auc(t, model.predict_proba(shuffled(x, order, own))[:, 1])
            for own in [entries[entry["name"]]] for order in both
        ]  # fmt: skip
        expected = [np.mean(costs), np.std(costs)]
        np.testing.assert_allclose([entry["mean"], entry["std"]], expected, atol=1e-12)


def test_the_callers_arrays_are_left_alone(model, rng):
    x, t = log(rng, 50), rng.integers(0, 2, 50)
    kept = {name: np.copy(x[name]) for name in ("numeric", "ids")}
    for array in (x["numeric"], x["ids"], t, *x["seen"], *x["idle"]):
        array.flags.writeable = False
    permutation_importance(model, x, t, rng=rng)
    for name, values in kept.items():
        np.testing.assert_array_equal(x[name], values)
    dense = np.asarray(rng.random((50, 3)))
    dense.flags.writeable = False
    network = fastdl.CTRPredictionNetwork(3, [4], rng=rng)
    permutation_importance(network, dense, t, rng=rng)


def test_dropout_is_off_and_the_mode_comes_back(rng):
    network = fastdl.CTRPredictionNetwork(3, [16], rng=rng)
    network.layers.insert(2, fastdl.Dropout(0.5, rng=rng))
    network.train()
    x, t = rng.random((200, 3)), rng.integers(0, 2, 200)
    found = [permutation_importance(network, x, t, rng=np.random.default_rng(1)) for _ in range(2)]
    assert found[0] == found[1]
    assert all(layer.training for layer in network.layers)


def test_columns_of_encoders(rng):
    table = generate_ad_log(2000, seed=1)
    dense = LogEncoder(buckets=4).fit(table)
    x, t = dense.transform(table), labels(table)
    network = fastdl.CTRPredictionNetwork(x.shape[1], [4], rng=rng)
    found = permutation_importance(
        network, x, t, repeats=1, rng=rng, names=dense.feature_names_, groups=column_groups(dense)
    )
    columns = {*dense.numeric_names, *dense.categorical_names}
    assert {entry["name"] for entry in found["features"]} == columns
    when = [f"2024-01-0{d + 1} {h:02}:00:00" for d in range(3) for h in range(24)]
    encoder = FeatureEncoder(min_count=1, columns={"when": "date"}).fit({"when": when})
    assert len(column_groups(encoder)["when"]) > 1
    assert column_groups(encoder) == {"when": list(encoder.spec_.names)}
    with pytest.raises(TypeError, match="FeatureEncoder or a LogEncoder"):
        column_groups("city")


def test_without_rng_numpys_global_state_decides(rng):
    network = fastdl.CTRPredictionNetwork(2, [4], rng=rng)
    x, t = rng.random((60, 2)), rng.integers(0, 2, 60)
    np.random.seed(4)
    first = permutation_importance(network, x, t)
    np.random.seed(4)
    assert permutation_importance(network, x, t) == first


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"metric": "accuracy"}, ValueError, "expected one of log_loss, auc"),
        ({"repeats": 0}, ValueError, "repeats"),
        ({"model": object()}, TypeError, "no predict_proba"),
        ({"x": np.ones(5)}, ValueError, r"expected \(N, D\)"),
        ({"x": np.ones((1, 2)), "t": [1]}, ValueError, "2 or more"),
        ({"t": [0, 1, 1]}, ValueError, r"shape \(3,\); expected \(4,\)"),
        ({"t": [0, 1, 2, 1]}, ValueError, "0 or 1, got 2"),
        ({"t": [[1, 1]] * 4}, ValueError, "not one-hot"),
        ({"t": [0] * 4, "metric": "auc"}, ValueError, "no click"),
        ({"names": ["a", "a"]}, ValueError, "expected 2 different ones"),
        ({"groups": {"g": ["x7"]}}, ValueError, "x7, which x does not have"),
        ({"groups": {"x1": ["x0"]}}, ValueError, "names a group and a feature"),
    ],
)
def test_bad_input(rng, change, error, message):
    network = fastdl.CTRPredictionNetwork(2, [3], rng=rng)
    given = {"model": network, "x": rng.random((4, 2)), "t": [0, 1, 1, 0]} | change
    model, x, t = (given.pop(name) for name in ("model", "x", "t"))
    with pytest.raises(error, match=message):
        permutation_importance(model, x, t, rng=rng, **given)  # type: ignore[arg-type]


def test_names_and_outputs_that_do_not_fit(model, rng):
    with pytest.raises(ValueError, match="the model's spec has its own"):
        permutation_importance(model, log(rng, 5), [0, 1, 0, 1, 0], names=["a"])
    one = SimpleNamespace(predict_proba=lambda x: x[:, 0])
    with pytest.raises(ValueError, match=r"returned shape \(3,\); expected \(N, 2\)"):
        permutation_importance(one, np.ones((3, 1)), [0, 1, 0])
