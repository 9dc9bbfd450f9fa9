"""Whether series can be trained on and forecast, before anything is computed."""

from __future__ import annotations

import numpy as np

from ...validation import check_size
from ..skipped import Skipped
from .series_set import SeriesSet


def check_series(
    series: SeriesSet, context: int, horizon: int, *, counts: bool = False,
    constant: bool = False, on_error: str = "stop", report: Skipped | None = None,
) -> SeriesSet:  # fmt: skip
    """The series that windows of ``context`` and ``horizon`` steps can be learnt from.

    counts: whether values are counts, which are whole and not negative. constant: whether series
    with one value only may pass. on_error: "stop", or "skip" to leave out series that do not fit,
    which ``report``, a ``Skipped``, counts by their reasons.

    Raises ValueError, with the series (and the row), for series shorter than a window, without a
    value, of one value only, or not of counts; TypeError or ValueError for a context or horizon of
    zero.
    """
    window = check_size(context, "context") + check_size(horizon, "horizon")
    if on_error not in ("stop", "skip"):
        raise ValueError(f"on_error is {on_error!r}; expected 'stop' or 'skip'.")
    problems: dict[int, tuple[str, str]] = {}

    def add(wrong: np.ndarray, reason: str, words: np.ndarray | str) -> None:
        for i in np.flatnonzero(wrong).tolist():
            text = words if isinstance(words, str) else str(words[i])
            problems.setdefault(i, (reason, f"Series {series.ids[i]!r} {text}"))

    add(series.length < window, "shorter than a window", np.array([
        f"has {n} step{'s' * (n != 1)}; a window of {context} steps of context and {horizon} of "
        f"horizon needs {window}. Use a shorter context or horizon, or leave the series out."
        for n in series.length.tolist()
    ], object))  # fmt: skip
    low, high = _extremes(series)
    add(np.isnan(low), "all missing", "has no value that is not missing.")
    if not constant:
        words = np.array([f"is constant: all its values are {v:g}." for v in low], object)
        add(low == high, "constant", words)
    if counts:
        _check_counts(series, problems)
    if problems and on_error == "stop":
        i = min(problems)
        more = len(problems) - 1
        raise ValueError(problems[i][1] + (f" {more} more have problems." if more else ""))
    if not problems:
        return series
    if report is not None:
        for i in sorted(problems):
            report.add("series", problems[i][0], int(series.length[i]), [problems[i][1]])
    kept = np.setdiff1d(np.arange(len(series)), list(problems))
    if not len(kept):
        raise ValueError(f"No series is left: {problems[min(problems)][1]}")
    return series[kept]


def _extremes(series: SeriesSet) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each series; NaN where all are missing."""
    low, high = np.full((2, len(series)), np.nan)
    for i in range(len(series)):
        values = series.values_of(i)
        seen = values[~np.isnan(values)]
        if len(seen):
            low[i], high[i] = seen.min(), seen.max()
    return low, high


def _check_counts(series: SeriesSet, problems: dict[int, tuple[str, str]]) -> None:
    for i in range(len(series)):
        values = series.values_of(i)
        with np.errstate(invalid="ignore"):
            wrong = (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
        if wrong.any():
            step = int(np.argmax(wrong))
            what = "negative" if values[step] < 0 else "not whole"
            text = (
                f"{series.place(i, step)}: the value {values[step]:g} is {what}; counts are "
                "expected."
            )
            problems.setdefault(i, (f"{what} count", text))


def check_known(series: SeriesSet, horizon: int) -> None:
    """ValueError for a series whose known covariates do not reach ``horizon`` steps ahead."""
    check_size(horizon, "horizon")
    ahead = series.known_length - series.length
    if len(series.known_names) and (ahead < horizon).any():
        i = int(np.argmax(ahead < horizon))
        raise ValueError(
            f"{series.place(i, int(series.known_length[i]))}: the known covariates "
            f"{', '.join(series.known_names)} are missing; they are given for "
            f"{max(int(ahead[i]), 0)} of {horizon} steps ahead. Add rows without a value that have "
            "them."
        )
