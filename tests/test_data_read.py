"""Reading logs: the formats, real files, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from fastdl.data import FeatureEncoder, LogEncoder, Skipped, iter_log, read_log, text

CTR = Path(__file__).parents[2] / "shared" / "data" / "ctr"
real = pytest.mark.skipif(not CTR.is_dir(), reason=f"{CTR} is absent")


@real
@pytest.mark.parametrize(
    ("name", "format", "options", "rows", "columns"),
    [("criteo_head_train.tsv", "criteo", {}, 7200, 40), ("avazu_head.csv", "avazu", {}, 9999, 24),
     ("criteo_200.csv", None, {}, 200, 40), ("taobao_head.csv", None, {}, 8000, 20),
     ("open_bandit_random_all.csv", None, {}, 10000, 90),
     ("adult.parquet", None, {"label": "income", "positive": ">50K"}, 48842, 15)],
)  # fmt: skip
def test_real_files(name, format, options, rows, columns):
    log = read_log(CTR / name, format, **options)
    assert log.shape == (rows, columns)
    assert log.column_names[0] == "label"
    assert set(log["label"].unique().to_pylist()) == {0, 1}
    assert {re.split("[<[]", str(c.type))[0] for c in log.columns[1:]} <= {
        "double",
        "string",
        "dictionary",
        "timestamp",
    }


@real
def test_taobaos_opposite_of_the_label_is_no_feature():
    assert "nonclk" not in read_log(CTR / "taobao_head.csv").column_names


@real
def test_criteo_values_are_the_files():
    log = read_log(CTR / "criteo_head_train.tsv", "criteo")
    with open(CTR / "criteo_head_train.tsv") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    for name, i in (("label", 0), ("I1", 1), ("I13", 13), ("C1", 14), ("C26", 39)):
        expected = [line[i] or None for line in lines]
        found = [
            None if v is None else (str(int(v)) if i < 14 else v) for v in log[name].to_pylist()
        ]
        assert found == expected


@real
def test_avazu_hours_become_hour_of_day_and_weekday():
    log = read_log(CTR / "avazu_head.csv", "avazu", rows=5)
    assert log["hour_of_day"][0].as_py() == "00"
    assert log["weekday"][0].as_py() == "Tue"  # 2014-10-21
    assert not {"id", "hour"} & set(log.column_names)
    few = read_log(CTR / "avazu_head.csv", "avazu", columns=["weekday", "C1"])
    assert few.column_names == ["label", "weekday", "C1"]


def test_avazus_weekdays(write):
    hours = ["14102100", "14102223", "14102605", "00022900"]
    rows = "".join(f"{i},{i % 2},{hour}\n" for i, hour in enumerate(hours))
    log = read_log(write("log.csv", f"id,click,hour\n{rows}"), "avazu")
    assert log["weekday"].to_pylist() == ["Tue", "Wed", "Sun", "Tue"]
    assert log["hour_of_day"].to_pylist() == ["00", "23", "05", "00"]


@real
def test_pieces_are_bounded_and_complete():
    pieces = list(iter_log(CTR / "criteo_head_train.tsv", "criteo", batch_rows=1000))
    assert max(len(p) for p in pieces) == 1000
    assert sum(len(p) for p in pieces) == 7200


def test_criteo_without_label_is_read_for_prediction(write):
    row = "\t".join([*map(str, range(13)), *["x"] * 26])
    path = write("test.txt", f"{row}\n{row}\n")
    assert read_log(path, "criteo", require_label=False).column_names[0] == "I1"
    with pytest.raises(ValueError, match="label"):
        read_log(path, "criteo")


def test_quirks_of_csv(write):
    content = '\ufefflabel,a,b\r\n1,1.5,"x, ""y"""\r\n0,NULL,NaN\r\n0,,z'
    log = read_log(write("log.csv", content))
    assert log.to_pydict() == {
        "label": [1, 0, 0],
        "a": [1.5, None, None],
        "b": ['x, "y"', None, "z"],
    }


