"""Logs in parts: folders, patterns, lists, packed parts; what may differ between parts."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from fastdl.data import generate_ad_log, iter_log, read_log
from fastdl.data.parts import find_parts

LOG = generate_ad_log(900, seed=4, numeric=2, categorical=2, cardinality=50)
PARTS = {"day_1": LOG[:200], "day_2": LOG[200:500], "day_10": LOG[500:]}


def packed(data: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data, mtime=0)
    return pa.compress(data, "zstd", asbytes=True) if suffix == ".zst" else data


@pytest.fixture(params=["csv", "csv.gz", "csv.zst", "tsv.zst", "parquet"])
def folder(request, tmp_path):
    suffix = request.param
    for name, table in PARTS.items():
        path = tmp_path / f"{name}.{suffix}"
        if suffix == "parquet":
            parquet.write_table(table, path)
            continue
        sink = pa.BufferOutputStream()
        delimiter = "\t" if suffix.startswith("tsv") else ","
        csv.write_csv(table, sink, csv.WriteOptions(delimiter=delimiter))
        path.write_bytes(packed(sink.getvalue().to_pybytes(), path.suffix))
    (tmp_path / "_SUCCESS").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"x")
    return tmp_path


def plain(table):
    return {name: table[name].to_pylist() for name in table.column_names}


def test_folder_pattern_and_list_are_one_log_in_natural_order(folder):
    suffix = "".join(next(folder.glob("day_1.*")).suffixes)
    expected = plain(LOG)
    assert plain(read_log(folder)) == expected
    assert plain(read_log(str(folder / f"day_*{suffix}"))) == expected
    assert plain(read_log([folder / f"{name}{suffix}" for name in PARTS])) == expected
    turned = [folder / f"{name}{suffix}" for name in reversed(PARTS)]
    assert plain(read_log(turned))["label"] == [
        x for name in reversed(PARTS) for x in PARTS[name]["label"].to_pylist()
    ]
    assert sum(len(t) for t in iter_log(folder, batch_rows=64)) == len(LOG)
    assert read_log(folder, rows=250)["I1"].to_pylist() == expected["I1"][:250]


def test_a_truncated_zstd_part_is_an_error(tmp_path):
    text = b"label,a\n" + b"".join(b"%d,%d\n" % (i % 2, i * 7919) for i in range(20000))
    path = tmp_path / "log.csv.zst"
    path.write_bytes(packed(text, ".zst"))
    assert len(read_log(path)) == 20000
    path.write_bytes(packed(text, ".zst")[:-1000])
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_log(path)
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"log\.csv\.zst is truncated or damaged"):
        read_log(path)
    path.with_suffix("").write_bytes(packed(text, ".zst"))
    with pytest.raises(ValueError, match="is a zstd file; expected text"):
        read_log(path.with_suffix(""))


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def test_columns_of_parts_must_agree_in_names_not_in_order(tmp_path):
    log = read_log(write(tmp_path, a="label,x,y\n0,1,u\n", b="label,y,x\n1,v,2\n"))
    assert plain(log) == {"label": [0, 1], "x": [1.0, 2.0], "y": ["u", "v"]}
    write(tmp_path, c="label,x\n1,3\n")
    with pytest.raises(ValueError, match=r"c\.csv has no column y"):
        read_log(tmp_path)
    write(tmp_path, c="label,x,y,z\n1,3,a,b\n")
    with pytest.raises(ValueError, match=r"c\.csv has the column z more than .*a\.csv"):
        read_log(tmp_path)


def test_the_first_part_says_what_is_a_number(tmp_path):
    folder = write(tmp_path, a="label,x,y\n0,1,u\n1,2,v\n", b="label,x,y\n1,2,7\n0,3,8\n")
    assert read_log(folder)["y"].to_pylist() == ["u", "v", "7", "8"]
    write(tmp_path, b="label,x,y\n1,oops,7\n")
    with pytest.raises(ValueError, match=r"b\.csv, line 2: column x has 'oops'.* not a number"):
        read_log(folder)


def test_one_part_may_have_one_class_or_no_rows(tmp_path):
    folder = write(tmp_path, a="label,x\n0,1\n", b="label,x\n", c="label,x\n1,2\n")
    assert read_log(folder)["label"].to_pylist() == [0, 1]
    (tmp_path / "c.csv").unlink()
    with pytest.raises(ValueError, match="only the value '0'"):
        read_log(folder)


@pytest.mark.parametrize(("data", "error"), [([], FileNotFoundError), (3, TypeError)])
def test_bad_places(data, error):
    with pytest.raises(error):
        find_parts(data)


def test_avazu_in_parts(tmp_path):
    head = "id,click,hour,C1,site_id\n"
    (tmp_path / "a.csv").write_text(head + "1,0,14102100,1005,85f751fd\n")
    (tmp_path / "b.csv").write_text(head + "2,1,14102201,1002,1\n")
    log = read_log(tmp_path, "avazu")
    assert plain(log) == {
        "label": [0, 1], "hour_of_day": ["00", "01"], "weekday": ["Tue", "Wed"],
        "C1": ["1005", "1002"], "site_id": ["85f751fd", "1"],
    }  # fmt: skip
