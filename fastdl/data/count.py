"""How many rows a log file has, told as fast as its format allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import text
from .faults import OTHER_SCHEMA, BadPart
from .formats import header, text_format
from .records import Block, Quoting, blocks
from .sparse import SPARSE

_NO_ROW = list(b" \t\r#")

if TYPE_CHECKING:
    from .places import Source


def count_rows(source: Source) -> int:
    """The rows of a file: by the metadata of Parquet, by the records of text.

    No values are looked at, and memory is bounded. Raises ValueError for a damaged file.
    """
    if source.table is not None:
        return len(source.table)
    if source.format == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return int(parquet.read_metadata(source.path).num_rows)
        except (pa.ArrowException, OSError) as error:
            raise BadPart(f"{source.path} is truncated or damaged: {error}") from None
    if source.format in SPARSE:
        found = blocks(source.path, text.BLOCK_BYTES, None)
        return sum(len(block) - _comments(block) for block in found)
    shape = text_format(source.path, source.format, lenient=True)
    if shape.names is not None:
        return sum(map(len, blocks(source.path, text.BLOCK_BYTES, None)))
    columns = len(header(source.path, source.format, shape.delimiter))
    found = blocks(source.path, text.BLOCK_BYTES, Quoting(shape.delimiter, columns))
    return max(0, sum(map(len, found)) - 1)


def _comments(block: Block) -> int:
    """Lines of sparse logs that have nothing but blanks and a comment."""
    view = np.frombuffer(block.data, np.uint8)
    doubtful = np.flatnonzero(np.isin(view[block.starts], _NO_ROW))
    return sum(not block.record(i).split(b"#")[0].strip() for i in doubtful.tolist())


def lost_part(error: ValueError, source: Source, known: int) -> BadPart:
    """A file that cannot be read (on), of which ``known`` rows were read or counted before."""
    reason = error.reason if isinstance(error, BadPart) else OTHER_SCHEMA
    try:
        rows: int | None = count_rows(source) - known
    except (ValueError, OSError):
        rows = None
    return BadPart(str(error), reason, rows)
