"""Logs with errors: what is skipped, why, and that rows read and rows skipped are the file's."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from fastdl.data import Skipped, generate_ad_log, iter_log, read_log, text
from fastdl.data.skipped import EXAMPLES, skipped_table

LOG = generate_ad_log(600, seed=3, numeric=2, categorical=2, cardinality=50)
GOOD = "label,a,b\n1,2,x\n0,3,y\n"


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def as_csv(table, delimiter=",", header=True) -> bytes:
    sink = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=header, delimiter=delimiter, quoting_style="none")
    csv.write_csv(table, sink, options)
    return sink.getvalue().to_pybytes()


def reasons(skipped):
    return {e["reason"]: (e["rows"], e["lost"]) for e in skipped.entries()}


# (lines behind GOOD's, reason, what an example says)
BAD_LINES = [
    ("1,2\n", "ragged row", "line 4: expected 3 columns, got 2"),
    ("1,2,3,4\n", "ragged row", "line 4: expected 3 columns, got 4"),
    ("1,two,x\n", "not a number", "line 4: column a has 'two', which is not a number"),
    ('1,"",x\n', "not a number", "line 4: column a has '', which is not a number"),
    ("1,inf,x\n", "infinite number", "line 4: column a is infinite"),
    (b"1,2,\xff\n", "not UTF-8", r"line 4: byte 5 begins b'\xff'"),
    (b"1,\xc3(,x\n", "not UTF-8", "line 4: byte 3"),
    (",2,x\n", "missing label", "line 4: the label in column label is missing"),
    ("maybe,2,x\n", "strange label", "line 4: the label in column label is 'maybe'"),
    ('\n\n1,"2,x\n', "unreadable row", "line 6: a quote is not closed"),
    ('1,2,"x\n', "unreadable row", "line 4: a quote is not closed"),
    ('1,2,"x\ny",7\n', "unreadable row", "line 4: a quote is not closed"),
    ('1,"x\n\ny",7\n', "unreadable row", "line 4: a quote is not closed"),
]


@pytest.mark.parametrize(("lines", "reason", "example"), BAD_LINES)
def test_bad_rows_are_skipped_and_counted(write, lines, reason, example):
    lines = lines.encode() if isinstance(lines, str) else lines
    before, after = GOOD.encode(), b'1,4,z\n0,5,"v\nw"\n'
    path, skipped = write("log.csv", before + lines + after), Skipped()
    numbers = {"numeric": ["a"]}  # as a longer log's first 8 MB would tell
    log = read_log(path, on_error="skip", report=skipped, **numbers)
    assert log.to_pydict() == {"label": [1, 0, 1, 0], "a": [2, 3, 4, 5], "b": [*"xyz", "v\nw"]}
    found = skipped.entries()
    assert (found[0]["reason"], found[0]["file"]) == (reason, str(path))
    assert example in found[0]["examples"][0]
    assert skipped.rows == sum(map(bool, lines.splitlines()))
    with pytest.raises(ValueError, match=str(path)):
        read_log(path, **numbers)


def test_nothing_is_skipped_of_a_good_log_and_types_are_the_same(write):
    path = write("log.csv", as_csv(LOG) + b'1,1,1,1,"a","""b\n"\n1,2,3,4,"a",b"c\n')
    skipped = Skipped()
    log = read_log(path, on_error="skip", report=skipped)
    assert log.equals(read_log(path))
    assert not skipped and skipped.to_dict()["rows"] == 0
    with pytest.raises(ValueError, match="on_error is 'ignore'; expected 'stop' or 'skip'"):
        read_log(path, on_error="ignore")
    with pytest.raises(TypeError, match="report is dict"):
        read_log(path, on_error="skip", report={})


def test_a_report_that_nobody_asked_for_is_a_warning(write):
    with pytest.warns(UserWarning, match="Skipped 1 rows: 1 rows by ragged row"):
        read_log(write("log.csv", GOOD + "1\n"), on_error="skip")


def test_the_report_as_json_and_as_a_table(write):
    path, skipped = write("log.csv", GOOD + "1\n" * 9 + "1,inf,x\n"), Skipped()
    read_log(path, on_error="skip", report=skipped)
    found = json.loads(json.dumps(skipped.to_dict()))
    assert found["by_reason"] == {"ragged row": 9, "infinite number": 1}
    assert [len(entry["examples"]) for entry in found["files"]] == [EXAMPLES, 1]
    table = skipped_table(skipped.entries())
    assert [next(iter(column.cells)) for column in table.columns] == [
        str(path), "ragged row", "9", "line 4: expected 3 columns, got 1",
    ]  # fmt: skip
    skipped.clear()
    assert not skipped and skipped.summary() == "Skipped 0 rows."


