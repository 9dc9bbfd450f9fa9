"""Coalescing, lookup, interactions and sparse optimizer steps: kernel against twin."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels import coalesce as sorting
from fastdl.kernels import optimizer as kinds
from fastdl.kernels import sparse
from fastdl.kernels.backend import ops
from oracles import tolerance
from test_kernels_twins import both, compare

from fastdl.features import FeatureSpec, Field

KINDS = [*range(8), sparse.ROWWISE]


def sorted_rows(rows, size, function=None):
    """What ``coalesce`` says: (order, unique, starts)."""
    n = len(rows)
    order, unique, starts = np.empty(n, int), np.empty(n, int), np.empty(n + 1, int)
    work = np.empty((2, n), np.uint64)
    counts = np.empty((-(-n // sorting.CHUNK), 1 << sorting.DIGIT), np.int64)
    count = np.zeros(1, int)
    bits = max(1, int(size - 1).bit_length())
    function = function or both("coalesce", "coalesce")[0]
    function(rows, bits, work, counts, order, unique, starts, count)
    return order, unique[: count[0]], starts[: count[0] + 1]


@pytest.mark.parametrize(
    ("n", "size"), [(1, 1), (7, 3), (5000, 2), (40_000, 2**11), (50_000, 2**31), (20_000, 2**32)]
)
def test_coalesce(n, size, rng, two_thread_counts):
    rows = rng.zipf(1.3, n) % size
    if n > 10:
        rows[rng.integers(0, n, n // 2)] = rng.integers(0, size, n // 2)
    rows[-1] = size - 1
    kernel, twin = both("coalesce", "coalesce")
    one, two = two_thread_counts(lambda: sorted_rows(rows, size, kernel))
    for mine, again, expected in zip(one, two, sorted_rows(rows, size, twin), strict=True):
        np.testing.assert_array_equal(mine, expected)
        np.testing.assert_array_equal(mine, again)


def sorted_fields(rows, offsets, sizes, packed_dtype, function):
    """What ``coalesce_fields`` says: (order, unique, starts)."""
    N, F = rows.shape
    order, unique, starts = (np.empty(N * F + extra, int) for extra in (0, 0, 1))
    count, packed = np.zeros(1, int), np.empty((F, N), packed_dtype)
    function(rows, offsets, sizes, packed, np.empty(F, int), order, unique, starts, count)
    return order, unique[: count[0]], starts[: count[0] + 1]


@pytest.mark.parametrize("N", [1, 2, 5, 64, 1000, 2049, 4096])
@pytest.mark.parametrize("packed_dtype", ["uint32", "uint64"])
@pytest.mark.parametrize("gap", [0, 7])
def test_coalesce_fields_equals_coalesce(N, packed_dtype, gap, rng, two_thread_counts):
    sizes = np.array([1, 2, 3, 2**11, 2**11 + 1, 2**20, 2**20, 2**20, 2**20 - 1, 1, 5000])
    if packed_dtype == "uint64":
        sizes[3] = 2**40  # more passes than two, and bits for N
        sizes[-1] = 2**24 + 1
    offsets = np.cumsum(sizes + gap) - sizes
    ids = (rng.random((N, len(sizes))) ** 3 * sizes).astype(np.int64)
    ids[:, 6] = sizes[6] - 1  # all equal
    ids[:, 7] = rng.permutation(2**20)[:N]  # all different
    ids[-1] = sizes - 1
    rows = ids + offsets
    kernel, twin = both("coalesce_fields", "coalesce_fields")
    one, two, expected = (
        *two_thread_counts(lambda: sorted_fields(rows, offsets, sizes, packed_dtype, kernel)),
        sorted_fields(rows, offsets, sizes, packed_dtype, twin),
    )
    for mine, again, known in zip(one, two, expected, strict=True):
        np.testing.assert_array_equal(mine, known)
        np.testing.assert_array_equal(mine, again)
    if packed_dtype == "uint32":
        before = sorted_rows(rows.reshape(-1), int(offsets[-1] + sizes[-1]))
        for mine, known in zip(one, before, strict=True):
            np.testing.assert_array_equal(mine, known)


@pytest.mark.parametrize(
    ("tables", "sizes", "N", "by_field"),
    [("abcd", [5, 1, 300, 7], 50, True), ("abcd", [5, 2**30, 1, 7], 50, True),
     ("abcd", [5, 1, 300, 7], 0, False), ("abca", [5, 1, 300, 5], 50, False),
     ("ab", [5, 300], 50, True), ("a", [300], 50, False)],
)  # fmt: skip
def test_batches_are_coalesced_by_field_where_each_has_its_own_table(
    tables, sizes, N, by_field, rng, monkeypatch
):
    spec = FeatureSpec(fields=[Field(f"f{i}", n, tables[i]) for i, n in enumerate(sizes)])
    batch = spec.batch((rng.random((60, len(sizes))) * sizes).astype(int), np.dtype("f4"))[:N]
    other = "coalesce" if by_field else "coalesce_fields"
    monkeypatch.delattr(ops, other)  # whoever calls it fails
    touched, rows = batch.touched(), batch.rows()
    assert np.array_equal(touched.unique, np.unique(rows))
    assert np.array_equal(touched.order, np.argsort(rows, kind="stable"))
    counts = np.unique(rows, return_counts=True)[1]
    assert np.array_equal(touched.starts, np.append(0, np.cumsum(counts)))


@pytest.mark.parametrize("ids_dtype", ["int64", "int32", "uint16"])
@pytest.mark.parametrize(("B", "F"), [(1, 1), (5, 3), (9000, 4)])
def test_locate_ids(ids_dtype, B, F, rng, two_thread_counts):
    sizes = rng.integers(2, 100, F)
    ids = (rng.random((B, F)) * sizes).astype(ids_dtype)
    offsets = np.cumsum(sizes) - sizes
    arguments = (ids, offsets, sizes, np.empty((B, F), np.int64), np.ones(1, np.int64))
    kernel, twin = both("embedding", "locate_ids")

    def run(function):
        function(*arguments)
        return arguments[3].copy(), arguments[4].copy()

    for function in (kernel, twin):
        one, two = two_thread_counts(lambda function=function: run(function))
        np.testing.assert_array_equal(one[0], ids.astype(int) + offsets)
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1] == 0
        ids[-1, 0] = sizes[0]
        assert run(function)[1] == 1
        if ids_dtype != "uint16":
            ids[0, -1] = -1
            assert run(function)[1] == 2 - (B == F == 1)
            ids[0, -1] = 0
        ids[-1, 0] = 0


@pytest.mark.parametrize(("B", "F", "K"), [(1, 1, 1), (3, 2, 5), (2500, 4, 16)])
def test_lookup(B, F, K, dtype, rng, two_thread_counts):
    table = rng.standard_normal((50, K)).astype(dtype)
    rows = rng.integers(0, 50, (B, F))
    out = np.empty((B, F, K), dtype)
    compare("embedding", "lookup_rows", (table, rows, out), [2], two_thread_counts, rtol=0)
    arguments = (table[:, 0].copy(), rows, np.empty(B, dtype))
    compare(
        "embedding", "sum_rows_of_width_one", arguments, [2], two_thread_counts, **tolerance(dtype)
    )


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("B", [1, 4, 1500])
def test_pool_rows(mean, B, dtype, rng, two_thread_counts):
    lengths = rng.integers(0, 5, B)
    lengths[0] = 0
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    values = rng.standard_normal((bounds[-1], 3)).astype(dtype)
    out = rng.standard_normal((B, 3)).astype(dtype)
    arguments = (values, bounds, mean, out)
    compare("embedding", "pool_rows", arguments, [3], two_thread_counts, **tolerance(dtype))
    arguments = (out, bounds, mean, values)
    limits = tolerance(dtype)
    compare("embedding", "pool_rows_backward", arguments, [3], two_thread_counts, **limits)


@pytest.mark.parametrize("B", [1, 4, 1500])
def test_attend_rows(B, dtype, rng, two_thread_counts):
    lengths = rng.integers(0, 5, B)
    lengths[-1] = 3
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    values = rng.standard_normal((bounds[-1], 3)).astype(dtype)
    query, out = rng.standard_normal(3).astype(dtype), rng.standard_normal((B, 3)).astype(dtype)
    weights = values[:, 0].copy()
    limits = tolerance(dtype)
    arguments = (values, bounds, query, weights, out)
    compare("embedding", "attend_rows", arguments, [3, 4], two_thread_counts, **limits)
    both("embedding", "attend_rows")[1](*arguments)
    dquery = np.empty((-(-B // 512), 3), dtype)
    arguments = (values, bounds, query, weights, out, values, dquery)
    limits["atol"] *= np.sqrt(B)
    compare("embedding", "attend_rows_backward", arguments, [5, 6], two_thread_counts, **limits)


@pytest.mark.parametrize(("B", "F", "K"), [(1, 1, 1), (2, 3, 4), (700, 26, 16), (64, 5, 3)])
@pytest.mark.parametrize("name", ["fm", "ffm", "dot"])
def test_interactions(name, B, F, K, dtype, rng, two_thread_counts):
    if name == "dot" and F == 1:
        pytest.skip("a single field has no pairs")
    width = F * K if name == "ffm" else K
    e = rng.standard_normal((B, F, width)).astype(dtype)
    out = rng.standard_normal((B, F * (F - 1) // 2 if name == "dot" else 1)).astype(dtype)
    sums = e.sum(axis=1)
    limits = tolerance(dtype)
    limits["atol"] *= F * np.sqrt(width)
    forward = (e, sums, out) if name == "fm" else (e, out)
    outputs = list(range(1, len(forward)))
    compare("interaction", f"{name}_forward", forward, outputs, two_thread_counts, **limits)
    backward = (e, sums, out, e) if name == "fm" else (e, out, e)
    outputs = [len(backward) - 1]
    compare("interaction", f"{name}_backward", backward, outputs, two_thread_counts, **limits)


class Table:
    """A table with its states, and a random batch of touched rows."""

    def __init__(self, kind, R, K, n, dtype, rng):
        self.kind, self.K = kind, K
        self.width = 1 if kind == sparse.ROWWISE else K
        self.table = rng.standard_normal(R * K).astype(dtype)
        self.m = rng.standard_normal(R * K).astype(dtype)
        self.v = rng.random(R * self.width).astype(dtype)
        self.last = np.zeros(R, np.int64)
        self.rows = rng.integers(0, R, n)
        self.rows[: n // 2] %= 3  # rows with many entries
        self.values = rng.standard_normal((n, K)).astype(dtype)
        self.settings = np.array([0.01, 0.1, 0.9, 0.99, 1e-8, 0.0])
        if kind == kinds.FTRL:
            self.settings = np.array([0.1, 0.1, 1.0, 0.2, 0.3, 0.0])

    def arrays(self):
        return [a.copy() for a in (self.table, self.m, self.v, self.last)]

    def segments(self):
        order, unique, starts = sorted_rows(self.rows, len(self.last))
        return unique, starts, len(unique), order


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("R", "K", "n"), [(1, 1, 1), (500, 5, 900), (3000, 16, 4000)])
def test_sparse_step(kind, R, K, n, dtype, rng, two_thread_counts):
    t = Table(kind, R, K, n, dtype, rng)
    unique, starts, count, order = t.segments()
    kernel, twin = both("sparse", "sparse_step")

    def run(function):
        table, m, v, last = t.arrays()
        function(
            kind, t.settings, 3, 0.5, 0.02, K, table, m, v, t.width, last, unique, starts, count,
            order, t.values,
        )  # fmt: skip
        return table, m, v, last

    one, two = two_thread_counts(lambda: run(kernel))
    limits = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-12}
    for mine, again, expected in zip(one, two, run(twin), strict=True):
        assert mine.tobytes() == again.tobytes()
        np.testing.assert_allclose(mine, expected, **limits)
    touched = np.isin(np.arange(R), t.rows)
    assert np.array_equal(one[3], np.where(touched, 3, 0))
    kept = one[0].reshape(R, K)[~touched]
    assert np.array_equal(kept, t.table.reshape(R, K)[~touched])


def history_of(kind, settings, steps, penalty):
    """Steps 1, 2, ... with a falling learning rate."""
    numbers = []
    for t in range(1, steps + 1):
        own = settings.copy()
        own[0] /= t
        rate, root, decay, keep = getattr(kinds.step_numbers, "py_func", kinds.step_numbers)(
            kind, own, t
        )
        numbers.append((rate, root, decay + penalty, keep))
    return np.array(numbers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("penalty", [0.0, 0.03])
@pytest.mark.parametrize("R", [1, 700])
def test_settled_rows_are_where_steps_without_gradient_lead(
    kind, penalty, R, dtype, rng, two_thread_counts
):
    t = Table(kind, R, 4, 9, dtype, rng)
    t.last[...] = rng.integers(0, 8, R)
    history = history_of(kind, t.settings, 12, penalty)
    rows = rng.permutation(R)[: max(1, R // 2)]
    kernel, twin = both("sparse", "settle_exactly")

    def run(function):
        table, m, v, last = t.arrays()
        function(kind, t.settings, history, 1, 11, 4, table, m, v, t.width, last, rows)
        return table, m, v, last

    one, two = two_thread_counts(lambda: run(kernel))
    limits = {"rtol": 2e-4, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-11}
    for mine, again, expected in zip(one, two, run(twin), strict=True):
        assert mine.tobytes() == again.tobytes()
        np.testing.assert_allclose(mine, expected, **limits)
    assert (one[3][rows] == 11).all()


@pytest.mark.parametrize("missed", [1, 5, 3000])
def test_lazy_adam_makes_up_for_the_missed_moves(missed, dtype, rng):
    t = Table(kinds.ADAM, 10, 4, 9, dtype, rng)  # the twin walks every step of every row
    t.settings[1] = 0.0
    t.last[...] = 20_000  # the bias corrections no longer change
    now = 20_000 + missed
    numbers = getattr(kinds.step_numbers, "py_func", kinds.step_numbers)
    history = np.array([numbers(kinds.ADAM, t.settings, s) for s in range(20_001, now + 1)])
    results = []
    every = np.arange(10)
    for function in both("sparse", "settle_lazily"):
        table, m, v, last = t.arrays()
        function(t.settings, now, 4, table, m, v, last, every)
        assert (last == now).all()
        results.append((table, m, v))
    table, m, v, last = t.arrays()
    exactly = both("sparse", "settle_exactly")[1]
    exactly(kinds.ADAM, t.settings, history, 20_001, now, 4, table, m, v, 4, last, every)
    results.append((table, m, v))
    limits = {"rtol": 2e-3, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-5, "atol": 1e-7}
    for kernel, twin, exact in zip(*results, strict=True):
        np.testing.assert_allclose(kernel, twin, **limits)
        np.testing.assert_allclose(kernel, exact, **limits)
    assert np.abs(results[0][0] - t.table).max() > 1e-3


def test_exact_adam_leaves_out_only_steps_that_move_nothing(rng):
    t = Table(kinds.ADAM, 15, 4, 9, np.float64, rng)
    t.settings[1] = 0.0
    history = history_of(kinds.ADAM, t.settings, 2000, 0.0)
    results = []
    for function in both("sparse", "settle_exactly"):
        table, m, v, last = t.arrays()
        function(
            kinds.ADAM, t.settings, history, 1, 2000, 4, table, m, v, 4, last,
            np.arange(15),
        )  # fmt: skip
        results.append(table)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("R", "K", "n"), [(1, 1, 1), (900, 3, 2000)])
def test_segment_sums_and_squares(R, K, n, dtype, rng, two_thread_counts):
    t = Table(kinds.SGD, R, K, n, dtype, rng)
    unique, starts, count, order = t.segments()
    sums = np.empty((count, K), dtype)
    arguments = (unique, starts, count, order, t.values, sums)
    limits = tolerance(dtype)
    limits["atol"] *= 40
    compare("sparse", "segment_sums", arguments, [5], two_thread_counts, **limits)
    partial = np.empty(-(-count // sparse.ROWS))
    arguments = (0.3, K, t.table, unique, starts, count, order, t.values, partial)
    limits = {"rtol": 1e-4 if dtype == np.float32 else 1e-11}
    compare("sparse", "segment_squares", arguments, [8], two_thread_counts, **limits)
