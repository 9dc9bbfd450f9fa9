"""Errors of logs that reading may go on after, and the reasons by which they are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .skipped import EXAMPLES, Skipped

if TYPE_CHECKING:
    from pyarrow import Array

    from .places import Source

RAGGED = "ragged row"
NOT_A_NUMBER = "not a number"
NOT_A_TIME = "not a time"
INFINITE = "infinite number"
BEYOND = "beyond int64"
BAD_BYTES = "not UTF-8"
NO_LABEL = "missing label"
STRANGE_LABEL = "strange label"
BAD_HOUR = "bad hour"
UNREADABLE = "unreadable row"
DAMAGED = "damaged file"
OTHER_SCHEMA = "other columns"


class BadRows(ValueError):
    """Some rows of a piece of a log cannot be used; its message names the first one.

    ``bad`` (rows,) bool marks them; ``detail`` says of a row of the piece what is wrong with it.
    """

    def __init__(
        self, source: Source, first_row: int, bad: np.ndarray, reason: str,
        detail: Callable[[int], str] | str,
    ) -> None:  # fmt: skip
        self.source, self.first_row, self.bad, self.reason = source, first_row, bad, reason
        self._detail = detail
        first = int(np.argmax(bad))
        super().__init__(f"{source.row(first_row + first)}: {self.detail(first)}")

    def detail(self, row: int) -> str:
        """What is wrong with a row of the piece."""
        return self._detail if isinstance(self._detail, str) else self._detail(row)

    def count_in(self, skipped: Skipped) -> None:
        """Tell the report."""
        rows = np.flatnonzero(self.bad)
        numbers = [self.source.number(self.first_row + int(row)) for row in rows[:EXAMPLES]]
        examples = [
            f"{self.source.unit} {number}: {self.detail(int(row))}"
            for number, row in zip(numbers, rows, strict=False)
        ]
        skipped.add(self.source.path, self.reason, len(rows), examples)


class BadPart(ValueError):
    """A file of a log cannot be used, or not from some place on.

    ``rows`` is the number of rows that are lost with it, None where nobody knows it.
    """

    def __init__(self, message: str, reason: str = DAMAGED, rows: int | None = None) -> None:
        super().__init__(message)
        self.reason, self.rows = reason, rows

    def count_in(self, skipped: Skipped, source: Source) -> None:
        """Tell the report."""
        if self.rows is None:
            skipped.lose(source.path, self.reason, str(self))
        else:
            skipped.add(source.path, self.reason, self.rows, [str(self)])


def unreadable(texts: Array, kind: Any) -> np.ndarray:
    """Which texts cannot be cast to the pyarrow type ``kind``; missing ones can.

    Halves are tried until the cast works, so that a few bad ones among many cost little.
    """
    import pyarrow as pa

    bad = np.zeros(len(texts), np.bool_)
    waiting = [(0, len(texts))]
    while waiting:
        start, stop = waiting.pop()
        try:
            texts[start:stop].cast(kind)
        except pa.ArrowException:
            if stop - start == 1:
                bad[start] = True
                continue
            middle = (start + stop) // 2
            waiting += [(start, middle), (middle, stop)]
    return bad
