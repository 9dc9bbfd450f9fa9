"""The tile of convolution's products: LLVM's instructions against the plain body."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from fastdl.kernels import jit
from fastdl.kernels.tile import (
    FLAT,
    ROWS,
    WIDE,
    _plain,
    tile_each,
    tile_four,
    tile_one,
    tile_three,
    tile_two,
)
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


TILES = {  # (compiled tile, vectors of columns, rows)
    "one": (tile_one, 1, ROWS), "two": (tile_two, 2, ROWS), "three": (tile_three, 3, ROWS),
    "four": (tile_four, 4, FLAT), "each": (tile_each, 1, ROWS),
}  # fmt: skip
if WIDE < 4:
    del TILES["four"]


@pytest.fixture(scope="module", params=TILES)
def tile(request):
    """(compiled tile, plain tile, vectors of columns, rows, whether ``a`` is a vector too)."""
    compiled, vectors, height = TILES[request.param]
    each = request.param == "each"
    return callable_tile(compiled), _plain(vectors, each, height), vectors, height, each


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("count", [1, 2, 9, 40])
def test_is_the_plain_tile(tile, add, relu, count, rng):
    compiled, plain, vectors, height, each = tile
    for columns in (1, LANES - 1, LANES, (vectors - 1) * LANES + 1, vectors * LANES):
        if columns > vectors * LANES:
            continue
        width = vectors * LANES
        a = rng.standard_normal(500).astype("float32")
        rows = rng.integers(0, 200, 2 * height)
        steps = rng.integers(0, a.size - 200 - LANES * each, count)
        b = rng.standard_normal(count * (width + 3)).astype("float32")
        start = rng.standard_normal(width).astype("float32")
        for valid in (1, height - 1, height):
            places = rng.permutation(height) * width  # no two rows of out overlap
            before = rng.standard_normal(height * width).astype("float32")
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
    compiled, _, vectors, height, _ = tile
    width = vectors * LANES
    a = np.ones(height * LANES, "float32")
    a[2 * LANES : 3 * LANES] = np.nan
    a[3 * LANES : 4 * LANES] = -np.inf
    rows = np.tile(np.arange(height) * LANES, 2)
    out = np.full(height * width, 7, "float32")
    b, start, places = np.ones(width, "float32"), np.zeros(width, "float32"), np.arange(height)
    steps = np.zeros(1, np.int64)
    compiled(a, rows, steps, b, width, start, False, True, out, places * width, height, width)
    expected = np.ones((height, width), "float32")
    expected[2], expected[3] = np.nan, 0
    np.testing.assert_array_equal(out.reshape(height, width), expected)


def test_lanes_are_of_the_dtype():
    count = numba.njit(lambda array: lanes(array))
    assert count(np.zeros(1, "float32")) == LANES and count(np.zeros(1)) == LANES // 2
