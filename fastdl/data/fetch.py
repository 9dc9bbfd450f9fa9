"""Columns of pyarrow tables and of cut text, as encoders take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import as_texts, is_number
from .cut_table import CutTable, Numbers, Texts, as_arrow

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table


def is_table(data: Any) -> bool:
    """Whether ``as_table`` takes it: tables, record batches, frames, dicts of arrays."""
    import pyarrow as pa

    return isinstance(data, dict | pa.RecordBatch | CutTable) or hasattr(data, "__arrow_c_stream__")


def as_table(data: Any) -> Table | CutTable:
    """A pyarrow Table of a Table, a pandas or polars frame, or a dict of arrays.

    CutTables stay what they are. Raises TypeError for anything else.
    """
    import pyarrow as pa

    if isinstance(data, pa.Table | CutTable):
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


def raw_column(table: Table | CutTable, name: str) -> ChunkedArray:
    """A column as it is, in pyarrow's form; ValueError where it is missing."""
    return as_arrow(_column(table, name))


def column_of(table: Table | CutTable, name: str, number: bool) -> ChunkedArray | Texts | Numbers:
    """A column as float64 or strings; ValueError where it is missing or of another type.

    Columns of a CutTable stay what they are where they fit.
    """
    import pyarrow as pa

    column = _column(table, name)
    if isinstance(column, Numbers if number else Texts):
        return column
    column = as_arrow(column)
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


def _column(table: Table | CutTable, name: str) -> Any:
    if name not in table.column_names:
        raise ValueError(
            f"The log has no column {name}, which the encoder was fitted with; it has "
            f"{', '.join(table.column_names)}."
        )
    return table[name]
