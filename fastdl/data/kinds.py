"""The ways in which a column becomes features: each learns in one pass, then encodes.

A kind's ``features`` names what it makes: numbers, fields of ids, or sequences of ids. ``encode``
returns their arrays in that order. What it learned is in ``to_dict``, but for vocabularies, which
are kept beside (see ``FeatureEncoder.save``).
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..features import Field, SequenceField
from ..kernels.backend import ops
from ..validation import check_size
from .columns import is_list
from .cut_table import CutTable, Texts
from .fetch import column_of, raw_column
from .learners import Moments, finite, standardized
from .quantiles import Quantiles
from .vocabulary import MISSING, ValueCounts, Vocabulary, hashed_ids

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

Features = list[str | Field | SequenceField]


class Kind:
    """Base: the column's name, the options, and whether anything can be learnt from it."""

    kind: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    learnt: ClassVar[tuple[str, ...]] = ()
    useless = ""  # after training: why the column is left out
    vocabulary: Vocabulary | None = None

    def __init__(self, name: str, **given: Any) -> None:
        unknown = set(given) - set(self.options)
        if unknown:
            raise ValueError(
                f"Column {name!r} has the options {', '.join(sorted(unknown))}; a column of the "
                f"kind {self.kind!r} has {', '.join(self.options) or 'none'}."
            )
        self.name = name
        for option, value in {**self.options, **given}.items():
            if isinstance(self.options[option], int) and not isinstance(value, bool):
                check_size(value, f"{option} of column {name!r}")
            setattr(self, option, value)

    def learn(self, table: Table | CutTable) -> None:
        """Learn from a piece of the training rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """After the last piece."""
        raise NotImplementedError

    def judge(self, values: int, constant: bool, missing: bool) -> None:
        """Say so if there is nothing to learn from the column."""
        if values == 0:
            self.useless = "it has no values"
        elif constant and not missing:
            self.useless = "it is constant"

    def features(self) -> Features:
        """Names of numbers, and fields of ids."""
        raise NotImplementedError

    def encode(self, table: Table | CutTable) -> list[Any]:
        """An array for each feature."""
        raise NotImplementedError

    def afresh(self) -> Kind | None:
        """A column with the same options that learns what new rows add, if they can."""
        return None

    def extended(self, learnt: Kind) -> Kind:
        """The column with what ``afresh`` has learnt; old ids stay."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Options and what was learned, as JSON can hold it."""
        found = {name: getattr(self, name) for name in (*self.options, *self.learnt)}
        return {"kind": self.kind, "name": self.name, **found}

    @classmethod
    def from_dict(cls, known: dict[str, Any], vocabulary: Vocabulary | None) -> Kind:
        """The column that ``to_dict`` described."""
        column = cls(known["name"], **{name: known[name] for name in cls.options})
        for name in cls.learnt:
            setattr(column, name, known[name])
        column.vocabulary = vocabulary
        column.check()
        return column

    def check(self) -> None:
        """ValueError where what was read from a file cannot be right."""


class Number(Kind):
    """(s - mean) / std with s = sign(x) log(1 + |x|), or x where ``log`` is False; 0 where missing.

    Where training rows had gaps, a second number marks them.
    """

    kind = "number"
    options: ClassVar = {"log": True}
    learnt = ("mean", "std", "missing")
    log: bool
    mean: float
    std: float
    missing: bool

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(name, **given)
        self._moments = Moments(name, bool(self.log))

    def learn(self, table: Table | CutTable) -> None:
        self._moments.add(column_of(table, self.name, True))

    def finish(self) -> None:
        known = self._moments.description()
        self.mean, self.std, self.missing = known["mean"], known["std"], known["missing"]
        self.judge(self._moments.count, self._moments.squares == 0, self.missing)

    def features(self) -> Features:
        return [self.name, f"{self.name} is missing"] if self.missing else [self.name]

    def encode(self, table: Table | CutTable) -> list[Any]:
        values = column_of(table, self.name, True)
        numbers, absent = standardized(values, self.name, self.log, self.mean, self.std)
        return [numbers, absent] if self.missing else [numbers]

    def check(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"column {self.name} has mean {self.mean} and std {self.std}")


class Buckets(Kind):
    """The id of the quantile bucket that the number falls into; 0 where missing."""

    kind = "buckets"
    options: ClassVar = {"buckets": 64}
    learnt = ("borders",)
    buckets: int
    borders: list[float]

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(name, **given)
        self._quantiles, self._missing = Quantiles(), False

    def learn(self, table: Table | CutTable) -> None:
        values = finite(column_of(table, self.name, True), self.name)
        self._missing |= bool(np.isnan(values).any())
        self._quantiles.add(values)

    def finish(self) -> None:
        self.borders = self._quantiles.borders(self.buckets)
        bins = self._quantiles.bins
        self.judge(bins, bins == 1, self._missing)

    def features(self) -> Features:
        return [Field(self.name, len(self.borders) + 2)]

    def encode(self, table: Table | CutTable) -> list[Any]:
        values = finite(column_of(table, self.name, True), self.name)
        ids = np.empty(len(values), np.int32)
        ops.bucket_ids(values, np.asarray(self.borders, np.float64), ids)
        return [ids]

    def check(self) -> None:
        if not all(a < b for a, b in zip(self.borders, self.borders[1:], strict=False)):
            raise ValueError(f"the borders of column {self.name} do not rise")


