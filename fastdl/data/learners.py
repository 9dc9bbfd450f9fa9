"""What an encoder learns of one column, piece by piece."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.backend import ops
from ..kernels.scaling import ROWS
from .cut_table import Numbers
from .hashing import SlotCounts, hash_codes, packed

if TYPE_CHECKING:
    from pyarrow import ChunkedArray


def finite(values: ChunkedArray | Numbers, name: str) -> np.ndarray:
    """float64 (rows,), NaN where missing; ValueError for infinity."""
    # pyarrow's own memory is read-only, for which numba would compile the kernels once more
    numbers = np.require(values.to_numpy(), np.float64, ["C", "W"])
    if len(numbers) and np.isinf([np.fmax.reduce(numbers), np.fmin.reduce(numbers)]).any():
        raise ValueError(
            f"Column {name} is infinite in row {np.isinf(numbers).argmax()}; remove such values "
            "first."
        )
    return numbers


def standardized(
    values: ChunkedArray | Numbers, name: str, log: bool, mean: float, std: float
) -> tuple[np.ndarray, np.ndarray]:
    """(s - mean) / std, 0 where missing, and where that is; s = sign(x) log(1 + |x|) if ``log``."""
    numbers = finite(values, name)
    out, absent = np.empty(len(numbers)), np.empty(len(numbers), bool)
    ops.standardize(numbers, log, mean, std, out, absent)
    return out, absent


def check_range(numbers: np.ndarray, name: str, dtype: np.dtype[Any]) -> None:
    """ValueError for numbers that the dtype cannot hold."""
    most = np.finfo(dtype).max
    if len(numbers) and not -most <= numbers.min() <= numbers.max() <= most:
        raise ValueError(f"Column {name} has numbers too large for {dtype}.")


def distinct(values: ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The distinct values of a category column, and each row's place in them (-1: missing).

    Only values that are there: a slice of a log brings the dictionary of the whole log along.
    """
    import pyarrow as pa

    encoded = pa.chunked_array(values.dictionary_encode()).unify_dictionaries()
    chunks = [chunk.indices.fill_null(-1).to_numpy() for chunk in encoded.chunks]
    codes = np.concatenate(chunks) if chunks else np.empty(0, np.int64)
    dictionary = encoded.chunk(0).dictionary if chunks else pa.array([], pa.string())
    if len(dictionary) > len(codes):
        used, codes = np.unique(codes, return_inverse=True)
        missing = int(len(used) > 0 and used[0] < 0)
        dictionary, codes = dictionary.take(pa.array(used[missing:])), codes - missing
    texts = dictionary.to_pylist()
    if None in texts:  # a missing value may also be an entry of the dictionary
        keep = np.array([text is not None for text in texts])
        place = np.append(np.where(keep, np.cumsum(keep) - 1, -1), -1)
        texts, codes = [text for text in texts if text is not None], place[codes]
    return texts, codes


class Moments:
    """Mean and variance of a numeric column (merged as in Chan, Golub, LeVeque 1979)."""

    def __init__(self, name: str, log: bool) -> None:
        self.name, self.log = name, log
        self.count, self.mean, self.squares, self.missing = 0, 0.0, 0.0, False

    def add(self, values: ChunkedArray | Numbers) -> None:
        """Learn from a piece's values."""
        numbers = finite(values, self.name)
        partial = np.empty((-(-len(numbers) // ROWS), 3))
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            ops.moments(numbers, self.log, partial)
            count, mean, squares = _merged(partial[partial[:, 0] > 0])
            self.missing |= count < len(numbers)
            if not count:
                return
            total, apart = self.count + count, mean - self.mean
            squares += float(np.square(apart)) * self.count * count / total
        if not math.isfinite(self.squares + squares):
            largest = np.nanmax(np.abs(numbers))
            raise ValueError(
                f"Column {self.name} has values as large as {largest:.3g}, whose "
                "squares overflow; pass log=True, or categorical= if they are ids."
            )
        self.squares += squares
        self.mean += apart * count / total
        self.count = total

    def description(self) -> dict[str, Any]:
        """What the encoder needs, as JSON can hold it."""
        std = math.sqrt(self.squares / self.count) if self.count else 0.0
        # a constant column's std is rounding error at most
        constant = std <= 1e-12 * max(1.0, abs(self.mean))
        return {"kind": "numeric", "name": self.name, "mean": self.mean,
                "std": 1.0 if constant else std, "missing": self.missing}  # fmt: skip


def _merged(parts: np.ndarray) -> tuple[int, float, float]:
    """Count, mean and squares of all of some rows, of parts (n, 3) of them."""
    if not len(parts):
        return 0, 0.0, 0.0
    count, mean, squares = parts.T
    total, apart = count.sum(), mean - mean[0]  # so that a constant's mean is exact
    middle = np.sum(count * apart) / total
    around = np.sum(squares) + np.sum(count * (apart - middle) ** 2)
    return int(total), float(mean[0] + middle), float(around)


class Values:
    """A category column's values with their counts, until there are too many to list.

    Beyond that nothing is kept, or counts by hash if rare values are told apart (min_count > 1).
    """

    def __init__(self, name: str, buckets: int, min_count: int) -> None:
        self.name, self.buckets, self.min_count, self.missing = name, buckets, min_count, False
        self.counts: dict[str, int] | None = {}
        self.slots = SlotCounts() if min_count > 1 else None

    def add(self, values: ChunkedArray) -> None:
        """Learn from a piece's values."""
        texts, codes = distinct(values)
        self.missing |= bool((codes < 0).any())
        times = np.bincount(codes + 1, minlength=len(texts) + 1)[1:]
        if self.slots is not None:
            self.slots.add(hash_codes(self.name, texts), times)
        if self.counts is None:
            return
        for text, n in zip(texts, times.tolist(), strict=True):
            if n:
                self.counts[text] = self.counts.get(text, 0) + n
            if len(self.counts) > self.buckets:
                self.counts = None
                return

    def description(self) -> dict[str, Any]:
        """What the encoder needs, as JSON can hold it."""
        found: dict[str, Any] = {"name": self.name, "missing": self.missing}
        if self.counts is not None:
            frequent = sorted(text for text, n in self.counts.items() if n >= self.min_count)
            rare = len(frequent) < len(self.counts)
            return {"kind": "values", **found, "rare": rare, "values": frequent}
        found |= {"kind": "hashed", "rare": False, "buckets": self.buckets}
        if self.slots is not None:
            frequent_slots = self.slots.frequent(self.min_count)
            found["rare"] = bool((self.slots.counts[~frequent_slots] > 0).any())
            found["frequent"] = packed(frequent_slots)
        return found