def test_errors_in_the_first_line_of_criteos_format_and_counts(write):
    row = ["1", *map(str, range(13)), *["x"] * 26]
    other = ["0", *row[1:]]
    wrong = [*row[:3], str(2**63), *row[4:]]
    lines = [["1", "2"], row, other, wrong, row[:-1], ["2", *row[1:]], row]
    path, skipped = write("log.tsv", "".join("\t".join(r) + "\n" for r in lines)), Skipped()
    log = read_log(path, "criteo", on_error="skip", report=skipped)
    assert log["label"].to_pylist() == [1, 0, 1]
    assert reasons(skipped) == {
        "ragged row": (2, 0), "beyond int64": (1, 0), "strange label": (1, 0),
    }  # fmt: skip
    examples = [entry["examples"] for entry in skipped.entries()]
    assert examples[0] == [
        "line 1: expected 40 columns, got 2",
        "line 5: expected 40 columns, got 39",
    ]
    assert "line 4: column I3 has '9223372036854775808', which is beyond int64" in examples[1][0]


def test_long_examples_are_cut(write):
    path, skipped = write("log.csv", GOOD + f"1,{'9' * 999}x,y\n"), Skipped()
    read_log(path, on_error="skip", report=skipped, numeric=["a"])
    (example,) = skipped.entries()[0]["examples"]
    assert example.endswith("999 ...") and len(example) < 310


def test_a_first_block_without_a_good_row_does_not_tell_the_types(write, monkeypatch):
    monkeypatch.setattr(text, "BLOCK_BYTES", 100)
    path = write("log.csv", b"label,a\n" + b"1,\xff\n" * 100 + b"1,2\n0,3\n" * 100)
    skipped = Skipped()
    log = read_log(path, on_error="skip", report=skipped)
    assert log["a"].to_pylist() == [2, 3] * 100
    assert reasons(skipped) == {"not UTF-8": (100, 0)}


def test_bad_bytes_in_the_first_block_do_not_change_types(write):
    path, skipped = write("log.csv", b"label,a\n1,2\n0,\xff\n0,3\n"), Skipped()
    assert read_log(path, on_error="skip", report=skipped)["a"].to_pylist() == [2, 3]
    assert reasons(skipped) == {"not UTF-8": (1, 0)}


def test_avazus_bad_hours(write):
    rows = "1,0,14102100\n1,1,14102124\n1,1,14133100\n1,1,\n1,1,14102123\n"
    path, skipped = write("log.csv", f"id,click,hour\n{rows}"), Skipped()
    log = read_log(path, "avazu", on_error="skip", report=skipped)
    assert log["hour_of_day"].to_pylist() == ["00", "23"]
    assert reasons(skipped) == {"bad hour": (3, 0)}
    assert skipped.entries()[0]["examples"][2].startswith("line 5: hour is None; expected")


