"""What a CTR model is fed: numbers, one id for each categorical field, lists of ids.

``FeatureSpec`` says which fields there are and which tables their ids index; ``Batch`` holds the
arrays of some rows and knows, once asked, which rows of the tables they touch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .kernels.backend import ops
from .sparse import Touched
from .validation import as_real, check_size

POOLINGS = ("sum", "mean", "attention")
FIELDS = 2  # sorted field by field; a single one would be a single task, on one thread


@dataclass(frozen=True)
class Field:
    """A categorical field with ids from 0 to size - 1.

    Fields of the same ``table`` share one embedding table; by default each has its own.
    """

    name: str
    size: int
    table: str | None = None

    def __post_init__(self) -> None:
        check_size(self.size, f"The size of field {self.name!r}")


@dataclass(frozen=True)
class SequenceField(Field):
    """A field with any number of ids a row, whose vectors are pooled to one ("sum", "mean")."""

    pooling: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooling not in POOLINGS:
            raise ValueError(
                f"Field {self.name!r} has pooling {self.pooling!r}; expected one of "
                f"{', '.join(POOLINGS)}."
            )


@dataclass(frozen=True)
class FeatureSpec:
    """The features of a row: numeric columns, categorical fields, sequence fields.

    ``numeric`` is a list of names or their number; ``fields`` a list of ``Field`` or of sizes,
    ``sequences`` a list of ``SequenceField``. Raises ValueError for names that come twice and for
    fields of one table whose sizes differ.

    >>> spec = FeatureSpec(numeric=2, fields=[10, Field("city", 300)])
    >>> spec.names
    ('n0', 'n1', 'f0', 'city')
    """

    numeric: Sequence[str] | int = ()
    fields: Sequence[Field | int] = ()
    sequences: Sequence[SequenceField] = ()
    sizes: np.ndarray = field(init=False, repr=False, compare=False)
    offsets: np.ndarray = field(init=False, repr=False, compare=False)
    rows: int = field(init=False, repr=False, compare=False)
    apart: bool = field(init=False, repr=False, compare=False)  # fields alone, a table for each

    def __post_init__(self) -> None:
        numeric = self.numeric
        if isinstance(numeric, int):
            numeric = [f"n{i}" for i in range(numeric)]
        fields = [f if isinstance(f, Field) else Field(f"f{i}", f)
                  for i, f in enumerate(self.fields)]  # fmt: skip
        self._set(numeric=tuple(numeric), fields=tuple(fields), sequences=tuple(self.sequences))
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ValueError(f"The feature spec has names twice: {', '.join(sorted(twice))}.")
        if not self.names:
            raise ValueError("The feature spec has no features; name numeric, fields or sequences.")
        self._lay_out()

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _lay_out(self) -> None:
        """Tables one behind the other, in the order in which fields first name them."""
        start, places, offsets = 0, {}, []
        for f in self.columns:
            table = f.table or f.name
            if table not in places:
                places[table] = start, f
                start += f.size
            begin, first = places[table]
            if first.size != f.size:
                raise ValueError(
                    f"Fields {first.name!r} and {f.name!r} share table {table!r}, but their sizes "
                    f"are {first.size} and {f.size}."
                )
            offsets.append(begin)
        sizes = np.array([f.size for f in self.columns], np.int64)
        own = len(places) == len(offsets)
        self._set(sizes=sizes, offsets=np.array(offsets, np.int64), rows=start,
                  apart=own and not self.sequences)  # fmt: skip

    @property
    def columns(self) -> tuple[Field, ...]:
        """All fields that have ids: the categorical ones, then the sequences."""
        return (*self.fields, *self.sequences)  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all features, numeric ones first."""
        return (*self.numeric, *(f.name for f in self.columns))  # type: ignore[misc]

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON can hold it."""
        return {
            "numeric": list(self.numeric),  # type: ignore[arg-type]
            "fields": [asdict(f) for f in self.fields],  # type: ignore[arg-type]
            "sequences": [asdict(f) for f in self.sequences],
        }

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> FeatureSpec:
        """The spec that ``to_dict`` described."""
        return cls(
            list(known["numeric"]),
            [Field(**f) for f in known["fields"]],
            [SequenceField(**f) for f in known["sequences"]],
        )

    def batch(self, x: Any, dtype: np.dtype[Any]) -> Batch:
        """``x`` as a Batch: a dict with "numeric" (N, D), "ids" (N, F) and each sequence's name.

        Without numeric columns and sequences the ids alone will do, without fields the numbers. A
        sequence is a list of lists, or a pair of arrays: all ids, and each row's length; or ids
        padded to (N, L), and the lengths. Raises TypeError for ids that are not integers,
        ValueError for shapes that do not fit, negative lengths and ids outside of their tables.
        """
        if isinstance(x, Batch):
            if x.spec is not self and x.spec != self:
                raise ValueError("The batch was made for another feature spec; make it with ours.")
            return x
        parts = self._parts(x)
        ids = self._ids(parts["ids"]) if self.fields else None
        sequences = [
            _sequence(parts[f.name], f.name)  # names were checked in _parts
            for f in self.sequences
        ]
        numeric = _numeric(parts["numeric"], self.numeric, dtype) if self.numeric else None
        lengths = {
            name: size
            for name, size in [
                ("numeric", None if numeric is None else len(numeric)),
                ("ids", None if ids is None else len(ids)),
                *((f.name, len(s[1]) - 1) for f, s in zip(self.sequences, sequences, strict=True)),
            ]
            if size is not None
        }
        if len(set(lengths.values())) != 1:
            found = ", ".join(f"{name} {size}" for name, size in lengths.items())
            raise ValueError(f"The features have different numbers of rows: {found}.")
        if not next(iter(lengths.values())):
            raise ValueError("The batch has no rows.")
        return Batch(self, numeric, ids, tuple(sequences))

    def _parts(self, x: Any) -> Mapping[str, Any]:
        wanted = [
            *(["numeric"] if self.numeric else []),
            *(["ids"] if self.fields else []),
            *(f.name for f in self.sequences),
        ]
        if not isinstance(x, Mapping):
            if len(wanted) != 1:
                raise TypeError(
                    f"x is {type(x).__name__}; expected a dict with {', '.join(wanted)}."
                )
            return {wanted[0]: x}
        missing, extra = set(wanted) - set(x), set(x) - set(wanted)
        if missing or extra:
            raise ValueError(
                f"x has {', '.join(map(str, x)) or 'nothing'}; the feature spec expects "
                f"{', '.join(wanted)}."
            )
        return x

    def _ids(self, ids: Any) -> np.ndarray:
        array = _integers(ids, "ids")
        if array.ndim != 2 or array.shape[1] != len(self.fields):
            raise ValueError(
                f"ids has shape {array.shape}; expected (N, {len(self.fields)}), a column for each "
                f"of {', '.join(f.name for f in self.fields[:4])}"  # type: ignore[union-attr]
                f"{' ...' if len(self.fields) > 4 else ''}."
            )
        return array


@dataclass
class Batch:
    """Arrays of some rows: numeric (N, D), ids (N, F), and for each sequence (values, bounds).

    The ids of row n of a sequence are values[bounds[n] : bounds[n + 1]].
    """

    spec: FeatureSpec
    numeric: np.ndarray | None
    ids: np.ndarray | None
    sequences: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    first: int = 0  # number of the first row, for messages
    _rows: np.ndarray | None = None
    _touched: Touched | None = None

    def __len__(self) -> int:
        if self.ids is not None:
            return len(self.ids)
        return len(self.numeric) if self.numeric is not None else len(self.sequences[0][1]) - 1

    def __getitem__(self, rows: Any) -> Batch:
        """The batch of these rows, a slice or an array of row numbers."""
        return Batch(
            self.spec,
            None if self.numeric is None else self.numeric[rows],
            None if self.ids is None else self.ids[rows],
            tuple(_take(values, bounds, rows) for values, bounds in self.sequences),
            self.first + (rows.start or 0) if isinstance(rows, slice) else 0,
        )

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """The rows of several batches of one spec, one behind the other."""
        spec, count = batches[0].spec, len(batches[0].sequences)
        numbers = [b.numeric for b in batches if b.numeric is not None]
        ids = [b.ids for b in batches if b.ids is not None]
        return cls(
            spec,
            np.concatenate(numbers) if numbers else None,
            np.concatenate(ids) if ids else None,
            tuple(_join([b.sequences[i] for b in batches]) for i in range(count)),
        )

    def rows(self) -> np.ndarray:
        """Rows of the tables that each id means: of ids row by row, then of each sequence."""
        if self._rows is None:
            F = len(self.spec.fields)
            count = len(self) * F
            self._rows = np.empty(count + sum(len(v) for v, _ in self.sequences), np.int64)
            spec, bad = self.spec, np.zeros(1, np.int64)
            if self.ids is not None:
                own = self._rows[:count].reshape(len(self), F)
                ids = np.require(self.ids, requirements=["C", "A", "W"])
                ops.locate_ids(ids, spec.offsets[:F], spec.sizes[:F], own, bad)
                if bad[0]:
                    raise ValueError(_out_of_range(spec, ids, bad[0], self.first))
            for i, (values, _) in enumerate(self.sequences):
                f = spec.sequences[i]
                outside = (values < 0) | (values >= f.size)
                if outside.any():
                    first = values[np.argmax(outside)]
                    raise ValueError(_bad_id(f, first, int(outside.sum())))
                self._rows[count : count + len(values)] = values + spec.offsets[F + i]
                count += len(values)
        return self._rows

    def touched(self) -> Touched:
        """The different rows of the tables, and where in ``rows`` each of them stands."""
        if self._touched is None:
            rows, spec, F = self.rows(), self.spec, len(self.spec.fields)
            tables = None
            if spec.apart and F >= FIELDS and len(self):
                rows, tables = rows.reshape(-1, F), (spec.offsets, spec.sizes)
            self._touched = Touched(rows, spec.rows, tables)
        return self._touched


def _integers(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected integers. Ids are never taken from floats, "
            "which cannot tell large ones apart."
        )
    if array.dtype == np.uint64:
        if array.size and array.max() > np.iinfo(np.int64).max:
            raise ValueError(f"{name} has the id {array.max()}, beyond the range of int64.")
        array = array.astype(np.int64)
    return array


def _numeric(values: Any, names: Any, dtype: np.dtype[Any]) -> np.ndarray:
    array = as_real(values, dtype, "numeric")
    if array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(f"numeric has shape {array.shape}; expected (N, {len(names)}).")
    return array


def _sequence(given: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(values, bounds) of a sequence in any of the forms that ``FeatureSpec.batch`` takes."""
    if isinstance(given, tuple) and len(given) == 2:
        values, lengths = _integers(given[0], name), _integers(given[1], f"The length of {name}")
        if lengths.ndim != 1:
            raise ValueError(f"The lengths of {name} have shape {lengths.shape}; expected (N,).")
        if lengths.size and lengths.min() < 0:
            raise ValueError(f"{name} has the length {lengths.min()}; lengths cannot be negative.")
        if values.ndim == 2:
            if len(values) != len(lengths) or (lengths.size and lengths.max() > values.shape[1]):
                raise ValueError(
                    f"{name} has ids of shape {values.shape} and {len(lengths)} lengths up to "
                    f"{lengths.max(initial=0)}; expected a length of at most "
                    f"{values.shape[1]} for each row."
                )
            values = values[np.arange(values.shape[1]) < lengths[:, None]]
        if values.ndim != 1 or lengths.sum() != len(values):
            raise ValueError(
                f"{name} has ids of shape {values.shape}, and lengths that add up to "
                f"{lengths.sum()}."
            )
    else:
        lengths = np.array([len(row) for row in given], np.int64)
        parts = [np.asarray(row) for row in given if len(row)]
        values = _integers(np.concatenate(parts) if parts else np.empty(0, np.int64), name)
    return values.astype(np.int64), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _take(values: np.ndarray, bounds: np.ndarray, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    starts, lengths = bounds[:-1][rows], np.diff(bounds)[rows]
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    return values[places], np.concatenate([[0], ends])


def _join(sequences: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    values = [v[b[0] : b[-1]] for v, b in sequences]
    lengths = [np.diff(b) for _, b in sequences]
    return np.concatenate(values), np.concatenate([[0], np.cumsum(np.concatenate(lengths))])


def _out_of_range(spec: FeatureSpec, ids: np.ndarray, bad: int, first: int) -> str:
    F = len(spec.fields)
    outside = (ids < 0) | (ids >= spec.sizes[:F])
    n, f = np.unravel_index(np.argmax(outside), outside.shape)
    return f"In row {first + n} " + _bad_id(spec.columns[f], ids[n, f], bad)


def _bad_id(f: Field, found: Any, bad: int) -> str:
    more = f" ({bad} ids are out of range in all)" if bad > 1 else ""
    return (
        f"field {f.name!r} has the id {found}; its table has {f.size} rows, so ids go from 0 to "
        f"{f.size - 1}{more}."
    )
