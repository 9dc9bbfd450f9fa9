"""A seeded generator of ad logs whose click probabilities are known.

Rows are made in blocks of fixed size, each from its own random stream, so that the same row has
the same content however many rows are asked for, and however they are cut into tables.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import write_atomically
from ..validation import check_number, check_size

if TYPE_CHECKING:
    from pyarrow import Table

BLOCK = 65536
_CALIBRATION = 2**40  # number of the block that the scale is found on; no log reaches it
_LOGIT_STD = 1.3  # makes the best possible AUC about 0.8
_CROWD = 64  # ids that the pairwise effects tell apart


@dataclass(frozen=True)
class _Recipe:
    seed: int
    numeric: int
    categorical: int
    cardinality: int
    click_rate: float
    missing: float


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
    click is a sum of smooth functions of the counts, an effect of every id, and products of pairs.

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
    """The rows of ``generate_ad_log`` as tables of at most ``batch_rows`` rows, however many."""
    recipe = _Recipe(
        int(check_number(seed, "seed")), _count(numeric, "numeric"),
        _count(categorical, "categorical"), check_size(cardinality, "cardinality"),
        check_number(click_rate, "click_rate", high=1.0, open_low=True, open_high=True),
        check_number(missing, "missing", high=0.5, open_high=True),
    )  # fmt: skip
    rows, batch_rows = check_size(rows, "rows"), check_size(batch_rows, "batch_rows")
    if recipe.numeric + recipe.categorical == 0:
        raise ValueError("numeric and categorical are both 0; a log needs a column.")
    return _tables(recipe, rows, batch_rows)


def _tables(recipe: _Recipe, rows: int, batch_rows: int) -> Iterator[Table]:
    for block in range(-(-rows // BLOCK)):
        table = _block_table(recipe, block, min(BLOCK, rows - block * BLOCK))
        for start in range(0, len(table), batch_rows):
            yield table[start : start + batch_rows]


def write_ad_log(path: str | os.PathLike[str], rows: int, **options: Any) -> None:
    """Write a generated log: .csv (header), .tsv (Criteo's format) or .parquet, by the name.

    Criteo's format has no place for the click probability. Raises ValueError for another name.
    """
    suffix = Path(path).suffix
    if suffix not in (".csv", ".tsv", ".parquet"):
        raise ValueError(f"The file is {path}; expected a name in .csv, .tsv or .parquet.")
    if suffix == ".tsv" and (options.get("numeric", 13), options.get("categorical", 26)) != (
        13,
        26,
    ):
        raise ValueError("Criteo's format has 13 numeric and 26 category columns; write a .csv.")
    tables = iter_ad_log(rows, **options)
    write_atomically(path, lambda temporary: _write(temporary, suffix, tables))


def _write(path: Path, suffix: str, tables: Iterator[Table]) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    writer: Any = None
    for table in tables:
        if suffix == ".tsv":
            table = table.drop_columns("click_probability")
        table = pa.table([_plain(c, suffix) for c in table.columns], table.column_names)
        if writer is None and suffix == ".parquet":
            writer = parquet.ParquetWriter(path, table.schema)
        elif writer is None:
            tabs = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
            writer = csv.CSVWriter(
                path, table.schema, write_options=tabs if suffix == ".tsv" else None
            )
        writer.write_table(table)
    writer.close()


def _plain(column: Any, suffix: str) -> Any:
    """Strings for categories, and counts as integers where the format has no decimal point."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    is_count = suffix == ".tsv" and pa.types.is_floating(column.type)
    return column.cast(pa.int64()) if is_count else column


def _count(value: int, name: str) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else check_size(value, name)


# ---------------------------------------------------------------------------- one block
def _block_table(recipe: _Recipe, block: int, rows: int) -> Table:
    import pyarrow as pa

    logit, values, ids, rng = _block(recipe, block)
    scale, intercept = _calibration(recipe)
    probability = 1 / (1 + np.exp(-(scale * logit + intercept)))
    label = (rng.random(BLOCK) < probability).astype(np.int8)
    columns = [pa.array(label[:rows]), pa.array(probability[:rows])]
    columns += [pa.array(v[:rows], mask=np.isnan(v[:rows])) for v in values]
    columns += [_strings(recipe, field, i[:rows]) for field, i in enumerate(ids)]
    names = ["label", "click_probability", *(f"I{i + 1}" for i in range(len(values))),
             *(f"C{i + 1}" for i in range(len(ids)))]  # fmt: skip
    return pa.table(columns, names)


def _strings(recipe: _Recipe, field: int, ids: np.ndarray) -> Any:
    """ids (rows,), -1 where missing, as a dictionary array of eight hex digits."""
    import pyarrow as pa

    distinct, codes = np.unique(ids, return_inverse=True)
    hashes = (_mix(recipe.seed, 1000 + field, distinct) >> np.uint64(32)).astype(">u4")
    nibbles = np.repeat(hashes.view(np.uint8), 2).reshape(-1, 8)
    nibbles[:, 0::2] >>= 4
    nibbles[:, 1::2] &= 15
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles]
    dictionary = pa.array(digits.view("S8").reshape(-1).astype("U8"))
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32), mask=ids < 0), dictionary
    )


