"""Hashes of category values that are the same on every machine, and counts by them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence

import numpy as np

_SLOT_BITS = 18  # 262,144 counters a column, however many values it has
_MIX_BUCKET, _MIX_SLOT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def hash_codes(name: str, texts: Sequence[str]) -> np.ndarray:
    """uint64 (len(texts),): the CRC-32 of every value, seeded by its column's name."""
    seed = zlib.crc32(name.encode())
    return np.fromiter((zlib.crc32(t.encode(), seed) for t in texts), np.uint64, len(texts))


def bucket_of(codes: np.ndarray, buckets: int) -> np.ndarray:
    """The bucket of every code; multiplying first spreads CRCs, which are linear in the text."""
    return ((codes * _MIX_BUCKET >> np.uint64(32)) % np.uint64(buckets)).astype(np.int64)


class SlotCounts:
    """How often values came, in bounded memory: values that share a slot are counted together.

    A value that seems rare is rare; a rare one may seem frequent where slots are shared (a
    count-min sketch with one row: Cormode, Muthukrishnan 2005). The counts do not depend on the
    order of the values, nor on how a log is cut into pieces.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(1 << _SLOT_BITS, np.int64)

    def add(self, codes: np.ndarray, times: np.ndarray) -> None:
        """Count every code so many times."""
        np.add.at(self.counts, slot_of(codes), times)

    def frequent(self, min_count: int) -> np.ndarray:
        """bool (slots,): whether a slot's values count as frequent."""
        return self.counts >= min_count


def slot_of(codes: np.ndarray) -> np.ndarray:
    """The slot of every code."""
    return (codes * _MIX_SLOT >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


def packed(flags: np.ndarray) -> str:
    """bool (slots,) as text."""
    return base64.b64encode(zlib.compress(np.packbits(flags).tobytes())).decode("ascii")


def unpacked(text: str) -> np.ndarray:
    """The flags that ``packed`` made text of; ValueError for anything else."""
    size = (1 << _SLOT_BITS) // 8
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(content) != size:
        raise ValueError(f"{len(content)} bytes of flags; expected {size}")
    return np.unpackbits(np.frombuffer(content, np.uint8)).astype(np.bool_)
