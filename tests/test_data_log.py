"""Log: passes, counts, fingerprints, tables in memory; a file that changes is told."""

from __future__ import annotations

import gzip
import json
import os

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from fastdl.data import Log, generate_ad_log, iter_log, read_log, write_ad_log

LOG = generate_ad_log(900, seed=4, numeric=2, categorical=2, cardinality=50)
FORMATS = ["csv", "csv.gz", "tsv.zst", "parquet", "ffm"]


def write(path, table):
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
        return path
    if path.suffix == ".ffm":
        rows = zip(table["label"].to_pylist(), table["C1"].to_pylist(), strict=True)
        path.write_text("".join(f"{y} 0:{int(c or '0', 16)}:1\n\n" for y, c in rows))
        return path
    sink = pa.BufferOutputStream()
    delimiter = "\t" if "tsv" in path.name else ","
    csv.write_csv(table, sink, csv.WriteOptions(delimiter=delimiter))
    data = sink.getvalue().to_pybytes()
    packed = {".gz": gzip.compress, ".zst": lambda d: pa.compress(d, "zstd", asbytes=True)}
    path.write_bytes(packed.get(path.suffix, bytes)(data))
    return path


@pytest.fixture(params=FORMATS)
def folder(request, tmp_path):
    for name, part in {"day_1": LOG[:200], "day_2": LOG[200:500], "day_10": LOG[500:]}.items():
        write(tmp_path / f"{name}.{request.param}", part)
    return tmp_path


def test_passes_are_those_of_iter_log_and_counts_their_rows(folder):
    log = Log(folder)
    assert log.count() == 900
    expected = list(iter_log(folder, batch_rows=128))
    for _ in range(2):
        tables = list(log.tables(batch_rows=128))
        assert len(tables) == len(expected)
        assert all(a.equals(b) for a, b in zip(tables, expected, strict=True))
    assert Log(folder, on_error="skip").count() == 900


def test_a_fingerprint_tells_what_changed(folder):
    log = Log(str(folder / "day_*"))
    before = json.loads(json.dumps(log.fingerprint()))
    log.check_unchanged(before)
    first, second, third = (folder / os.path.basename(part["name"]) for part in before)
    content = second.read_bytes()
    for change, words in (
        (lambda: second.write_bytes(content + b"\n"), rf"day_2\S* grew from {len(content):,} to"),
        (lambda: second.write_bytes(content[:-1]), r"day_2\S* shrank"),
        (lambda: os.utime(third, ns=(1, 1)), r"day_10\S* was modified"),
        (lambda: (folder / "day_3.csv").write_text("x"), r"day_3\.csv was added"),
        (first.unlink, r"day_1\.\S* has vanished"),
    ):
        change()
        with pytest.raises(ValueError, match=words):
            log.check_unchanged(before)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"day_1\.\S* has vanished.*; .*; "):
        log.check_unchanged(before)
    with pytest.raises(ValueError, match=r"expected what Log\.fingerprint gives"):
        log.check_unchanged([{"file": "x"}])


def test_a_file_that_changes_ends_the_pass(tmp_path):
    path = write(tmp_path / "log.csv", LOG)
    log = Log(path)
    tables = log.tables(batch_rows=600)
    assert len(next(tables)) == 600
    path.write_bytes(path.read_bytes() + b"0,0.5,1,1,x,y\n")
    with pytest.raises(ValueError, match=r"log\.csv grew from"):
        list(tables)
    with pytest.raises(ValueError, match=r"log\.csv grew from"):
        next(log.tables())
    with pytest.raises(ValueError, match=r"log\.csv grew from"):
        log.count()
    again = Log(path)
    tables = again.tables(batch_rows=600)
    next(tables)
    path.unlink()
    with pytest.raises(ValueError, match=r"log\.csv has vanished"):
        list(tables)


def test_what_a_change_leads_to_is_not_told_instead_of_it(tmp_path):
    parts = [write(tmp_path / f"{name}.csv", LOG) for name in "ab"]
    log = Log(parts)
    tables = log.tables()
    next(tables)
    parts[1].write_text("label,x\n1,2\n")
    with pytest.raises(ValueError, match=r"b\.csv shrank"):
        list(tables)


def test_bad_rows_are_reported_anew_in_every_pass(tmp_path):
    path = write(tmp_path / "log.csv", LOG)
    path.write_bytes(path.read_bytes() + b"0,0.5\n")
    log = Log(path, on_error="skip")
    assert log.count() == 900
    for _ in range(2):
        assert sum(map(len, log.tables())) == 900
        assert log.skipped.rows == 1
    with pytest.raises(ValueError, match="line 902: expected 6 columns, got 2"):
        list(Log(path).tables())