def test_blank_lines_and_quoted_line_breaks_count_in_line_numbers(write):
    content = 'label,a\n\n1,"x\n\ny"\r\n0,"z"\n\n1,2,3\n'
    with pytest.raises(ValueError, match="line 8: expected 2 columns, got 3"):
        read_log(write("log.csv", content))
    with pytest.raises(ValueError, match="line 5: column a is infinite"):
        read_log(write("log.csv", "\n\nlabel,a\n1,2\n0,inf\n"))


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_lines_beyond_the_first_block_are_named(write, monkeypatch, name):
    monkeypatch.setattr(text, "BLOCK_BYTES", 1000)
    rows = "".join(f'{i % 2},{i},"a\nb"\n' for i in range(3000))
    pack = gzip.compress if name.endswith("gz") else bytes
    path = write(name, pack(f"label,a,b\n{rows}".encode()))
    assert read_log(path)["a"].to_pylist() == list(range(3000))
    path = write(name, pack(f"label,a,b\n{rows}1,2\n".encode()))
    with pytest.raises(ValueError, match="line 6002: expected 3 columns, got 2"):
        read_log(path)
    path = write(name, pack(f"label,a,b\n{rows}1,inf,c\n".encode()))
    with pytest.raises(ValueError, match="line 6002: column a is infinite"):
        read_log(path)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [([True, False], None, ["true", "false"]), ([1, 2**60], None, [1.0, 2.0**60]),
     ([1.5, float("nan")], None, [1.5, None]), ([Decimal("1.5"), None], None, [1.5, None]),
     (["a", None], pa.large_string(), ["a", None]), ([b"a", b"b"], None, ["a", "b"]),
     ([0, 1], pa.date32(), [date(1970, 1, 1), date(1970, 1, 2)]),
     ([["a"], []], None, [["a"], []]), ([None, None], pa.null(), [None] * 2),
     ([3, 4], pa.dictionary(pa.int8(), pa.int64()), [3.0, 4.0]),
     (["a", "b"], pa.dictionary(pa.int8(), pa.string()), ["a", "b"])],
)  # fmt: skip
def test_types_of_parquet(tmp_path, values, kind, expected):
    path = tmp_path / "log.parquet"
    parquet.write_table(pa.table({"label": [0, 1], "x": pa.array(values, kind)}), path)
    assert read_log(path)["x"].to_pylist() == expected


def test_types_of_parquet_can_be_said(tmp_path):
    path = tmp_path / "log.parquet"
    columns = {"label": [0, 1], "a": ["1", "2.5"], "b": [3, 4], "c": [1.0, np.nan]}
    parquet.write_table(pa.table(columns), path)
    log = read_log(path, numeric=["a"], categorical=["b", "c"])
    assert log["a"].to_pylist() == [1, 2.5]
    assert log["b"].to_pylist() == ["3", "4"]
    assert log["c"].to_pylist() == ["1", None]
    assert read_log(path, columns=["b"]).column_names == ["label", "b"]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [([[0, 1], [1, np.inf]], {}, "row 2: column x is infinite"),
     ([[0, None], [1, 2]], {}, "row 2: the label in column label is missing"),
     ([[0, np.nan], [1, 2]], {}, "row 2: the label in column label is missing"),
     ([[0, 1], [{"a": 1}, {"a": 2}]], {}, "x has the type struct"),
     ([[[0], [1]], [1, 2]], {}, "type list"),
     ([[0, 1], [b"\xff", b"a"]], {}, "x has the type binary"),
     ([[0, 1], ["a", "2"]], {"numeric": ["x"]}, r"categorical=\['x'\]"),
     ([[0, 1], [1, 2]], {"columns": ["y"]}, "no column y"), ([[], []], {}, "no rows")],
)  # fmt: skip
def test_bad_parquet(tmp_path, columns, options, message):
    path = tmp_path / "log.parquet"
    parquet.write_table(pa.table(columns, ["label", "x"]), path)
    with pytest.raises(ValueError, match=message):
        read_log(path, **options)


def test_parquet_with_a_name_twice(tmp_path):
    parquet.write_table(pa.table([[0, 1]] * 3, ["label", "x", "x"]), tmp_path / "log.parquet")
    with pytest.raises(ValueError, match="more than one column named x"):
        read_log(tmp_path / "log.parquet")