class Category(Kind):
    """An id for each value that came ``min_count`` times; 0 where missing, 1 for all others.

    More than ``max_values`` values are not listed: their hash chooses one of so many ids.
    """

    kind = "category"
    options: ClassVar = {"min_count": 2, "max_values": 2_000_000}
    learnt = ("hashed",)
    min_count: int
    max_values: int
    hashed = False

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(name, **given)
        self._counts, self._missing = ValueCounts(self.max_values, self.min_count), False

    def learn(self, table: Table | CutTable) -> None:
        before, values = self._counts.rows, column_of(table, self.name, False)
        self._counts.add(values)
        self._missing |= self._counts.rows - before < len(values)

    def finish(self) -> None:
        self.hashed = self._counts.full
        self.judge(self._counts.rows, self._counts.used == 1, self._missing)
        if not self.hashed:
            self.vocabulary = self._counts.vocabulary()

    def afresh(self) -> Category | None:
        given = {name: getattr(self, name) for name in self.options}
        return None if self.vocabulary is None else type(self)(self.name, **given)

    def extended(self, learnt: Kind) -> Category:
        found = copy.copy(self)
        if self.vocabulary is not None and learnt.vocabulary is not None:
            found.vocabulary = self.vocabulary.extended(learnt.vocabulary, self.max_values)
        return found

    def _size(self) -> int:
        return self.vocabulary.size if self.vocabulary is not None else self.max_values + 1

    def _ids(self, values: ChunkedArray | Texts) -> np.ndarray:
        if self.vocabulary is not None:
            return self.vocabulary.ids(values)
        return hashed_ids(values, self.max_values)

    def features(self) -> Features:
        return [Field(self.name, self._size())]

    def encode(self, table: Table | CutTable) -> list[Any]:
        return [self._ids(column_of(table, self.name, False))]

    def check(self) -> None:
        if self.hashed != (self.vocabulary is None):
            raise ValueError(f"the vocabulary of column {self.name} is missing")


class Hashed(Kind):
    """One of ``size`` ids, chosen by the value's hash; 0 where missing. Nothing is kept."""

    kind = "hashed"
    options: ClassVar = {"size": 100_000}
    size: int

    def learn(self, table: Table | CutTable) -> None:
        column_of(table, self.name, False)

    def finish(self) -> None:
        pass

    def features(self) -> Features:
        return [Field(self.name, self.size + 1)]

    def encode(self, table: Table | CutTable) -> list[Any]:
        return [hashed_ids(column_of(table, self.name, False), self.size)]


class List(Category):
    """A sequence of ids as ``Category`` gives them, of lists or of text that ``separator`` cuts.

    Missing values in a list, and nothing between two separators, are left out; a missing list is
    empty.
    """

    kind = "list"
    options: ClassVar = {**Category.options, "separator": None, "pooling": "mean"}
    separator: str | None
    pooling: str

    def _lists(self, table: Table | CutTable) -> tuple[ChunkedArray, np.ndarray]:
        """All elements, one list behind the other, and each list's length."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.separator is not None:
            texts = column_of(table, self.name, False).cast(pa.string())
            column = pc.split_pattern(texts, self.separator)
        else:
            column = raw_column(table, self.name)
        kind = column.type
        if not is_list(kind):
            raise ValueError(
                f"Column {self.name} has the type {kind}; expected lists, or text and a separator."
            )
        elements = pa.chunked_array([c.flatten() for c in column.chunks], kind.value_type)
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
        present = elements.is_valid().to_numpy()
        if self.separator is not None:
            present &= pc.fill_null(pc.not_equal(elements, ""), False).to_numpy()
        if not present.all():
            rows = np.repeat(np.arange(len(lengths)), lengths)[present]
            lengths = np.bincount(rows, minlength=len(lengths))
            elements = elements.filter(pa.array(present))
        return elements.cast(pa.string()), lengths

    def learn(self, table: Table | CutTable) -> None:
        elements, lengths = self._lists(table)
        self._counts.add(elements)
        self._missing |= bool((lengths == 0).any())

    def features(self) -> Features:
        return [SequenceField(self.name, self._size(), pooling=self.pooling)]

    def encode(self, table: Table | CutTable) -> list[Any]:
        elements, lengths = self._lists(table)
        return [(self._ids(elements).astype(np.int64), lengths)]


class Date(Kind):
    """The hour of the day and the day of the week of a time, as two fields; 0 where missing.

    Times are pyarrow's timestamps and dates, or text as ISO 8601 writes it.
    """

    kind = "date"

    def _times(self, table: Table | CutTable) -> ChunkedArray:
        import pyarrow as pa

        column = raw_column(table, self.name)
        if pa.types.is_timestamp(column.type):
            return column
        if pa.types.is_date(column.type):
            return column.cast(pa.timestamp("ms"))
        texts = column_of(table, self.name, False)
        try:
            return texts.cast(pa.string()).cast(pa.timestamp("us"))
        except pa.ArrowException as error:
            raise ValueError(f"Column {self.name} has no times: {error}") from None

    def learn(self, table: Table | CutTable) -> None:
        self._times(table)

    def finish(self) -> None:
        pass

    def features(self) -> Features:
        return [Field(f"{self.name} hour", 25), Field(f"{self.name} weekday", 8)]

    def encode(self, table: Table | CutTable) -> list[Any]:
        import pyarrow.compute as pc

        times = self._times(table)
        parts = (pc.hour(times), pc.day_of_week(times))
        return [pc.fill_null(pc.add(part, 1), MISSING).to_numpy() for part in parts]


KINDS: dict[str, type[Kind]] = {
    kind.kind: kind for kind in (Number, Buckets, Category, Hashed, List, Date)
}
