"""Bad input of the forecast command: one clear line with the series and the row."""

from __future__ import annotations

import numpy as np
import pytest
from commands import run

HOURS = [str(np.datetime64("2024-03-01T00") + np.timedelta64(i, "h")) + ":00" for i in range(60)]
VALUES = [10 + (7 * i) % 5 for i in range(60)]
ROWS = [f"{hour},a,{value},{i % 3}" for i, (hour, value) in enumerate(zip(HOURS, VALUES,
                                                                         strict=True))]  # fmt: skip
COMMON = ("--time", "hour", "--value", "clicks", "--series-id", "ad", "--horizon", 2,
          "--context", 4, "--hidden", 2, "--epochs", 1)  # fmt: skip


def changed(row: int, text: str | None) -> list[str]:
    return [*ROWS[:row], *([] if text is None else [text]), *ROWS[row + 1 :]]


def swapped(row: int) -> list[str]:
    return [*ROWS[:row], ROWS[row + 1], ROWS[row], *ROWS[row + 2 :]]


def other(rows: int, value: object = None) -> list[str]:
    """A second series, b."""
    return [
        *ROWS,
        *(f"{HOURS[i]},b,{VALUES[i] if value is None else value},0" for i in range(rows)),
    ]


CASES = {
    "horizon 0": (ROWS, ("--horizon", 0), ["horizon", "0"]),
    "unknown frequency": (ROWS, ("--frequency", "fortnight"), ["'fortnight' is not known", "'h'"]),
    "unknown resampling": (ROWS, ("--resample", "x"), ["'x' is not known"]),
    "duplicate": (changed(21, ROWS[20]), (), ["line 23: series 'a'", "2024-03-01 20:00:00 twice"]),
    "unsorted": (swapped(30), (), ["line 33: series 'a'", "sort"]),
    "gap": (changed(30, None), (), ["line 32: series 'a' has a gap: 1 step of 'h'", "resample"]),
    "negative count": (changed(10, f"{HOURS[10]},a,-3,0"), ("--head", "negative_binomial"),
                       ["Series 'a', row 11", "-3 is negative; counts are expected"]),
    "no count": (changed(10, f"{HOURS[10]},a,2.5,0"), ("--head", "negative_binomial"),
                 ["Series 'a', row 11", "2.5 is not whole"]),
    "no future": (ROWS, ("--known", "budget"),
                  ["Series 'a', row 61 (2024-03-03 12:00:00)", "budget are missing",
                   "given for 0 of 2 steps ahead", "--past"]),
    "constant": (other(60, 4), (), ["Series 'b' is constant: all its values are 4"]),
    "all missing": (other(60, ""), (), ["series 'b' has no value"]),
    "mixed zones": (changed(7, f"{HOURS[7]}+02:00,a,1,0"), (), ["line 9: mixed time zones"]),
    "short": (other(5), (), ["Series 'b' has 5 steps; a window of 4 steps of context and 2 of"]),
    "text": (changed(7, f"{HOURS[7]},a,many,0"), (), ["line 9", "many"]),
    "infinite": (changed(7, f"{HOURS[7]},a,inf,0"), (), ["line 9", "inf"]),
    "no time": (changed(7, "soon,a,1,0"), (), ["line 9", "'soon'"]),
    "no column": (ROWS, ("--past", "spend"), ["no column spend", "budget"]),
    "no time column": (ROWS, ("--time", "when"), ["no time column when"]),
    "two purposes": (ROWS, ("--past", "clicks"), ["clicks is named for more than one purpose"]),
    "too many folds": (ROWS, ("--folds", 40), ["40 folds of horizon 2", "the series have 60"]),
    "long context": (ROWS, ("--context", 70), ["Series 'a' has 60 steps"]),
    "unknown model": (ROWS, ("--model", "prophet"), ["model is 'prophet'", "autoregressive"]),
    "unknown encoder": (ROWS, ("--encoder", "mamba"), ["mamba", "lstm"]),
    "unknown head": (ROWS, ("--head", "cauchy"), ["cauchy", "student_t"]),
    "unknown fill": (ROWS, ("--resample", "h", "--fill", "zero"), ["fill is 'zero'", "previous"]),
    "fill alone": (ROWS, ("--fill", "previous"), ["--resample"]),
    "threshold": (ROWS, ("--anomaly-threshold", 0), ["anomaly_threshold"]),
    "empty": ([], (), ["a.csv"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_in_one_line(case, tmp_path, capsys):
    rows, options, words = CASES[case]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["hour,ad,clicks,budget", *rows]) + "\n")
    code = run("forecast", "--data", path, *COMMON, *options, "--out", tmp_path / "run")
    told = capsys.readouterr().err
    assert code == 2 and told.count("\n") == 1 and told.startswith("fastdl: ")
    for word in words:
        assert word in told


def test_bad_rows_and_series_are_left_out_and_counted(tmp_path, capsys):
    rows = changed(21, "soon,a,5,0")
    rows[30] = rows[30].replace(",a,", ",a,many")
    rows = [*rows, rows[-1], *other(60, 4)[60:], *[r.replace(",b,", ",c,") for r in other(5)[60:]]]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["hour,ad,clicks,budget", *rows]) + "\n")
    command = ("forecast", "--data", path, *COMMON, "--out", tmp_path / "run")
    assert run(*command, "--on-error", "skip") == 0
    told = capsys.readouterr().out
    for reason in ("not a number", "not a time", "time comes twice", "constant", "shorter than a"):
        assert reason in told


def test_a_folder_that_is_no_run_cannot_forecast(tmp_path, capsys):
    assert run("predict-series", "--model", tmp_path, "--data", "a.csv", "--out", "b.csv") == 2
    assert "it has no model.safetensors; `fastdl forecast` makes one" in capsys.readouterr().err
    assert run("predict-series", "--model", tmp_path, "--data", "a.csv", "--out", "b.txt") == 2
    assert "expected a name ending in .csv or .parquet" in capsys.readouterr().err
