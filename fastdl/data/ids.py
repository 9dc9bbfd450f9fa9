"""Category columns of generated logs: Zipf-distributed ids, their effects and their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_FLAGS = 1 << 22  # with more ids than this, sorting them is lighter than a flag for each
_FREQUENT = 100  # the effects of ids beyond about this rank fade: they can hardly be learned


@dataclass(frozen=True)
class IdField:
    """A category column: the id of rank n (from 0) has a share of about 1 / (n + 1)."""

    size: int
    absent: float
    strength: float
    text_key: int
    effect_key: int

    def draw(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        """Ids (rows,) by rank, -1 where missing."""
        u = rng.random(rows)
        known = (u - self.absent) / (1 - self.absent)  # uniform again, where it is not negative
        # log-uniform ranks: P(n) = log((n + 2) / (n + 1)) / log(size + 1)
        rank = np.exp(np.maximum(known, 0) * np.log(self.size + 1)).astype(np.int64) - 1
        return np.where(known < 0, -1, np.minimum(rank, self.size - 1))

    def effect_and_column(self, ids: np.ndarray) -> tuple[np.ndarray, Any]:
        """Effects on the logit (rows,), 0 where missing, and the ids as a dictionary array."""
        import pyarrow as pa

        distinct, codes = _distinct(ids, self.size)
        column = pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=ids < 0), pa.array(_hex_digits(distinct, self.text_key))
        )
        effects = np.append(self._effects(distinct), 0.0)  # the code -1 finds the last one
        return effects[codes], column

    def _effects(self, ids: np.ndarray) -> np.ndarray:
        """About normal, by a hash of the id: no table of a million ids is needed."""
        first, second = _mix32(ids, self.effect_key), _mix32(ids, self.effect_key ^ 0x9E3779B9)
        total = sum((bits >> shift) & 0xFFFF for bits in (first, second) for shift in (0, 16))
        normal = (np.asarray(total, np.float64) / 65535 - 2) * np.sqrt(3)  # sum of four uniforms
        return self.strength * normal / np.sqrt(1 + ids / _FREQUENT)


def _distinct(ids: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ids, ascending and without -1, and the place of each id in them (or -1)."""
    if size > _FLAGS:
        distinct, codes = np.unique(ids, return_inverse=True)
    else:
        present = np.zeros(size + 1, np.bool_)
        present[ids + 1] = True
        distinct = np.flatnonzero(present) - 1
        codes = (np.cumsum(present, dtype=np.int32) - 1)[ids + 1]
    missing = int(distinct[0] < 0)
    return distinct[missing:], codes.astype(np.int32) - np.int32(missing)


def _mix32(ids: np.ndarray, key: int) -> np.ndarray:
    """A 32-bit hash; different ids have different hashes (lowbias32: Wellons 2018)."""
    x = ids.astype(np.uint32) ^ np.uint32(key)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def _hex_digits(ids: np.ndarray, key: int) -> np.ndarray:
    """Eight hex digits for every id, as strings (rows,)."""
    code_bytes = _mix32(ids, key).astype(">u4").view(np.uint8)
    nibbles = np.stack([code_bytes >> 4, code_bytes & 15], axis=1).reshape(-1, 8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles]
    return digits.view("S8").reshape(-1).astype("U8")
