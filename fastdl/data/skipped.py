"""What was left out of a log that has errors: counted for every file and reason."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLES = 3  # kept of each file and reason
LONGEST = 300  # characters of an example


@dataclass
class _Entry:
    rows: int = 0
    lost: int = 0  # times that an unknown number of rows went
    examples: list[str] = field(default_factory=list)


class Skipped:
    """Rows that ``iter_log(..., on_error="skip")`` left out, for every file and reason.

    ``rows`` counts them. What nobody can count, as the rest of a gzip file behind a damaged place,
    is in ``lost``: how many times a part of a file, or a whole one, went. The first examples of
    each kind are kept, with line numbers (row numbers in Parquet). Several threads may call it.

    >>> skipped = Skipped()
    >>> skipped.add("day_1.csv", "ragged row", 2, ["line 7: expected 3 columns, got 2"])
    >>> skipped.lose("day_2.csv.gz", "damaged file", "after line 90 it is truncated")
    >>> skipped.rows, skipped.lost
    (2, 1)
    >>> print(skipped.summary())
    Skipped 2 rows and 1 part of unknown size: 2 rows by ragged row, unknown by damaged file.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._lock = threading.Lock()

    def add(self, path: Any, reason: str, rows: int, examples: list[str]) -> None:
        """Count ``rows`` rows of a file, left out for a reason."""
        with self._lock:
            entry = self._entries.setdefault((str(path), reason), _Entry())
            entry.rows += rows
            entry.examples += map(_shortened, examples[: EXAMPLES - len(entry.examples)])

    def lose(self, path: Any, reason: str, example: str) -> None:
        """Note that a part of a file, or all of it, could not be read; nobody knows its rows."""
        with self._lock:
            entry = self._entries.setdefault((str(path), reason), _Entry())
            entry.lost += 1
            entry.examples += map(_shortened, [example][: EXAMPLES - len(entry.examples)])

    def _items(self) -> list[tuple[tuple[str, str], _Entry]]:
        with self._lock:
            return list(self._entries.items())

    @property
    def rows(self) -> int:
        """How many rows were left out and counted."""
        return sum(entry.rows for _, entry in self._items())

    @property
    def lost(self) -> int:
        """How many times rows were lost that could not be counted."""
        return sum(entry.lost for _, entry in self._items())

    def __bool__(self) -> bool:
        return bool(self._entries)

    def rows_of(self, path: Any) -> int:
        """The rows of one file that were left out and counted."""
        return sum(e.rows for (name, _), e in self._items() if name == str(path))

    def clear(self) -> None:
        """Forget everything: before a log is read once more."""
        with self._lock:
            self._entries.clear()

    def entries(self) -> list[dict[str, Any]]:
        """A dict for every file and reason: file, reason, rows, lost, examples."""
        return [
            {"file": name, "reason": reason, "rows": e.rows, "lost": e.lost,
             "examples": list(e.examples)}
            for (name, reason), e in self._items()
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """{"rows", "lost", "by_reason": {reason: rows}, "files": ``entries()``}, for JSON."""
        by_reason: dict[str, int] = {}
        for (_, reason), entry in self._items():
            by_reason[reason] = by_reason.get(reason, 0) + entry.rows
        return {"rows": self.rows, "lost": self.lost, "by_reason": by_reason,
                "files": self.entries()}  # fmt: skip

    def summary(self) -> str:
        """One sentence, for warnings and plain logs."""
        parts = f" and {self.lost} part{'s' * (self.lost > 1)} of unknown size" if self.lost else ""
        reasons = ", ".join(
            f"{f'{rows:,} rows' if rows else 'unknown'} by {reason}"
            for reason, rows in self.to_dict()["by_reason"].items()
        )
        return f"Skipped {self.rows:,} rows{parts}" + (f": {reasons}." if reasons else ".")


def _shortened(example: str) -> str:
    return example if len(example) <= LONGEST else f"{example[:LONGEST]} ..."


def skipped_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Files, reasons, rows and an example of each, from ``Skipped.entries``, as a rich table.

    >>> skipped = Skipped()
    >>> skipped.add("day_1.csv", "ragged row", 2, ["line 7: expected 3 columns, got 2"])
    >>> skipped_table(skipped.entries()).row_count
    1
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold", title="skipped", title_justify="left")
    for header in ("file", "reason"):
        table.add_column(header, overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("for example", overflow="fold")
    for entry in entries:
        rows = [f"{entry['rows']:,}"] * bool(entry["rows"]) + ["unknown"] * bool(entry["lost"])
        example = entry["examples"][0] if entry["examples"] else ""
        table.add_row(
            escape(entry["file"]), entry["reason"], " + ".join(rows), escape(example)
        )  # fmt: skip
    return table
