"""The generated log, as one that is read again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..validation import check_size
from .generate import iter_ad_log
from .skipped import Skipped

if TYPE_CHECKING:
    from pyarrow import Table


class GeneratedLog:
    """Rows of ``generate_ad_log`` with the methods of ``Log``.

    >>> GeneratedLog(100, seed=1).count()
    100
    """

    format: str | None = None

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.seed = check_size(rows, "rows"), seed
        self.skipped = Skipped()

    def tables(self) -> Iterator[Table]:
        """A pass over the rows."""
        return iter_ad_log(self.rows, seed=self.seed)

    def rows_from(self, first_row: int, *, cut: bool) -> Iterator[Table]:
        """The same: all rows have to be drawn."""
        return self.tables()

    def count(self) -> int:
        """How many there are."""
        return self.rows

    def fingerprint(self) -> Any:
        """What the rows follow from."""
        return {"rows": self.rows, "seed": self.seed}

    def check_unchanged(self, fingerprint: Any) -> None:
        """ValueError for the fingerprint of other rows."""
        if fingerprint != self.fingerprint():
            raise ValueError(f"The generated log is {self.fingerprint()}, it was {fingerprint}.")
