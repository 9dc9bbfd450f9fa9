"""Sparse logs: libffm and libsvm as tables, and every way in which their lines can be wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from fastdl.data import FeatureEncoder, Skipped, iter_log, read_log, text
from fastdl.data.count import count_rows
from fastdl.data.places import Source

FFM = Path(__file__).parents[2] / "shared" / "data" / "ctr" / "criteo_200.ffm"
real = pytest.mark.skipif(not FFM.is_file(), reason=f"{FFM} is absent")


@real
def test_a_real_file_has_the_files_values():
    log = read_log(FFM)
    lines = [line.split() for line in FFM.read_text().splitlines()]
    assert log["label"].to_pylist() == [int(line[0]) for line in lines]
    assert log.column_names[1:4] == ["field_0", "field_1", "field_2"]
    for field in range(18):
        expected = [[t.split(":") for t in line[1:] if t.startswith(f"{field}:")] for line in lines]
        if field < 16:
            ids = log[f"field_{field}"].to_pylist()
            assert ids == [own[0][1] if own else None for own in expected]
            continue
        assert log[f"field_{field}_list"].to_pylist() == [[e[1] for e in own] for own in expected]
        values = [[float(e[2]) for e in own] for own in expected]
        assert log[f"field_{field}_values"].to_pylist() == values
    encoder = FeatureEncoder(columns={"field_16_values": "ignore", "field_17_values": "ignore"})
    x = encoder.fit_transform(log)
    assert [s.name for s in encoder.spec_.sequences] == ["field_16_list", "field_17_list"]
    assert len(x["ids"]) == 200


def test_numbers_categories_and_weights_of_libffm(write):
    lines = [
        "1 0:5:0.25 1:7:1 2:9:0.5 3:1:1",
        "-1 0:5:1e2 1:8:1 2:4:1 3:2:1 3:3:1",
        "+1 1:7:0 2:9:2",
    ]
    log = read_log(write("log.ffm", "\n".join(lines)))
    assert log.to_pydict() == {
        "label": [1, 0, 1],
        "field_0_value": [0.25, 100, None],
        "field_1": ["7", "8", None],
        "field_2": ["9", "4", "9"], "field_2_value": [0.5, 1, 2],
        "field_3_list": [["1"], ["2", "3"], []],
    }  # fmt: skip


def test_columns_of_libffm_can_be_said(write):
    path = write("log.ffm", "1 0:5:0.25 1:7:1\n0 0:5:1 1:8:1 1:9:1\n")
    log = read_log(path, columns=["field_9", "field_1_list"])
    assert log.to_pydict() == {
        "label": [1, 0], "field_9": [None, None], "field_1_list": [["7"], ["8", "9"]],
    }  # fmt: skip
    log = read_log(path, categorical=["field_0", "field_4"], numeric=["field_0_value"])
    assert log.column_names == ["label", "field_0", "field_0_value", "field_1_list", "field_4"]
    for wrong in ("C1", "field_x", "field_1_lists", "features"):
        with pytest.raises(ValueError, match=f"no column {wrong}; the columns of libffm are"):
            read_log(path, columns=[wrong])


def test_libsvm(write):
    lines = ["1 qid:3 4:0.5 7:1 900:1 # 5:5", "# nothing", "-1 4:2 7:1", "1 900:1 11:1", "", "-1"]
    path = write("log.svm", "\ufeff" + "\r\n".join(lines))
    log = read_log(path)
    assert log.to_pydict() == {
        "label": [1, 0, 1, 0], "feature_4": [0.5, 2, 0, 0],
        "features": [["7", "900"], ["7"], ["900", "11"], []], "qid": ["3", None, None, None],
    }  # fmt: skip
    assert count_rows(Source(path, "libsvm", False)) == 4
    log = read_log(path, columns=["features", "values"])
    assert log["features"].to_pylist()[0] == ["4", "7", "900"]
    assert log["values"].to_pylist() == [[0.5, 1, 1], [2, 1], [1, 1], []]


def test_libsvm_of_many_real_values(write):
    lines = [f"{i % 2} " + " ".join(f"{j}:{i + j / 7}" for j in range(1, 301)) for i in range(2)]
    log = read_log(write("log.libsvm", "\n".join(lines)))
    assert log.column_names == ["label", "features", "values"]
    assert log["values"].to_pylist()[1] == [1 + j / 7 for j in range(1, 301)]


def test_it_is_a_libsvm_file_of_scikit_learn(write, rng):
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = rng.standard_normal((50, 12)) * (rng.random((50, 12)) < 0.6), np.arange(50) % 2
    path = write("log.svm", "")
    datasets.dump_svmlight_file(x, y, str(path))
    log = read_log(path, numeric=[f"feature_{i}" for i in range(12)])
    expected = datasets.load_svmlight_file(str(path), n_features=12, zero_based=True)[0].toarray()
    found = np.stack([log[f"feature_{i}"] for i in range(12)], axis=1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(log["label"], y)


BAD = [
    ("libffm", "1 1:2", "unreadable row", "'1:2' is no entry: expected field:index:value"),
    ("libffm", "1 7", "unreadable row", "'7' is no entry: expected field:index:value"),
    ("libffm", "1 x:2:1", "unreadable row", "'x:2:1' is no entry: its field is no whole number"),
    ("libffm", "1 1:-2:1", "unreadable row", "fields and indices are not negative"),
    ("libffm", "1 1:9223372036854775808:1", "beyond int64", "are below 2**63"),
    ("libffm", "1 1:2:x", "not a number", "the value 'x' is not a number"),
    ("libffm", "1 1:2:nan", "not a number", "the value 'nan' is not a number"),
    ("libffm", "1 1:2:", "not a number", "it has no value"),
    ("libffm", "1 1:2:1e999", "infinite number", "the value '1e999' is infinite"),
    ("libffm", b"1 1:2:\xff", "not a number", "the value '?' is not a number"),
    ("libffm", b"1 1:\xff:1", "unreadable row", "its index is no whole number"),
    ("libffm", "1:2:1", "missing label", "the label is missing"),
    ("libffm", "yes 1:2:1", "strange label", "the label is 'yes', no number"),
    ("libffm", "7 1:2:1", "strange label", "the label in column label is '7'"),
    ("libffm", "1 1:2:1 1:3:1", "unreadable row", "pass categorical=['field_1_list']"),
    ("libffm", "1 9:2:1", "unreadable row", "the field 9 did not come in the first 8 MB"),
    ("libffm", "1 1:2:0.5", "unreadable row", "field 1 has the value 0.5, and only 1 before"),
    ("libffm", "1 2:5:0.5", "unreadable row", "field 2 has the index 5, and only 8 before"),
    ("libsvm", "1 5", "unreadable row", "'5' is no entry: expected index:value"),
    ("libsvm", "1 qid:x 5:1", "unreadable row", "'qid:x' is no entry: its index is no whole"),
    ("libsvm", "1 5:0.5", "unreadable row", "the index 5 has the value 0.5"),
    ("libsvm", "1 2:5 2:6", "unreadable row", "the index 2 comes more than once"),
]  # fmt: skip
LINES = {"libffm": ["1 1:2:1 2:8:0.5", "0 1:3:1 2:8:7"], "libsvm": ["1 1:1 2:4", "-1 1:1 2:5"]}


@pytest.mark.parametrize(("format", "line", "reason", "words"), BAD)
def test_bad_lines(write, monkeypatch, format, line, reason, words):
    monkeypatch.setattr(text, "BLOCK_BYTES", 40)
    line = line if isinstance(line, bytes) else line.encode()
    good = "\n".join(LINES[format] * 3).encode()
    path = write("log.txt", good + b"\n\n" + line + b"\n" + good)
    third = "label is '7'" in words  # not the row's fault without skipping
    with pytest.raises(ValueError, match=r"more than two" if third else r"txt, line 8: ") as error:
        read_log(path, format)
    skipped = Skipped()
    log = read_log(path, format, on_error="skip", report=skipped)
    assert log["label"].to_pylist() == [1, 0] * 6
    (entry,) = skipped.entries()
    assert (entry["reason"], entry["rows"]) == (reason, 1)
    assert words in entry["examples"][0] and entry["examples"][0].startswith("line 8: ")
    assert third or words in str(error.value)


def test_a_log_for_prediction_needs_no_labels(write):
    path = write("log.ffm", "1:2:1 2:3:1\n1:4:1\n")
    log = read_log(path, require_label=False)
    assert log.to_pydict() == {"field_1": ["2", "4"], "field_2": ["3", None]}
    labelled = write("other.ffm", "1 1:2:1 2:3:1\n0 1:4:1\n")
    assert read_log(labelled, require_label=False).equals(log)
    with pytest.raises(ValueError, match="line 1: the label is missing"):
        read_log(path)


def test_blocks_packed_files_and_parts(write, monkeypatch, tmp_path):
    monkeypatch.setattr(text, "BLOCK_BYTES", 3000)
    lines = [f"{i % 2} 0:{i % 7}:1 1:{i % 11}:1 2:1:{i / 8}\n" for i in range(2000)]
    write("a.ffm", "".join(lines[:1500]))
    write("b.ffm.gz", gzip.compress("".join(lines[1500:]).encode(), mtime=0))
    log = read_log(tmp_path)
    assert log["field_0"].to_pylist() == [str(i % 7) for i in range(2000)]
    assert log["field_2_value"].to_pylist() == [i / 8 for i in range(2000)]
    assert max(len(table) for table in iter_log(tmp_path, batch_rows=100)) == 100
    packed = (tmp_path / "b.ffm.gz").read_bytes()
    write("b.ffm.gz", packed[: len(packed) // 2])
    with pytest.raises(ValueError, match=r"b\.ffm\.gz is truncated"):
        read_log(tmp_path)
    skipped = Skipped()
    assert 1500 <= len(read_log(tmp_path, on_error="skip", report=skipped)) < 2000
    assert skipped.lost == 1 and skipped.rows == 0


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_is_never_a_crash_or_a_silent_loss(write, monkeypatch, seed):
    monkeypatch.setattr(text, "BLOCK_BYTES", 2000)
    rng = np.random.default_rng(seed)
    data = bytearray(
        "".join(f"{i % 2} 0:{i % 7}:1 1:{i}:1 2:1:{i / 8}\n" for i in range(300)).encode()
    )
    for place in rng.integers(len(data), size=rng.integers(1, 30)):
        data[place] = rng.choice(list(b"\xff\n :x1-.#\x00"))
    path, skipped = write("log.ffm", bytes(data)), Skipped()
    log = read_log(path, on_error="skip", report=skipped)
    rows = sum(bool(line.partition(b"#")[0].strip()) for line in data.split(b"\n"))
    assert len(log) + skipped.rows == rows == count_rows(Source(path, "libffm", False))
