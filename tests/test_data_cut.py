"""Text logs cut in place give what pyarrow's reader gives: columns, ids, errors."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl.data import FeatureEncoder, cut, iter_log, read_log, text, write_ad_log
from fastdl.data.cut_table import CutTable, Numbers, Texts
from fastdl.data.read import iter_cut

CTR = Path(__file__).parents[2] / "shared" / "data" / "ctr"
real = pytest.mark.skipif(not CTR.is_dir(), reason=f"{CTR} is absent")


def compare(path, format=None, cut_pieces=None, **options):
    """The same columns from both readers; the pieces."""
    pieces = list(iter_cut(path, format, **options))
    tables = [p.to_arrow() if isinstance(p, CutTable) else p for p in pieces]
    expected = pa.concat_tables(list(iter_log(path, format, **options))).combine_chunks()
    found = pa.concat_tables(tables).combine_chunks()
    assert found.schema.equals(expected.schema)
    for name in expected.column_names:
        assert found[name].equals(expected[name]), name
    if cut_pieces is not None:
        assert [isinstance(p, CutTable) for p in pieces] == cut_pieces
    return pieces


def same_encoder(path, format=None, **options):
    """Encoders learn the same from both readers, and give the same features."""
    for numbers in ("number", "buckets"):
        a = FeatureEncoder(numbers=numbers).fit(iter_cut(path, format, **options))
        b = FeatureEncoder(numbers=numbers).fit(iter_log(path, format, **options))
        assert a.left_out_ == b.left_out_
        for one, other in zip(a.columns_, b.columns_, strict=True):
            assert one.features() == other.features()
            if numbers == "buckets":
                assert one.to_dict() == other.to_dict()
            if one.vocabulary is not None:
                assert one.vocabulary.values.equals(other.vocabulary.values)
                assert one.vocabulary.counts.tolist() == other.vocabulary.counts.tolist()
        log = read_log(path, format, **options)
        expected = b.transform(log)
        parts = [a.transform(piece) for piece in iter_cut(path, format, **options)]
        for name, values in expected.items():
            found = np.concatenate([part[name] for part in parts])
            np.testing.assert_allclose(found, values, atol=1e-6 if name == "numeric" else 0)


@real
@pytest.mark.parametrize(
    ("name", "format", "options"),
    [("criteo_head_train.tsv", "criteo", {}), ("criteo_200.csv", None, {}),
     ("taobao_head.csv", None, {}), ("open_bandit_random_all.csv", None, {}),
     ("avazu_head.csv", "csv", {}),
     ("movielens_100k.tsv", None, {"require_label": False})],
)  # fmt: skip
@pytest.mark.parametrize("megabytes", [16, 0.2])
def test_real_files(name, format, options, megabytes, monkeypatch):
    monkeypatch.setattr(cut, "BLOCK_BYTES", int(megabytes * 2**20))
    pieces = compare(CTR / name, format, **options)
    assert {type(piece) for piece in pieces} == {CutTable}
    if megabytes > 1:
        same_encoder(CTR / name, format, **options)


@pytest.mark.parametrize("name", ["log.csv", "log.tsv", "log.csv.gz", "log.csv.zst"])
def test_generated_logs(name, tmp_path, monkeypatch):
    monkeypatch.setattr(cut, "BLOCK_BYTES", 150_000)
    path = tmp_path / name.removesuffix(".gz").removesuffix(".zst")
    write_ad_log(path, 3000, seed=2)
    if path.name != name:
        kind = "gzip" if name.endswith("gz") else "zstd"
        with pa.CompressedOutputStream(pa.OSFile(str(tmp_path / name), "wb"), kind) as file:
            file.write(path.read_bytes())
    format = "criteo" if name == "log.tsv" else None
    pieces = compare(tmp_path / name, format, batch_rows=400)
    assert {type(piece) for piece in pieces} == {CutTable} and max(map(len, pieces)) <= 400
    same_encoder(tmp_path / name, format)


def test_a_label_that_is_a_number(write):
    path = write("log.csv", "y,a\n2.0,x\n2,y\n3,z\n")
    compare(path, label="y", positive=2, cut_pieces=[True])
    compare(path, label="y", positive=2, categorical=["a"], numeric=["y"])
    for options in ({"label": "y"}, {"label": "y", "positive": 4}):
        with pytest.raises(ValueError) as expected:
            list(iter_log(path, **options))
        with pytest.raises(ValueError) as found:
            list(iter_cut(path, **options))
        assert str(found.value) == str(expected.value)


def test_options(tmp_path):
    path = tmp_path / "log.csv"
    write_ad_log(path, 500, seed=2)
    compare(path, columns=["I2", "C3", "C1"])
    compare(path, require_label=False)
    compare(path, categorical=["I1", "I5"], numeric=["I2"], columns=["I1", "I5", "I2", "I3"])
    compare(path, label="I5", positive="-1", columns=["I5", "C1"], require_label=False)
    with pytest.raises(ValueError, match="no column Z"):
        next(iter_cut(path, columns=["Z"]))
    log = tmp_path / "log.tsv"
    write_ad_log(log, 500, seed=2)
    compare(log, "criteo", categorical=["I1"], columns=["I1", "I2", "C2"])
    compare(log, "criteo", require_label=False)


def test_parts_have_the_first_ones_columns(write, tmp_path):
    write("a.csv", "label,n,c\n1,5,x\n0,6,y\n")
    write("b.csv", 'c,label,n\n"7",1,\n8,0,9\n')
    compare(tmp_path / "*.csv", cut_pieces=[True, True])
    write("c.csv", "c,label\n8,0\n")
    with pytest.raises(ValueError, match="no column n"):
        list(iter_cut(tmp_path / "*.csv"))


ODD = [
    # what is beyond the simple rules, and which pieces are still cut
    ('label,a\n1,"x ""y"""\n0,z\n', [False]), ('label,a\n1,x"y\n0,z\n', [False]),
    ("label,a\n1,x\r0,z\r", [False]), ("label,a\n1,0x10\n0,3\n", None),
    ("label,a\n1,+3\n0, 4\n", None), ("label,a\n1,7\n0,1e400\n", None),
    ('\ufefflabel,a,b\r\n1,1.5,"x, y"\r\n0,NULL,NaN\r\n\r\n0,"3",z', [True]),
    ('"label","a\n1",b\n1,2,3\n0,4,5\n', [False]),
    ('label,a\n1,"p\nq"\n0,"r\r\n"\n', [True]), ("label,a\n1,\u00e4\u20ac\n0,z\n", [True]),
    ("\n\r\nlabel,a\n\n1,x\n\n\n0,y\n\n", [True]), ("a,label\n,1\n,0\n", [True]),
    ("label,a\n0.0,1\n1.0,2\n", [True]), ("label,a\nTRUE,1\nfalse,2\n", [True]),
    ("label,a\n1,17.123456789012345678901\n0,9007199254740993\n", [True]),
    ("label,a\n1,-0\n0,1e23\n1,-8.5E-7\n", [True]), ('label,a\n1,"NULL"\n0,""\n', [True]),
    ("label,day\n1,2026-11-25\n0,2026-11-26\n", [True]),
    ("label,seen:token_seq\n1,a b\n0,\n", [True]),
    ("label,user_id:token,t\n1,7,2026-11-25 10:00:00\n0,8,2026-11-26 11:30:00\n", [True]),
    ("label\n1\n0\n\n1\n", [True]),
    ("label,t\n1,true\n0,false\n", [True]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "cut_pieces"), ODD)
