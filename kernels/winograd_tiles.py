"""Tiles of images for Winograd's F(m x m, 3 x 3): how work is cut, and what is transformed first.

A unit is some tiles of one image or of several: their transformed inputs V (tiles, a^2, C), with
a = m + 2, meet other transformed numbers in a^2 products of matrices. Rows that a tile's transform
reads or writes together are an odd number of cache lines apart (see ``spaced``): at powers of two
they would push each other out of the first-level cache, at three times the cost.
"""

from __future__ import annotations

from .dense import SMALL, pieces
from .jit import jit
from .patches import copy_unit, cut_into_units
from .vectors import at, lanes
from .winograd_transforms import gradients_2, gradients_4, inputs_2, inputs_4

CACHED = 3 << 16  # numbers of a unit's transformed inputs and outputs
TILES = 64  # at most so many tiles in a unit


@jit(inline=True)
def spaced(n, vector):  # type: ignore[no-untyped-def]
    """n rounded up to an odd number of vectors."""
    return (pieces(n, vector) // 2 * 2 + 1) * vector


@jit(inline=True)
def tiles_of_unit(N, TH, TW, numbers):  # type: ignore[no-untyped-def]
    """(images, rows of tiles) of a unit; ``numbers`` belong to one tile."""
    return cut_into_units(N, TH, TW, max(32, min(TILES, CACHED // numbers)))


@jit(inline=True)
def input_of_tiles(x, place, m, TW, padding):  # type: ignore[no-untyped-def]
    """The unit's input with padding up to whole tiles, flat, and room behind its end to read."""
    image, images, row, rows = place
    top, left = row * m - padding[0], -padding[1]
    return copy_unit(x, x.shape[3], image, images, top, rows * m + 2, left, TW * m + 2)


@jit(apart=True)
def transform_tiles(m, border, held, first, rows, TW, C, V):  # type: ignore[no-untyped-def]
    """V (tiles, a^2, Cs) = B^T d B of tiles of inputs from the first on; they overlap by a border

    of 2. Without a border A dY A^T of tiles of the outputs' gradient.
    """
    tiles, places, Cs = V.shape
    HS, WS, out, vector = rows * m + border, TW * m + border, V.reshape(-1), lanes(V)
    image, th, tw = first // (rows * TW), first // TW % rows, first % TW
    for i in range(tiles):
        start = ((image * HS + th * m) * WS + tw * m) * C
        tw += 1
        if tw == TW:
            tw, th = 0, th + 1
            if th == rows:
                th, image = 0, image + 1
        for c in range(0, C, vector):
            source, target = at(held, start + c), at(out, i * places * Cs + c)
            if border and m == 2:
                inputs_2(source, WS * C, C, target, 4 * Cs, Cs)
            elif border:
                inputs_4(source, WS * C, C, target, 6 * Cs, Cs)
            elif m == 2:
                gradients_2(source, WS * C, C, target, 4 * Cs, Cs)
            else:
                gradients_4(source, WS * C, C, target, 6 * Cs, Cs)


@jit(apart=True)
def is_small(out, depth):  # type: ignore[no-untyped-def]
    return out.size * depth * 9 < SMALL