def test_other_formats_by_real_files(write, tmp_path):
    np.savez(tmp_path / "z.npz", a=np.arange(3))
    with pytest.raises(ValueError, match="npz"):
        read_log(write("log.csv", (tmp_path / "z.npz").read_bytes()))
    with pytest.raises(ValueError, match="is a Parquet file"):
        read_log(write("log.csv", good_parquet(tmp_path)))
    with pytest.raises(ValueError, match="is a Parquet file"):
        read_log(write("log.csv.gz", gzip.compress(good_parquet(tmp_path))))
    with pytest.raises(ValueError, match="Not a gzipped file"):
        read_log(write("log.csv.gz", GOOD))


@pytest.mark.parametrize("option", ["columns", "categorical", "numeric"])
def test_names_are_lists(write, option):
    with pytest.raises(TypeError, match=f"{option} is 'a'; expected a list"):
        read_log(write("log.csv", GOOD), **{option: "a"})


def test_a_log_without_labels_or_with_them_for_prediction(write):
    path = write("log.csv", "label,a\nx,2\ny,3\nz,4\n")  # labels that could not be mapped
    assert read_log(path, require_label=False).column_names == ["a"]
    path = write("log.csv", "a,b\n1,2\n")
    assert read_log(path, require_label=False).column_names == ["a", "b"]


def test_pieces_of_one_value_are_no_error_until_the_end(write):
    path = write("log.csv", "label,a\n1,2\n1,3\n0,4\n")
    assert [t["label"].to_pylist() for t in iter_log(path, batch_rows=2)] == [[1, 1], [0]]
    assert read_log(path, rows=1)["label"].to_pylist() == [1]
    pieces = iter_log(write("log.csv", "label,a\n1,2\n1,3\n"))
    assert len(next(pieces)) == 2
    with pytest.raises(ValueError, match="only the value '1'"):
        next(pieces)


def test_gzip_and_tsv(write):
    path = write("log.tsv.gz", gzip.compress(b"click\ta\n1\t2\n0\t3\n"))
    assert read_log(path).to_pydict() == {"label": [1, 0], "a": [2.0, 3.0]}


def test_types_can_be_said(write):
    path = write("log.csv", "label,a,b\n1,1,7\n0,2,8\n")
    log = read_log(path, categorical=["b"], columns=["b"])
    assert log.to_pydict() == {"label": [1, 0], "b": ["7", "8"]}


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [("yes no yes", "yes", [1, 0, 1]), ("true false true", None, [1, 0, 1]),
     ("2 1 2", "2", [1, 0, 1]), ("0.0 1.0 0.0", None, [0, 1, 0]), ("1 1.0 0", None, [1, 1, 0]),
     ("TRUE FALSE TRUE", None, [1, 0, 1]), ("1 -1 1", 1, [1, 0, 1]), ("1 -1 1", 1.0, [1, 0, 1]),
     ("True False True", False, [0, 1, 0]), ("<=50K >50K <=50K", ">50K", [0, 1, 0])],
)  # fmt: skip
def test_labels_of_two_values(write, values, positive, expected):
    path = write("log.csv", "label,a\n" + "".join(f"{v},1\n" for v in values.split()))
    assert read_log(path, positive=positive)["label"].to_pylist() == expected


def good_parquet(tmp_path: Path) -> bytes:
    path = tmp_path / "good.parquet"
    parquet.write_table(pa.table({"label": [0, 1] * 500, "a": np.arange(1000.0)}), path)
    return path.read_bytes()


