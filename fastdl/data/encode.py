"""From a log's columns to a float matrix: what is learned is learned from training rows only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import checked_dtype
from ..validation import check_size
from .columns import is_number, is_time
from .description import VERSION, checked_columns, feature_names, width
from .fetch import check_table, column_of
from .hashing import bucket_of, hash_codes, slot_of, unpacked
from .learners import Moments, Values, check_range, distinct, standardized

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

NOT_FEATURES = ("label", "click_probability")


class LogEncoder:
    """Numbers scaled, categories as indicator columns, missing values marked.

    A numeric column becomes (s - mean) / std with s = sign(x) log(1 + |x|) (``log=False``: s = x),
    0 where missing, and where training rows had gaps a 0/1 column marks them. A category column
    with at most ``buckets`` values in training gets one column for each value; one with more gets
    ``buckets`` columns, and a value's hash chooses among them. Values unseen in training are all
    zeros in the first case, and hashed like others in the second. Values that came fewer than
    ``min_count`` times share one column "is rare", and unseen values join them; in columns with
    more than ``buckets`` values, some rare ones may pass as frequent (they are counted by hash).

    ``numeric`` and ``categorical`` name the columns to use; by default all, by their type. After
    ``fit``: ``columns_`` (a description of each column), ``feature_names_``.

    >>> from fastdl.data import LogEncoder, generate_ad_log
    >>> log = generate_ad_log(1000, numeric=1, categorical=0)
    >>> LogEncoder().fit(log).feature_names_
    ['I1', 'I1 is missing']
    """

    def __init__(
        self, *, buckets: int = 32, log: bool = True, numeric: Sequence[str] | None = None,
        categorical: Sequence[str] | None = None, min_count: int = 1,
    ) -> None:  # fmt: skip
        self.buckets = buckets
        self.log = log
        self.numeric = numeric
        self.categorical = categorical
        self.min_count = min_count

    def fit(self, table: Table | Iterable[Table]) -> LogEncoder:
        """Learn from the training rows, one table or several (a log larger than memory)."""
        self._forget()
        pieces = [table] if hasattr(table, "column_names") else table
        if isinstance(pieces, str | bytes | dict) or not isinstance(pieces, Iterable):
            raise TypeError(f"fit got {type(table).__name__}; expected a pyarrow Table or several.")
        for piece in pieces:
            self._learn(piece)
        self._describe()
        return self

    def partial_fit(self, table: Table) -> LogEncoder:
        """Learn from more training rows; the result is that of one ``fit`` on all of them."""
        if hasattr(self, "columns_") and not hasattr(self, "_learners"):
            raise ValueError("An encoder made by from_dict cannot learn on; fit a new one.")
        self._learn(table)
        self._describe()
        return self

    def transform(self, table: Table, dtype: DTypeLike = np.float32) -> np.ndarray:
        """(rows, features) for the table's rows, C-contiguous.

        Raises ValueError where a column of the training log is missing, of another type or
        infinite, and where a number is too large for the dtype.
        """
        check_table(table)
        out = np.zeros((len(table), len(self._fitted().feature_names_)), checked_dtype(dtype))
        for column, first in zip(self.columns_, self._first, strict=True):
            values = column_of(table, column["name"], column["kind"] == "numeric")
            if column["kind"] == "numeric":
                self._numbers(column, values, out[:, first:])
            else:
                _indicators(column, values, out, first)
        return out

    def fit_transform(self, table: Table, dtype: DTypeLike = np.float32) -> np.ndarray:
        """``fit`` and ``transform`` of one table."""
        return self.fit(table).transform(table, dtype)

    def to_dict(self) -> dict[str, Any]:
        """Everything that was learned, as JSON can hold it."""
        return {"version": VERSION, "buckets": self.buckets, "log": self.log,
                "min_count": self.min_count, "columns": self._fitted().columns_}  # fmt: skip

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> LogEncoder:
        """The encoder that ``to_dict`` described; ValueError for a damaged or newer description."""
        options, columns = checked_columns(description)
        encoder = cls(**options)
        encoder._prepare(columns)
        return encoder

    @property
    def numeric_names(self) -> list[str]:
        """Columns that were encoded as numbers."""
        return [c["name"] for c in self._fitted().columns_ if c["kind"] == "numeric"]

    @property
    def categorical_names(self) -> list[str]:
        """Columns that were encoded as categories and are read as text; times are read as times."""
        return [
            c["name"]
            for c in self._fitted().columns_
            if c["kind"] != "numeric" and not c.get("time", False)
        ]

    def _forget(self) -> None:
        for name in ("columns_", "feature_names_", "_learners", "_first"):
            if hasattr(self, name):
                delattr(self, name)

    def _fitted(self) -> LogEncoder:
        if not hasattr(self, "columns_"):
            raise ValueError(
                "This LogEncoder is not fitted yet; call fit with training rows first."
            )
        return self

    def _learn(self, piece: Table) -> None:
        check_table(piece)
        if not hasattr(self, "_learners"):
            self._learners = self._new_learners(piece)
            self._times = {name for name in self._learners if is_time(piece[name].type)}
            self._rows = 0
        self._rows += len(piece)
        for name, learner in self._learners.items():
            learner.add(column_of(piece, name, isinstance(learner, Moments)))

    def _new_learners(self, table: Table) -> dict[str, Moments | Values]:
        buckets = check_size(self.buckets, "buckets")
        min_count = check_size(self.min_count, "min_count")
        numbers, categories = list(self.numeric or []), list(self.categorical or [])
        names = [name for name in table.column_names if name not in NOT_FEATURES]
        unknown = [name for name in [*numbers, *categories] if name not in names]
        if unknown:
            raise ValueError(
                f"The log has no column {', '.join(unknown)}; its columns are {', '.join(names)}."
            )
        both = sorted(set(numbers) & set(categories))
        if both:
            raise ValueError(f"{', '.join(both)} is in numeric= and in categorical=.")
        found: dict[str, Moments | Values] = {}
        for name in names:
            number = is_number(table[name].type)
            if name in numbers or (number and self.numeric is None and name not in categories):
                found[name] = Moments(name, bool(self.log))
            elif name in categories or (not number and self.categorical is None):
                found[name] = Values(name, buckets, min_count)
        return found

    def _describe(self) -> None:
        if not getattr(self, "_learners", None):
            raise ValueError("There are no columns to encode.")
        if self._rows == 0:
            raise ValueError("The log has no rows to learn from.")
        self._prepare([
            {**learner.description(), **({"time": True} if name in self._times else {})}
            for name, learner in self._learners.items()
        ])  # fmt: skip

    def _prepare(self, columns: list[dict[str, Any]]) -> None:
        self.columns_ = columns
        self.feature_names_ = [name for column in columns for name in feature_names(column)]
        self._first = np.cumsum([0, *(width(column) for column in columns)])[:-1].tolist()

    def _numbers(self, column: dict[str, Any], values: ChunkedArray, out: np.ndarray) -> None:
        name = column["name"]
        numbers, absent = standardized(values, name, self.log, column["mean"], column["std"])
        check_range(numbers, name, out.dtype)
        out[:, 0] = numbers
        if column["missing"]:
            out[:, 1] = absent


def _indicators(column: dict[str, Any], values: ChunkedArray, out: np.ndarray, first: int) -> None:
    """Set the one indicator of every row, among columns for values, rare and missing ones."""
    texts, codes = distinct(values)
    if column["kind"] == "values":
        place = {value: i for i, value in enumerate(column["values"])}
        rare = len(place) if column["rare"] else -1
        target = np.fromiter((place.get(text, rare) for text in texts), np.int64, len(texts))
    else:
        hashes = hash_codes(column["name"], texts)
        target = bucket_of(hashes, column["buckets"])
        if column["rare"]:
            target[~unpacked(column["frequent"])[slot_of(hashes)]] = column["buckets"]
    # the code -1 of a missing value finds the last target
    target = np.append(target, width(column) - 1 if column["missing"] else -1)[codes]
    rows = np.flatnonzero(target >= 0)
    out[rows, first + target[rows]] = 1
