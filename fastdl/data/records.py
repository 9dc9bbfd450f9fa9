"""Text logs in blocks of whole records, read up to where a packed file is damaged."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from .faults import BadPart
from .formats import DAMAGE, open_bytes

Item = TypeVar("Item")

_PIECE = 1 << 16  # what a packed file gives at once: so much before a damage may be lost
_LOOK_AHEAD = 1000  # lines that a quoted text may have


@dataclass(frozen=True)
class Block:
    """Bytes of whole records: where each begins, ends (line end excluded), its line, and whether
    it is one line that leaves a quote open.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    numbers: np.ndarray
    unclosed: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, i: int) -> bytes:
        """The bytes of one record."""
        return self.data[self.starts[i] : self.ends[i]]

    def only(self, kept: np.ndarray | slice) -> Block:
        """The same block with some of its records."""
        return replace(self, starts=self.starts[kept], ends=self.ends[kept],
                       numbers=self.numbers[kept], unclosed=self.unclosed[kept])  # fmt: skip

    def joined(self) -> Block:
        """The records alone, one line behind the other."""
        return _joined([self.record(i) for i in range(len(self))], self.numbers, self.unclosed)

    def apart(self, rows: list[int], delimiter: str) -> Block:
        """Some records of several lines as a record for each line that is not blank."""
        records, numbers, unclosed = [], [], []
        for i in range(len(self)):
            lines = self.record(i).splitlines() if i in rows else [self.record(i)]
            for k, line in enumerate(lines):
                if line:
                    records.append(line)
                    numbers.append(int(self.numbers[i]) + k)
                    unclosed.append(i in rows and is_open(line, delimiter))
        return _joined(records, np.array(numbers, np.int64), np.array(unclosed, np.bool_))


def _joined(records: list[bytes], numbers: np.ndarray, unclosed: np.ndarray) -> Block:
    lengths = np.fromiter(map(len, records), np.int64, len(records))
    ends = np.cumsum(lengths + 1) - 1
    return Block(b"\n".join([*records, b""]), ends - lengths, ends, numbers, unclosed)


def is_long(record: bytes) -> bool:
    """Whether the record has more than one line."""
    return len(record.splitlines()) > 1


def is_open(line: bytes, delimiter: str) -> bool:
    """Whether a quote in the line is not closed in it."""
    try:
        next(csv.reader([line.decode("utf-8", "replace")], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "end of data" in str(error)
    return False


@dataclass(frozen=True)
class Quoting:
    """How records of several lines are told: fields of a record, those that have no line breaks."""

    delimiter: str
    columns: int
    single: tuple[int, ...] = ()


def blocks(path: Path, size: int, quoting: Quoting | None) -> Iterator[Block]:
    """The records of a text file, about ``size`` bytes of them at a time, without blank lines.

    Where there are quotes (``quoting``), a record of several lines counts as one only if it has as
    many fields as it should: a quote that is never closed costs its line, not all that follow.

    Raises BadPart behind the last whole line that could be read.
    """
    rest, line = b"", 1
    for chunk, last in _chunks(path, size):
        data = rest + chunk
        if last and not data.endswith((b"\n", b"\r")):
            data += b"\n"
        if not data:
            break
        starts, ends = _lines(data, last)
        inside, unclosed = np.zeros((2, len(starts)), np.bool_)
        used = len(starts)
        if quoting is not None and b'"' in data:
            used = _join(data, starts, ends, inside, unclosed, quoting, 0 if last else size)
        numbers = np.arange(line, line + used)
        kept = ~inside[:used] & ~_blank(data, starts[:used], ends[:used])
        yield Block(data, starts[:used], ends[:used], numbers, unclosed[:used]).only(kept)
        line += used
        rest = data[starts[used] :] if used < len(starts) else data[_end(data, ends, used) :]
        if len(rest) > 2 * size:
            raise BadPart(f"{path}, line {line} has more than {size >> 20} MB; is it a log?")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made by a second thread while the caller is at work on the one before."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield item


def _chunks(path: Path, size: int) -> Iterator[tuple[bytes, bool]]:
    """(bytes, whether they are the last); BadPart after those that could be read."""
    damage, done = None, False
    try:
        with open_bytes(path) as file:
            while not done:
                pieces, found = [], 0
                while found < size and not done:
                    try:
                        piece = file.read1(min(_PIECE, size - found))
                    except DAMAGE as error:
                        damage, done = error, True
                        break
                    done = not piece
                    pieces.append(piece)
                    found += len(piece)
                yield b"".join(pieces), done and damage is None
    except DAMAGE as error:
        damage = error
    if damage is not None:
        raise BadPart(f"{path} is truncated or damaged: {damage}")


def _lines(data: bytes, last: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where whole lines begin and end; a carriage return alone ends one too, as in pyarrow."""
    view = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(view == 10)
    if b"\r" in data:
        returns = np.flatnonzero(view == 13)
        following = np.append(view, 10 if not last else 0)[returns + 1]
        alone = returns[following != 10]
        if len(alone):
            ends = np.sort(np.concatenate([ends, alone]))
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    return starts, ends


def _end(data: bytes, ends: np.ndarray, used: int) -> int:
    return int(ends[used - 1]) + 1 if used else 0


def _blank(data: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    view = np.frombuffer(data, np.uint8)
    lengths = ends - starts
    return (lengths == 0) | ((lengths == 1) & (view[starts] == 13))


def _join(
    data: bytes, starts: np.ndarray, ends: np.ndarray, inside: np.ndarray, unclosed: np.ndarray,
    quoting: Quoting, pending: int,
) -> int:  # fmt: skip
    """Join lines to records in ``ends`` and ``inside``; returns how many lines are whole records.

    A record may go on behind the data where that has at most ``pending`` bytes from its begin on.
    Only a line with an odd number of quotes can leave one open.
    """
    if not len(starts):
        return 0
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == ord('"'))
    counts = np.diff(np.searchsorted(quotes, np.append(starts, ends[-1])))
    odd, free = counts % 2 == 1, 0
    for i in np.flatnonzero(odd).tolist():
        if i < free:
            continue
        lines = range(i, min(i + _LOOK_AHEAD, len(starts)))
        texts = (data[starts[j] : ends[j] + 1].decode("utf-8", "replace") for j in lines)
        reader = csv.reader(texts, delimiter=quoting.delimiter, strict=True)
        try:
            fields = next(reader)
        except (csv.Error, StopIteration) as error:
            whole = len(lines) == _LOOK_AHEAD or len(data) - starts[i] > pending
            if "end of data" in str(error) and not whole:
                return i
            fields = []
        plain = all("\n" not in fields[place] for place in quoting.single if place < len(fields))
        if len(fields) == quoting.columns and reader.line_num > 1 and plain:
            free = i + reader.line_num
            inside[i + 1 : free] = True
            ends[i] = ends[free - 1]
        else:
            unclosed[i] = is_open(data[starts[i] : ends[i]], quoting.delimiter)
    return len(starts)
