"""What estimators are handed, X and y in all their forms, as a table of features and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.columns import is_list
from ..data.fetch import as_table, is_table
from ..data.formats import LABELS, OPPOSITES, resolve_format
from ..data.log import Log
from ..data.parts import find_parts
from .arrays import array_table, check_shape, positions
from .classes import checked_labels

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table


@dataclass(frozen=True)
class Source:
    """How X is read: who asks (for messages), and what the labels are in files and frames.

    format, label and positive are as in ``read_log``. Of a fitted estimator: fitted_label, the
    column that is no feature, encoder, whose columns files are read for, and by_name: whether it
    takes columns by their names wherever they stand, as one that learned from files does.
    """

    who: str
    label: str | None = None
    positive: Any = None
    format: str | None = None
    fitted_label: str | None = None
    encoder: Any = None
    by_name: bool = False


@dataclass(frozen=True)
class Samples:
    """A table of features, and the labels y (N,) where they were asked for.

    named: the columns came with names. by_name: their order means nothing (files, dicts). label:
    the column that the labels came from; binary: they are 0 and 1 already, as files' are.
    """

    table: Table
    named: bool
    by_name: bool = False
    y: np.ndarray = field(default_factory=lambda: np.empty(0))
    label: str | None = None
    binary: bool = False


def is_path(X: Any) -> bool:
    """Whether X names files: a path, a pattern or a list of them."""
    if isinstance(X, list):
        return bool(X) and all(isinstance(item, str | os.PathLike) for item in X)
    return isinstance(X, str | os.PathLike)


def features_of(X: Any, source: Source) -> Samples:
    """X without labels."""
    if is_path(X):
        return Samples(_read(X, source, False), True, True)
    table, named = _as_table(X, source.who)
    if named and source.fitted_label is not None:
        table = _without(table, source.fitted_label)
    check_shape(table.shape, source.who)
    return Samples(table, named, isinstance(X, dict))


def samples_of(X: Any, y: Any, source: Source) -> Samples:
    """X with its labels: y, or the column ``source.label`` of a file, frame or dict.

    Raises TypeError and ValueError for what cannot be used.
    """
    if y is not None and (is_path(X) or source.label is not None):
        raise ValueError("y and label= (a column of files and frames) were given: give one.")
    if is_path(X):
        table = _read(X, source, True)
        found = table["label"].to_numpy().astype(np.int64)
        return Samples(table.drop_columns(["label"]), True, True, found, source.label, binary=True)
    table, named = _as_table(X, source.who)
    label = source.fitted_label
    if y is None:
        label = _label_column(table, named, source)
        y = _label_values(table[label])
    if named and label is not None:
        table = _without(table, label)
    check_shape(table.shape, source.who)
    return Samples(table, named, isinstance(X, dict), checked_labels(y, len(table)), label)


def rows_of(samples: Samples, chosen: np.ndarray) -> Samples:
    """The labelled samples of the rows where ``chosen`` (N,) is True."""
    import pyarrow as pa

    table = samples.table.filter(pa.array(chosen))
    return replace(samples, table=table, y=samples.y[chosen])


def log_of(X: Any, source: Source, labelled: bool = True) -> Log:
    """The files that X names; the only place where an estimator's files are opened."""
    parts = find_parts(X)
    known = source.encoder
    format = "parquet" if parts[0].suffix == ".parquet" else source.format
    format = resolve_format(parts[0], format)
    types: dict[str, Any] = {}
    if known is not None and format not in ("criteo", "avazu"):  # whose types are fixed
        types = {"categorical": known.categorical_names, "numeric": known.numeric_names}
    return Log(
        parts, format, label=source.label, positive=source.positive, require_label=labelled, **types
    )


def _read(X: Any, source: Source, labelled: bool) -> Table:
    import pyarrow as pa

    return pa.concat_tables(log_of(X, source, labelled).tables()).unify_dictionaries()


def pieces_of(X: Any, source: Source, labelled: bool) -> Iterator[Samples]:
    """X in pieces of bounded memory if it is in files, else whole."""
    if not is_path(X):
        yield features_of(X, source)
        return
    for table in log_of(X, source, labelled).tables():
        y = np.empty(0)
        if labelled:
            y = table["label"].to_numpy().astype(np.int64)
            table = table.drop_columns(["label"])
        yield Samples(table, True, True, y, source.label, binary=labelled)


def _as_table(X: Any, who: str) -> tuple[Table, bool]:
    """X as a table, and whether its columns have names of their own."""
    import pyarrow as pa

    if hasattr(X, "toarray"):  # scipy's sparse matrices and arrays
        raise TypeError(
            f"X is sparse ({type(X).__name__}), but {who} needs dense data: use X.toarray(), or "
            "give categories as columns of text instead of indicators."
        )
    if not is_table(X):
        return array_table(X, who), False
    if isinstance(X, dict):  # NaN among objects is a missing value too
        X = {name: pa.array(v, from_pandas=True) if isinstance(v, np.ndarray) else v
             for name, v in X.items()}  # fmt: skip
    if len(getattr(X, "shape", (0, 0))) != 2 or isinstance(X, pa.ChunkedArray):
        raise ValueError(f"Expected 2D array, got 1D array instead: X is a {type(X).__name__}.")
    names = list(X) if isinstance(X, dict) or hasattr(X, "iloc") else []
    kinds = sorted({type(name).__name__ for name in names if not isinstance(name, str)})
    if kinds and any(isinstance(name, str) for name in names):
        raise TypeError(
            "Feature names are only supported if all input features have string names; X also has "
            f"names of the type {', '.join(kinds)}. Use X.columns = X.columns.astype(str)."
        )
    table = _readable(as_table(X))
    if kinds:
        return table.rename_columns(positions(len(names))), False
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise ValueError(f"X has more than one column named {', '.join(twice)}.")
    return table, True


def _readable(table: Table) -> Table:
    """The table without polars' string views, of which pyarrow can take no rows."""
    import pyarrow as pa

    def plain(kind: Any) -> Any:
        if kind == pa.string_view():
            return pa.large_string()
        if is_list(kind):
            return pa.large_list(plain(kind.value_type))
        if pa.types.is_dictionary(kind):
            return pa.dictionary(kind.index_type, plain(kind.value_type))
        return kind

    schema = pa.schema([pa.field(f.name, plain(f.type)) for f in table.schema])
    return table if schema.types == table.schema.types else table.cast(schema)


def _label_column(table: Table, named: bool, source: Source) -> str:
    names = table.column_names if named else []
    if source.label is not None and source.label not in names:
        raise ValueError(f"X has no column {source.label}; it has {', '.join(names)}.")
    found = source.label or next((name for name in LABELS if name in names), None)
    if found is None:
        raise ValueError(
            f"{source.who} requires y to be passed, but the target y is None. Or name the column "
            f"of a frame that has the labels by label= (default: {', '.join(LABELS)})."
        )
    return found


def _label_values(column: ChunkedArray) -> np.ndarray:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.to_numpy()


def _without(table: Table, label: str) -> Table:
    """The table without the label, and without its opposite, which would tell it."""
    gone = {label, OPPOSITES.get(label)}
    return table.select([name for name in table.column_names if name not in gone])
