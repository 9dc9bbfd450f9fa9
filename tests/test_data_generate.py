"""The generated log: reproducible, independent of cutting, and with known probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fastdl import metrics
from fastdl.data import generate, generate_ad_log, iter_ad_log, read_log, write_ad_log
from fastdl.data.click_model import click_model
from fastdl.data.ids import IdField, _distinct


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


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_best_possible_auc_is_realistic(seed):
    log = generate_ad_log(65_536, seed=seed)
    best = metrics.roc_auc(log["label"].to_numpy(), log["click_probability"].to_numpy())
    assert 0.80 < best < 0.82


def test_different_ids_have_different_texts():
    field = IdField(100_000, 0.0, 1.0, 123, 456)
    _, column = field.effect_and_column(np.arange(100_000))
    assert len(column.unique()) == 100_000


def test_many_ids_are_told_apart_by_sorting_as_by_flags():
    ids = np.array([5, -1, 3, 5, 0])
    for size in (6, 2**23):
        distinct, codes = _distinct(ids, size)
        assert distinct.tolist() == [0, 3, 5]
        assert codes.tolist() == [2, -1, 1, 2, 0]


def test_frequent_ids_and_counts_carry_signal(log):
    label = log["label"].to_numpy()
    gains = []
    for name in log.column_names[2:]:
        counts = log[name].drop_null().value_counts()
        frequent = counts.field("counts").to_numpy() > 2000
        rates = [label[np.asarray(pc.equal(log[name], v).fill_null(False))].mean()
                 for v in counts.field("values").filter(pa.array(frequent))[:8]]  # fmt: skip
        gains.append(np.ptp(rates) if len(rates) > 1 else 0)
    assert np.sum(np.array(gains) > 0.05) > 10  # binomial error: 0.01


def test_numbers_have_heavy_tails(log):
    counts = [log[f"I{i}"].drop_null().to_numpy() for i in range(1, 14)]
    assert all(c.max() > 8 * np.median(c) + 5 for c in counts)
    assert all((c == np.floor(c)).all() and c.min() >= 0 for c in counts)


def test_any_number_of_rows_begins_at_once():
    assert len(next(iter_ad_log(10**13, batch_rows=100))) == 100


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
    for name in log.column_names:  # dictionaries may differ, values may not
        kind = pa.string() if name.startswith("C") else log[name].type
        assert mine[name].cast(kind).equals(log[name][:70_000].cast(kind)), name


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_ad_log(tmp_path / f"{name}.csv", 500, seed=7)
        click_model.cache_clear()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


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
        assert read[name].to_pylist() == log[name].to_pylist(), name
    assert len(read.column_names) == (40 if suffix == "tsv" else 41)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("options", "error"),
    [({"rows": 0}, ValueError), ({"rows": 2.5}, TypeError), ({"click_rate": 1.0}, ValueError),
     ({"click_rate": float("nan")}, ValueError), ({"missing": 0.6}, ValueError),
     ({"numeric": 0, "categorical": 0}, ValueError), ({"cardinality": -1}, ValueError),
     ({"cardinality": 2**32 + 1}, ValueError), ({"seed": 1.5}, TypeError),
     ({"seed": -1}, ValueError), ({"missing": -0.1}, ValueError),
     ({"seed": "x"}, TypeError)],
)  # fmt: skip
def test_bad_options(options, error):
    with pytest.raises(error, match=next(iter(options))):
        generate_ad_log(**{"rows": 10, **options})


def test_an_interrupted_writer_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    path.write_text("old")

    def fail(table, suffix):
        raise OSError("No space left on device")

    monkeypatch.setattr(generate, "_plain", fail)
    with pytest.raises(OSError, match="No space"):
        write_ad_log(path, 10)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_suffix_and_impossible_criteo(tmp_path):
    with pytest.raises(ValueError, match=r"\.parquet"):
        write_ad_log(tmp_path / "log.json", 10)
    with pytest.raises(ValueError, match="13 numeric"):
        write_ad_log(tmp_path / "log.tsv", 10, numeric=2)