def test_labels_of_other_values(write):
    path, skipped = write("log.csv", "label,a\nyes,1\nno,2\nno,3\nperhaps,4\n"), Skipped()
    log = read_log(path, positive="yes", on_error="skip", report=skipped)
    assert log["label"].to_pylist() == [1, 0, 0]
    assert reasons(skipped) == {"strange label": (1, 0)}
    with pytest.raises(ValueError, match="more than two values"):  # and none of them is known
        read_log(path, on_error="skip", report=skipped)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_truncated_file_gives_the_rows_before_the_damage(write, suffix):
    content = as_csv(LOG)
    packed = (
        gzip.compress(content, mtime=0)
        if suffix == "gz"
        else pa.compress(content, "zstd").to_pybytes()
    )
    path, skipped = write(f"log.csv.{suffix}", packed[: len(packed) * 2 // 3]), Skipped()
    if suffix == "gz":
        log = read_log(path, on_error="skip", report=skipped)
        assert 300 < len(log) < 600
        assert log.equals(LOG[: len(log)].select(log.column_names).cast(log.schema))
    else:  # its one block of so small a file is lost as a whole
        with pytest.raises(
            ValueError, match=r"no rows that can be used\. Skipped 0 rows and 1 part"
        ):
            read_log(path, on_error="skip", report=skipped)
    assert reasons(skipped) == {"damaged file": (0, 1)}
    assert "truncated" in skipped.entries()[0]["examples"][0]


def test_parts_that_are_damaged_or_have_other_columns(tmp_path):
    def part(name, table):
        parquet.write_table(table, tmp_path / name, row_group_size=100)

    part("a.parquet", LOG)
    part("b.parquet", LOG.rename_columns(["label", *"vwxyz"]))
    part("c.parquet", LOG)
    part("d.parquet", LOG.drop_columns("I1").append_column("I1", LOG["C1"]))
    cut = (tmp_path / "c.parquet").read_bytes()
    (tmp_path / "c.parquet").write_bytes(cut[:-50])
    (tmp_path / "e.parquet").write_bytes(b"")
    part("f.parquet", LOG[:100])
    skipped = Skipped()
    assert len(read_log(tmp_path, on_error="skip", report=skipped)) == 700
    found = {e["file"][-9]: (e["reason"], e["rows"], e["lost"]) for e in skipped.entries()}
    assert found == {
        "b": ("other columns", 600, 0), "c": ("damaged file", 0, 1),
        "d": ("other columns", 600, 0), "e": ("damaged file", 0, 1),
    }  # fmt: skip
    with pytest.raises(FileNotFoundError):
        read_log([tmp_path / "a.parquet", tmp_path / "g.parquet"], on_error="skip", report=skipped)


def test_bad_rows_of_parquet(tmp_path):
    columns = {
        "label": [0, 1, None, 1, 0, 7], "a": [1, np.inf, 2, 3, 4, 5],
        "b": [b"x", b"y", b"z", b"\xff", b"v", b"w"],
    }  # fmt: skip
    path, skipped = tmp_path / "log.parquet", Skipped()
    parquet.write_table(pa.table(columns), path, row_group_size=2)
    log = read_log(path, on_error="skip", report=skipped)
    assert log.to_pydict() == {"label": [0, 0], "a": [1, 4], "b": ["x", "v"]}
    assert sorted(entry["examples"][0][:5] for entry in skipped.entries()) == [
        "row 2",
        "row 3",
        "row 4",
        "row 6",
    ]
    assert skipped.rows == 4


def test_text_parts_with_other_columns(write, tmp_path):
    write("a.csv", GOOD)
    write("b.csv", "label,a,c\n1,2,3\n1,2,3\n\n0,2,3\n")
    write("c.csv", "label,b,a\n1,x,9\n")
    skipped = Skipped()
    log = read_log(tmp_path, on_error="skip", report=skipped)
    assert log["a"].to_pylist() == [2, 3, 9]
    assert reasons(skipped) == {"other columns": (3, 0)}


def damaged(rng, content: bytes, times: int) -> bytes:
    """The content, a few bytes of it exchanged, taken out or put in."""
    data = bytearray(content)
    for _ in range(times):
        place = int(rng.integers(len(data)))
        new = bytes(rng.choice(list(b'\xff\r\n,"\t x1\x00'), int(rng.integers(0, 4))).tolist())
        data[place : place + int(rng.integers(0, 4))] = new
    return bytes(data)


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_of_text_is_never_a_crash_or_a_silent_loss(write, monkeypatch, seed):
    monkeypatch.setattr(text, "BLOCK_BYTES", 4000)
    rng = np.random.default_rng(seed)
    kind = ("criteo", "csv")[seed % 2]
    if kind == "criteo":
        row = pa.table({f"c{i}": ["1", "0"] * 60 if i == 0 else ["7"] * 120 for i in range(40)})
        content = as_csv(row, "\t", header=False)
    else:
        content = as_csv(LOG[:300])
    header = 0 if kind == "criteo" else content.index(b"\n") + 1
    content = content[:header] + damaged(rng, content[header:], int(rng.integers(1, 30)))
    path, skipped = write(f"log.{kind}", content), Skipped()
    types = {} if kind == "criteo" else {"numeric": ["I1", "I2"], "categorical": ["C1", "C2"]}
    log = read_log(path, kind, on_error="skip", report=skipped, **types)
    lines = [line for line in content[header:].replace(b"\r", b"\n").split(b"\n") if line]
    joined = sum(text.count("\n") for c in ("C1", "C2") if kind == "csv"
                 for text in log[c].to_pylist() if text)  # fmt: skip
    assert len(log) + skipped.rows + joined == len(lines)
    assert skipped.lost == 0


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_of_packed_files_is_never_a_crash_or_a_silent_loss(write, seed):
    rng = np.random.default_rng(seed)
    kind = ("csv.gz", "csv.zst", "parquet")[seed % 3]
    packed = bytearray(PACKED[kind])
    for place in rng.integers(len(packed), size=3):
        packed[place] ^= 1 << int(rng.integers(8))
    path, skipped = write(f"log.{kind}", bytes(packed)), Skipped()
    try:
        rows = sum(len(table) for table in iter_log(path, on_error="skip", report=skipped))
    except ValueError as error:  # the header, the footer
        assert str(path) in str(error)
        return
    if kind == "csv.zst" and not skipped.lost:  # it has no checksum: what it has become is the file
        lines = pa.input_stream(path).read().replace(b"\r", b"\n").split(b"\n")
        assert rows + skipped.rows == sum(map(bool, lines)) - 1
    else:
        assert rows + skipped.rows == 600 or skipped.lost > 0


def packed_logs():
    sink = pa.BufferOutputStream()
    parquet.write_table(LOG, sink, row_group_size=100, write_page_checksum=True)
    content = as_csv(LOG)
    return {
        "csv.gz": gzip.compress(content, mtime=0), "parquet": sink.getvalue().to_pybytes(),
        "csv.zst": pa.compress(content, "zstd", asbytes=True),
    }  # fmt: skip


PACKED = packed_logs()
