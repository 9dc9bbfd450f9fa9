"""Series from tables with bad rows: on_error="skip" leaves them out and says so."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl.data import Skipped
from fastdl.data.series import read_series

GOOD = [f"2024-01-{day:02d},a,{day}" for day in range(1, 11)]


def write(path, rows, header="day,ad,clicks"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def read(path, **options):
    report = Skipped()
    options = {"time": "day", "value": "clicks", "series_id": "ad"} | options
    return read_series(path, on_error="skip", report=report, **options), report


def test_without_errors_nothing_is_skipped(tmp_path):
    series, report = read(write(tmp_path / "a.csv", GOOD))
    assert not report and series.values.tolist() == list(range(1, 11)) and series.report is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [("2024-01-05,a,many", "not a number"), ("2024-01-05,a,inf", "infinite number"),
     ("2024-13-05,a,5", "not a time"), (",a,5", "not a time"), ("2024-01-05,,5", "missing series"),
     ("2024-01-05,a", "ragged row")],
)  # fmt: skip
def test_bad_rows_become_missing_values_and_are_counted(tmp_path, row, reason):
    path = write(tmp_path / "a.csv", [*GOOD[:4], row, *GOOD[5:]])
    with pytest.raises(ValueError, match=r"a\.csv, line 6"):
        read_series(path, time="day", value="clicks", series_id="ad")
    series, report = read(path)
    (entry,) = report.entries()
    assert reason in entry["reason"] and entry["rows"] == 1
    assert "line 6" in entry["examples"][0]
    assert np.isnan(series.values_of(0)[4]) and series.length.tolist() == [10]
    assert series.report.gaps.tolist() == [1]


def test_times_that_come_twice_keep_the_first_row(tmp_path):
    path = write(tmp_path / "a.csv", [*GOOD[:3], "2024-01-03,a,99", *GOOD[3:]])
    with pytest.raises(ValueError, match=r"line 5: series 'a' has the time .* twice"):
        read_series(path, time="day", value="clicks", series_id="ad")
    series, report = read(path)
    assert series.values.tolist() == list(range(1, 11)) and series.report is None
    assert report.to_dict()["by_reason"] == {"time comes twice": 1}
    joined, report = read(path, resample="D", how="sum")
    assert not report and joined.values[2] == 102


def test_series_without_a_value_are_left_out(tmp_path):
    empty = [f"2024-01-{day:02d},b," for day in range(1, 4)]
    path = write(tmp_path / "a.csv", [*empty, *GOOD])
    series, report = read(path)
    assert series.ids == ("a",) and len(series) == 1
    assert report.to_dict()["by_reason"] == {"series without a value": 3}
    with pytest.raises(ValueError, match="series 'b' has no value"):
        read(write(tmp_path / "b.csv", empty))


def test_nothing_left_is_an_error(tmp_path):
    path = write(tmp_path / "a.csv", ["soon,a,1", "later,a,2"])
    with pytest.raises(ValueError, match=r"no row is left\. Skipped 2 rows: 2 rows by not a time"):
        read(path)


@pytest.mark.parametrize(
    ("times", "time_format", "frequency"),
    [(["1", "2", "x", "4"], "s", "s"),
     (["01.02.2024", "02.02.2024", "x", "04.02.2024"], "%d.%m.%Y", "D"),
     (["2024-01-01T00:00Z", "2024-01-01T01:00+00:00", "x", "2024-01-01T03:00Z"], None, "h")],
)  # fmt: skip
def test_bad_times_of_every_form(times, time_format, frequency):
    table = {"time": times, "value": [1.0, 2.0, 3.0, 4.0]}
    series, report = read(
        table, time="time", value="value", series_id=None, time_format=time_format,
        frequency=frequency,
    )  # fmt: skip
    assert report.rows == 1 and series.length.tolist() == [4]
    assert np.isnan(series.values[2])
