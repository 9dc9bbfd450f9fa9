"""The encoder of CTR models: the same ids whatever the order, the cut, the source, the process."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from fastdl.data import FeatureEncoder, LogEncoder, generate_ad_log, iter_log, read_log
from fastdl.data.quantiles import Quantiles
from fastdl.data.vocabulary import ValueCounts, keys_of

LOG = generate_ad_log(3000, seed=3, numeric=3, categorical=4, cardinality=500)
DAY = datetime.datetime(2026, 11, 25, 7)  # a Wednesday
MIXED = pa.table(
    {
        "label": [0, 1, 0, 1],
        "n": [1, 2, None, 4.0],
        "c": ["a", "b", "a", None],
        "flag": [True, False, None, True],
        "l": [["x", "y"], None, [], ["x", None, "x"]],
        "s": ["p|q", "p", None, "|q"],
        "d": [DAY, None, datetime.datetime(2026, 11, 22, 23), DAY],
        "constant": [5, 5, 5, 5],
        "same": ["u", "u", "u", "u"],
        "empty": pa.array([None] * 4, pa.string()),
    }
)


def fitted(**options):
    options = {"numbers": "number", **options}
    return FeatureEncoder(
        min_count=1, columns={"s": {"kind": "list", "separator": "|"}}, **options
    ).fit(MIXED)


def equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        pairs = (
            zip(a[name], b[name], strict=True)
            if isinstance(a[name], tuple)
            else [(a[name], b[name])]
        )
        for x, y in pairs:
            np.testing.assert_array_equal(x, y)


def test_every_kind():
    encoder = fitted()
    x = encoder.transform(MIXED)
    assert encoder.spec_.names == (
        "n",
        "n is missing",
        "c",
        "flag",
        "d hour",
        "d weekday",
        "l",
        "s",
    )
    assert encoder.left_out_ == {
        "constant": "it is constant", "same": "it is constant", "empty": "it has no values",
    }  # fmt: skip
    logs = np.log1p([1, 2, 4])
    expected = (logs - logs.mean()) / logs.std()
    np.testing.assert_allclose(x["numeric"][[0, 1, 3], 0], expected, rtol=1e-6)
    assert x["numeric"][:, 1].tolist() == [0, 0, 1, 0] and x["numeric"][2, 0] == 0
    # 0 is missing, 1 all others, 2 the most frequent value; hours and weekdays from 1
    assert x["ids"].tolist() == [[2, 2, 8, 3], [3, 3, 0, 0], [2, 0, 24, 7], [0, 2, 8, 3]]
    values, lengths = x["l"]
    assert (values.tolist(), lengths.tolist()) == ([2, 3, 2, 2], [2, 0, 0, 2])
    values, lengths = x["s"]
    assert sorted(values[:2]) == [2, 3] and lengths.tolist() == [2, 1, 0, 1]
    assert values[0] == values[2] and values[1] == values[3]
    encoder.spec_.batch(x, np.dtype("float32")).rows()  # every id is in its table


def test_unseen_and_rare_values_share_an_id():
    log = {"c": ["a", "a", "b", "b", "b", "rare", None]}
    encoder = FeatureEncoder(min_count=2).fit(log)
    ids = encoder.transform({"c": ["b", "a", "rare", "never seen", None]})["ids"]
    assert ids[:, 0].tolist() == [2, 3, 1, 1, 0]


def test_numbers_in_columns_named_as_ids_are_categories(tmp_path):
    large = 2**60
    log = {
        "label": [0, 1, 0],
        "user_id": [large, large + 1, large],
        "adId": [1, 2, 3],
        "bid": [1, 2, 3],
    }
    csv.write_csv(pa.table(log), tmp_path / "log.csv")
    expected = [2, 3, 2]  # floats could not tell the first two apart
    for table in (pa.table(log), read_log(tmp_path / "log.csv")):
        encoder = FeatureEncoder(min_count=1).fit(table)
        assert [kind for _, kind, _ in encoder.describe()] == ["category", "category", "buckets"]
        assert encoder.transform(table)["ids"][:, 0].tolist() == expected


@pytest.mark.parametrize("numbers", ["number", "buckets"])
def test_order_and_cut_change_no_id(numbers):
    rows = np.random.default_rng(0).permutation(len(LOG))
    shuffled = LOG.take(rows)
    whole = FeatureEncoder(numbers=numbers).fit(LOG)
    pieces = FeatureEncoder(numbers=numbers).fit(shuffled[i : i + 170] for i in range(0, 3000, 170))
    assert whole.spec_ == pieces.spec_
    a, b = whole.transform(LOG), pieces.transform(LOG)
    np.testing.assert_array_equal(a["ids"], b["ids"])
    if numbers == "number":
        np.testing.assert_allclose(a["numeric"], b["numeric"], atol=1e-6)


def test_csv_parquet_and_dictionaries_give_the_same(tmp_path):
    encoder = FeatureEncoder(numbers="number").fit(LOG)
    expected = encoder.transform(LOG)
    csv.write_csv(LOG, tmp_path / "log.csv")
    parquet.write_table(LOG, tmp_path / "log.parquet")
    types = {"categorical": encoder.categorical_names, "numeric": encoder.numeric_names}
    for name in ("log.csv", "log.parquet"):
        equal(encoder.transform(read_log(tmp_path / name, **types)), expected)
        again = FeatureEncoder(numbers="number").fit(
            iter_log(tmp_path / name, batch_rows=700, **types)
        )
        np.testing.assert_array_equal(again.transform(LOG)["ids"], expected["ids"])
    columns = zip(LOG.column_names, LOG.columns, strict=True)
    categories = pa.table({n: c.dictionary_encode() if n[0] == "C" else c for n, c in columns})
    equal(encoder.transform(categories), expected)
    equal(FeatureEncoder(numbers="number").fit(categories).transform(LOG), expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_give_the_same(library):
    pytest.importorskip(library)
    texts = LOG.cast(pa.schema([pa.field(f.name, pa.string()) if f.name[0] == "C" else f
                                for f in LOG.schema]))  # fmt: skip
    encoder = FeatureEncoder(numbers="number").fit(LOG)
    for log in (LOG, texts):
        frame = log.to_pandas() if library == "pandas" else __import__("polars").from_arrow(log)
        equal(encoder.transform(frame), encoder.transform(LOG))
        equal(FeatureEncoder(numbers="number").fit(frame).transform(LOG), encoder.transform(LOG))


def test_lists_and_times_of_parquet_parts(tmp_path):
    for name, part in (("a", MIXED[:2]), ("b", MIXED[2:])):
        parquet.write_table(part, tmp_path / f"{name}.parquet")
    log = read_log(tmp_path)
    assert log["l"].to_pylist() == MIXED["l"].to_pylist()
    equal(fitted().transform(log), fitted().transform(MIXED))
    x = LogEncoder().fit_transform(log.select(["d", "c"]))  # there times are categories
    assert x.tolist() == [
        [0, 1, 0, 1, 0, 0],
        [0, 0, 1, 0, 1, 0],
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 1],
    ]
    with pytest.raises(ValueError, match="Column l has the type list"):
        LogEncoder().fit(log)


def test_another_process_gives_the_same_ids(tmp_path):
    encoder = FeatureEncoder(min_count=1, numbers="number").fit(MIXED)
    encoder.save(tmp_path)
    parquet.write_table(MIXED, tmp_path / "log.parquet")
    code = (
        "import sys, pyarrow.parquet as p; from fastdl.data import FeatureEncoder; "
        "f = sys.argv[1]; x = FeatureEncoder.load(f).transform(p.read_table(f + '/log.parquet')); "
        "print(x['ids'].tolist(), x['l'][0].tolist(), x['numeric'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    x = encoder.transform(MIXED)
    expected = f"{x['ids'].tolist()} {x['l'][0].tolist()} {x['numeric'].tolist()}"
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize("numbers", ["number", "buckets"])
def test_saved_and_loaded(tmp_path, numbers):
    encoder = fitted(numbers=numbers)
    encoder.save(tmp_path)
    loaded = FeatureEncoder.load(tmp_path)
    equal(loaded.transform(MIXED), encoder.transform(MIXED))
    assert loaded.spec_ == encoder.spec_ and loaded.left_out_ == encoder.left_out_
    assert loaded.describe() == encoder.describe()
    table = parquet.read_table(tmp_path / "vocabularies.parquet")
    assert table.filter(pa.compute.equal(table["column"], "c")).to_pydict() == {
        "column": ["c", "c"], "value": ["a", "b"], "count": [2, 1],
    }  # fmt: skip
    first = (tmp_path / "vocabularies.parquet").read_bytes()
    encoder.save(tmp_path)
    assert (tmp_path / "vocabularies.parquet").read_bytes() == first


@pytest.mark.parametrize("damage", ["json", "version", "rows", "twice", "parquet", "std", "absent"])
def test_damaged_files(tmp_path, damage):
    fitted().save(tmp_path)
    described, values = tmp_path / "features.json", tmp_path / "vocabularies.parquet"
    known, table = json.loads(described.read_text()), parquet.read_table(values)
    error, text = ValueError, "damaged"
    if damage == "json":
        described.write_text(described.read_text()[:-40])
    elif damage == "version":
        described.write_text(json.dumps({**known, "format_version": 99}))
        text = "Install a newer fastdl"
    elif damage == "rows":
        parquet.write_table(table[1:], values)
    elif damage == "twice":
        parquet.write_table(pa.concat_tables([table[:1], table[:1], table[2:]]), values)
    elif damage == "parquet":
        values.write_bytes(values.read_bytes()[:100])
    elif damage == "std":
        known["columns"][0]["std"] = 0
        described.write_text(json.dumps(known))
    else:
        values.unlink()
        error, text = FileNotFoundError, "vocabularies.parquet"
    with pytest.raises(error, match=text):
        FeatureEncoder.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "log", "error", "text"),
    [
        ({"columns": {"x": "category"}}, MIXED, ValueError, "no column x.*it has label, n"),
        ({"columns": {"c": "word"}}, MIXED, ValueError, "kind 'word'; expected one of number"),
        ({"columns": {"c": {"kind": "hashed", "buckets": 3}}}, MIXED, ValueError, "has size"),
        ({"columns": {"c": {"kind": "hashed", "size": 0}}}, MIXED, ValueError, "size of col"),
        ({"columns": {"c": "number"}}, MIXED, ValueError, "Column c must be numeric"),
        ({"columns": {"c": "date"}}, MIXED, ValueError, "Column c has no times"),
        ({"columns": {"n": "list"}}, MIXED, ValueError, "expected lists, or text and a separator"),
        ({"numbers": "quantiles"}, MIXED, ValueError, "expected 'number' or 'buckets'"),
        ({"min_count": 0}, MIXED, ValueError, "min_count of column"),
        ({}, {"a": [1, 1]}, ValueError, "no columns to encode .a: it is constant"),
        ({}, MIXED[:0], ValueError, "no rows"),
        ({}, [], ValueError, "no rows"),
        ({}, "log.csv", TypeError, "fit got str"),
        ({}, [3], TypeError, "The log is int"),
        ({}, {"n": [1.0, np.inf]}, ValueError, "Column n is infinite in row 1"),
    ],
)  # fmt: skip
def test_bad_input(options, log, error, text):
    with pytest.raises(error, match=text):
        FeatureEncoder(**options).fit(log)


def test_bad_rows_to_transform():
    encoder = fitted()
    with pytest.raises(ValueError, match="no column c, which the encoder was fitted with"):
        encoder.transform(MIXED.drop_columns(["c"]))
    with pytest.raises(ValueError, match="Column n must be numeric"):
        encoder.transform(MIXED.set_column(1, "n", pa.array(["a"] * 4)))
    with pytest.raises(ValueError, match="not fitted"):
        FeatureEncoder().transform(MIXED)
    large = FeatureEncoder(columns={"n": {"kind": "number", "log": False}})
    large.fit({"n": [0.0, 1e-10]})
    with pytest.raises(ValueError, match="too large for float32"):
        large.transform({"n": [1e30]})


def test_too_many_values_are_hashed():
    many = {"c": [f"v{i}" for i in range(5000)]}
    encoder = FeatureEncoder(max_values=1000).fit(many)
    assert encoder.spec_.rows == 1001
    ids = encoder.transform(many)["ids"][:, 0]
    assert ids.min() >= 1 and len(np.unique(ids)) > 950
    # fixed for ever, or saved models would read other rows than they were trained with
    assert encoder.transform({"c": ["v0", "v1", None]})["ids"][:, 0].tolist() == [728, 757, 0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=60), st.integers(1, 59))
def test_counts_are_those_of_a_dict(texts, cut):
    counts = ValueCounts(1000)
    for piece in (texts[:cut], texts[cut:]):
        counts.add(pa.chunked_array([pa.array(piece, pa.string())]))
    vocabulary = counts.vocabulary()
    found = dict(zip(vocabulary.values.to_pylist(), vocabulary.counts.tolist(), strict=True))
    given = [t for t in texts if t is not None]
    assert found == {t: given.count(t) for t in given}
    assert vocabulary.counts.tolist() == sorted(found.values(), reverse=True)


def test_a_counter_grows(rng):
    texts = np.char.mod("%d", rng.integers(0, 30_000, 100_000))
    counts = ValueCounts(10**6)
    for part in np.array_split(texts, 7):
        counts.add(pa.chunked_array([pa.array(part)]))
    values, times = np.unique(texts, return_counts=True)
    vocabulary = counts.vocabulary()
    found = dict(zip(vocabulary.values.to_pylist(), vocabulary.counts.tolist(), strict=True))
    assert found == dict(zip(values.tolist(), times.tolist(), strict=True))


def test_keys_of_slices_and_dictionaries():
    texts = pa.array(["a", None, "bc", "", "a"])
    keys, present = keys_of(pa.chunked_array([texts]))
    assert present.tolist() == [True, False, True, True, True]
    assert keys[0] == keys[4] == 0xD24EC4F1A98C6E5B
    part, _ = keys_of(pa.chunked_array([texts[2:]]))
    assert part.tolist() == keys[2:].tolist()
    coded, known = keys_of(pa.chunked_array([texts.dictionary_encode()]))
    assert known.tolist() == present.tolist() and (coded[known] == keys[known]).all()
    nothing, _ = keys_of(pa.chunked_array([], pa.string()))
    assert len(nothing) == 0


@pytest.mark.parametrize("kind", ["counts", "normal", "few"])
def test_buckets_hold_about_equally_many_rows(kind, rng):
    normal = rng.standard_normal(50_000)
    counts, few = np.floor(np.exp(2 + 2 * normal)), rng.integers(0, 3, 50_000)
    values = {"counts": counts, "normal": normal, "few": few}[kind]
    quantiles = Quantiles()
    for part in np.array_split(values.astype(float), 5):
        quantiles.add(part)
    borders = quantiles.borders(10)
    assert borders == sorted(set(borders))
    sizes = np.bincount(np.searchsorted(borders, values), minlength=len(borders) + 1)
    assert sizes.min() > 0
    if kind == "normal":
        assert abs(sizes - 5000).max() < 600
    if kind == "few":
        assert borders == [0, 1]


def test_buckets_of_a_log():
    encoder = FeatureEncoder(numbers="buckets", columns={"I1": {"kind": "buckets", "buckets": 4}})
    x = encoder.fit(LOG).transform(LOG)
    assert "numeric" not in x
    place = [f.name for f in encoder.spec_.fields].index("I1")
    ids, missing = x["ids"][:, place], LOG["I1"].is_null().to_numpy()
    assert (ids[missing] == 0).all() and (ids[~missing] > 0).all() and ids.max() <= 4


@pytest.mark.parametrize("rare", [0.0, 2.0])
def test_a_flag_that_is_rarely_off_or_on_has_two_buckets(rare):
    values = [1.0] * 995 + [rare] * 5
    encoder = FeatureEncoder().fit({"flag": values})
    assert encoder.left_out_ == {} and encoder.spec_.sizes.tolist() == [3]
    ids = encoder.transform({"flag": [rare, 1.0, None]})["ids"][:, 0].tolist()
    assert ids == ([1, 2, 0] if rare < 1 else [2, 1, 0])


def test_lists_of_one_value_that_are_sometimes_empty_are_kept():
    encoder = FeatureEncoder(min_count=1).fit({"seen": [["x"], [], ["x", "x"]]})
    assert [f.name for f in encoder.spec_.sequences] == ["seen"]


def test_record_batches():
    batch = LOG.combine_chunks().to_batches()[0]
    encoder = FeatureEncoder().fit(batch)
    equal(encoder.transform(batch), FeatureEncoder().fit(LOG).transform(LOG))


def test_the_index_of_a_pandas_frame_is_no_column():
    frame = LOG.to_pandas()
    shuffled = frame.sample(frac=1, random_state=0)
    encoder = FeatureEncoder().fit(shuffled)
    assert encoder.spec_ == FeatureEncoder().fit(frame).spec_
    equal(encoder.transform(shuffled.sort_index()), encoder.transform(frame))


def test_pieces_are_transformed_in_their_order():
    encoder = FeatureEncoder().fit(LOG)
    pieces = [LOG[i : i + 170] for i in range(0, 3000, 170)]
    found = list(encoder.iter_transform(iter(pieces)))
    assert len(found) == len(pieces)
    for one, piece in zip(found, pieces, strict=True):
        equal(one, encoder.transform(piece))
    with pytest.raises(ValueError, match="no column I1"):
        list(encoder.iter_transform([LOG, LOG.drop_columns(["I1"])]))
    with pytest.raises(ValueError, match="not fitted"):
        next(FeatureEncoder().iter_transform([LOG]))


def test_hashed_categories_need_no_vocabulary(tmp_path):
    encoder = FeatureEncoder(categories="hashed", hash_size=50).fit(LOG[:100])
    assert {c.kind for c in encoder.columns_} == {"buckets", "hashed"}
    assert all(c.vocabulary is None for c in encoder.columns_)
    ids = encoder.transform(LOG)["ids"][:, len(encoder.numeric_names) :]
    assert ids.min() == 0 and ids.max() == 50
    encoder.save(tmp_path)
    again = FeatureEncoder.load(tmp_path)
    assert (again.categories, again.hash_size) == ("hashed", 50)
    equal(again.transform(LOG), encoder.transform(LOG))
    with pytest.raises(ValueError, match="categories is 'odd'"):
        FeatureEncoder(categories="odd").fit(LOG)


def test_lists_of_numbers_are_left_out_and_told():
    import pyarrow as pa

    log = pa.table({"weights": [[0.5], [1.5, 2.5]] * 5, "city": ["Rome", "Oslo"] * 5})
    encoder = FeatureEncoder().fit(log)
    assert encoder.spec_.names == ("city",)
    assert encoder.left_out_ == {"weights": "it has lists of numbers"}


def test_an_extended_encoder_keeps_its_ids_and_lists_new_values():
    import pyarrow as pa

    old = pa.table({"n": [1.0, 2.0, 3.0, 4.0], "c": ["a", "a", "b", "b"],
                    "l": [["p"], ["p", "q"], ["q"], []]})  # fmt: skip
    new = pa.table({"n": [9.0, 8.0, 7.0, 6.0, 5.0], "c": ["d", "a", "d", "e", None],
                    "l": [["r"], ["r"], ["p"], [], ["s"]]})  # fmt: skip
    first = FeatureEncoder().fit(old)
    more = first.extended([new[:2], new[2:]])
    assert first.columns_[1].vocabulary.values.to_pylist() != ["a", "b", "d"]
    assert more.columns_[1].vocabulary.values.to_pylist() == [
        *first.columns_[1].vocabulary.values.to_pylist(), "d",
    ]  # fmt: skip
    assert more.columns_[0].borders == first.columns_[0].borders
    equal(more.transform(old), first.transform(old))
    assert more.transform(new)["ids"][:, 1].tolist() == [
        4, first.transform(new)["ids"][1, 1], 4, 1, 0,
    ]  # fmt: skip
    assert [f.size for f in more.spec_.sequences] == [5]
