"""From a log's columns to a float matrix: what is learned is learned from training rows only."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import checked_dtype
from ..validation import check_size

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

NOT_FEATURES = ("label", "click_probability")
VERSION = 1


class LogEncoder:
    """Numbers scaled, categories as indicator columns, missing values marked.

    A numeric column becomes (s - mean) / std with s = sign(x) log(1 + |x|) (``log=False``: s = x),
    0 where missing, and where training rows had gaps a 0/1 column marks them. A category column
    with at most ``buckets`` values in training gets one column for each value; one with more gets
    ``buckets`` columns, and a value's hash chooses among them. Values unseen in training are all
    zeros in the first case, and hashed like others in the second.

    ``numeric`` and ``categorical`` name the columns to use; by default all, by their type. After
    ``fit``: ``columns_`` (a description of each column), ``feature_names_``.

    >>> from fastdl.data import LogEncoder, generate_ad_log
    >>> log = generate_ad_log(1000, numeric=1, categorical=0)
    >>> LogEncoder().fit(log).feature_names_
    ['I1', 'I1 is missing']
    """

    def __init__(
        self, *, buckets: int = 32, log: bool = True, numeric: Sequence[str] | None = None,
        categorical: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        self.buckets = check_size(buckets, "buckets")
        self.log = bool(log)
        self.numeric = None if numeric is None else list(numeric)
        self.categorical = None if categorical is None else list(categorical)

    def fit(self, table: Table | Iterable[Table]) -> LogEncoder:
        """Learn from the training rows, one table or several (a log larger than memory)."""
        learners: dict[str, _Moments | _Values] | None = None
        for piece in [table] if hasattr(table, "column_names") else table:
            if learners is None:
                learners = self._learners(piece)
            for name, learner in learners.items():
                learner.add(_column(piece, name, isinstance(learner, _Moments)))
        if learners is None or not learners:
            raise ValueError("There are no columns to encode.")
        self.columns_ = [
            {"name": name, **learner.description(self.buckets)}
            for name, learner in learners.items()
        ]
        self._prepare()
        return self

    def transform(self, table: Table, dtype: DTypeLike = np.float32) -> np.ndarray:
        """(rows, features) for the table's rows, C-contiguous.

        Raises ValueError where a column of the training log is missing or of another type.
        """
        out = np.zeros((len(table), len(self._fitted().feature_names_)), checked_dtype(dtype))
        for column, first in zip(self.columns_, self._first, strict=True):
            if column["kind"] == "numeric":
                self._numbers(column, _column(table, column["name"], True), out[:, first:])
            else:
                self._indicators(column, _column(table, column["name"], False), out, first)
        return out

    def fit_transform(self, table: Table, dtype: DTypeLike = np.float32) -> np.ndarray:
        """``fit`` and ``transform`` of one table."""
        return self.fit(table).transform(table, dtype)

    def to_dict(self) -> dict[str, Any]:
        """Everything that was learned, as JSON can hold it."""
        return {"version": VERSION, "buckets": self.buckets, "log": self.log,
                "columns": self._fitted().columns_}  # fmt: skip

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> LogEncoder:
        """The encoder that ``to_dict`` described; ValueError for a damaged or newer description."""
        try:
            version = description["version"]
            if not isinstance(version, int) or version > VERSION:
                raise ValueError(
                    f"The encoder has version {version}; this fastdl reads up to {VERSION}. "
                    "Install a newer fastdl."
                )
            encoder = cls(buckets=description["buckets"], log=description["log"])
            encoder.columns_ = [_checked(column) for column in description["columns"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"The encoder's description is damaged: {error!r}.") from None
        encoder._prepare()
        return encoder

    @property
    def numeric_names(self) -> list[str]:
        """Columns that were encoded as numbers."""
        return [c["name"] for c in self._fitted().columns_ if c["kind"] == "numeric"]

    @property
    def categorical_names(self) -> list[str]:
        """Columns that were encoded as categories."""
        return [c["name"] for c in self._fitted().columns_ if c["kind"] != "numeric"]

    def _fitted(self) -> LogEncoder:
        if not hasattr(self, "columns_"):
            raise ValueError(
                "This LogEncoder is not fitted yet; call fit with training rows first."
            )
        return self

    def _learners(self, table: Table) -> dict[str, _Moments | _Values]:
        from pyarrow import types

        names = [name for name in table.column_names if name not in NOT_FEATURES]
        chosen = [*(self.numeric or []), *(self.categorical or [])]
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ValueError(
                f"The log has no column {', '.join(unknown)}; its columns are {', '.join(names)}."
            )
        found: dict[str, _Moments | _Values] = {}
        for name in names:
            kind = table[name].type
            number = types.is_integer(kind) or types.is_floating(kind)
            if name in (self.categorical or []):
                found[name] = _Values(self.buckets)
            elif name in (self.numeric or []) or (number and self.numeric is None):
                found[name] = _Moments(self.log)
            elif not number and self.categorical is None:
                found[name] = _Values(self.buckets)
        return found

    def _prepare(self) -> None:
        self.feature_names_: list[str] = []
        self._first: list[int] = []
        for column in self.columns_:
            name = column["name"]
            self._first.append(len(self.feature_names_))
            if column["kind"] == "numeric":
                self.feature_names_.append(name)
            elif column["kind"] == "values":
                self.feature_names_ += [f"{name} = {value}" for value in column["values"]]
            else:
                self.feature_names_ += [f"{name} in bucket {i}" for i in range(column["buckets"])]
            if column["missing"]:
                self.feature_names_.append(f"{name} is missing")

    def _numbers(self, column: dict[str, Any], values: ChunkedArray, out: np.ndarray) -> None:
        numbers = _scaled(values, self.log)
        absent = np.isnan(numbers)
        out[:, 0] = np.where(absent, 0.0, (numbers - column["mean"]) / column["std"])
        if column["missing"]:
            out[:, 1] = absent

    def _indicators(
        self, column: dict[str, Any], values: ChunkedArray, out: np.ndarray, first: int
    ) -> None:
        encoded = values.dictionary_encode().combine_chunks()
        texts = encoded.dictionary.to_pylist()
        if column["kind"] == "values":
            width = len(column["values"])
            place = {value: i for i, value in enumerate(column["values"])}
            targets = [place.get(text, -1) for text in texts]
        else:
            width = column["buckets"]
            targets = [bucket(column["name"], text, width) for text in texts]
        targets.append(width if column["missing"] else -1)  # what a missing value's code means
        codes = encoded.indices.fill_null(len(texts)).to_numpy()
        found = np.array(targets)[codes]
        rows = np.flatnonzero(found >= 0)
        out[rows, first + found[rows]] = 1


class _Moments:
    """Mean and variance of a numeric column, piece by piece (Chan et al. 1979)."""

    def __init__(self, log: bool) -> None:
        self.log = log
        self.count, self.mean, self.squares, self.missing = 0, 0.0, 0.0, False

    def add(self, values: ChunkedArray) -> None:
        numbers = _scaled(values, self.log)
        present = numbers[~np.isnan(numbers)]
        self.missing |= len(present) < len(numbers)
        if not len(present):
            return
        mean, total = float(present.mean()), self.count + len(present)
        apart = mean - self.mean
        self.squares += float(np.sum((present - mean) ** 2))
        self.squares += apart**2 * self.count * len(present) / total
        self.mean += apart * len(present) / total
        self.count = total

    def description(self, buckets: int) -> dict[str, Any]:
        std = math.sqrt(self.squares / self.count) if self.count else 0.0
        # a constant column's std is rounding error at most
        constant = std <= 1e-12 * max(1.0, abs(self.mean))
        return {"kind": "numeric", "mean": self.mean, "std": 1.0 if constant else std,
                "missing": self.missing}  # fmt: skip


class _Values:
    """The values of a category column, until there are too many to list."""

    def __init__(self, most: int) -> None:
        self.most, self.missing = most, False
        self.values: set[str] = set()
        self.many = False

    def add(self, values: ChunkedArray) -> None:
        self.missing |= values.null_count > 0
        if not self.many:
            self.values |= {text for text in values.unique().to_pylist() if text is not None}
            self.many = len(self.values) > self.most
        if self.many:
            self.values = set()

    def description(self, buckets: int) -> dict[str, Any]:
        if self.many:
            return {"kind": "hashed", "buckets": buckets, "missing": self.missing}
        return {"kind": "values", "values": sorted(self.values), "missing": self.missing}


def bucket(name: str, text: str, buckets: int) -> int:
    """The bucket of a column's value, the same on every machine."""
    code = zlib.crc32(text.encode(), zlib.crc32(name.encode()))
    return int((code * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 32) % buckets


def labels(table: Table) -> np.ndarray:
    """The column ``label`` as float32 (rows,), 1 for a click."""
    if "label" not in table.column_names:
        raise ValueError(f"The log has no column label; it has {', '.join(table.column_names)}.")
    return np.asarray(table["label"].to_numpy(), np.float32)


def one_hot(labels: np.ndarray, classes: int = 2, dtype: DTypeLike = np.float32) -> np.ndarray:
    """Class indices (rows,) as one-hot rows (rows, classes).

    >>> one_hot(np.array([0, 1]))
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    indices = np.asarray(labels)
    if indices.ndim != 1 or indices.dtype.kind not in "fiub":
        raise ValueError(
            f"labels have shape {indices.shape}, dtype {indices.dtype}; expected (N,)."
        )
    if not np.isin(indices, np.arange(classes)).all():
        raise ValueError(f"labels have other values than the classes 0 to {classes - 1}.")
    return np.eye(classes, dtype=dtype)[indices.astype(np.intp)]


def _column(table: Table, name: str, number: bool) -> ChunkedArray:
    """A column as float64 or string; ValueError where it is missing or of another type."""
    import pyarrow as pa

    if name not in table.column_names:
        raise ValueError(
            f"The log has no column {name}, which the encoder was fitted with; it has "
            f"{', '.join(table.column_names)}."
        )
    column = table[name]
    if number and not pa.types.is_dictionary(column.type):
        try:
            numbers = column.cast(pa.float64())
        except pa.ArrowInvalid as error:
            raise ValueError(f"Column {name} must be numeric: {error}") from None
        return numbers
    if number:
        raise ValueError(f"Column {name} holds categories; the encoder was fitted with numbers.")
    if pa.types.is_dictionary(column.type):
        if column.type.value_type != pa.string():
            return column.cast(pa.dictionary(pa.int32(), pa.string()))
        return column.unify_dictionaries()
    return column.cast(pa.string())


def _scaled(values: ChunkedArray, log: bool) -> np.ndarray:
    numbers = values.to_numpy()  # missing values become NaN
    if np.isinf(numbers).any():
        raise ValueError("A numeric column has infinite values; remove them first.")
    return np.sign(numbers) * np.log1p(np.abs(numbers)) if log else numbers


def _checked(column: dict[str, Any]) -> dict[str, Any]:
    """One column's description, if it is whole."""
    expected: dict[str, dict[str, Any]] = {
        "numeric": {"mean": float, "std": float}, "values": {"values": list},
        "hashed": {"buckets": int},
    }  # fmt: skip
    kinds = {"name": str, "missing": bool, **expected[column["kind"]]}
    for key, kind in kinds.items():
        if not isinstance(column[key], kind):
            raise TypeError(f"{key} of column {column['name']} is {column[key]!r}")
    return column
