"""XXH64 and key tables: twins, the xxhash package, published values."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels.backend import ops, use_backend

PUBLISHED = {b"": 0xEF46DB3751D8E999, b"a": 0xD24EC4F1A98C6E5B, b"abc": 0x44BC2CF5AD770999}

ALL = np.empty(0, bool)


def packed(texts):
    """Arrow's form of some byte strings: (offsets, data)."""
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in texts])]).astype(np.int64)
    return offsets, np.frombuffer(b"".join(texts) or b"\0", np.uint8)


def texts(rng, n):
    return [rng.bytes(int(size)) for size in rng.integers(0, 101, n)]


def compare(name, arguments, out, two_thread_counts):
    """The kernel's integers on one and two threads, and the twin's, in destinations of -1."""

    def run():
        found = np.full_like(out, -1) if out.dtype.kind == "i" else ~np.zeros_like(out)
        getattr(ops, name)(*arguments, found)
        return found

    one, two = two_thread_counts(run)
    with use_backend("numpy"):
        expected = run()
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(two, expected)
    return one


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_published_values(backend):
    out = np.empty(len(PUBLISHED), np.uint64)
    with use_backend(backend):
        ops.hash_strings(*packed(list(PUBLISHED)), np.uint64(0), out)
    assert out.tolist() == list(PUBLISHED.values())


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_hash_equals_the_xxhash_package(seed, rng):
    xxhash = pytest.importorskip("xxhash")
    some = texts(rng, 500)
    out = np.empty(len(some), np.uint64)
    ops.hash_strings(*packed(some), np.uint64(seed), out)
    assert out.tolist() == [xxhash.xxh64_intdigest(t, seed) for t in some]


@pytest.mark.parametrize("n", [1, 300, 20_000])
def test_hash_strings(n, rng, two_thread_counts):
    some = texts(rng, n) if n < 1000 else [b"%d" % i for i in range(n)]
    arguments = (*packed(some), np.uint64(7))
    compare("hash_strings", arguments, np.empty(n, np.uint64), two_thread_counts)


@pytest.mark.parametrize("least", [1, 3])
@pytest.mark.parametrize(("n", "slots"), [(5, 16), (1000, 4096), (1000, 64)])
def test_count_keys(n, slots, least, rng):
    found = rng.integers(0, 300, n).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    present = rng.random(n) < 0.8
    results = []
    for backend in ("numba", "numpy"):
        own = [
            np.zeros(slots, np.uint64),
            np.zeros(slots, np.int64),
            np.full(n, -1),
            np.zeros(3, int),
        ]
        with use_backend(backend):
            ops.count_keys(found, present, *own[:2], least, *own[2:])
        results.append(own)
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    keys, counts, fresh, (place, used, new) = results[0]
    assert place == n or used * 2 >= slots
    expected = dict(
        zip(*np.unique(found[:place][present[:place]], return_counts=True), strict=True)
    )
    assert dict(zip(keys[counts > 0], counts[counts > 0], strict=True)) == expected
    came = [int(np.sum(present[:i] & (found[:i] == found[i]))) + 1 for i in range(place)]
    expected_fresh = [i for i in range(place) if came[i] == least and present[i]]
    assert fresh[:new].tolist() == expected_fresh
    assert used == len(expected)


@pytest.mark.parametrize("n", [3, 20_000])
def test_find_keys(n, rng, two_thread_counts):
    keys, numbers = np.zeros(1024, np.uint64), np.zeros(1024, np.int64)
    known = rng.integers(0, 2**63, 400).astype(np.uint64)
    ops.count_keys(known, ALL, keys, numbers, 1, np.empty(400, np.int64), np.zeros(3, np.int64))
    numbers[numbers > 0] = rng.permutation(400) + 2
    found = np.where(rng.random(n) < 0.7, rng.choice(known, n), np.uint64(5))
    present = rng.random(n) < 0.9
    out = compare(
        "find_keys", (found, present, keys, numbers, 0, 1), np.empty(n, np.int64), two_thread_counts
    )
    assert ((out == 1) == ((found == 5) & present)).all() and ((out == 0) == ~present).all()


def test_move_keys(rng):
    found = np.unique(rng.integers(0, 2**63, 300).astype(np.uint64))
    given = rng.integers(1, 10**9, len(found))
    results = []
    for backend in ("numba", "numpy"):
        own = np.zeros(1024, np.uint64), np.zeros(1024, np.int64)
        with use_backend(backend):
            ops.move_keys(found, given, *own)
            out = np.empty(len(found), np.int32)
            ops.find_keys(found, ALL, *own, 0, 0, out)
        np.testing.assert_array_equal(out, given)
        results.append(own)
    np.testing.assert_array_equal(results[0], results[1])
