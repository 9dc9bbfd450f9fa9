"""The tile of convolution's products: LLVM's instructions against the plain body."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from fastdl.kernels import jit
from fastdl.kernels.tile import ROWS, _plain, tile_each, tile_one, tile_two
from fastdl.kernels.vectors import BYTES, at, lanes
from guarded import guarded

pytestmark = pytest.mark.skipif(not jit.numba_is_compiling(), reason="both bodies are the same")

LANES = BYTES // 4


def callable_tile(tile):
    """The tile as Python calls it; no disk cache, which would not notice an edit here."""

    @numba.njit
    def call(a, rows, steps, b, stride, start, add, relu, out, places, valid, columns):
        tile(at(a, 0), at(rows, 0), at(steps, 0), steps.size, at(b, 0), stride, at(start, 0),
             add, relu, at(out, 0), at(places, 0), valid, columns)  # fmt: skip

    return call


@pytest.fixture(scope="module", params=["one", "two", "each"])
def tile(request):
    """(compiled tile, plain tile, vectors of columns, whether ``a`` is a vector too)."""
    compiled, vectors = {"one": (tile_one, 1), "two": (tile_two, 2), "each": (tile_each, 1)}[
        request.param
    ]
    each = request.param == "each"
    return callable_tile(compiled), _plain(vectors, each), vectors, each


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("count", [1, 2, 9, 40])
def test_is_the_plain_tile(tile, add, relu, count, rng):
    compiled, plain, vectors, each = tile
    for columns in (1, LANES - 1, LANES, 2 * LANES - 1, 2 * LANES):
        if columns > vectors * LANES:
            continue
        width = vectors * LANES
        a = rng.standard_normal(500).astype("float32")
        rows = rng.integers(0, 200, 2 * ROWS)
        steps = rng.integers(0, a.size - 200 - LANES * each, count)
        b = rng.standard_normal(count * (width + 3)).astype("float32")
        start = rng.standard_normal(width).astype("float32")
        for valid in (1, ROWS - 1, ROWS):
            places = rng.permutation(ROWS) * width  # no two rows of out overlap
            before = rng.standard_normal(ROWS * width).astype("float32")
            mine, expected = guarded(before), before.copy()
            arguments = rows, steps, guarded(b), width + 3, guarded(start), add, relu
            compiled(guarded(a), *arguments, mine, places, valid, columns)
            plain(a, *arguments[:2], count, *arguments[2:], expected, places, valid, columns)
            np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5 * np.sqrt(count))
            written = np.zeros(before.size, bool)
            for place in places[:valid]:
                written[place : place + columns] = True
            np.testing.assert_array_equal(mine[~written], before[~written])


def test_nan_stays_in_its_row_and_goes_through_relu(tile):
    compiled, _, vectors, _ = tile
    width = vectors * LANES
    a = np.ones(ROWS * LANES, "float32")
    a[2 * LANES : 3 * LANES] = np.nan
    a[3 * LANES : 4 * LANES] = -np.inf
    rows = np.tile(np.arange(ROWS) * LANES, 2)
    out = np.full(ROWS * width, 7, "float32")
    b, start, places = np.ones(width, "float32"), np.zeros(width, "float32"), np.arange(ROWS)
    steps = np.zeros(1, np.int64)
    compiled(a, rows, steps, b, width, start, False, True, out, places * width, ROWS, width)
    expected = np.ones((ROWS, width), "float32")
    expected[2], expected[3] = np.nan, 0
    np.testing.assert_array_equal(out.reshape(ROWS, width), expected)


def test_lanes_are_of_the_dtype():
    count = numba.njit(lambda array: lanes(array))
    assert count(np.zeros(1, "float32")) == LANES and count(np.zeros(1)) == LANES // 2
