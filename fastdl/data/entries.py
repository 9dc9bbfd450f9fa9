"""The lines of libsvm and libffm files as arrays of entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import entries as kernel
from ..kernels.backend import ops
from .faults import (
    BEYOND,
    INFINITE,
    NO_LABEL,
    NOT_A_NUMBER,
    STRANGE_LABEL,
    UNREADABLE,
    BadRows,
    unreadable,
)
from .records import Block

if TYPE_CHECKING:
    from pyarrow import Array

    from .places import Source

_REASONS = {kernel.BEYOND: BEYOND, kernel.NO_VALUE: NOT_A_NUMBER}


@dataclass(frozen=True)
class Entries:
    """R rows and their E entries: ``rows``, ``fields``, ``indices``, ``values`` (E,).

    ``labels`` (R,) are NaN where a row has none, ``queries`` (R,) -1. ``source`` knows the lines.
    """

    source: Source
    labels: np.ndarray
    queries: np.ndarray
    rows: np.ndarray
    fields: np.ndarray
    indices: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def without(self, bad: np.ndarray) -> Entries:
        """The entries of the other rows than those that a mask (R,) marks."""
        kept, numbers = ~bad, np.cumsum(~bad) - 1
        own = self.of(kept[self.rows])
        return replace(own, source=self.source.where(kept), labels=self.labels[kept],
                       queries=self.queries[kept], rows=numbers[own.rows])  # fmt: skip

    def of(self, chosen: Any) -> Entries:
        """All rows, but some of the entries only."""
        return replace(self, rows=self.rows[chosen], fields=self.fields[chosen],
                       indices=self.indices[chosen], values=self.values[chosen])  # fmt: skip


def read_entries(
    block: Block, source: Source, labelled: bool
) -> tuple[Entries, list[BadRows]]:  # fmt: skip
    """The entries of a block's lines, and what is wrong with the lines that are left out.

    Lines with nothing but a comment are no rows. ``labelled``: labels that are no numbers are bad.
    """
    fielded, R = source.format == "libffm", len(block)
    E = block.data.count(b":") // (1 + fielded) + 1
    text = np.array(np.frombuffer(block.data, np.uint8))  # numba has other types for read-only ones
    labels, queries, firsts = np.empty(R), np.empty(R, np.int64), np.empty(R + 1, np.int64)
    fields, indices, spans = (np.empty(shape, np.int64) for shape in (E, E, (E, 2)))
    values, faults = np.empty(E), np.empty((R, 2), np.int64)
    ops.parse_entries(
        text, block.starts, block.ends, fielded, labels, queries, firsts, fields, indices, values,
        spans, faults,
    )  # fmt: skip
    n = int(firsts[-1])
    rows = np.repeat(np.arange(R), np.diff(firsts))
    source = source.with_numbers(block.numbers)
    found = Entries(source, labels, queries, rows, fields[:n], indices[:n], values[:n])
    bad = faults[:, 0] == kernel.COMMENT
    problems = [_fault(block, source, faults, fielded, kind)
                for kind in np.unique(faults[~bad, 0]) if kind != kernel.FINE]  # fmt: skip
    problems += _exact_values(found, text, spans[:n])
    if labelled:
        problems += _exact_labels(found, block, faults[:, 0] == kernel.FINE)
    # of several things wrong with a row the first tells, and the earliest row comes first
    for problem in sorted(problems, key=lambda error: int(np.argmax(error.bad))):
        problem.bad &= ~bad
        bad |= problem.bad
    told = [problem for problem in problems if problem.bad.any()]
    told.sort(key=lambda error: int(np.argmax(error.bad)))
    return (found.without(bad) if bad.any() else found), told


def _fault(
    block: Block, source: Source, faults: np.ndarray, fielded: bool, kind: int
) -> BadRows:  # fmt: skip
    shape = "field:index:value" if fielded else "index:value"

    def detail(row: int) -> str:
        token = block.data[faults[row, 1] : block.ends[row]].split(None, 1)[0][:60]
        words = {
            kernel.NO_COLON: f"expected {shape}",
            kernel.NO_INDEX: "its index is no whole number",
            kernel.NO_FIELD: "its field is no whole number",
            kernel.NEGATIVE: "fields and indices are not negative",
            kernel.BEYOND: "fields and indices are below 2**63",
            kernel.NO_VALUE: "it has no value",
        }[kind]
        return f"{_shown(token)} is no entry: {words}."

    return BadRows(source, 0, faults[:, 0] == kind, _REASONS.get(kind, UNREADABLE), detail)


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "backslashreplace"))


def _exact_values(found: Entries, text: np.ndarray, spans: np.ndarray) -> list[BadRows]:
    """Fill in values that the kernel left, which pyarrow reads; BadRows for those that are none."""
    import pyarrow as pa

    hard = np.flatnonzero(np.isnan(found.values))
    if not len(hard):
        return []
    texts = _texts(text, spans[hard, 0], spans[hard, 1])
    wrong = unreadable(texts, pa.float64())
    good = hard[~wrong]
    found.values[good] = texts.filter(pa.array(~wrong)).cast(pa.float64()).to_numpy()
    wrong |= np.isnan(found.values[hard])
    infinite = np.isinf(found.values[hard])
    return [
        _bad_values(found, hard[chosen], texts.filter(pa.array(chosen)).to_pylist(), reason, words)
        for chosen, reason, words in ((wrong, NOT_A_NUMBER, "is not a number"),
                                      (infinite, INFINITE, "is infinite; remove such values"))
        if chosen.any()
    ]  # fmt: skip


def _texts(text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Array:
    """Pieces of the text as a pyarrow array of strings; bytes that are no text become "?"."""
    import pyarrow as pa

    lengths = ends - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    data = text[np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])]
    data[data > 127] = ord("?")
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(starts), buffers)


def _bad_values(
    found: Entries, places: np.ndarray, texts: list[str], reason: str, words: str
) -> BadRows:
    bad = np.zeros(len(found), np.bool_)
    bad[found.rows[places]] = True
    first = dict(zip(found.rows[places][::-1].tolist(), texts[::-1], strict=True))
    return BadRows(found.source, 0, bad, reason, lambda row: f"the value {first[row]!r} {words}.")


def _exact_labels(found: Entries, block: Block, fine: np.ndarray) -> list[BadRows]:
    absent, strange = np.zeros((2, len(found)), np.bool_)
    for row in np.flatnonzero(np.isnan(found.labels) & fine).tolist():
        token = block.record(row).split(None, 1)[0]
        try:
            found.labels[row] = float(token)
        except ValueError:
            pass
        absent[row] = b":" in token
        strange[row] = not (np.isfinite(found.labels[row]) or absent[row])

    def detail(row: int) -> str:
        return f"the label is {_shown(block.record(row).split(None, 1)[0][:60])}, no number."

    words = "the label is missing; expected it before the first entry."
    problems = ((absent, NO_LABEL, words), (strange, STRANGE_LABEL, detail))
    return [BadRows(found.source, 0, bad, reason, text)
            for bad, reason, text in problems if bad.any()]  # fmt: skip


def check_entries(entries: Entries, wrong: np.ndarray, words: Callable[[int], str]) -> None:
    """BadRows for the rows of the entries that a mask (E,) marks; ``words`` tells of an entry."""
    if not wrong.any():
        return
    places = np.flatnonzero(wrong)
    bad = np.zeros(len(entries), np.bool_)
    bad[entries.rows[places]] = True

    def detail(row: int) -> str:
        return words(int(places[np.argmax(entries.rows[places] == row)]))

    raise BadRows(entries.source, 0, bad, UNREADABLE, detail)


def in_lists(own: Entries, found: np.ndarray) -> Array:
    """``found`` (E,) as a list for each row; whole numbers become text."""
    import pyarrow as pa

    counts = np.bincount(own.rows, minlength=len(own))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    elements = pa.array(found)
    elements = elements.cast(pa.string()) if found.dtype == np.int64 else elements
    return pa.ListArray.from_arrays(pa.array(offsets), elements)
