"""Rows of a few numbers moved eight at a time.

LLVM vectorises a loop whose length it does not know for 32 and more elements a turn, and runs what
is left, or the whole of a row of 16, one element at a time: 13 ns a row, where eight at a time take
3. A length known to be 16 is worse still, for it is then unrolled into single loads and stores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import jit, numba_is_compiling

LANES = 8
_WIDTH = np.uint64(LANES)
_ONE = np.uint64(1)


def copy_lanes(out, i, source, j):  # type: ignore[no-untyped-def]
    """out[i : i + LANES] = source[j : j + LANES], contiguous arrays (n,), unsigned i and j."""
    out[i : i + _WIDTH] = source[j : j + _WIDTH]


def add_lanes(out, i, source, j):  # type: ignore[no-untyped-def]
    """out[i : i + LANES] += source[j : j + LANES]."""
    out[i : i + _WIDTH] += source[j : j + _WIDTH]


def fill_lanes(out, i, number):  # type: ignore[no-untyped-def]
    """out[i : i + LANES] = number, of the array's own dtype."""
    out[i : i + _WIDTH] = number


def _vector(context: Any, builder: Any, signature: Any, values: Any, which: int) -> tuple[Any, int]:
    """Pointer to LANES elements from the index behind array argument ``which``; their alignment."""
    kind = signature.args[which]
    data = context.make_array(kind)(context, builder, values[which]).data
    place = builder.gep(data, [values[which + 1]])
    vector = ir.VectorType(context.get_data_type(kind.dtype), LANES)
    return builder.bitcast(place, vector.as_pointer()), kind.dtype.bitwidth // 8


@intrinsic
def _copy(typing: Any, out: Any, i: Any, source: Any, j: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, align = _vector(context, builder, signature, values, 2)
        found = builder.load(place, align=align)
        builder.store(found, _vector(context, builder, signature, values, 0)[0], align=align)
        return context.get_dummy_value()

    return types.void(out, i, source, j), code


@intrinsic
def _add(typing: Any, out: Any, i: Any, source: Any, j: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, align = _vector(context, builder, signature, values, 2)
        target = _vector(context, builder, signature, values, 0)[0]
        total = builder.fadd(builder.load(target, align=align), builder.load(place, align=align))
        builder.store(total, target, align=align)
        return context.get_dummy_value()

    return types.void(out, i, source, j), code


@intrinsic
def _fill(typing: Any, out: Any, i: Any, number: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        target, align = _vector(context, builder, signature, values, 0)
        vector = target.type.pointee
        found = ir.Constant(vector, ir.Undefined)
        for lane in range(LANES):
            found = builder.insert_element(found, values[2], ir.Constant(ir.IntType(32), lane))
        builder.store(found, target, align=align)
        return context.get_dummy_value()

    return types.void(out, i, number), code


if numba_is_compiling():  # else the plain functions above serve
    copy_lanes, add_lanes, fill_lanes = _copy, _add, _fill


@jit(strict=True, inline=True)
def copy_row(out, i, source, j, K):  # type: ignore[no-untyped-def]
    """out[i : i + K] = source[j : j + K]; flat arrays of one dtype, i, j and K unsigned."""
    whole = K - K % _WIDTH
    for k in range(np.uint64(0), whole, _WIDTH):
        copy_lanes(out, i + k, source, j + k)
    for k in range(whole, K, _ONE):
        out[i + k] = source[j + k]


@jit(strict=True, inline=True)
def add_row(out, i, source, j, K):  # type: ignore[no-untyped-def]
    """out[i : i + K] += source[j : j + K]."""
    whole = K - K % _WIDTH
    for k in range(np.uint64(0), whole, _WIDTH):
        add_lanes(out, i + k, source, j + k)
    for k in range(whole, K, _ONE):
        out[i + k] += source[j + k]


@jit(strict=True, inline=True)
def fill_row(out, i, number, K):  # type: ignore[no-untyped-def]
    """out[i : i + K] = number."""
    whole = K - K % _WIDTH
    for k in range(np.uint64(0), whole, _WIDTH):
        fill_lanes(out, i + k, number)
    for k in range(whole, K, _ONE):
        out[i + k] = number
