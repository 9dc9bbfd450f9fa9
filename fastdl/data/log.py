"""Logs that can be read again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ..validation import check_size
from .generate import iter_ad_log
from .parts import Paths, find_parts
from .read import iter_log

if TYPE_CHECKING:
    from pyarrow import Table


class Source(Protocol):
    """Rows of a log in their order, as often as they are asked for."""

    def tables(self) -> Iterator[Table]:
        """A pass over the rows, in tables with a column label."""

    def count(self) -> int:
        """How many rows a pass has."""

    def fingerprint(self) -> Any:
        """What JSON can hold and changes when the rows do."""

    def check_unchanged(self, fingerprint: Any) -> None:
        """ValueError where the rows are not those any more that had this fingerprint."""


class Log:
    """A log in files."""

    def __init__(self, data: Paths, format: str | None = None, **options: Any) -> None:
        self.data, self.format, self.options = data, format, options

    def tables(self) -> Iterator[Table]:
        return iter_log(self.data, self.format, **self.options)

    def count(self) -> int:
        return sum(len(table) for table in self.tables())

    def fingerprint(self) -> Any:
        parts = ((path, path.stat()) for path in find_parts(self.data))
        return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in parts]

    def check_unchanged(self, fingerprint: Any) -> None:
        if self.fingerprint() != fingerprint:
            raise ValueError(f"{self.data} has changed.")


class GeneratedLog:
    """The log of ``generate_ad_log``."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.seed = check_size(rows, "rows"), seed

    def tables(self) -> Iterator[Table]:
        return iter_ad_log(self.rows, seed=self.seed)

    def count(self) -> int:
        return self.rows

    def fingerprint(self) -> Any:
        return {"rows": self.rows, "seed": self.seed}

    def check_unchanged(self, fingerprint: Any) -> None:
        pass
