"""Where in a file a row is, for messages that users can act on."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .formats import open_bytes

if TYPE_CHECKING:
    from pyarrow import Table


@dataclass(frozen=True)
class Source:
    """A log file, its format, and whether its first line has the column names.

    ``table`` is the log itself where it lies in memory (the format is "memory"; ``path`` is what
    messages call it). ``numbers`` (rows,) has the line or row number of each row of the piece at
    hand where the reader knows them; otherwise they are found anew.
    """

    path: Path
    format: str
    has_header: bool
    numbers: np.ndarray | None = field(default=None, compare=False)
    table: Table | None = field(default=None, compare=False)

    @property
    def unit(self) -> str:
        """What ``number`` counts: lines of text, rows of everything else."""
        return "row" if self.format in ("parquet", "memory") else "line"

    def number(self, row: int) -> int:
        """The line (row of Parquet and of tables), from 1, of a data row (from 0)."""
        if self.numbers is not None:
            return int(self.numbers[row])
        if self.unit == "row":
            return row + 1
        return line_of(self.path, row + 1 + int(self.has_header), self.format != "criteo")

    def row(self, row: int) -> str:
        """The place of a data row (from 0): the file and the row's number, or its line."""
        return f"{self.path}, {self.unit} {self.number(row)}"

    def record(self, record: int) -> str:
        """The place of a record (from 1, the header is one) of a text file."""
        return f"{self.path}, line {line_of(self.path, record, self.format != 'criteo')}"

    def with_numbers(self, numbers: np.ndarray) -> Source:
        """The same for a piece of which each row's number is known."""
        return replace(self, numbers=numbers)

    def rows_from(self, first_row: int, rows: int) -> Source:
        """The same for a piece of the rows: its row 0 is this one's ``first_row``."""
        numbers = self.numbers
        if numbers is None:
            numbers = np.arange(first_row + 1, first_row + rows + 1)
        else:
            numbers = numbers[first_row : first_row + rows]
        return replace(self, numbers=numbers)

    def where(self, kept: np.ndarray) -> Source:
        """The same for the rows of the piece that a mask keeps."""
        return self if self.numbers is None else replace(self, numbers=self.numbers[kept])


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