def frames():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {name: LOG[name].to_pylist() for name in LOG.column_names}
    frame = pandas.DataFrame(columns)
    yield from (
        LOG,
        LOG.combine_chunks().to_batches()[0],
        columns,
        frame,
        polars.DataFrame(columns),
    )
    yield frame.set_index(np.arange(900)[::-1])
    yield {name: np.array(values) for name, values in columns.items()}


@pytest.mark.parametrize("kind", range(7))
def test_tables_in_memory_have_the_rows_of_files(tmp_path, kind):
    expected = read_log(write(tmp_path / "log.parquet", LOG))
    log = Log(list(frames())[kind])
    found = pa.concat_tables(log.tables(batch_rows=400)).unify_dictionaries()
    assert found.to_pydict() == expected.to_pydict()
    assert log.count() == 900 and log.fingerprint() == []
    log.check_unchanged([])


@pytest.mark.parametrize(
    ("data", "options", "error", "words"),
    [({"label": [0, 1, None]}, {}, ValueError, "the table, row 3: the label in column label is m"),
     ({"label": [0, 1], "a": [1, np.inf]}, {}, ValueError, "row 2: column a is infinite"),
     ({"a": [0, 1]}, {}, ValueError, "the table has none of the label columns"),
     ({"label": ["yes", "no"]}, {}, ValueError, "say which one means a click by positive="),
     ({"label": [1, 1]}, {}, ValueError, "only the value '1'"),
     ({"label": []}, {}, ValueError, "the table has no rows"),
     ({"label": [0, 1]}, {"columns": ["a"]}, ValueError, "the table has no column a"),
     ({"label": [0, 1]}, {"format": "csv"}, ValueError, "expected None"),
     ({"label": [0, 1]}, {"on_error": "go"}, ValueError, "on_error is 'go'"),
     ({"label": [0, 1]}, {"numeric": "a"}, TypeError, "numeric is 'a'"),
     (5, {}, TypeError, "The log is int"), ("none.csv", {}, FileNotFoundError, "no file none.csv")],
)  # fmt: skip
def test_what_is_wrong_with_logs(data, options, error, words):
    with pytest.raises(error, match=words):
        list(Log(data, **options).tables())


def test_bad_rows_in_memory_are_skipped():
    log = Log({"label": [0, 1, 1, None], "a": [1, np.inf, 2, 3]}, on_error="skip")
    assert pa.concat_tables(log.tables()).to_pydict() == {"label": [0, 1], "a": [1, 2]}
    assert log.skipped.to_dict()["by_reason"] == {"missing label": 1, "infinite number": 1}
    assert log.count() == 2
    with pytest.raises(ValueError, match="batch_rows is 0"):
        log.tables(0)


def test_labels_in_memory_follow_the_rules_of_files():
    log = Log({"bought": ["no", "yes"], "x": ["a", "b"]}, label="bought", positive="yes")
    assert next(log.tables()).to_pydict() == {"label": [0, 1], "x": ["a", "b"]}
    log = Log({"x": ["a", "b"]}, require_label=False)
    assert next(log.tables()).column_names == ["x"]


@pytest.mark.parametrize("name", ["log.tsv", "log.csv", "log.parquet", "log.csv.gz"])
@pytest.mark.parametrize("cut", [False, True])
def test_rows_before_the_first_wanted_one_are_passed_over(tmp_path, monkeypatch, name, cut):
    monkeypatch.setattr("fastdl.data.cut.BLOCK_BYTES", 6000)
    table = generate_ad_log(900, seed=2)
    path = tmp_path / name
    if name.endswith(".gz"):
        write_ad_log(tmp_path / "log.csv", 900, seed=2)
        path.write_bytes(gzip.compress((tmp_path / "log.csv").read_bytes()))
    elif name.endswith(".parquet"):
        parquet.write_table(table, path, row_group_size=100)
    else:
        write_ad_log(path, 900, seed=2)
    log = Log(path, "criteo" if name.endswith(".tsv") else None)
    expected = pa.concat_tables(log.tables())
    row = passed = 0
    for piece in log.rows_from(650, cut=cut):
        if isinstance(piece, int):
            assert row > 0  # the first rows are there, as their types are the log's
            passed += piece
            row += piece
            continue
        got = piece if isinstance(piece, pa.Table) else piece.to_arrow()
        for column in ("label", "I1", "C1"):
            own = expected[column][row : row + len(got)]
            assert got[column].to_pylist() == own.to_pylist()
        row += len(got)
    assert row == 900 and passed <= 650
    assert passed > (300 if cut or name.endswith("parquet") else -1)
