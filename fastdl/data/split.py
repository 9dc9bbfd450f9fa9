"""Parts of a log: rows from one number to another, or drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .skipped import Skipped

if TYPE_CHECKING:
    from pyarrow import Table

SPLITS = ("order", "random")
_BLOCK = 65536  # rows that are drawn from together


class RowSource(Protocol):
    """Rows of a log in their order, as often as they are asked for: ``Log``, ``GeneratedLog``."""

    format: str | None
    skipped: Skipped

    def rows_from(self, first_row: int, *, cut: bool) -> Iterator[Any]:
        """A pass over the rows, in tables with a column label, without strings if ``cut``.

        A number may stand for so many rows before ``first_row``.
        """

    def count(self) -> int:
        """How many rows a pass has."""

    def fingerprint(self) -> Any:
        """What JSON can hold and changes when the rows do."""

    def check_unchanged(self, fingerprint: Any) -> None:
        """ValueError where the rows are not those any more that had this fingerprint."""


class Part:
    """A share of a log's rows, from the fraction ``low`` to ``high`` of them.

    In their order, or with a ``seed`` at random: then each block of 65,536 rows is shuffled, and
    gives its part of it in the log's order. Parts whose shares do not overlap have no row in
    common, and what is in a part does not depend on how the log is cut into tables.
    """

    def __init__(
        self,
        log: RowSource,
        total: int,
        low: float = 0.0,
        high: float = 1.0,
        seed: int | None = None,
    ) -> None:
        self.log, self.total, self.low, self.high, self.seed = log, total, low, high, seed
        self._fingerprint = log.fingerprint()
        self._drawn: tuple[int, np.ndarray] = -1, np.empty(0, bool)
        if seed is None:
            self.first, self.stop = self._bounds(total)
            self.rows = self.stop - self.first
        else:
            self.first, self.stop = 0, total
            ends = (min(_BLOCK, total - start) for start in range(0, total, _BLOCK))
            bounds = map(self._bounds, ends)
            self.rows = sum(high - low for low, high in bounds)

    def tables(self) -> Iterator[Table]:
        """A pass over the rows; ValueError where the log has changed since the part was made."""
        yield from self._own(cut=False)
        self.log.check_unchanged(self._fingerprint)

    def pieces(self) -> Iterator[Any]:
        """The same for encoders; see ``Log.pieces``."""
        yield from self._own(cut=True)
        self.log.check_unchanged(self._fingerprint)

    def _own(self, cut: bool) -> Iterator[Any]:
        row = 0
        for table in self.log.rows_from(self.first, cut=cut):
            if row >= self.stop:
                return
            if isinstance(table, int):
                row += table
                continue
            start, end = max(self.first - row, 0), min(self.stop - row, len(table))
            row += len(table)
            if start >= end:
                continue
            own = table[start:end]
            if self.seed is not None:
                own = own.filter(self._mask(row - len(table), row))
            if len(own):
                yield own

    def _bounds(self, rows: int) -> tuple[int, int]:
        return int(rows * self.low), int(rows * self.high)

    def _mask(self, first: int, stop: int) -> np.ndarray:
        """Which of these rows of the log are ours."""
        found = []
        while first < stop:
            block, start = divmod(first, _BLOCK)
            if self._drawn[0] != block:
                self._drawn = block, self._draw(block)
            own = self._drawn[1][start : start + stop - first]
            found.append(own)
            first += len(own)
        return np.concatenate(found)

    def _draw(self, block: int) -> np.ndarray:
        assert self.seed is not None
        rows = min(_BLOCK, self.total - block * _BLOCK)
        low, high = self._bounds(rows)
        places = np.random.default_rng([self.seed, block]).permutation(rows)
        return (places >= low) & (places < high)


def split(log: RowSource, total: int, how: str, shares: tuple[float, ...], seed: int) -> list[Part]:
    """Parts of these shares, one behind the other, in "order" or at "random".

    Raises ValueError for another ``how``.
    """
    if how not in SPLITS:
        raise ValueError(f"split is {how!r}; expected 'order' or 'random'.")
    ends = np.round(np.cumsum([0.0, *shares]), 12).tolist()
    drawn = seed if how == "random" else None
    return [Part(log, total, low, high, drawn) for low, high in zip(ends, ends[1:], strict=False)]
