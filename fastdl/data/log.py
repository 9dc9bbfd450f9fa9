"""A log that can be read again and again, from files or from memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..validation import check_size
from .columns import Choice, Names
from .count import count_rows
from .cut_table import CutTable
from .fetch import as_table, is_table
from .formats import check_file, resolve_format
from .parts import find_parts
from .places import Source
from .read import check_on_error, sources_of, tables_of
from .skipped import Skipped
from .target import Target

if TYPE_CHECKING:
    from pyarrow import Table

Fingerprint = Sequence[dict[str, Any]]


class Log:
    """Rows of a log in files, or of a table in memory, in typed pieces, as often as wanted.

    ``data`` is what ``iter_log`` takes (a file, a folder of parts, a pattern or a list of them), or
    a pyarrow Table or RecordBatch, a pandas or polars frame, or a dict of arrays; the other options
    are those of ``iter_log``. ``skipped`` reports what the latest pass left out where ``on_error``
    is "skip". A file that changes after the Log was made ends a pass with an error: what was learnt
    from its rows in one pass would not fit to those of the next.

    Raises TypeError for data of another type, FileNotFoundError, and what ``iter_log`` raises.

    >>> log = Log({"click": [1, 0, 1], "city": ["Rome", "Oslo", None]})
    >>> log.count()
    3
    >>> [table["label"].to_pylist() for table in log.tables(batch_rows=2)]
    [[1, 0], [1]]
    """

    def __init__(
        self, data: Any, format: str | None = None, *, label: str | None = None,
        positive: str | bool | float | None = None, columns: Names | None = None,
        categorical: Names = (), numeric: Names = (), require_label: bool = True,
        on_error: str = "stop",
    ) -> None:  # fmt: skip
        check_on_error(on_error, None)
        Choice(columns, categorical, numeric)
        self.data, self.on_error = data, on_error
        self._typing = (columns, categorical, numeric)
        self._label = (label, positive, require_label)
        self.skipped = Skipped()
        self._rows: int | None = None
        self._table = _in_memory(data)
        if self._table is not None:
            if format is not None:
                raise ValueError(f"format is {format!r}, but the log is a table; expected None.")
            self.format: str | None = "memory"
        else:
            parts = find_parts(data)
            self.format = resolve_format(parts[0], format)
            for part in parts:
                if on_error == "stop" or not part.exists():
                    check_file(part, self.format)
        self._start = self.fingerprint()

    def tables(self, batch_rows: int = 65536) -> Iterator[Table]:
        """The log as pyarrow Tables of at most ``batch_rows`` rows; see ``iter_log``.

        Raises ValueError, at the pass's end at the latest, where a file has changed since.
        """
        return self._pass(check_size(batch_rows, "batch_rows"), False, 0)

    def pieces(self, batch_rows: int = 65536) -> Iterator[CutTable | Table]:
        """``tables`` for encoders: text without strings where that works; see ``iter_cut``."""
        return self._pass(check_size(batch_rows, "batch_rows"), self.on_error == "stop", 0)

    def rows_from(self, first_row: int, *, cut: bool) -> Iterator[CutTable | Table | int]:
        """``pieces`` or ``tables``; a number stands for so many rows before ``first_row``.

        Such rows are passed over where that is faster than reading them.
        """
        return self._pass(65536, cut and self.on_error == "stop", first_row)

    def _pass(self, batch_rows: int, cut: bool, first_row: int) -> Iterator[Any]:
        self.check_unchanged(self._start)
        skipped = check_on_error(self.on_error, None)
        self.skipped = Skipped() if skipped is None else skipped
        sources, rows, choice = self._sources(), 0, Choice(*self._typing)
        target = Target(sources[0], *self._label, skips=skipped is not None)
        try:
            for table in tables_of(sources, choice, target, batch_rows, skipped, cut, first_row):
                rows += table if isinstance(table, int) else len(table)
                yield table
        except ValueError:
            self.check_unchanged(self._start)  # rather than what the change has led to
            raise
        self.check_unchanged(self._start)
        self._rows = rows

    def _sources(self) -> list[Source]:
        if self._table is not None:
            return [Source(Path("the table"), "memory", False, table=self._table)]
        return sources_of(find_parts(self.data), str(self.format))

    def count(self) -> int:
        """How many rows the log has: those that ``tables`` gives.

        Of Parquet the metadata tells, of text the line ends do; where bad rows are skipped, a whole
        pass has to be made. Raises as ``tables``.
        """
        self.check_unchanged(self._start)
        if self._rows is None:
            if self.on_error == "skip":
                self._rows = sum(map(len, self.tables()))
            elif self._table is not None:
                self._rows = len(self._table)
            else:
                self._rows = sum(map(count_rows, self._sources()))
        return self._rows

    def fingerprint(self) -> list[dict[str, Any]]:
        """[{"name", "bytes", "modified_ns"}] of the log's files, for JSON; [] for a table."""
        if self._table is not None:
            return []
        found = []
        for part in find_parts(self.data):
            status = part.stat()
            found.append(
                {"name": str(part), "bytes": status.st_size, "modified_ns": status.st_mtime_ns}
            )
        return found

    def check_unchanged(self, fingerprint: Fingerprint) -> None:
        """ValueError that names the files which are not as in an earlier ``fingerprint``."""
        try:
            before = {part["name"]: (part["bytes"], part["modified_ns"]) for part in fingerprint}
        except (TypeError, KeyError):
            raise ValueError(
                f"The fingerprint is {fingerprint!r}; expected what Log.fingerprint gives."
            ) from None
        try:
            now = {part["name"]: part for part in self.fingerprint()}
        except FileNotFoundError:
            now = {name: part for name in before if (part := _status(name)) is not None}
        changes = [_change(name, size, at, now.get(name)) for name, (size, at) in before.items()]
        changes += [f"{name} was added" for name in now if name not in before]
        told = [change for change in changes if change]
        if told:
            more = f" and {len(told) - 3} more" if len(told) > 3 else ""
            raise ValueError(
                f"The log has changed while it was in use: {'; '.join(told[:3])}{more}. Train on "
                "files that nobody writes to, or start anew."
            )


def _in_memory(data: Any) -> Table | None:
    """The data as a table, None for paths; the index of a pandas frame is no column."""
    if not is_table(data):
        return None
    table: Any = as_table(data)
    described = table.schema.pandas_metadata or {}
    index = [name for name in described.get("index_columns", []) if name in table.column_names]
    return table.drop_columns(index) if index else table


def _status(name: str) -> dict[str, Any] | None:
    try:
        status = Path(name).stat()
    except FileNotFoundError:
        return None
    return {"name": name, "bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _change(name: str, size: int, at: int, now: dict[str, Any] | None) -> str:
    if now is None:
        return f"{name} has vanished"
    if now["bytes"] != size:
        verb = "grew" if now["bytes"] > size else "shrank"
        return f"{name} {verb} from {size:,} to {now['bytes']:,} bytes"
    return f"{name} was modified" if now["modified_ns"] != at else ""
