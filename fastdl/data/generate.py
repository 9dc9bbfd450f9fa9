"""A seeded generator of ad logs whose click probabilities are known.

Rows are made in blocks of fixed size, each from its own random streams, so that the same row has
the same content however many rows are asked for, and however they are cut into tables.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_atomically
from ..validation import check_number, check_size
from .click_model import Recipe, click_model

if TYPE_CHECKING:
    from pyarrow import Table

BLOCK = 65536
_MOST_IDS = 2**32  # eight hex digits tell no more apart


def generate_ad_log(
    rows: int, *, seed: int = 0, numeric: int = 13, categorical: int = 26,
    cardinality: int = 1_000_000, click_rate: float = 0.25, missing: float = 0.1,
) -> Table:  # fmt: skip
    """An ad log with known click probabilities, as a pyarrow Table.

    Columns: ``label`` (int8, 0 or 1), ``click_probability`` (float64, from which the label was
    drawn), ``I1`` ... (float64 counts with log-normal tails and gaps) and ``C1`` ... (categories as
    eight hex digits; ids are Zipf-distributed: the n-th most frequent has a share of about 1/n).
    ``cardinality`` ids are spread unevenly over the category columns; on average a share
    ``missing`` of the values is absent, and ``click_rate`` of the rows are clicks. The logit of a
    click is a sum of smooth functions of the counts, an effect of every id, and effects of pairs;
    its spread makes the best possible AUC about 0.81, where the columns can carry as much.

    Raises TypeError or ValueError for options out of range.

    >>> log = generate_ad_log(1000, numeric=2, categorical=1)
    >>> log.column_names
    ['label', 'click_probability', 'I1', 'I2', 'C1']
    """
    import pyarrow as pa

    options: dict[str, Any] = dict(  # noqa: C408
        seed=seed, numeric=numeric, categorical=categorical, cardinality=cardinality,
        click_rate=click_rate, missing=missing,
    )  # fmt: skip
    return pa.concat_tables(iter_ad_log(rows, **options)).unify_dictionaries()


def iter_ad_log(
    rows: int, *, batch_rows: int = BLOCK, seed: int = 0, numeric: int = 13, categorical: int = 26,
    cardinality: int = 1_000_000, click_rate: float = 0.25, missing: float = 0.1,
) -> Iterator[Table]:  # fmt: skip
    """The rows of ``generate_ad_log`` as tables of at most ``batch_rows`` rows, however many.

    >>> [len(table) for table in iter_ad_log(1000, batch_rows=400, numeric=1, categorical=0)]
    [400, 400, 200]
    """
    recipe = Recipe(
        _count(seed, "seed"), _count(numeric, "numeric"), _count(categorical, "categorical"),
        check_size(cardinality, "cardinality"),
        check_number(click_rate, "click_rate", high=1.0, open_low=True, open_high=True),
        check_number(missing, "missing", high=0.5, open_high=True),
    )  # fmt: skip
    rows, batch_rows = check_size(rows, "rows"), check_size(batch_rows, "batch_rows")
    if recipe.cardinality > _MOST_IDS:
        raise ValueError(f"cardinality is {cardinality}; expected at most 2**32.")
    if recipe.numeric + recipe.categorical == 0:
        raise ValueError("numeric and categorical are both 0; a log needs a column.")
    return _tables(recipe, rows, batch_rows)


def _tables(recipe: Recipe, rows: int, batch_rows: int) -> Iterator[Table]:
    model = click_model(recipe)
    for block in range(-(-rows // BLOCK)):
        table = model.table(block, min(BLOCK, rows - block * BLOCK))
        for start in range(0, len(table), batch_rows):
            yield table[start : start + batch_rows]


def _count(value: int, name: str) -> int:
    """``value`` as an int that is not negative."""
    return 0 if value == 0 and not isinstance(value, bool) else check_size(value, name)


# ---------------------------------------------------------------------------- files
def write_ad_log(path: str | os.PathLike[str], rows: int, **options: Any) -> None:
    """Write a generated log: .csv (header), .tsv (Criteo's format) or .parquet, by the name.

    Options as ``generate_ad_log``; memory does not grow with ``rows``, and the file appears when
    it is complete. Criteo's format has no place for the click probability. Raises ValueError for
    another name.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_ad_log(f"{folder}/log.csv", 100, seed=1)
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".tsv", ".parquet"):
        raise ValueError(f"The file is {path}; expected a name in .csv, .tsv or .parquet.")
    sizes = options.get("numeric", 13), options.get("categorical", 26)
    if suffix == ".tsv" and sizes != (13, 26):
        raise ValueError("Criteo's format has 13 numeric and 26 category columns; write a .csv.")
    tables = iter_ad_log(rows, **options)
    write_atomically(path, lambda temporary: _write(temporary, suffix, tables))


def _write(path: Path, suffix: str, tables: Iterator[Table]) -> None:
    first = _plain(next(tables), suffix)
    with _writer(path, suffix, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(_plain(table, suffix))


def _writer(path: Path, suffix: str, schema: Any) -> Any:
    from pyarrow import csv, parquet

    if suffix == ".parquet":
        return parquet.ParquetWriter(path, schema)
    tabs = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    return csv.CSVWriter(path, schema, write_options=tabs if suffix == ".tsv" else None)


def _plain(table: Table, suffix: str) -> Table:
    """Strings for categories; in Criteo's format counts are integers."""
    import pyarrow as pa

    if suffix == ".tsv":
        table = table.drop_columns("click_probability")
    columns = []
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        elif suffix == ".tsv" and pa.types.is_floating(column.type):
            column = column.cast(pa.int64())
        columns.append(column)
    return pa.table(columns, table.column_names)