def test_quirks(write, content, cut_pieces):
    path = write("log.csv", content)
    try:
        list(iter_log(path))
    except ValueError as error:
        with pytest.raises(ValueError) as found:
            list(iter_cut(path))
        assert str(found.value) == str(error)
        return
    compare(path, cut_pieces=cut_pieces)


def test_quotes_mean_nothing_in_criteos_format(write):
    rows = [[label, *map(str, range(13)), '"x', *["y"] * 25] for label in "10"]
    path = write("log.tsv", "".join("\t".join(r) + "\n" for r in rows))
    compare(path, "criteo", cut_pieces=[True])
    rows[1][3] = "9223372036854775807"
    compare(write("log.tsv", "".join("\t".join(r) + "\n" for r in rows)), "criteo")


GOOD = [f"{i % 2},{i},c{i % 7}" for i in range(4000)]


@pytest.mark.parametrize(
    ("line", "message"),
    [("1,2", "line 3202: expected 3 columns, got 2"), ("1,2,3,4", "line 3202: expected 3 columns"),
     ("1,inf,c", "line 3202: column a is infinite"), ("1,x,c", "line 3202: column a has 'x'"),
     (",3,c", "line 3202: the label in column label is missing"),
     ("7,3,c", "more than two values: '0', '1', '7'"), ("1,3,\udcff", "line 3202 is not UTF-8")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_errors_in_a_late_block(write, monkeypatch, line, message, name):
    monkeypatch.setattr(cut, "BLOCK_BYTES", 8000)
    monkeypatch.setattr(text, "BLOCK_BYTES", 8000)
    content = "\n".join(["label,a,b", *GOOD[:3200], line, *GOOD[3200:]]) + "\n"
    content = content.encode("utf-8", "surrogateescape")
    path = write(name, gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(ValueError) as expected:
        list(iter_log(path))
    pieces = []
    with pytest.raises(ValueError, match=message) as found:
        for piece in iter_cut(path):
            pieces.append(piece)
    assert str(found.value) == str(expected.value)
    assert sum(map(len, pieces)) <= 3200 and (line[0] == "7" or pieces)


@pytest.mark.parametrize(
    "line", ['1,2,"a ""quote"""', '1,2,"open', '1,2,mid"quote', "1,2,a\r1,2,b", "1, 2,c"]
)
def test_pyarrow_takes_over_in_a_late_block(write, monkeypatch, line):
    monkeypatch.setattr(cut, "BLOCK_BYTES", 8000)
    path = write("log.csv", "\n".join(["label,a,b", *GOOD[:3000], line, *GOOD[3000:]]))
    pieces = compare(path)
    assert isinstance(pieces[0], CutTable) and not all(isinstance(p, CutTable) for p in pieces)
    same_encoder(path)


def test_a_truncated_gzip_keeps_what_came_before(write, monkeypatch):
    monkeypatch.setattr(cut, "BLOCK_BYTES", 8000)
    lines = [f"{i % 2},{i * 7919 % 100003}" for i in range(20_000)]
    packed = gzip.compress("\n".join(["label,a", *lines]).encode())
    path = write("log.csv.gz", packed[: len(packed) // 2])
    with pytest.raises(ValueError, match="truncated"):
        list(iter_cut(path))


def test_a_line_longer_than_a_block(write, monkeypatch):
    monkeypatch.setattr(cut, "BLOCK_BYTES", 1000)
    content = "label,a\n1,short\n0," + "x" * 5000 + "\n1,y\n"
    compare(write("log.csv", content), cut_pieces=[True, True])
    monkeypatch.setattr(cut, "_LONGEST_LINE", 2000)
    pieces = compare(write("log.csv", content))
    assert not isinstance(pieces[-1], CutTable)  # of one before it, if one thread reads and cuts


FIELDS = st.one_of(
    st.sampled_from(
        ["", "NULL", "1", "2.5", "-3e2", "x", '"q, r"', '""', '"a\nb"', "\u00e9", "N/A"]
    ),
    st.text('ab1."\r ', max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("01"), FIELDS, FIELDS), min_size=1, max_size=12),
    st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(20, 60),
)  # fmt: skip
def test_any_file_reads_alike(tmp_path_factory, rows, end, closed, block):
    path = tmp_path_factory.mktemp("cut") / "log.csv"
    lines = ["label,a,b", "1,,", "0,,", *(",".join(row) for row in rows)]
    closed |= rows[-1][2] == ""  # pyarrow takes such a one for quoted if another of the row is
    path.write_bytes((end.join(lines) + (end if closed else "")).encode())
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "BLOCK_BYTES", block)
        for reader in (iter_log, iter_cut):
            try:
                tables = [t.to_arrow() if isinstance(t, CutTable) else t for t in reader(path)]
                results.append(pa.concat_tables(tables).to_pydict())
            except ValueError as error:
                results.append(str(error))
    assert results[0] == results[1]


def test_a_cut_table_is_sliced_and_selected_as_a_table(tmp_path):
    write_ad_log(tmp_path / "log.csv", 50, seed=2)
    (piece,) = iter_cut(tmp_path / "log.csv")
    whole = piece.to_arrow()
    assert piece[10:20].to_arrow().equals(whole[10:20].combine_chunks())
    assert piece.select(["C2", "I1"]).to_arrow().equals(whole.select(["C2", "I1"]))
    assert isinstance(piece["C2"], Texts) and isinstance(piece["I1"], Numbers)
    assert piece["C2"].null_count == whole["C2"].null_count
    assert piece["I1"].null_count == whole["I1"].null_count
    assert piece["C2"].cast(pa.large_string()).equals(whole["C2"].cast(pa.large_string()))


def test_every_kind_takes_cut_columns(write):
    content = (
        "label,n,c,l,d,h\n1,1,x,p|q,2026-11-25 07:00:00,u\n0,2.5,y,q,,v\n1,,x,,2026-11-22 23:00:00,"
    )
    path = write("log.csv", content)
    columns = {
        "l": {"kind": "list", "separator": "|"}, "d": "date", "h": {"kind": "hashed", "size": 9},
        "n": {"kind": "category", "min_count": 1},
    }  # fmt: skip
    options = {"categorical": ["d"]}
    (piece,) = iter_cut(path, **options)
    assert isinstance(piece, CutTable)
    a = FeatureEncoder(columns=columns, min_count=1).fit(piece)
    b = FeatureEncoder(columns=columns, min_count=1).fit(read_log(path, **options))
    found, expected = a.transform(piece), b.transform(read_log(path, **options))
    assert found["ids"].tolist() == expected["ids"].tolist()
    for one, other in zip(found["l"], expected["l"], strict=True):
        assert one.tolist() == other.tolist()
    with pytest.raises(ValueError, match="Column c must be numeric"):
        FeatureEncoder(columns={"c": "number"}).fit(piece)
    with pytest.raises(ValueError, match="no column z"):
        FeatureEncoder(columns={"z": "number"}).fit(piece)
