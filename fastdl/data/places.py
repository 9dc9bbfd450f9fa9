"""Where in a file a row is, for messages that users can act on."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .formats import open_bytes


@dataclass(frozen=True)
class Source:
    """A log file, its format, and whether its first line has the column names."""

    path: Path
    format: str
    has_header: bool

    def row(self, row: int) -> str:
        """The place of a data row (from 0): the file and the row's number, or its line."""
        if self.format == "parquet":
            return f"{self.path}, row {row + 1}"
        return self.record(row + 1 + int(self.has_header))

    def record(self, record: int) -> str:
        """The place of a record (from 1, the header is one) of a text file."""
        return f"{self.path}, line {line_of(self.path, record, self.format != 'criteo')}"


def line_of(path: Path, record: int, quotes: bool) -> int:
    """The line (from 1) on which a record (from 1) of a text file begins.

    Blank lines are no records, and one with a quoted line break has several lines. This reads the
    file anew, which only an error message has to pay for.
    """
    try:
        with open_bytes(path) as file:
            return next(itertools.islice(_first_lines(iter(file), quotes), record - 1, None))
    except (StopIteration, EOFError, OSError, csv.Error):  # damaged, or line ends of an old Mac
        return record


def _first_lines(lines: Iterator[bytes], quotes: bool) -> Iterator[int]:
    number = 0
    for line in lines:
        number += 1
        if line in (b"\n", b"\r\n"):
            continue
        yield number
        if quotes and b'"' in line:  # csv takes as many lines as the record has
            rest = (text.decode("utf-8", "replace") for text in itertools.chain([line], lines))
            reader = csv.reader(rest)
            next(reader)
            number += reader.line_num - 1
