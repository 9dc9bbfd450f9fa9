"""Whether a convolution runs by Winograd's algorithm, and with which tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.vectors import BYTES

# Cycles to transform one vector of a tile's inputs and of its outputs (Zen 4), by size of tile.
_TRANSFORMS = {2: (110, 100), 4: (320, 240)}
_FILTERS = 400  # cycles to transform one vector of filters
_largest = 4


def set_winograd(largest: int) -> None:
    """Let 3 x 3 convolutions of stride 1 run by Winograd's algorithm, with tiles up to ``largest``.

    4 (the start): F(4x4, 3x3) and F(2x2, 3x3), whichever is fastest for the shape; 2: the second
    only; 0: neither. They take 4 and 2.25 times fewer multiplications and round differently: in
    float32, on normal random images and filters, the largest error of an output divided by the
    outputs' standard deviation is 8e-6 for 4x4 tiles, 2e-6 for 2x2 and 5e-6 for the direct way at
    64 channels, and 2e-5, 5e-6 and 1e-5 at 512 (``benchmarks/accuracy_winograd.py``). NaN or
    infinity in one pixel reaches all outputs of the tiles that it is in. Holds for the whole
    process. Raises ValueError for other numbers.
    """
    global _largest
    if isinstance(largest, bool) or largest not in (0, 2, 4):
        raise ValueError(f"set_winograd expects 4, 2 or 0, got {largest!r}.")
    _largest = largest


def get_winograd() -> int:
    """The largest tile that Winograd's algorithm may take, 0 where it is off."""
    return _largest


def winograd_tile(out: tuple[int, ...], depth: int, dtype: np.dtype[Any]) -> int:
    """The tile (2 or 4) for an output (N, OH, OW, K) from ``depth`` channels, 0 for none.

    By the count of multiply-adds of whole vectors and the measured time of the transforms.
    """
    N, OH, OW, K = out
    lanes = BYTES // dtype.itemsize
    vectors, inputs = -(-K // lanes), -(-depth // lanes)
    costs = {0: N * OH * OW * 9 * depth * vectors}
    for tile, (of_input, of_output) in _TRANSFORMS.items():
        if tile <= _largest:
            tiles = N * -(-OH // tile) * -(-OW // tile)
            products = (tile + 2) ** 2 * depth * vectors
            transforms = inputs * of_input + vectors * of_output
            costs[tile] = tiles * (products + transforms) + depth * vectors * _FILTERS
    return min(costs, key=lambda tile: costs[tile])