GOOD = "label,a\n1,2\n0,3\n"
BAD_FILES = [
    ("log.csv", b"", {}, "empty"),
    ("log.csv", "label,a\n", {}, "no rows"),
    ("log.csv", "label,a", {}, "no rows"),
    ("log.csv", "\n\n", {}, "blank lines"),
    ("log.csv", "label;a\n1;2\n", {}, "one column in line 1.*separates columns by ','"),
    ("log.tsv", "\t".join(["1"] * 39) + "\n", {}, "format criteo"),
    ("log.csv", GOOD, {"categorical": ["a"], "numeric": ["a"]}, "categorical= and in numeric="),
    ("log.csv", b"\xffabel,a\n1,2\n", {}, "not UTF-8 text in line 1"),
    ("log.csv", b"label,a\n1,x\n0,y\n1,\xff\n", {}, "line 4 is not UTF-8"),
    ("log.csv", 'label,a\n1,"' + "x" * (17 << 20), {}, "is a quote not closed"),
    ("log.csv", "id,click,hour\n1,0,\n", {"format": "avazu"}, "line 2: hour is None"),
    ("log.csv", "id,click,hour\n1,0,14102124\n", {"format": "avazu"}, "line 2: hour"),
    ("log.dat", GOOD, {}, "format"),
    ("log.csv", GOOD, {"format": "xml"}, "xml"),
    ("log.csv", b"\x89PNG\r\n\x1a\n" + b"x" * 50, {}, "PNG"),
    ("log.csv", b"PK\x03\x04" + b"x" * 50, {}, "zip"),
    ("log.csv", b"PAR1" + b"x" * 50, {}, "Parquet"),
    ("log.csv", b"ab\x00\x01", {}, "not a text"),
    ("log.parquet", GOOD, {}, "not a Parquet"),
    ("log.parquet", b"PAR1" + b"x" * 50, {}, "damaged"),
    ("log.csv.gz", gzip.compress(GOOD.encode() * 1000, mtime=0)[:40], {}, "truncated"),
    ("log.csv", GOOD + "1,2,3\n", {}, "line 4: expected 2 columns, got 3"),
    ("log.csv", GOOD + "1\n", {}, "line 4: expected 2 columns, got 1"),
    ("log.csv", GOOD, {"columns": ["b"]}, "no column b"),
    ("log.csv", GOOD, {"categorical": ["c"]}, "no column c"),
    ("log.csv", GOOD, {"label": "b"}, "no label column b"),
    ("log.csv", "x,a\n1,2\n", {}, "label"),
    ("log.csv", "label,a\n1,2\n0,3\n2,4\n", {}, "more than two values"),
    ("log.csv", "label,a\nyes,2\nno,3\n", {}, "positive"),
    ("log.csv", "label,a\nyes,2\nno,3\n", {"positive": "maybe"}, "maybe"),
    ("log.csv", "label,a\n1,2\n1,3\n", {}, "only the value '1'"),
    ("log.csv", "label,a\n1,2\n,3\n", {}, "line 3.*missing"),
    ("log.csv", GOOD + "1,inf\n", {}, "line 4: column a is infinite"),
    ("log.csv", b"label,a\n1,x\n0,\xff\xfe\n", {}, "UTF-8"),
    ("log.csv", "label,a,a\n1,2,3\n", {}, "more than one column named a"),
    ("log.tsv", "1\t2\n", {"format": "criteo"}, "39"),
    ("log.csv", GOOD, {"format": "avazu"}, "Avazu"),
    ("log.csv", "id,click,hour\n1,0,140x2100\n", {"format": "avazu"}, "line 2: hour"),
    ("log.csv", "id,click,hour\n1,0,14133100\n", {"format": "avazu"}, "line 2: hour.*14133100"),
]


@pytest.mark.parametrize(("name", "content", "options", "message"), BAD_FILES)
def test_bad_files(write, name, content, options, message):
    with pytest.raises(ValueError, match=message):
        read_log(write(name, content), **options)


def test_truncated_parquet(write, tmp_path):
    with pytest.raises(ValueError, match="damaged"):
        read_log(write("log.parquet", good_parquet(tmp_path)[:-100]))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_log(tmp_path / "log.csv")
    with pytest.raises(FileNotFoundError, match="has no files"):
        read_log(tmp_path, "csv")
    with pytest.raises(FileNotFoundError, match="No file fits the pattern"):
        read_log(tmp_path / "*.csv")


def test_a_text_in_a_criteo_count_names_line_and_column(write):
    row = ["1", *map(str, range(13)), *["x"] * 26]
    wrong = [*row[:3], "many", *row[4:]]
    path = write("log.tsv", "".join("\t".join(r) + "\n" for r in (row, row, wrong)))
    with pytest.raises(ValueError, match=r"line 3: column I3 has 'many'.*not an integer"):
        read_log(path, "criteo")
    assert read_log(path, "criteo", columns=["C1"], rows=1).column_names == ["label", "C1"]
    assert read_log(path, "criteo", categorical=["I3"], rows=3)["I3"].to_pylist()[2] == "many"


