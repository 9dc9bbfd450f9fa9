"""From a log's columns to what CTR models with embeddings take: numbers, ids and lists of ids."""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ..config import resolve_dtype
from ..features import FeatureSpec, Field, SequenceField
from ..files import FORMAT_VERSION, check_version, write_atomically, write_json
from ..kernels.jit import get_num_threads, stay_on_this_thread
from .columns import is_id, is_list, is_number, is_time
from .cut_table import CutTable
from .fetch import as_table, is_table
from .formats import LABELS, OPPOSITES
from .kinds import KINDS, Buckets, Category, Hashed, Kind, Number
from .learners import check_range
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from pyarrow import Table

DESCRIPTION, VOCABULARIES = "features.json", "vocabularies.parquet"
_OPTIONS = ("numbers", "categories", "min_count", "max_values", "hash_size")  # that files have
_BLOCK = 4096  # rows written together
NOT_FEATURES = {*LABELS, *OPPOSITES.values(), "click_probability"}


class FeatureEncoder:
    """Learns in one pass over the training rows how columns become features.

    numbers: what a numeric column becomes, "buckets" (ids of quantiles) or "number" (scaled
    logarithms). categories: what all others become, "category" (values are listed) or "hashed":
    nothing is kept, each value's hash chooses one of ``hash_size`` ids. min_count: values of a
    category that came less often share one id. max_values: a column with more different values is
    hashed into so many ids. columns: for some columns their kind, or a dict of "kind" and options:
    "number" (log), "buckets" (buckets), "category" (min_count, max_values), "hashed" (size), "list"
    (separator, pooling and those of a category), "date", or "ignore". Otherwise numbers are
    ``numbers``, lists "list", times "date", and all else, and numbers in columns named as ids are
    (see ``iter_log``), ``categories``. The label's usual names and click_probability are no
    features.

    Memory is bounded by the vocabularies. Ids do not depend on the order of the rows or on how the
    log is cut, and are the same in every process. After ``fit``: ``columns_``, ``spec_`` (a
    ``FeatureSpec``), ``left_out_`` (why columns are no features: constant, or without values).

    >>> from fastdl.data import FeatureEncoder
    >>> log = {"price": [1.0, None, 3.0], "city": ["Rome", "Rome", "Oslo"]}
    >>> encoder = FeatureEncoder().fit(log)
    >>> encoder.spec_.names
    ('price', 'city')
    >>> encoder.transform({"price": [2.0], "city": ["Rome"]})["ids"]
    array([[2, 2]], dtype=int32)
    """

    def __init__(
        self, *, numbers: str = "buckets", categories: str = "category", min_count: int = 2,
        max_values: int = 2_000_000, hash_size: int = 100_000,
        columns: Mapping[str, str | Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        self.numbers = numbers
        self.categories = categories
        self.hash_size = hash_size
        self.min_count = min_count
        self.max_values = max_values
        self.columns = columns

    def fit(self, log: Any) -> FeatureEncoder:
        """Learn from a table, a pandas or polars frame, a dict of arrays, or an iterable of them.

        Raises TypeError and ValueError for options and columns that cannot be used.
        """
        pieces = (table for table in _pieces(log) if len(table))
        first = next(pieces, None)
        if first is None:
            raise ValueError("The log has no rows to learn from.")
        columns = self._choose(first)
        _learn(itertools.chain([first], pieces), list(columns.values()))
        _each(methodcaller("finish"), columns.values())
        self.left_out_ = {
            name: "it has lists of numbers" for name in first.column_names
            if name not in columns and _has_number_lists(first[name].type)
        }  # fmt: skip
        self.left_out_ |= {c.name: c.useless for c in columns.values() if c.useless}
        self._prepare([c for c in columns.values() if not c.useless])
        return self

    def extended(self, log: Any) -> FeatureEncoder:
        """An encoder that also lists the new values of a log, which is as in ``fit``.

        All ids stay what they are; values that came ``min_count`` times in the log and were not
        listed get the next ones. Numbers, hashed columns and dates are encoded as before. A model
        follows by ``fastdl.models.ctr.growth.grown``.

        >>> from fastdl.data import FeatureEncoder
        >>> encoder = FeatureEncoder(min_count=1).fit({"city": ["Rome", "Oslo"]})
        >>> encoder.extended({"city": ["Bonn", "Rome"]}).spec_.fields[0].size
        5
        """
        fresh = {i: new for i, c in enumerate(self._fitted().columns_) if (new := c.afresh())}
        _learn((table for table in _pieces(log) if len(table)), list(fresh.values()))
        _each(methodcaller("finish"), fresh.values())
        found = copy.copy(self)
        found._prepare([
            c.extended(fresh[i]) if i in fresh else c for i, c in enumerate(self.columns_)
        ])  # fmt: skip
        return found

    def transform(self, log: Any, dtype: DTypeLike | None = None) -> dict[str, Any]:
        """What ``spec_.batch`` and the models take: "numeric", "ids" and the sequences' names.

        Raises ValueError where a column of the training log is missing or of another type, and
        for infinite numbers and those too large for the dtype.
        """
        table, spec, real = as_table(log), self._fitted().spec_, resolve_dtype(dtype)
        small = not len(spec.sizes) or spec.sizes.max() < 2**31
        encoded = _each(methodcaller("encode", table), self.columns_)
        found: dict[str, Any] = {}
        numbers, ids = [], []
        for column, arrays in zip(self.columns_, encoded, strict=True):
            for feature, values in zip(column.features(), arrays, strict=True):
                if isinstance(feature, SequenceField):
                    found[feature.name] = values
                elif isinstance(feature, Field):
                    ids.append(values)
                else:
                    check_range(values, column.name, real)
                    numbers.append(values)
        if numbers:
            found["numeric"] = _side_by_side(numbers, real)
        if ids:
            found["ids"] = _side_by_side(ids, np.dtype(np.int32 if small else np.int64))
        return found

    def iter_transform(
        self, pieces: Iterable[Any], dtype: DTypeLike | None = None
    ) -> Iterator[dict[str, Any]]:
        """``transform`` of every piece, in their order, several at a time.

        Of the pieces, as many are held as there are threads, and one more.
        """
        self._fitted()
        threads = get_num_threads()
        coming: deque[Future[dict[str, Any]]] = deque()
        with ThreadPoolExecutor(threads, initializer=stay_on_this_thread) as pool:
            for piece in pieces:
                coming.append(pool.submit(self.transform, piece, dtype))
                if len(coming) > threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    def fit_transform(self, log: Any, dtype: DTypeLike | None = None) -> dict[str, Any]:
        """``fit`` and ``transform`` of one table."""
        return self.fit(log).transform(log, dtype)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write features.json and vocabularies.parquet, which people can read, into a folder."""
        import pyarrow as pa
        from pyarrow import parquet

        columns = self._fitted().columns_
        parts = [
            pa.table({"column": pa.array([c.name] * len(v.values), pa.string()),
                      "value": v.values, "count": pa.array(v.counts, pa.int64())})
            for c in columns if (v := c.vocabulary) is not None
        ]  # fmt: skip
        schema = pa.schema({"column": pa.string(), "value": pa.string(), "count": pa.int64()})
        vocabularies = pa.concat_tables([schema.empty_table(), *parts])
        write_atomically(
            Path(folder) / VOCABULARIES, lambda path: parquet.write_table(vocabularies, path)
        )
        described = {
            "format_version": FORMAT_VERSION,
            **{name: getattr(self, name) for name in _OPTIONS}, "left_out": self.left_out_,
            "columns": [c.to_dict() for c in columns],
            "vocabulary_sizes": {c.name: len(c.vocabulary.values) for c in columns if c.vocabulary},
        }  # fmt: skip
        write_json(Path(folder) / DESCRIPTION, described)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> FeatureEncoder:
        """The encoder that ``save`` wrote; ValueError for damaged files, or a newer version's."""
        from pyarrow import parquet

        for name in (DESCRIPTION, VOCABULARIES):
            if not (Path(folder) / name).is_file():
                raise FileNotFoundError(f"There is no file {Path(folder) / name}.")
        with _damage_told(folder):
            known = json.loads((Path(folder) / DESCRIPTION).read_text(encoding="utf-8"))
            version = int(known["format_version"])
        check_version(version, f"The encoder in {folder}")
        with _damage_told(folder):
            table = parquet.read_table(Path(folder) / VOCABULARIES, partitioning=None)
            encoder = cls(**{name: known[name] for name in _OPTIONS if name in known})
            encoder.left_out_ = dict(known["left_out"])
            encoder._prepare(list(_columns(known, table)))
        return encoder

    @property
    def numeric_names(self) -> list[str]:
        """Columns that are read as numbers."""
        return [c.name for c in self._fitted().columns_ if isinstance(c, Number | Buckets)]

    @property
    def categorical_names(self) -> list[str]:
        """Columns that are read as text."""
        return [c.name for c in self._fitted().columns_ if isinstance(c, Category | Hashed)]

    def _choose(self, table: Table | CutTable) -> dict[str, Kind]:
        asked = {
            name: {"kind": given} if isinstance(given, str) else dict(given)
            for name, given in (self.columns or {}).items()
        }
        unknown = [name for name in asked if name not in table.column_names]
        if unknown:
            raise ValueError(
                f"The log has no column {', '.join(unknown)}, which columns= names; it has "
                f"{', '.join(table.column_names)}."
            )
        if self.numbers not in ("number", "buckets"):
            raise ValueError(f"numbers is {self.numbers!r}; expected 'number' or 'buckets'.")
        if self.categories not in ("category", "hashed"):
            raise ValueError(f"categories is {self.categories!r}; expected 'category' or 'hashed'.")
        names = [n for n in table.column_names if n in asked or n not in NOT_FEATURES]
        found = {}
        for name in names:
            options = asked.get(name, {"kind": self._usual_kind(name, table[name].type)})
            kind = options.pop("kind", None)
            if kind == "ignore":
                continue
            if kind not in KINDS:
                raise ValueError(
                    f"Column {name!r} has the kind {kind!r}; expected one of {', '.join(KINDS)} "
                    "or ignore."
                )
            common = {"min_count": self.min_count, "max_values": self.max_values,
                      "size": self.hash_size}  # fmt: skip
            usual = {k: v for k, v in common.items() if k in KINDS[kind].options}
            found[name] = KINDS[kind](name, **{**usual, **options})
        return found

    def _usual_kind(self, name: str, kind: Any) -> str:
        if is_number(kind):
            return self.categories if is_id(name) else self.numbers
        if is_list(kind):
            return "ignore" if _has_number_lists(kind) else "list"
        return "date" if is_time(kind) else self.categories

    def _prepare(self, columns: list[Kind]) -> None:
        if not columns:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.left_out_.items())
            raise ValueError(f"There are no columns to encode ({reasons or 'the log has none'}).")
        self.columns_ = columns
        features = [feature for column in columns for feature in column.features()]
        self.spec_ = FeatureSpec(
            [f for f in features if isinstance(f, str)],
            [f for f in features if isinstance(f, Field) and not isinstance(f, SequenceField)],
            [f for f in features if isinstance(f, SequenceField)],
        )

    def _fitted(self) -> FeatureEncoder:
        if not hasattr(self, "columns_"):
            raise ValueError("This FeatureEncoder is not fitted yet; call fit with training rows.")
        return self

    def describe(self) -> list[tuple[str, str, str]]:
        """(name, kind, what it became) of every column, those left out too; for people."""
        rows = []
        for column in self._fitted().columns_:
            sizes = [f"{f.size:,} ids" for f in column.features() if isinstance(f, Field)]
            rows.append((column.name, column.kind, ", ".join(sizes) or "a number"))
        return [*rows, *((name, "left out", why) for name, why in self.left_out_.items())]


def _has_number_lists(kind: Any) -> bool:
    """Whether a pyarrow type is one of lists of floats, which are no ids."""
    from pyarrow import types

    return is_list(kind) and types.is_floating(kind.value_type)


@contextmanager
def _damage_told(folder: str | os.PathLike[str]) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
        raise ValueError(f"The encoder in {folder} is damaged: {error!r}.") from None


def _pieces(log: Any) -> Iterator[Table | CutTable]:
    if is_table(log):
        yield as_table(log)
    elif isinstance(log, str | bytes) or not isinstance(log, Iterable):
        raise TypeError(
            f"fit got {type(log).__name__}; expected a table, a frame, a dict of arrays, or "
            "several of them."
        )
    else:
        for piece in log:
            yield as_table(piece)


def _learn(pieces: Iterable[Table | CutTable], columns: list[Kind]) -> None:
    """Every thread has columns of its own, and need not wait for the others after each piece."""
    threads = min(get_num_threads(), len(columns)) or 1
    groups = [columns[i::threads] for i in range(threads)]
    coming: deque[list[Future[None]]] = deque()
    with ExitStack() as stack:
        pools = [
            stack.enter_context(ThreadPoolExecutor(1, initializer=stay_on_this_thread))
            for _ in groups
        ]
        for piece in pieces:
            both = zip(pools, groups, strict=True)
            coming.append([pool.submit(_learn_piece, piece, group) for pool, group in both])
            if len(coming) > 1:
                for learnt in coming.popleft():
                    learnt.result()
        for learnt in itertools.chain(*coming):
            learnt.result()


def _learn_piece(piece: Table | CutTable, columns: list[Kind]) -> None:
    for column in columns:
        column.learn(piece)


def _each(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Columns, or blocks of rows, are independent of each other: each is one thread's."""
    items = list(items)
    threads = min(get_num_threads(), len(items))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads, initializer=stay_on_this_thread) as pool:
        return list(pool.map(work, items))


def _side_by_side(columns: list[np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    """Columns (rows,) as (rows, columns), in blocks of rows that stay in the cache."""
    out = np.empty((len(columns[0]), len(columns)), dtype)

    def fill(start: int) -> None:
        own = slice(start, start + _BLOCK)
        for i, column in enumerate(columns):
            out[own, i] = column[own]

    _each(fill, range(0, len(out), _BLOCK))
    return out


def _columns(known: dict[str, Any], vocabularies: Table) -> Iterator[Kind]:
    import pyarrow.compute as pc

    for described in known["columns"]:
        vocabulary, name = None, described["name"]
        size = known["vocabulary_sizes"].get(name)
        if size is not None:
            own = vocabularies.filter(pc.equal(vocabularies["column"], name))
            if len(own) != size:
                raise ValueError(f"column {name} has {len(own)} values; expected {size}")
            vocabulary = Vocabulary(own["value"], own["count"].to_numpy())
        yield KINDS[described["kind"]].from_dict(described, vocabulary)
