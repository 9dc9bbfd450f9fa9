"""Many time series in one flat array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .arrays import as_flat, as_ids, as_start, column_names
from .frequency import Frequency, shown
from .static import Static


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """S series of one frequency; their values lie behind each other in ``values``.

    values: (N,) float, NaN where one is missing. first, length: (S,) int64, where a series begins
    in ``values``, and how many steps it has. start: (S,) int64, the time of its first step in
    microseconds since 1970-01-01 (UTC where there is a ``zone``, else of the wall clock).
    past: (N, P), covariates that are known no earlier than the values. known: (M, K), covariates
    that are known ahead; ``known_first`` (S,) is the row of each series' first step, and
    ``known_length`` (S,) how many steps are known from there, mostly more than ``length``.
    static: of the series as a whole. target_from: (S,) int64, the first step that may be a target
    of windows; the ones before are history only.

    Subsets, splits and folds are views: they share these arrays.

    >>> series = SeriesSet.from_arrays([[1.0, 2.0, 3.0], [4.0, 5.0]], ["a", "b"], frequency="h")
    >>> series
    SeriesSet(2 series of 2 to 3 steps, 'h')
    >>> series[1:].values_of(0)
    array([4., 5.])
    """

    values: np.ndarray
    first: np.ndarray
    length: np.ndarray
    start: np.ndarray
    ids: tuple[str, ...]
    frequency: Frequency
    zone: str | None
    known: np.ndarray
    known_first: np.ndarray
    known_length: np.ndarray
    known_names: tuple[str, ...]
    past: np.ndarray
    past_names: tuple[str, ...]
    static: Static
    target_from: np.ndarray
    report: Any = field(default=None)  # of the resampling that made the series

    @classmethod
    def from_arrays(
        cls, values: Any, ids: Sequence[Any] | None = None, *, frequency: str | Frequency = "D",
        start: Any = "2000-01-01", known: Any = None, past: Any = None,
        static: Mapping[str, Any] | None = None, known_names: Sequence[str] | None = None,
        past_names: Sequence[str] | None = None, zone: str | None = None,
    ) -> SeriesSet:  # fmt: skip
        """From a matrix (S, T) or a list of S arrays (T,), NaN where a value is missing.

        ids: names, by default "0", "1" ... start: the first time, one for all or one for each
        series, as text or datetime64. known, past: for each series an array (T, K), of ``known``
        with more rows for the steps to come. static: a dict of columns of S values.

        float32 values stay float32, all others become float64. Raises ValueError for arrays that do
        not fit, infinite values and known covariates with missing values, with the series and row.
        """
        flat, lengths = as_flat(values, "values", 1)
        names = as_ids(ids, len(lengths))
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        known_flat, known_length = _covariates(known, "known", lengths, names)
        past_flat, past_length = _covariates(past, "past", lengths, names)
        if past is not None and (past_length != lengths).any():
            at = int(np.argmax(past_length != lengths))
            raise ValueError(
                f"Series {names[at]!r}: past has {past_length[at]} rows; expected {lengths[at]}."
            )
        begin = np.concatenate([[0], np.cumsum(known_length)[:-1]]).astype(np.int64)
        made = cls(
            flat, first, lengths, as_start(start, len(lengths)), names, Frequency.of(frequency),
            zone, known_flat, begin, known_length,
            column_names(known_names, known_flat.shape[1], "known"), past_flat,
            column_names(past_names, past_flat.shape[1], "past"), Static.of(static, names),
            np.zeros(len(lengths), np.int64),
        )  # fmt: skip
        made.check_values()
        return made

    def __len__(self) -> int:
        return len(self.first)

    @property
    def stop(self) -> np.ndarray:
        """(S,): behind the last value of each series in ``values``."""
        return self.first + self.length

    @property
    def rows(self) -> int:
        """How many steps all series have together."""
        return int(self.length.sum())

    def values_of(self, i: int) -> np.ndarray:
        """The values (T,) of series i, not a copy."""
        return self.values[self.first[i] : self.first[i] + self.length[i]]

    def times_of(self, i: int, ahead: int = 0) -> np.ndarray:
        """The times (T + ahead,) of series i as datetime64[us]; ``ahead`` steps follow the last."""
        steps = np.arange(self.length[i] + ahead)
        return self.frequency.after(self.start[i], steps).astype("datetime64[us]")

    def known_of(self, i: int) -> np.ndarray:
        """Known covariates (T + future, K) of series i, not a copy."""
        return self.known[self.known_first[i] : self.known_first[i] + self.known_length[i]]

    def past_of(self, i: int) -> np.ndarray:
        """Past covariates (T, P) of series i, not a copy."""
        return self.past[self.first[i] : self.first[i] + self.length[i]]

    @property
    def ticks(self) -> np.ndarray:
        """(S,): the number of each series' first step on the calendar (``Frequency.ticks``)."""
        return self.frequency.ticks(self.start)

    def __getitem__(self, chosen: Any) -> SeriesSet:
        """Some of the series: a slice, a mask or an array of their numbers."""
        if isinstance(chosen, int | np.integer):
            chosen = [chosen]
        rows = np.arange(len(self))[chosen]
        return replace(
            self, first=self.first[rows], length=self.length[rows], start=self.start[rows],
            ids=tuple(self.ids[row] for row in rows), known_first=self.known_first[rows],
            known_length=self.known_length[rows], static=self.static[rows],
            target_from=self.target_from[rows],
        )  # fmt: skip

    def cut(
        self, stop: np.ndarray, begin: np.ndarray | int = 0, target_from: np.ndarray | int = 0
    ) -> SeriesSet:
        """Steps ``begin`` to ``stop`` (S,) of each series; series without any are left out.

        ``target_from`` counts from the old first step. What is known ahead stays known.
        """
        begin = np.clip(np.broadcast_to(begin, self.length.shape), 0, self.length)
        stop = np.clip(stop, begin, self.length)
        kept = stop > begin
        made = replace(
            self, first=self.first + begin, length=stop - begin,
            start=self.frequency.after(self.start, begin), known_first=self.known_first + begin,
            known_length=np.maximum(self.known_length - begin, 0),
            target_from=np.clip(target_from - begin, 0, stop - begin),
        )  # fmt: skip
        return made if kept.all() else made[kept]

    def resample(self, frequency: str | Frequency, **options: Any) -> SeriesSet:
        """Another, lower frequency; options as ``Observations.resample``. It makes new arrays."""
        from .observations import Observations

        return Observations.of(self).resample(frequency, **options)

    def place(self, i: int, step: int) -> str:
        """How messages name a step (from 0) of series i."""
        time = self.frequency.after(self.start[i], step)
        return f"Series {self.ids[i]!r}, row {step + 1} ({shown(int(time), self.zone)})"

    def check_values(self) -> None:
        """ValueError for infinite values and missing known covariates, with series and row."""
        _check(self, ~np.isinf(self.values), self.first, "the value is infinite")
        fine = ~np.isinf(self.past).any(axis=1)
        _check(self, fine, self.first, "a past covariate is infinite")
        fine = np.isfinite(self.known)
        names = [name for name, good in zip(self.known_names, fine.all(axis=0), strict=True)
                 if not good]  # fmt: skip
        words = f"the known covariate {', '.join(names)} is missing or infinite"
        _check(self, fine.all(axis=1), self.known_first, words)

    def __repr__(self) -> str:
        shortest, longest = (
            (int(self.length.min()), int(self.length.max())) if len(self) else (0, 0)
        )
        steps = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
        more = [
            f"{len(names)} {kind}"
            for kind, names in (("known", self.known_names), ("past", self.past_names),
                                ("static", self.static.number_names + self.static.code_names))
            if names
        ]  # fmt: skip
        return (
            f"SeriesSet({len(self)} series of {steps} steps, {str(self.frequency)!r}"
            + "".join(f", {text}" for text in more) + ")"
        )  # fmt: skip


def _covariates(
    given: Any, name: str, lengths: np.ndarray, ids: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Covariates as float32 (M, K), and the rows of each series."""
    if given is None:
        rows = int(lengths.sum()) if name == "past" else 0
        return np.empty((rows, 0), np.float32), lengths.copy() if name == "past" else 0 * lengths
    flat, own = as_flat(given, name, 2)
    if len(own) != len(lengths):
        raise ValueError(f"{name} has {len(own)} series; expected {len(lengths)}.")
    if (own < lengths).any():
        at = int(np.argmax(own < lengths))
        raise ValueError(
            f"Series {ids[at]!r}: {name} has {own[at]} rows; expected {lengths[at]} or more."
        )
    return flat.astype(np.float32), own


def _check(series: SeriesSet, fine: np.ndarray, first: np.ndarray, words: str) -> None:
    if fine.all():
        return
    row = int(np.argmin(fine))
    i = int(np.flatnonzero(first <= row)[np.argmax(first[first <= row])])
    raise ValueError(f"{series.place(i, row - int(first[i]))}: {words}; remove or impute it.")