def test_quotes_mean_nothing_in_criteos_format(write):
    rows = [[label, *map(str, range(13)), '"x', *["y"] * 25] for label in "10"]
    path = write("log.tsv", "".join("\t".join(r) + "\n" for r in rows))
    assert read_log(path, "criteo")["C1"].to_pylist() == ['"x', '"x']


def test_a_column_that_turns_to_text_late_names_line_and_cure(write):
    rows = "".join(f"{i % 2},{i:030d}\n" for i in range(300_000))
    path = write("log.csv", f"label,a\n{rows}1,text\n")
    with pytest.raises(ValueError, match=r"line 300002: column a has 'text'.*categorical=\['a'\]"):
        read_log(path)
    assert read_log(path, categorical=["a"])["a"][-1].as_py() == "text"


def test_types_behind_names_are_believed(write):
    lines = ["label:float\tuser_id:token\tprice:float\tseen:token_seq\tshop:token",
             "1.0\t7\t3\tx y\t1", "0.0\t8\t\t\t2", "0\t007\t2.5\tz\tNULL"]  # fmt: skip
    path = write("log.tsv", "\n".join(lines))
    log = read_log(path)
    assert log.to_pydict() == {
        "label": [1, 0, 0], "user_id:token": ["7", "8", "007"], "price:float": [3, None, 2.5],
        "seen:token_seq": [["x", "y"], [], ["z"]], "shop:token": ["1", "2", None],
    }  # fmt: skip
    assert FeatureEncoder().fit(log).spec_.sequences[0].name == "seen:token_seq"
    again = read_log(path, categorical=["seen:token_seq", "shop:token"], require_label=False)
    assert again.equals(log.drop_columns("label"))
    path = write("log.tsv", "label\tprice:float\n1\t3\n0\tcheap\n")
    with pytest.raises(ValueError, match="line 3: column price:float has 'cheap', which is not"):
        read_log(path)


def test_integers_named_as_things_are_categories(write):
    log = read_log(write("log.csv", "click,brand,Campaign,items,age\n1,4,5,6,7\n0,8,9,1,2\n"))
    assert [str(column.type) for column in log.columns[1:]] == ["string"] * 2 + ["double"] * 2


@real
def test_movielens_in_recboles_names():
    log = read_log(CTR / "movielens_100k.tsv", require_label=False)
    types = {name: str(log[name].type) for name in log.column_names}
    assert types == {"user_id:token": "string", "item_id:token": "string",
                     "rating:float": "double", "timestamp:float": "double"}  # fmt: skip


@real
def test_times_of_a_real_file():
    times = read_log(CTR / "open_bandit_random_all.csv", rows=2)["timestamp"]
    assert times[0].as_py().isoformat() == "2019-11-24T00:00:34.762830+00:00"
    text = read_log(CTR / "open_bandit_random_all.csv", categorical=["timestamp"], rows=1)
    assert text["timestamp"].to_pylist() == ["2019-11-24 00:00:34.762830+00:00"]


def test_times_in_csv(write, tmp_path):
    columns = "label,second,zone,day,clock"
    row = "2018-01-02 03:04:05,2018-01-02T03:04:05+02:00,2018-01-02,03:04:05"
    write("a.csv", f"{columns}\n1,{row}\n0,,,,\n")
    write("b.csv", f"{columns}\n1,2018-01-02T03:04:05.25,2018-01-02 03:04:05.5Z,NULL,x\n0,,,,\n")
    log = read_log(tmp_path)
    types = ["timestamp[us]", "timestamp[us, tz=UTC]", "date32[day]", "string"]
    assert [str(column.type) for column in log.columns[1:]] == types
    assert [str(t) for t in log["second"].to_pylist()[::2]] == [
        "2018-01-02 03:04:05", "2018-01-02 03:04:05.250000",
    ]  # fmt: skip
    assert [t.hour for t in log["zone"].to_pylist()[::2]] == [1, 3]
    encoder = FeatureEncoder(min_count=1).fit(log)
    kinds = {name: kind for name, kind, _ in encoder.describe()}
    assert kinds == {"second": "date", "zone": "date", "day": "date", "clock": "category"}


