"""Sixty-four bytes at a time: which of them equal a character, as the bits of one number.

LLVM makes a vector comparison of it on every processor (Langdale, Lemire, "Parsing gigabytes of
JSON per second", 2019). Loops over single bytes find a log's separators ten times slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import jit, numba_is_compiling

BYTES = 64
_BITS = ir.IntType(64)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)


def byte_mask(data, i, character):  # type: ignore[no-untyped-def]
    """Bit k says whether data[i + k] is the character; data uint8, i and the mask uint64."""
    equal = data[int(i) : int(i) + BYTES] == character
    return np.uint64(int.from_bytes(np.packbits(equal, bitorder="little").tobytes(), "little"))


def high_mask(data, i):  # type: ignore[no-untyped-def]
    """Bit k says whether data[i + k] is no ASCII character."""
    high = data[int(i) : int(i) + BYTES] > 127
    return np.uint64(int.from_bytes(np.packbits(high, bitorder="little").tobytes(), "little"))


def bit_count(mask):  # type: ignore[no-untyped-def]
    """How many bits are set."""
    return np.int64(int(mask).bit_count())


def lowest_bit(mask):  # type: ignore[no-untyped-def]
    """The place of the lowest bit that is set, uint64; 64 where none is."""
    number = int(mask)
    return np.uint64((number & -number).bit_length() - 1 if number else BYTES)


def highest_bit(mask):  # type: ignore[no-untyped-def]
    """The place of the highest bit that is set, of a mask that is not 0."""
    return np.uint64(int(mask).bit_length() - 1)


def _loaded(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, values[0]).data
    place = builder.gep(data, [values[1]])
    vector = ir.VectorType(ir.IntType(8), BYTES)
    return builder.load(builder.bitcast(place, vector.as_pointer()), align=1)


@intrinsic
def _byte_mask(typing: Any, data: Any, i: Any, character: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        found = _loaded(context, builder, signature, values)
        same = ir.Constant(found.type, ir.Undefined)
        same = builder.insert_element(same, values[2], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), BYTES), [0] * BYTES)
        same = builder.shuffle_vector(same, same, zeros)
        return builder.bitcast(builder.icmp_unsigned("==", found, same), _BITS)

    return types.uint64(data, types.uint64, types.uint8), code


@intrinsic
def _high_mask(typing: Any, data: Any, i: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        found = _loaded(context, builder, signature, values)
        zeros = ir.Constant(found.type, [0] * BYTES)
        return builder.bitcast(builder.icmp_signed("<", found, zeros), _BITS)

    return types.uint64(data, types.uint64), code


@intrinsic
def _bit_count(typing: Any, mask: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.ctpop(values[0])

    return types.int64(types.uint64), code


@intrinsic
def _lowest_bit(typing: Any, mask: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), code


@intrinsic
def _highest_bit(typing: Any, mask: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zeros = builder.ctlz(values[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(_BITS(BYTES - 1), zeros)

    return types.uint64(types.uint64), code


if numba_is_compiling():  # else the plain functions above serve
    byte_mask, high_mask, bit_count = _byte_mask, _high_mask, _bit_count
    lowest_bit, highest_bit = _lowest_bit, _highest_bit


@jit(inline=True)
def inside_quotes(quotes, before):  # type: ignore[no-untyped-def]
    """Bits from every opening quote to the one before its closing quote.

    Bit k is the parity of the quotes up to k; before, 0 or all ones, is where the mask begins.
    """
    for shift in (1, 2, 4, 8, 16, 32):
        quotes ^= quotes << np.uint64(shift)
    return quotes ^ before


@jit(inline=True)
def first_bits(n):  # type: ignore[no-untyped-def]
    """The lowest n bits, n from 0 to 64."""
    return _ALL if n >= np.uint64(BYTES) else (_ONE << n) - _ONE
