"""The generated log: reproducible, independent of cutting, and with known probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fastdl import metrics
from fastdl.data import generate_ad_log, iter_ad_log, read_log, write_ad_log


@pytest.fixture(scope="module")
def log():
    return generate_ad_log(150_000, seed=3, cardinality=50_000)


def test_shape_and_types(log):
    assert log.shape == (150_000, 41)
    assert log["label"].type == pa.int8()
    assert log["click_probability"].type == pa.float64()
    text = log["C3"].drop_null()[0].as_py()
    assert len(text) == 8
    assert int(text, 16) >= 0


def test_labels_follow_the_probabilities(log):
    label, probability = log["label"].to_numpy(), log["click_probability"].to_numpy()
    bins = np.quantile(probability, np.linspace(0, 1, 11))
    for low, high in zip(bins[:-1], bins[1:], strict=True):
        inside = (probability >= low) & (probability <= high)
        expected, n = probability[inside].mean(), inside.sum()
        assert abs(label[inside].mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("rate", [0.01, 0.25])
def test_click_rate_is_met(rate):
    probability = generate_ad_log(70_000, click_rate=rate)["click_probability"].to_numpy()
    assert abs(probability.mean() / rate - 1) < 0.05


def test_best_possible_auc_is_realistic(log):
    best = metrics.roc_auc(log["label"].to_numpy(), log["click_probability"].to_numpy())
    assert 0.75 < best < 0.85


def test_ids_are_zipf_distributed(log):
    columns = [log[f"C{i}"] for i in range(1, 27)]
    widest = max(columns, key=lambda c: len(c.unique()))
    counts = np.sort(widest.drop_null().value_counts().field("counts").to_numpy())[::-1]
    slope = np.polyfit(np.log(np.arange(1, 201)), np.log(counts[:200]), 1)[0]
    assert -1.2 < slope < -0.8


def test_share_of_missing_values(log):
    share = np.mean([c.null_count / len(c) for c in log.columns[2:]])
    assert 0.05 < share < 0.15


def test_rows_do_not_depend_on_their_number_or_on_the_batches(log):
    pieces = list(iter_ad_log(70_000, seed=3, cardinality=50_000, batch_rows=999))
    assert max(len(p) for p in pieces) == 999
    mine = pa.concat_tables(pieces).unify_dictionaries()
    for name in log.column_names:
        assert mine[name].to_pylist() == log[name][:70_000].to_pylist(), name


def test_another_seed_gives_another_log(log):
    other = generate_ad_log(1000, seed=4, cardinality=50_000)
    assert other["click_probability"].to_pylist() != log["click_probability"][:1000].to_pylist()


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_written_logs_read_back(tmp_path, suffix):
    path = tmp_path / f"log.{suffix}"
    write_ad_log(path, 3000, seed=1)
    log = generate_ad_log(3000, seed=1)
    read = read_log(path, "criteo" if suffix == "tsv" else None)
    for name in read.column_names:
        assert read[name].to_pylist() == pytest.approx(log[name].to_pylist()), name
    assert len(read.column_names) == (40 if suffix == "tsv" else 41)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("options", "error"),
    [({"rows": 0}, ValueError), ({"rows": 2.5}, TypeError), ({"click_rate": 1.0}, ValueError),
     ({"click_rate": float("nan")}, ValueError), ({"missing": 0.6}, ValueError),
     ({"numeric": 0, "categorical": 0}, ValueError), ({"cardinality": -1}, ValueError),
     ({"seed": "x"}, TypeError)],
)  # fmt: skip
def test_bad_options(options, error):
    with pytest.raises(error, match=next(iter(options))):
        generate_ad_log(**{"rows": 10, **options})


def test_unknown_suffix_and_impossible_criteo(tmp_path):
    with pytest.raises(ValueError, match=r"\.parquet"):
        write_ad_log(tmp_path / "log.json", 10)
    with pytest.raises(ValueError, match="13 numeric"):
        write_ad_log(tmp_path / "log.tsv", 10, numeric=2)
