"""Columns of times as int64 microseconds, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..columns import is_time
from ..faults import unreadable

if TYPE_CHECKING:
    from pyarrow import Array, ChunkedArray

Place = Callable[[int], str]  # the file and line of a row
_OFFSET = r"(?P<zone>(?:[+-]\d{2}:?\d{2}|Z))$"
_ISO = "a time (ISO 8601); pass time_format=, such as '%Y%m%d', or 's' for seconds since 1970"
_SECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}  # epoch times, in microseconds


def as_times(
    column: ChunkedArray, name: str, place: Place, time_format: str | None = None,
    time_zone: str | None = None,
) -> tuple[np.ndarray, str | None]:  # fmt: skip
    """(times (rows,) int64 microseconds, zone) of a column of times.

    Times with a zone are UTC ones, and zone is its name; wall times have the zone None. Texts are
    ISO 8601's, or as ``time_format`` says (strptime's codes, or "s", "ms", "us" for numbers since
    1970). Wall times stay what they are here, with a ``time_zone`` too: see ``localised``.

    Raises ValueError, with the row, for missing times, texts that are no times, and mixed zones:
    times with and without one, or with several while no ``time_zone`` says which one is meant.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_missing(column, name, place)
    kind = column.type
    if is_time(kind):
        zone = getattr(kind, "tz", None)
        times = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
        return times.to_numpy(), (time_zone or zone) if zone else None
    texts = column.cast(pa.string()).combine_chunks()
    texts = pc.utf8_trim_whitespace(texts)
    if time_format in _SECONDS:
        numbers = _read(texts, pa.float64(), name, place, "a number")
        return np.round(numbers.to_numpy() * _SECONDS[time_format]).astype(np.int64), None
    if time_format is not None:
        return _by_format(texts, time_format, name, place), None
    return _iso(texts, name, place, time_zone)


def bad_times(column: ChunkedArray, time_format: str | None = None) -> np.ndarray:
    """(rows,) bool: which entries ``as_times`` would refuse by themselves."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = column.combine_chunks().is_null().to_numpy(zero_copy_only=False)
    if is_time(column.type):
        return np.asarray(gone)
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()).combine_chunks())
    if time_format in _SECONDS:
        return np.asarray(gone | unreadable(texts, pa.float64()))
    if time_format is not None:
        times = pc.strptime(texts, format=time_format, unit="us", error_is_null=True)
        return np.asarray(times.is_null().to_numpy(zero_copy_only=False))
    plain = pc.replace_substring_regex(texts, _OFFSET, "")
    plain = pc.if_else(pc.match_substring(texts, ":"), plain, texts)
    return np.asarray(gone | unreadable(plain, pa.timestamp("us")))


def _check_missing(column: ChunkedArray, name: str, place: Place) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(f"{place(row)}: the time in column {name} is missing.")


def _read(texts: Array, kind: Any, name: str, place: Place, what: str) -> Array:
    """The texts cast; ValueError with the first row that is nothing of the kind."""
    import pyarrow as pa

    try:
        return texts.cast(kind)
    except pa.ArrowException:
        row = int(np.argmax(unreadable(texts, kind)))
        raise ValueError(
            f"{place(row)}: the time column {name} has {texts[row].as_py()!r}, which is not {what}."
        ) from None


def _by_format(texts: Array, time_format: str, name: str, place: Place) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    times = pc.strptime(texts, format=time_format, unit="us", error_is_null=True)
    if times.null_count:
        row = int(np.argmax(times.is_null().to_numpy(zero_copy_only=False)))
        raise ValueError(
            f"{place(row)}: the time column {name} has {texts[row].as_py()!r}, which is not of the "
            f"form {time_format!r}."
        )
    return times.cast(pa.int64()).to_numpy()


def _iso(
    texts: Array, name: str, place: Place, time_zone: str | None
) -> tuple[np.ndarray, str | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    zones = pc.struct_field(pc.extract_regex(texts, pattern=_OFFSET), "zone")
    zones = pc.if_else(pc.match_substring(texts, ":"), zones, pa.scalar(None, pa.string()))
    coded = zones.dictionary_encode()
    offsets = [_offset(zone) for zone in coded.dictionary.to_pylist()]
    codes = coded.indices.fill_null(-1).to_numpy()
    distinct = {None if code < 0 else offsets[code] for code in np.unique(codes).tolist()}
    if len(distinct) > 1 and (None in distinct or time_zone is None):
        row = int(np.argmax(codes != codes[0]))
        raise ValueError(
            f"{place(row)}: mixed time zones: column {name} has {texts[row].as_py()!r} behind "
            f"{texts[0].as_py()!r}. "
            + ("Write all times with a zone or all without." if None in distinct
               else "Pass time_zone=, such as 'UTC' or 'Europe/Berlin', to say which one counts.")
        )  # fmt: skip
    plain = texts if distinct == {None} else pc.replace_substring_regex(texts, _OFFSET, "")
    if distinct != {None}:
        plain = pc.if_else(zones.is_valid(), plain, texts)
    times = _read(plain, pa.timestamp("us"), name, place, _ISO)
    values = times.cast(pa.int64()).to_numpy()
    if None in distinct:
        return values, None
    shift = np.array(offsets, np.int64)[codes]
    own = coded.dictionary[int(codes[0])].as_py()
    usual = "UTC" if offsets[int(codes[0])] == 0 else own if ":" in own else f"{own[:3]}:{own[3:]}"
    return values - shift, time_zone or usual


def _offset(zone: str) -> int:
    """An offset such as +02:00 in microseconds."""
    if zone == "Z":
        return 0
    minutes = 60 * int(zone[1:3]) + int(zone[-2:])
    return (-1 if zone[0] == "-" else 1) * minutes * 60_000_000


def localised(
    times: np.ndarray, codes: np.ndarray, zone: str, place: Place
) -> np.ndarray:  # fmt: skip
    """Wall times of a zone as UTC; of an hour that comes twice, the second one is the later.

    ``codes`` (rows,) tell series apart. Raises ValueError for a zone that is not known and for
    times that daylight saving leaves out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    wall = pa.array(times, pa.timestamp("us"))
    try:
        early = pc.assume_timezone(wall, zone, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowException as error:
        raise ValueError(f"The time zone {zone!r} is not known: {error}.") from None
    late = pc.assume_timezone(wall, zone, ambiguous="latest", nonexistent="latest")
    first, second = (a.cast(pa.int64()).to_numpy() for a in (early, late))
    back = pc.local_timestamp(early).cast(pa.int64()).to_numpy()
    if (back != times).any():
        row = int(np.argmax(back != times))
        raise ValueError(f"{place(row)}: {wall[row].as_py()} does not exist in {zone}.")
    twice = np.flatnonzero(first != second)
    if not len(twice):
        return first
    keys = np.stack([codes[twice], first[twice]], axis=1)
    _, leaders = np.unique(keys, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(twice)), leaders)  # rows that have come before
    found = first.copy()
    found[twice[again]] = second[twice[again]]
    return found


def wall_times(times: np.ndarray, zone: str | None) -> np.ndarray:
    """UTC times as the clocks of a zone show them; times without a zone as they are."""
    if zone is None or zone == "UTC":
        return times
    import pyarrow as pa
    import pyarrow.compute as pc

    aware = pa.array(times, pa.timestamp("us", zone))
    return pc.local_timestamp(aware).cast(pa.int64()).to_numpy()
