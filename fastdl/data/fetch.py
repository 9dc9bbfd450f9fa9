"""Columns of pyarrow tables, as encoders take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import as_texts, is_number

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table


def is_table(data: Any) -> bool:
    """Whether ``as_table`` takes it: tables, record batches, frames, dicts of arrays."""
    import pyarrow as pa

    return isinstance(data, dict | pa.RecordBatch) or hasattr(data, "__arrow_c_stream__")


def as_table(data: Any) -> Table:
    """A pyarrow Table of a Table, a pandas or polars frame, or a dict of arrays.

    Raises TypeError for anything else.
    """
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if hasattr(data, "iloc") and is_table(data):  # pandas; pa.table would take the index too
        return pa.Table.from_pandas(data, preserve_index=False)
    if is_table(data):
        return pa.table(data)
    raise TypeError(
        f"The log is {type(data).__name__}; expected a pyarrow Table, a pandas or polars frame, or "
        "a dict of arrays."
    )


def check_table(table: Any) -> None:
    """TypeError unless it is a pyarrow Table."""
    import pyarrow as pa

    if not isinstance(table, pa.Table):
        raise TypeError(f"The log is a {type(table).__name__}; expected a pyarrow Table.")


def raw_column(table: Table, name: str) -> ChunkedArray:
    """A column as it is; ValueError where it is missing."""
    if name not in table.column_names:
        raise ValueError(
            f"The log has no column {name}, which the encoder was fitted with; it has "
            f"{', '.join(table.column_names)}."
        )
    return table[name]


def column_of(table: Table, name: str, number: bool) -> ChunkedArray:
    """A column as float64 or strings; ValueError where it is missing or of another type."""
    import pyarrow as pa

    column = raw_column(table, name)
    kind = column.type
    try:
        if number:
            if not (is_number(kind) or pa.types.is_boolean(kind)) and column.null_count < len(
                column
            ):
                raise ValueError(
                    f"Column {name} must be numeric, but has the type {kind}. Read it with "
                    f"numeric=['{name}'], or fit with categorical=['{name}']."
                )
            return column.cast(pa.float64(), safe=False)
        return as_texts(column)
    except pa.ArrowException as error:
        raise ValueError(
            f"Column {name} has the type {kind}; expected "
            f"{'numbers' if number else 'strings or other plain values'}: {error}"
        ) from None
