"""Category values: their keys, which of them came how often, and the ids that they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.backend import ops
from .cut_table import Texts

if TYPE_CHECKING:
    from pyarrow import Array, ChunkedArray

MISSING, OTHER, FIRST = 0, 1, 2  # ids: no value; rare in training or unseen; the first value's

_SLOTS = 1024  # of a new counter; a power of two
_ALL = np.empty(0, bool)  # every key is there


def keys_of(column: ChunkedArray | Texts) -> tuple[np.ndarray, np.ndarray]:
    """XXH64 of every value, uint64 (rows,), and which rows have a value, bool (rows,).

    column: strings, or a dictionary of strings, or texts whose keys are known.
    """
    if isinstance(column, Texts):
        return column.keys, column.present
    found = []
    hashed: dict[Any, Any] = {}  # keys by dictionary: the pieces of one log mostly share it
    for chunk in column.chunks:
        found.append(_keys_of_chunk(chunk, hashed))
    if len(found) == 1:
        return found[0]
    keys, present = zip(*found, strict=True) if found else ((), ())
    return (
        np.concatenate([np.empty(0, np.uint64), *keys]),
        np.concatenate([np.empty(0, bool), *present]),
    )


def _keys_of_chunk(chunk: Array, hashed: dict[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    import pyarrow as pa

    present = chunk.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_dictionary(chunk.type):
        values = chunk.dictionary
        place = (values.offset, len(values), *(b and b.address for b in values.buffers()))
        if place not in hashed:
            hashed[place] = _keys_of_chunk(values, hashed)
        keys, known = hashed[place]
        if not len(keys):
            return np.zeros(len(chunk), np.uint64), present
        codes = chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return keys[codes], present & known[codes]
    _, offsets, data = chunk.buffers()
    keys = np.empty(len(chunk), np.uint64)
    if len(chunk):
        first = chunk.offset
        bounds = np.frombuffer(offsets, np.int32)[first : first + len(chunk) + 1].astype(np.int64)
        content = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
        ops.hash_strings(bounds, content, np.uint64(0), keys)
    return keys, present


class ValueCounts:
    """How often each value came, until there are more than ``most`` different ones.

    Texts are kept of those that came ``least`` times.
    """

    def __init__(self, most: int, least: int = 1) -> None:
        self.most, self.least, self.full = most, least, False
        self.keys, self.counts = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.int64)
        self.used = 0
        self.rows = 0  # that had a value
        self.new_keys: list[np.ndarray] = []
        self.new_texts: list[Array] = []

    def add(self, column: ChunkedArray | Texts) -> None:
        """Count a piece's values; beyond ``most`` nothing is kept."""
        keys, present = keys_of(column)
        self.rows += int(np.count_nonzero(present))
        if self.full:
            return
        fresh, state = np.empty(len(keys), np.int64), np.array([0, self.used, 0])
        while True:
            ops.count_keys(keys, present, self.keys, self.counts, self.least, fresh, state)
            if state[0] == len(keys) or state[1] > self.most:
                break
            self._grow()
        self.used = int(state[1])
        if self.used > self.most:
            self.full = True
            self.keys, self.counts, self.new_keys, self.new_texts = _nothing()
            return
        new = fresh[: state[2]]
        if len(new):
            self.new_keys.append(keys[new])
            self.new_texts += _texts(column, new)

    def _grow(self) -> None:
        held = self.counts > 0
        keys, counts = np.zeros(4 * self.keys.size, np.uint64), np.zeros(4 * self.keys.size, int)
        ops.move_keys(self.keys[held], self.counts[held], keys, counts)
        self.keys, self.counts = keys, counts

    def vocabulary(self) -> Vocabulary:
        """The values that came at least ``least`` times, the most frequent first.

        Equally frequent ones are ordered by their keys: how the log was cut, or in which order its
        rows came, changes nothing.
        """
        import pyarrow as pa

        keys = np.concatenate([np.empty(0, np.uint64), *self.new_keys])
        counts = np.empty(len(keys), np.int64)
        ops.find_keys(keys, _ALL, self.keys, self.counts, 0, 0, counts)
        order = np.lexsort((keys, -counts))
        texts = pa.chunked_array(self.new_texts, pa.string())
        values = texts.take(pa.array(order)).combine_chunks()
        return Vocabulary(values, counts[order], keys[order])


def _texts(column: ChunkedArray | Texts, rows: np.ndarray) -> list[Array]:
    import pyarrow as pa

    if isinstance(column, Texts):
        return [column.take(rows)]
    return list(column.take(pa.array(rows)).cast(pa.string()).chunks)


def _nothing() -> tuple[np.ndarray, np.ndarray, list[Any], list[Any]]:
    return np.empty(0, np.uint64), np.empty(0, np.int64), [], []


class Vocabulary:
    """Values and their ids: the i-th of ``values`` has the id FIRST + i.

    ``counts`` says how often each came in training, for people who read the file; ``keys`` are the
    values' different keys, where they are known.
    """

    def __init__(self, values: Any, counts: np.ndarray, keys: np.ndarray | None = None) -> None:
        import pyarrow as pa

        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        self.values, self.counts = values, counts
        if keys is None:
            keys, present = keys_of(pa.chunked_array([values]))
            if not present.all() or len(np.unique(keys)) != len(keys):
                raise ValueError("A vocabulary has a value twice, or one that is missing.")
        slots = max(_SLOTS, 1 << (2 * len(keys)).bit_length())
        self._keys, self._ids = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
        ops.move_keys(keys, np.arange(FIRST, FIRST + len(keys)), self._keys, self._ids)

    @property
    def size(self) -> int:
        """Rows of the table that the ids index."""
        return FIRST + len(self.values)

    def extended(self, other: Vocabulary, most: int) -> Vocabulary:
        """Our values with their ids, then those of the other one that are new, up to ``most``."""
        import pyarrow as pa

        new = np.flatnonzero(self.ids(pa.chunked_array([other.values])) == OTHER)
        new = new[: max(0, most - len(self.values))]
        values = [self.values, other.values.take(pa.array(new))]
        return Vocabulary(pa.concat_arrays(values), np.append(self.counts, other.counts[new]))

    def ids(self, column: ChunkedArray | Texts) -> np.ndarray:
        """The id of every row's value, int32 (rows,)."""
        keys, present = keys_of(column)
        out = np.empty(len(keys), np.int32)
        ops.find_keys(keys, present, self._keys, self._ids, MISSING, OTHER, out)
        return out


def hashed_ids(column: ChunkedArray | Texts, size: int) -> np.ndarray:
    """Ids from 1 to ``size`` by the values' hash, 0 where missing; int64 (rows,)."""
    keys, present = keys_of(column)
    return np.where(present, (keys % np.uint64(size)).astype(np.int64) + 1, MISSING)
