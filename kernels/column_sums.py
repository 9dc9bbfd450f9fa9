"""Sums over the rows of a long matrix, whose columns stay in registers meanwhile.

For each column, sums[0] += sum of d and sums[1] += sum of d f over the rows, where

MOMENTS     d = x - middle, f = d: the matrix is read once for mean and variance
GRADIENTS   f = x - middle, d is given
GATED       the same with d = 0 where (x - middle) scale + shift <= 0, ReLU's gradient

Written by LLVM alone such loops keep their sums in memory, at twice the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import jit, numba_is_compiling
from .vectors import I64, Vectors, at, lanes

MOMENTS, GRADIENTS, GATED = range(3)
WIDE = 4  # vectors of columns at a time
GROUP = 4096  # numbers of the rows that all columns are summed over before the next rows


def _plain(kind: int) -> Any:
    """A strip for the JIT off."""

    def strip(x, d, rows, step, columns, middle, scale, shift, first, second):  # type: ignore[no-untyped-def]
        for i in range(0, rows * step, step):
            factor = x[i : i + columns] - middle[:columns]
            own = factor if kind == MOMENTS else d[i : i + columns]
            if kind == GATED:
                own = np.where(factor * scale[:columns] + shift[:columns] <= 0, 0, own)
            first[:columns] += own
            second[:columns] += own * factor

    return strip


def _compiled(kind: int, vectors: int, masked: bool) -> Any:
    """A strip of so many vectors of columns; ``masked``: some of its last columns do not count."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, d, rows, step, columns, *constants, first, second = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        places = [j * v.lanes for j in range(vectors)]
        mask = v.first(columns)
        middle, scale, shift = ([v.load(c, j) for j in places] for c in constants)
        starts = [[v.load(sums, j) for j in places] for sums in (first, second)]
        before, loop, end = builder.block, *map(builder.append_basic_block, ("loop", "end"))
        builder.branch(loop)

        builder.position_at_end(loop)
        row, offset = builder.phi(I64), builder.phi(I64)
        totals = [[builder.phi(v.type) for _ in places] for _ in starts]
        found: list[list[Any]] = [[], []]

        def read(pointer: Any, j: int) -> Any:
            own = builder.gep(pointer, [offset])
            return v.load_masked(own, j, mask) if masked else v.load(own, j)

        for i, j in enumerate(places):
            factor = builder.fsub(read(x, j), middle[i])
            own = factor if kind == MOMENTS else read(d, j)
            if kind == GATED:
                z = v.multiply_add(factor, scale[i], shift[i])
                own = builder.select(builder.fcmp_ordered("<=", z, v.zero), v.zero, own)
            if masked:
                own = builder.select(mask, own, v.zero)
            found[0].append(builder.fadd(totals[0][i], own))
            found[1].append(v.multiply_add(own, factor, totals[1][i]))
        following = builder.add(row, ir.Constant(I64, 1)), builder.add(offset, step)
        for number, after in zip((row, offset), following, strict=True):
            number.add_incoming(ir.Constant(I64, 0), before)
            number.add_incoming(after, loop)
        for k in range(2):
            for i in range(vectors):
                totals[k][i].add_incoming(starts[k][i], before)
                totals[k][i].add_incoming(found[k][i], loop)
        builder.cbranch(builder.icmp_signed("<", following[0], rows), loop, end)

        builder.position_at_end(end)
        for sums, values in zip((first, second), found, strict=True):
            for value, j in zip(values, places, strict=True):
                v.store(value, sums, j)
        return context.get_dummy_value()

    @intrinsic
    def strip(
        typing: Any, x: Any, d: Any, rows: Any, step: Any, columns: Any, middle: Any, scale: Any,
        shift: Any, first: Any, second: Any,
    ) -> Any:  # fmt: skip
        long = types.int64
        return types.void(x, d, long, long, long, middle, scale, shift, first, second), code

    return strip


def _make(kind: int) -> tuple[Any, Any]:
    """(a strip of WIDE whole vectors, one of a vector or less)."""
    if numba_is_compiling():
        return _compiled(kind, WIDE, False), _compiled(kind, 1, True)
    return _plain(kind), _plain(kind)


_wide_moments, _last_moments = _make(MOMENTS)
_wide_gradients, _last_gradients = _make(GRADIENTS)
_wide_gated, _last_gated = _make(GATED)


@jit(apart=True)
def _columns(kind, x, d, start, rows, step, columns, channel, sums):  # type: ignore[no-untyped-def]
    """The sums over some rows from ``start`` on, strip by strip."""
    vector = lanes(x)
    k = 0
    while k < columns:
        wide = k + WIDE * vector <= columns
        own, given = at(x, start + k), at(d, start + k)
        width = WIDE * vector if wide else min(vector, columns - k)
        middle, scale, shift = at(channel[0], k), at(channel[1], k), at(channel[2], k)
        first, second = at(sums[0], k), at(sums[1], k)
        if kind == MOMENTS and wide:
            _wide_moments(own, given, rows, step, width, middle, scale, shift, first, second)
        elif kind == MOMENTS:
            _last_moments(own, given, rows, step, width, middle, scale, shift, first, second)
        elif kind == GRADIENTS and wide:
            _wide_gradients(own, given, rows, step, width, middle, scale, shift, first, second)
        elif kind == GRADIENTS:
            _last_gradients(own, given, rows, step, width, middle, scale, shift, first, second)
        elif wide:
            _wide_gated(own, given, rows, step, width, middle, scale, shift, first, second)
        else:
            _last_gated(own, given, rows, step, width, middle, scale, shift, first, second)
        k += width


@jit(inline=True)
def padded(L, like):  # type: ignore[no-untyped-def]
    """Numbers of a row of ``channel`` and ``sums``: whole vectors are read and written."""
    return L + lanes(like)


@jit(apart=True)
def column_sums(kind, x, d, L, channel, sums):  # type: ignore[no-untyped-def]
    """sums (2, L + a vector) += the two sums over the rows of the flat x and d, L numbers each.

    channel (3, L + a vector): middle, scale, shift by column. The last row may be shorter.
    """
    rows, group = x.size // L, max(1, GROUP // L)
    for first in range(0, rows, group):
        _columns(kind, x, d, first * L, min(group, rows - first), L, L, channel, sums)
    if x.size > rows * L:
        _columns(kind, x, d, rows * L, 1, L, x.size - rows * L, channel, sums)
