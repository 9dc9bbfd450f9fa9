"""Sparse logs, in the formats libsvm and libffm, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import libffm, libsvm, text
from .columns import Choice
from .entries import Entries, read_entries
from .faults import BadRows
from .records import Block, ahead, blocks
from .target import Target

if TYPE_CHECKING:
    from pyarrow import Array, Table

    from .places import Source
    from .skipped import Skipped

SPARSE = {"libsvm": libsvm, "libffm": libffm}


def sparse_tables(
    source: Source, choice: Choice, target: Target, skipped: Skipped | None
) -> Iterator[tuple[Table, Source]]:
    """The file block by block, with the rows' lines; ``skipped`` counts bad rows, if given.

    The first block tells which columns there are, unless the caller or the log's first part does:
    see ``libsvm`` and ``libffm`` for their names. Raises BadRows for bad rows otherwise, BadPart
    behind the last row of a damaged file.
    """
    check_names(source, choice)
    target.find(["label"])
    columns: libsvm.IndexColumns | libffm.FieldColumns | None = None

    def tell(bad: BadRows) -> None:
        if skipped is None:
            raise bad
        bad.count_in(skipped)

    parsed = (
        read_entries(_without_mark(block), source, target.required)
        for block in blocks(source.path, text.BLOCK_BYTES, None)
    )
    for entries, problems in ahead(parsed):
        for problem in problems:
            tell(problem)
        if columns is None and len(entries):
            columns = _columns(entries, choice)
        if columns is not None:
            table, entries = _table(entries, columns.arrays, tell)
            if len(entries):
                label = _labels(entries, target)
                table = table if label is None else table.add_column(0, "label", [label])
                yield table, entries.source


def check_names(source: Source, choice: Choice) -> None:
    """ValueError for names that no column of the format can have."""
    module = SPARSE[source.format]
    asked = [*(choice.wanted or []), *choice.categorical, *choice.numeric]
    wrong = [name for name in asked if not module.NAMES.fullmatch(name)]
    if wrong:
        raise ValueError(
            f"{source.path} has no column {', '.join(wrong)}; the columns of {source.format} are "
            f"{module.KNOWN}."
        )


def _without_mark(block: Block) -> Block:
    """Without the byte order mark that a file may begin with."""
    if not (len(block) and block.numbers[0] == 1 and block.data.startswith(b"\xef\xbb\xbf")):
        return block
    return replace(block, starts=np.maximum(block.starts, 3))


def _columns(entries: Entries, choice: Choice) -> libsvm.IndexColumns | libffm.FieldColumns:
    module = SPARSE[entries.source.format]
    chosen = choice.wanted is not None
    names = choice.wanted if chosen else choice.names
    if names is None:
        names = module.columns_of(entries, {*choice.categorical, *choice.numeric})
    if module is libsvm:
        return libsvm.IndexColumns(names, chosen)
    return libffm.FieldColumns(names, chosen)


def _table(
    entries: Entries, arrays: Callable[[Entries], dict[str, Array]], tell: Callable[..., None]
) -> tuple[Table, Entries]:
    """The table of the rows that fit, and their entries."""
    import pyarrow as pa

    while True:
        try:
            return pa.table(arrays(entries)), entries
        except BadRows as bad:
            tell(bad)
            entries = entries.without(bad.bad)


def _labels(entries: Entries, target: Target) -> Array | None:
    """The labels as text; -1 is 0 unless the user says which label is a click."""
    import pyarrow as pa

    labels = entries.labels
    if np.isnan(labels).any():  # a log for prediction
        return None
    if target.positive is None:
        labels = np.where(labels == -1, 0.0, labels)
    distinct, codes = np.unique(labels, return_inverse=True)
    return pa.array([f"{value:g}" for value in distinct]).take(pa.array(codes))