def _block(
    recipe: _Recipe, block: int
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], Any]:
    """Logit without intercept, counts and ids of one block, and its random stream after them."""
    rng = np.random.default_rng([recipe.seed, block])
    shape = np.random.default_rng([recipe.seed, 2**41])  # what is the same in every block
    logit = np.zeros(BLOCK)
    values, scores = [], []
    for _ in range(recipe.numeric):
        center, width, gaps, slope, bend = shape.random(5)
        z = rng.standard_normal(BLOCK)
        count = np.floor(np.exp(0.5 + 3 * center + (0.6 + width) * z))
        absent = rng.random(BLOCK) < 2 * recipe.missing * gaps
        score = np.where(absent, 0.0, np.tanh(z) * (slope - 0.5) + 0.3 * (bend - 0.5) * (z**2 - 1))
        logit += 0.6 * score
        values.append(np.where(absent, np.nan, count))
        scores.append(score)
    ids = []
    for field, size in enumerate(_cardinalities(recipe)):
        gaps, strength = shape.random(2)
        # log-uniform ranks: the n-th id has a share of about 1/n (Zipf)
        rank = np.exp(rng.random(BLOCK) * np.log(size + 1)).astype(np.int64) - 1
        absent = rng.random(BLOCK) < 2 * recipe.missing * gaps
        known = np.where(absent, -1, np.minimum(rank, size - 1))
        weight = (0.2 + strength) / np.log10(
            size + 8
        )  # rare ids are hard to learn: they matter less
        logit += weight * _effect(recipe.seed, field, known)
        ids.append(known)
    for pair in range(min(4, len(ids) - 1)):
        both = (ids[pair] % _CROWD) * _CROWD + ids[pair + 1] % _CROWD
        logit += 0.2 * _effect(recipe.seed, 200 + pair, both)
    for pair in range(min(3, len(ids), len(scores))):
        logit += 0.5 * scores[pair] * _effect(recipe.seed, 300 + pair, ids[-1 - pair] % _CROWD)
    return logit, values, ids, rng


def _cardinalities(recipe: _Recipe) -> list[int]:
    """Ids of each category column, from a few to about a third of all."""
    n = recipe.categorical
    if n == 0:
        return []
    weights = np.exp(np.linspace(0, np.log(max(recipe.cardinality, 2)), n) * 0.85)
    sizes = np.maximum(2, np.round(weights / weights.sum() * recipe.cardinality)).astype(int)
    return [int(size) for size in np.random.default_rng(n).permutation(sizes)]


def _mix(seed: int, stream: int, ids: np.ndarray) -> np.ndarray:
    """A 64-bit hash of every id (the finalizer of splitmix64, Steele et al. 2014)."""
    x = ids.astype(np.uint64) + np.uint64((seed * 1_000_003 + stream) % 2**32 << 32)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def _effect(seed: int, stream: int, ids: np.ndarray) -> np.ndarray:
    """An effect of about unit variance for every id, the sum of four uniforms; missing (-1): 0."""
    bits = _mix(seed, stream, ids)
    total = sum((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF) for part in range(4))
    normal = (np.asarray(total, np.float64) / 65535 - 2) * np.sqrt(3)
    return np.where(ids < 0, 0.0, normal)


@functools.lru_cache(maxsize=16)
def _calibration(recipe: _Recipe) -> tuple[float, float]:
    """Scale and intercept of the logit, found on one block.

    The scale makes the standard deviation what it is in a typical log, whatever the columns; at
    the intercept, found by bisection, the mean click probability is ``click_rate``.
    """
    logit = _block(recipe, _CALIBRATION)[0]
    scale = _LOGIT_STD / float(logit.std())
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(scale * logit + middle)))) < recipe.click_rate:
            low = middle
        else:
            high = middle
    return scale, (low + high) / 2
