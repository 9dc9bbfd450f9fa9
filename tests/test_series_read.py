"""Series from tables: formats, frequencies, zones, resampling, and errors with series and row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from conftest import SHARED
from pyarrow import parquet

from fastdl.data.series import (
    Frequency,
    SeriesSet,
    calendar_features,
    calendar_parts,
    check_known,
    check_series,
    read_observations,
    read_series,
)
from fastdl.data.series.frequency import find_frequency
from fastdl.data.skipped import Skipped

NAB = SHARED / "data" / "series"

LONG = """time,ad,clicks,promo,kind
2024-01-01,a,3,0,search
2024-01-02,a,4,1,search
2024-01-01,b,0,0,video
2024-01-03,a,,0,search
2024-01-02,b,7,1,video
2024-01-04,a,,1,search
"""


def microseconds(*texts):
    return np.array(texts, "datetime64[us]").astype(np.int64)


def hourly(count, start="2024-01-01"):
    return (np.datetime64(start, "h") + np.arange(count)).astype(str).tolist()


# ---------------------------------------------------------------------------- reading
def in_every_form(write, tmp_path, text=LONG):
    """The same table as CSV, TSV, Parquet, pandas, polars, pyarrow and a dict."""
    import pandas
    import polars

    path = write("ads.csv", text)
    frame = pandas.read_csv(path)
    dated = frame.assign(time=pandas.to_datetime(frame["time"]))
    parquet.write_table(pa.Table.from_pandas(dated), tmp_path / "ads.parquet")
    return {
        "csv": path, "tsv": write("ads.tsv", text.replace(",", "\t")),
        "parquet": tmp_path / "ads.parquet", "pandas": dated, "polars": polars.from_pandas(dated),
        "pyarrow": pa.Table.from_pandas(frame), "dict": pa.Table.from_pandas(frame).to_pydict(),
    }  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "pandas", "polars", "pyarrow", "dict"])
def test_long_tables_of_every_form(form, write, tmp_path):
    data = in_every_form(write, tmp_path)[form]
    series = read_series(
        data, time="time", value="clicks", series_id="ad", known="promo", static="kind"
    )
    assert series.ids == ("a", "b")
    assert series.values_of(0).tolist() == [3, 4]  # what follows is known, not observed
    assert series.values_of(1).tolist() == [0, 7]
    assert series.known_of(0)[:, 0].tolist() == [0, 1, 0, 1]
    assert series.known_length.tolist() == [4, 2]
    assert str(series.frequency) == "D"
    assert series.static.classes == (("search", "video"),)
    assert series.static.codes[:, 0].tolist() == [0, 1]
    assert series.times_of(0).tolist() == microseconds("2024-01-01", "2024-01-02").astype(
        "datetime64[us]"
    ).tolist()  # fmt: skip


def test_wide_tables(write):
    path = write("wide.csv", "date,a,b\n2024-01-01,1,2\n2024-02-01,,3\n2024-03-01,5,4\n")
    series = read_series(path)
    assert series.ids == ("a", "b")
    assert str(series.frequency) == "MS"
    np.testing.assert_array_equal(series.values_of(0), [1, np.nan, 5])
    one = read_series(path, value=["b"])
    assert one.ids == ("b",)
    assert read_series(path, value=["a"], known=["b"]).known_names == ("b",)


def test_a_pandas_index_of_times_is_found():
    import pandas

    index = pandas.date_range("2024-01-01", periods=4, freq="15min", name="ts")
    series = read_series(pandas.DataFrame({"cpc": [1.0, 2, 3, 4]}, index=index))
    assert str(series.frequency) == "15min"
    assert series.ids == ("cpc",)


def test_several_id_columns_and_unsorted_rows():
    table = {"time": ["2024-01-02", "2024-01-01"] * 2, "a": ["x"] * 4, "b": [1, 1, 2, 2],
             "y": [1.0, 2, 3, 4]}  # fmt: skip
    series = read_series(table, value="y", series_id=["a", "b"], sort=True)
    assert series.ids == ("x/1", "x/2")
    assert series.values_of(1).tolist() == [4, 3]


def test_times_by_format_and_since_1970():
    hours = read_series(
        {"hour": [14102100, 14102101], "y": [1.0, 2]}, value="y", time_format="%y%m%d%H"
    )
    assert str(hours.times_of(0)[1]) == "2014-10-21T01:00:00.000000"
    epoch = read_series({"time": [0, 3600], "y": [1.0, 2]}, value="y", time_format="s")
    assert str(epoch.frequency) == "h"
    with pytest.raises(
        ValueError, match=r"row 1: the time column hour has '14102100', .*pass time_format"
    ):
        read_series({"hour": [14102100, 14102101], "y": [1.0, 2]}, value="y")


# ---------------------------------------------------------------------------- zones
def test_days_of_a_zone_are_days_though_some_have_23_hours():
    import pandas

    times = pandas.date_range("2024-03-29", periods=5, freq="D", tz="Europe/Berlin")
    series = read_series({"time": pa.array(times), "y": np.arange(5.0)}, value="y")
    assert str(series.frequency) == "D"
    assert str(series.times_of(0)[-1])[:10] == "2024-04-02"


def test_hours_of_a_zone_are_utc_and_the_calendar_is_its_clock():
    import pandas

    times = pandas.date_range("2024-03-31 00:00", periods=4, freq="h", tz="Europe/Berlin")
    series = read_series({"time": pa.array(times), "y": np.arange(4.0)}, value="y")
    assert series.zone == "Europe/Berlin"
    assert str(series.frequency) == "h"
    from fastdl.data.series import Calendar

    found = Calendar(series, ["hour_of_day"], "one_hot").features.argmax(axis=1)
    assert found.tolist() == [0, 1, 3, 4]  # the clock leaves out the hour from 2 to 3


def test_wall_times_of_a_zone_are_resolved():
    times = ["2024-10-27T01:00", "2024-10-27T02:00", "2024-10-27T02:00", "2024-10-27T03:00"]
    table = {"time": times, "y": [1.0, 2, 3, 4]}
    series = read_series(table, value="y", time_zone="Europe/Berlin")
    assert str(series.frequency) == "h"
    with pytest.raises(ValueError, match=r"row 3: series 'y' has the time .* twice"):
        read_series(table, value="y")
    table = {"time": ["2024-03-31T01:00", "2024-03-31T02:30"], "y": [1.0, 2]}
    with pytest.raises(ValueError, match="row 2: 2024-03-31 02:30:00 does not exist in Europe"):
        read_series(table, value="y", time_zone="Europe/Berlin")
    with pytest.raises(ValueError, match="time zone 'Europe/Berlen' is not known"):
        read_series(table, value="y", time_zone="Europe/Berlen")


@pytest.mark.parametrize(
    ("second", "words"),
    [("2024-01-01 02:00", "with a zone or all without"), ("2024-01-01T02:00Z", "Pass time_zone=")],
)
def test_mixed_zones_are_an_error(write, second, words):
    path = write("zones.csv", f"time,y\n2024-01-01T00:00+02:00,1\n{second},2\n")
    with pytest.raises(ValueError, match=r"zones.csv, line 3: mixed time zones.*" + words):
        read_series(path)


def test_several_offsets_pass_where_a_zone_says_which_clock_counts(write):
    text = "time,y\n2024-03-31T01:00+01:00,1\n2024-03-31T03:00+02:00,2\n2024-03-31T04:00+02:00,3\n"
    series = read_series(write("zones.csv", text), time_zone="Europe/Berlin")
    assert (str(series.frequency), series.zone) == ("h", "Europe/Berlin")


# ---------------------------------------------------------------------------- errors
BAD = {
    "unsorted": ("2024-01-02,a,1\n2024-01-01,a,2\n", "line 3: series 'a' has .* behind .*sort=Tr"),
    "twice": ("2024-01-01,a,1\n2024-01-01,a,2\n", "line 3: series 'a' has the time .* twice"),
    "gap": (
        "2024-01-01,a,1\n2024-01-02,a,2\n2024-01-03,a,2\n2024-01-06,a,3\n2024-01-07,a,3\n",
        "line 5: series 'a' has a gap: 2 steps of 'D' are missing between 2024-01-03 .*resample=",
    ),
    "all missing": ("2024-01-01,a,\n2024-01-02,a,\n", "line 2: series 'a' has no value that is"),
    "no frequency": (
        "2024-01-01,a,1\n2024-01-02,a,1\n2024-01-07,a,1\n",
        "line 2: series 'a': the frequency is not known",
    ),
    "other frequency": (
        "2024-01-01,a,1\n2024-01-02,a,1\n2024-01-03,a,1\n2024-01-01,b,1\n2024-01-01T01:00,b,1\n",
        "line 6: series 'b' has the time 2024-01-01 01:00:00 where 2024-01-02 00:00:00 is the next",
    ),
    "no time": ("2024-01-01,a,1\nsoon,a,1\n", "line 3: the time column time has 'soon', which is"),
    "empty time": ("2024-01-01,a,1\n,a,1\n", "line 3: the time in column time is missing"),
    "no id": ("2024-01-01,a,1\n2024-01-02,,1\n", "line 3: the series id in column ad is missing"),
    "infinite": ("2024-01-01,a,1\n2024-01-02,a,inf\n", "line 3: column y is infinite"),
    "text": ("2024-01-01,a,1\n2024-01-02,a,2\n2024-01-03,a,x\n", "line 4: column y has 'x', which"),
}


@pytest.mark.parametrize("kind", BAD)
def test_errors_name_the_series_and_the_row(write, kind):
    rows, words = BAD[kind]
    path = write("bad.csv", "time,ad,y\n" + rows)
    with pytest.raises(ValueError, match=words):
        read_series(path, time="time", value="y", series_id="ad")


def test_a_static_feature_that_changes():
    table = {"time": ["2024-01-01", "2024-01-02"], "y": [1.0, 2], "kind": ["a", "b"]}
    with pytest.raises(ValueError, match=r"row 2: series 'y' has another value of .* kind"):
        read_series(table, value="y", static="kind")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"time": "when"}, "no time column when"), ({"value": "cost"}, "no column cost"),
     ({"value": []}, "value is an empty list"), ({"value": "y", "known": "y"}, "than one purpose"),
     ({"frequency": "fortnight"}, "frequency 'fortnight' is not known"),
     ({"frequency": "D", "resample": "D"}, "Both frequency= and resample="),
     ({"resample": "D", "how": "max"}, "how is 'max'"),
     ({"resample": "D", "fill": "next"}, "fill is 'next'"),
     ({"value": ["y"], "series_id": "ad"}, "A wide table has a series in each column")],
)  # fmt: skip
def test_wrong_options(options, words):
    table = {"time": ["2024-01-01", "2024-01-02"], "ad": ["a", "a"], "y": [1.0, 2]}
    with pytest.raises(ValueError, match=words):
        read_series(table, **options)


def test_known_covariates_may_not_be_missing():
    table = {"time": ["2024-01-01", "2024-01-02"], "y": [1.0, 2], "promo": [0.0, np.nan]}
    with pytest.raises(ValueError, match=r"Series 'y', row 2 \(2024-01-02 .*covariate promo is mi"):
        read_series(table, value="y", known="promo")


# ---------------------------------------------------------------------------- frequencies
@pytest.mark.parametrize(
    ("name", "shown", "season"),
    [("H", "h", 24), ("60min", "h", 24), ("15min", "15min", 96), ("daily", "D", 7), ("24h", "D", 7),
     ("7D", "W", 52), ("M", "MS", 12), ("3MS", "QS", 4), ("12MS", "YS", 1), ("s", "s", 86400)],
)  # fmt: skip
def test_names_of_frequencies(name, shown, season):
    found = Frequency.of(name)
    assert (str(found), found.season) == (shown, season)


def test_frequencies_are_found_and_go_on():
    months = microseconds("2023-11-15", "2023-12-15", "2024-01-15", "2024-02-15")
    found = find_frequency(months)
    assert str(found) == "MS"
    assert found.after(months[0], np.arange(4)).tolist() == months.tolist()
    assert str(find_frequency(microseconds("2024-01-01", "2024-01-08", "2024-01-15"))) == "W"
    assert find_frequency(months[:1]) is None


@pytest.mark.parametrize("name", ["h", "D", "W", "MS", "QS", "15min"])
def test_ticks_and_their_begins(name, rng):
    step = Frequency.of(name)
    times = rng.integers(-(10**14), 2 * 10**15, 200)
    ticks = step.ticks(times)
    assert (step.begin(ticks) <= times).all()
    assert (step.begin(ticks + 1) > times).all()
    assert step.after(step.begin(ticks), 3).tolist() == step.begin(ticks + 3).tolist()


def test_weeks_begin_on_mondays():
    step = Frequency.of("W")
    begin = step.begin(step.ticks(microseconds("2024-05-19", "2024-05-20")))
    assert begin.tolist() == microseconds("2024-05-13", "2024-05-20").tolist()


# ---------------------------------------------------------------------------- resampling
def irregular():
    return read_observations(
        {"time": ["2024-01-01T00:00:01", "2024-01-01T00:30", "2024-01-01T01:00", "2024-01-01T05:00",
                  "2024-01-01T00:10", "2024-01-01T01:20"],
         "ad": ["a"] * 4 + ["b"] * 2, "y": [1.0, 3, 5, 9, 2, np.nan]},
        value="y", series_id="ad",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "fill", "expected"),
    [("mean", None, [2, 5, np.nan, np.nan, np.nan, 9]), ("sum", 0, [4, 5, 0, 0, 0, 9]),
     ("last", "previous", [3, 5, 5, 5, 5, 9]), ("mean", "interpolate", [2, 5, 6, 7, 8, 9])],
)  # fmt: skip
def test_resampling(how, fill, expected):
    series = irregular().resample("h", how, fill)
    np.testing.assert_allclose(series.values_of(0), expected)
    report = series.report
    assert report.rows.tolist() == [4, 2]
    assert report.steps.tolist() == [6, 2]
    assert report.joined.tolist() == [1, 0]
    assert report.gaps.tolist() == [3, 0]
    assert report.longest_gap.tolist() == [3, 0]
    assert report.moved.tolist() == [2, 2]
    assert report.largest_shift.tolist() == [30 * 60 * 10**6, 20 * 60 * 10**6]
    missing = np.isnan(series.values)
    assert report.missing.tolist() == [int(missing[:6].sum()), int(missing[6:].sum())]
    assert int((report.filled + report.missing).sum()) == 4
    assert "1 rows joined, 3 steps without a row (the longest, of 3, in 'a')" in report.summary()
    assert report.to_dict()["series"][0]["largest_shift_seconds"] == 1800


def test_fills_stay_within_their_series():
    table = {"time": hourly(3) * 2, "ad": list("aaabbb"), "y": [1, 2, np.nan, np.nan, 5, 6.0]}
    rows = read_observations(table, value="y", series_id="ad")
    previous = rows.resample("h", fill="previous")
    np.testing.assert_array_equal(previous.values, [1, 2, 2, np.nan, 5, 6])
    line = rows.resample("h", fill="interpolate")
    np.testing.assert_array_equal(line.values, [1, 2, np.nan, np.nan, 5, 6])


def test_steps_to_come_are_not_filled_and_known_covariates_are():
    table = {"time": [*hourly(2), *hourly(2, "2024-01-01T04")], "y": [1.0, 2, np.nan, np.nan],
             "promo": [0.0, 1, 0, 1]}  # fmt: skip
    series = read_series(table, value="y", known="promo", resample="h", fill="previous")
    assert (series.length.tolist(), series.known_length.tolist()) == ([2], [6])
    assert series.known_of(0)[:, 0].tolist() == [0, 1, 1, 1, 0, 1]


def test_series_resample_to_a_lower_frequency():
    series = SeriesSet.from_arrays([np.arange(48.0)], frequency="h", start="2024-01-01")
    assert series.resample("D", how="sum").values.tolist() == [276, 852]


@pytest.mark.parametrize(("name", "gaps", "joined"), [("2_cpc", 25, 1), ("3_cpm", 109, 0)])
def test_the_ad_exchange_series(name, gaps, joined):
    path = NAB / f"nab_exchange-{name}_results.csv"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with pytest.raises(ValueError, match=r"_results.csv, line \d+: series 'value' has"):
        read_series(path)
    series = read_series(path, resample="h")
    assert (int(series.report.gaps[0]), int(series.report.joined[0])) == (gaps, joined)
    assert np.isnan(series.values).sum() == gaps


# ---------------------------------------------------------------------------- checks, calendar
def test_series_that_cannot_be_trained_on():
    good = np.arange(20.0)
    series = SeriesSet.from_arrays(
        [good, good[:5], np.full(20, np.nan), np.full(20, 7.0), good - 3, good + 0.5],
        ["good", "short", "missing", "flat", "negative", "half"],
    )
    for i, words in (
        (1, "'short' has 5 steps; a window of 6 .* needs 8"), (2, "'missing' has no value"),
        (3, "'flat' is constant: all its values are 7"),
        (4, r"'negative', row 1 \(2000-01-01 .*the value -3 is negative; counts"),
        (5, r"'half', row 1 .*is not whole"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            check_series(series[[0, i]], 6, 2, counts=True)
    report = Skipped()
    kept = check_series(series, 6, 2, counts=True, on_error="skip", report=report)
    assert kept.ids == ("good",)
    assert len(report.entries()) == 5
    with pytest.raises(ValueError, match="horizon is 0"):
        check_series(series, 6, 0)
    assert len(check_series(series[[0, 3]], 6, 2, constant=True)) == 2


def test_known_covariates_have_to_reach_ahead():
    series = SeriesSet.from_arrays([np.arange(4.0)], known=[np.zeros((6, 1))], known_names=["deal"])
    check_known(series, 2)
    with pytest.raises(ValueError, match=r"'0', row 7 .*deal are missing; .* 2 of 3 steps ahead"):
        check_known(series, 3)


def test_calendar_features():
    times = np.array(["2024-01-01T06:30", "2024-02-29T23:00"], "datetime64[us]")
    parts = ["minute_of_hour", "hour_of_day", "day_of_week", "day_of_month", "month"]
    found, names = calendar_features(times, parts, "one_hot")
    assert found.shape == (2, 60 + 24 + 7 + 31 + 12) == (2, len(names))
    assert [names[j] for j in np.flatnonzero(found[1])] == [
        "minute_of_hour_0", "hour_of_day_23", "day_of_week_3", "day_of_month_28", "month_1",
    ]  # fmt: skip
    cyclic, _ = calendar_features(times, ["hour_of_day"])
    np.testing.assert_allclose(cyclic[0], [1, 0], atol=1e-6)
    assert calendar_parts("15min")[0] == "minute_of_hour"
    assert calendar_parts("D") == ("day_of_week", "day_of_month", "month")
    assert calendar_parts("MS") == ("month",)
    with pytest.raises(ValueError, match="parts has"):
        calendar_features(times, ["second"])
    with pytest.raises(ValueError, match="encoding is 'hot'"):
        calendar_features(times, parts, "hot")


# ---------------------------------------------------------------------------- sets
def test_views_share_the_values():
    values = np.arange(20.0).reshape(2, 10)
    series = SeriesSet.from_arrays(values, ["a", "b"])
    assert np.shares_memory(series.values, values)
    part = series[1:].cut(np.array([6]), 2)
    assert np.shares_memory(part.values_of(0), values)
    assert part.values_of(0).tolist() == [12, 13, 14, 15]
    assert str(part.times_of(0)[0])[:10] == "2000-01-03"


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [([], {}, "has no series"), ([[1.0], []], {}, "series 1 has no steps"),
     ([[1.0, np.inf]], {}, r"Series '0', row 2 \(2000-01-02 .*: the value is infinite"),
     ([["a"]], {}, "expected numbers"), ([[1.0], [2.0]], {"ids": ["a", "a"]}, "more than once"),
     ([[1.0, 2.0]], {"known": [[[1.0]]]}, "known has 1 rows; expected 2 or more"),
     ([[1.0, 2.0]], {"past": [[[1.0]]]}, "1 rows; expected 2"),
     ([[1.0]], {"static": {"size": [1.0, 2.0]}}, "a value for each of 1 series"),
     ([[1.0]], {"static": {"kind": np.array([None], object)}}, "kind is missing")],
)  # fmt: skip
def test_arrays_that_do_not_fit(values, options, words):
    with pytest.raises(ValueError, match=words):
        SeriesSet.from_arrays(values, **options)