@pytest.mark.parametrize(
    ("first", "later"),
    [("2018-01-02 03:04:05", "soon"), ("2018-01-02 03:04:05", "2018-01-02 03:04:05+00:00"),
     ("2018-01-02 03:04:05+00:00", "2018-01-02 03:04:05"), ("2018-01-02", "2018-01-02 03:04:05")],
)  # fmt: skip
def test_a_time_that_is_none_behind_the_first_block(write, monkeypatch, first, later):
    monkeypatch.setattr(text, "BLOCK_BYTES", 1000)
    rows = "".join(f"{i % 2},{first}\n" for i in range(300))
    path = write("log.csv", f"label,at\n{rows}1,{later}\n1,\n")
    words = f"line 302: column at has '{later}', which is not a time like those in the first 8 MB"
    with pytest.raises(ValueError, match=re.escape(words)):
        read_log(path)
    skipped = Skipped()
    assert len(read_log(path, on_error="skip", report=skipped)) == 301
    assert [(e["reason"], e["rows"]) for e in skipped.entries()] == [("not a time", 1)]
    assert words in skipped.entries()[0]["examples"][0]
    assert read_log(path, categorical=["at"])["at"].to_pylist()[-2:] == [later, None]


def test_times_of_csv_as_categories_are_the_same_in_prediction(write):
    rows = "".join(f"{i % 2},2018-01-0{i % 5 + 1} 03:04:05+00:00\n" for i in range(20))
    path = write("log.csv", f"label,at\n{rows}")
    encoder = LogEncoder().fit(log := read_log(path))
    encoder = LogEncoder.from_dict(encoder.to_dict())
    names = {"categorical": encoder.categorical_names, "numeric": encoder.numeric_names}
    again = read_log(path, require_label=False, **names)
    np.testing.assert_array_equal(encoder.transform(again), encoder.transform(log))
    assert encoder.transform(again).sum() == 20


def test_criteos_and_avazus_files_are_told_by_their_first_line(tmp_path):
    counts, categories = "\t".join("1" * 13), "\t".join(["a1b2"] * 26)
    (tmp_path / "day_0.txt").write_text(f"1\t{counts}\t{categories}\n0\t{counts}\t{categories}\n")
    assert read_log(tmp_path / "day_0.txt").column_names[:3] == ["label", "I1", "I2"]
    header = "\t".join(["label", *(f"x{i}" for i in range(39))])
    (tmp_path / "own.tsv").write_text(f"{header}\n1\t{counts}\t{categories}\n0{chr(9) * 39}\n")
    assert read_log(tmp_path / "own.tsv").column_names[:2] == ["label", "x0"]
    names = (
        "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,"
        "app_category,device_id,device_ip,device_model,device_type,device_conn_type,C14,C15,C16,"
        "C17,C18,C19,C20,C21"
    )
    rows = "".join(f"1,{label},14102100,{','.join('a' * 21)}\n" for label in (0, 1))
    (tmp_path / "train.csv").write_text(f"{names}\n{rows}")
    assert "hour_of_day" in read_log(tmp_path / "train.csv").column_names
    assert "hour_of_day" not in read_log(tmp_path / "train.csv", "csv").column_names


@pytest.mark.parametrize(
    ("positive", "expected"),
    [(">=4", [0, 0, 1, 1, 1]), ("> 4", [0, 0, 0, 1, 1]), ("<2.5", [1, 1, 0, 0, 0])],
)
def test_a_bound_for_the_label(tmp_path, positive, expected):
    path = tmp_path / "ratings.csv"
    path.write_text("rating,item\n1,a\n2,b\n4.0,c\n5,d\n5,e\n")
    assert read_log(path, label="rating", positive=positive)["label"].to_pylist() == expected


def test_a_bound_is_for_numbers_only(tmp_path):
    path = tmp_path / "incomes.csv"
    path.write_text("income,n\n>50K,1\n<=50K,2\n>50K,3\n")
    found = read_log(path, label="income", positive=">50K")
    assert found["label"].to_pylist() == [1, 0, 1]
    path.write_text("rating,item\n1,a\nhigh,b\n4,c\n")
    with pytest.raises(ValueError, match="more than two values"):
        read_log(path, label="rating", positive=">=4")
    skipped = Skipped()
    found = read_log(path, label="rating", positive=">=4", on_error="skip", report=skipped)
    assert found["label"].to_pylist() == [0, 1] and skipped.rows == 1
