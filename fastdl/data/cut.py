"""Text logs read without making strings: blocks of bytes, cut and hashed in place.

A block that is beyond the kernels' simple rules (escaped quotes, numbers such as 0x10, a line with
too many fields, bytes that are not UTF-8) is pyarrow's to read, by itself if that works; else the
file is read anew by pyarrow, which also says what is wrong in which line. Either way the columns
are those of ``text_tables``.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.fields import ESCAPED, ODD, PAD
from ..kernels.jit import get_num_threads, stay_on_this_thread
from .columns import Choice
from .cut_table import CutTable
from .cutter import BeyondError, Cut, Cutter, Lines
from .formats import open_bytes
from .places import Source
from .target import Target
from .text import text_tables

if TYPE_CHECKING:
    from pyarrow import Table

FORMATS = ("csv", "tsv", "criteo")  # that are cut; the others are pyarrow's
BLOCK_BYTES = 16 << 20
_LONGEST_LINE = 8 << 20  # as pyarrow's: a longer one has a quote that is not closed
_ROOM = 1 << 16  # in front of a block, for the line that the one before it began
_NEWLINE = ord("\n")


def cut_tables(
    source: Source, choice: Choice, target: Target, unwanted: int = 0
) -> Iterator[CutTable | Table | int]:
    """The log's pieces: typed CutTables, and Tables that ``typed`` still has to see.

    Behind the first piece, a number stands for so many of the ``unwanted`` first rows: their lines
    were found, and nothing else.
    """
    import pyarrow as pa

    rows = 0
    try:
        for piece in _pieces(Cutter(source, choice, target), unwanted):
            yield piece
            rows += piece if isinstance(piece, int) else len(piece)
        return
    except (BeyondError, pa.ArrowException, OSError, EOFError, zlib.error):
        pass  # the other reader copes, or tells the user
    for table in text_tables(source, choice, target):
        if len(table) > rows:
            yield table[rows:]
        rows = max(0, rows - len(table))


def _pieces(cutter: Cutter, unwanted: int) -> Iterator[CutTable | Table | int]:
    """Block by block: one thread reads and finds lines, others cut a block each."""
    threads, rows = get_num_threads(), 0
    coming: deque[Future[Any] | int] = deque()
    with (
        open_bytes(cutter.source.path) as file,
        ThreadPoolExecutor(1, initializer=stay_on_this_thread) as reader,
        ThreadPoolExecutor(threads, initializer=stay_on_this_thread) as pool,
    ):
        blocks = _blocks(file, cutter)
        block: Future[Lines | None] | None = reader.submit(next, blocks, None)
        while block is not None or coming:
            if block is not None and len(coming) <= threads:
                lines = block.result()
                block = None
                if lines is not None:
                    block = reader.submit(next, blocks, None)
                    size = int(lines.rows[-1])
                    passed = 0 < rows <= unwanted - size and not lines.flags & ESCAPED
                    coming.append(size if passed else pool.submit(cutter.cut, lines))
                    rows += size
                continue
            own = coming.popleft()
            if isinstance(own, int):
                yield own
                continue
            cut = own.result()
            piece = cutter.labelled(cut) if isinstance(cut, Cut) else cut
            if len(piece):
                yield piece


def _blocks(file: Any, cutter: Cutter) -> Iterator[Lines]:
    """A block's unfinished line begins the next one."""
    rest, start, ended = np.empty(0, np.uint8), None, False
    while not ended:
        data, first, stop = _block(file)
        ended = stop - first < BLOCK_BYTES
        if ended and (stop > first or len(rest)):
            data[stop] = _NEWLINE  # the last line's; a blank line more is none
            stop += 1
        data, stop = _joined(rest, data, first, stop)
        start = cutter.content(data, stop) if start is None else 0
        lines = cutter.lines(data[start:], stop - start)
        rest = data[start + int(lines.starts[-1]) : stop]
        if lines.flags & ODD or len(rest) > _LONGEST_LINE or (ended and len(rest)):
            raise BeyondError  # where lines end is not sure
        yield lines


def _block(file: Any) -> tuple[np.ndarray, int, int]:
    """A buffer, and where in it the file's next bytes begin and end: PAD and more are left."""
    data = np.empty(_ROOM + BLOCK_BYTES + 1 + PAD, np.uint8)
    view, stop = memoryview(data.data), _ROOM
    while stop < _ROOM + BLOCK_BYTES:
        size = file.readinto(view[stop : _ROOM + BLOCK_BYTES])
        if not size:
            break
        stop += size
    return data, _ROOM, stop


def _joined(rest: np.ndarray, data: np.ndarray, first: int, stop: int) -> tuple[np.ndarray, int]:
    """The bytes of the unfinished line and of the block after it, with PAD newlines behind."""
    size = len(rest) + stop - first
    if len(rest) <= first:
        data[first - len(rest) : first] = rest
        data = data[first - len(rest) :]
    else:
        data = np.concatenate([rest, data[first:]])
    data[size : size + PAD] = _NEWLINE
    return data, size
