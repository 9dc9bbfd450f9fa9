"""The inner loop of convolutions: a tile of a product of matrices, kept in registers.

out[places[i] + j] = start[j] + sum over k of a[rows[i] + steps[k]] b[k, j]

for ROWS rows i and one to WIDE vectors of columns j. The two tables say where the numbers of ``a``
lie, so that any patches of an image serve as a matrix without being copied: a row is an output
pixel and a step one place of a filter, or the other way round for the gradient of the filters. That
is the indirect convolution of Dukhan (2019) with a second table.
LLVM would not keep such a tile in registers by itself; written in vectors it runs at 95 to 100 % of
what the multipliers give, from 9 steps on. The more columns, the fewer loads a multiplication
takes: on cores with two multipliers, whose loads are what limits, 6 x 4 gives a tenth more than
8 x 2 (Sapphire Rapids).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import numba_is_compiling
from .vectors import BYTES, I64, REGISTERS, Vectors

ROWS = 8 if REGISTERS == 32 else 4  # with 12, LLVM spills registers: a quarter of the speed
WIDE = 4 if REGISTERS == 32 else 3  # vectors of columns at most
FLAT = 6 if REGISTERS == 32 else ROWS  # rows of a tile of WIDE vectors
SQUARE = 4  # rows of ``tile_square``
FAR = 32  # steps from which on the next tile's rows are fetched ahead


def _plain(vectors: int, each: bool, height: int = ROWS, ahead: bool = False) -> Any:
    """The tile for the JIT off."""

    def tile(a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns, *_):  # type: ignore[no-untyped-def]
        for i in range(valid):
            row = out[places[i] : places[i] + columns]
            total = row.copy() if add else start[:columns].copy()
            for k in range(count):
                first = rows[i] + steps[k]
                total += (a[first : first + columns] if each else a[first]) * b[
                    k * stride : k * stride + columns
                ]
            row[...] = np.where(relu & (total < 0), 0, total)

    return tile


def _numbers(builder: Any, table: Any, count: int) -> list[Any]:
    return [builder.load(builder.gep(table, [ir.Constant(I64, i)])) for i in range(count)]


def _compiled(vectors: int, each: bool, height: int = ROWS, ahead: bool = False) -> Any:
    """The tile as LLVM's instructions; each accumulator is a value, which gets a register.

    With ``ahead`` it has two arguments more, and step k fetches what the k-th ``pace`` numbers
    behind an address are, for whoever is to write them next.
    """
    cells = [(i, j) for i in range(height) for j in range(vectors)]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, rows, steps, count, b, stride, start, add, relu, out, places, valid, columns = values[
            :13
        ]
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        sources = [builder.gep(a, [row]) for row in _numbers(builder, rows, height)]
        with builder.if_then(builder.icmp_signed(">=", count, ir.Constant(I64, FAR))):
            for row in _numbers(builder, builder.gep(rows, [ir.Constant(I64, height)]), height):
                v.prefetch(builder.gep(a, [row]))  # the next tile's
        targets = [builder.gep(out, [place]) for place in _numbers(builder, places, height)]
        is_row = [builder.icmp_signed("<", ir.Constant(I64, i), valid) for i in range(height)]
        masks = [
            v.first(builder.sub(columns, ir.Constant(I64, j * v.lanes))) for j in range(vectors)
        ]
        blocks = [builder.append_basic_block(name) for name in ("old", "new", "loop", "end")]
        builder.cbranch(add, *blocks[:2])
        firsts = []
        for block in blocks[:2]:
            builder.position_at_end(block)
            if block is blocks[0]:
                first = {}
                for i, j in cells:
                    wanted = builder.and_(masks[j], v.spread(is_row[i]))
                    first[i, j] = v.load_masked(targets[i], j * v.lanes, wanted)
                firsts.append(first)
            else:
                given = [v.load(start, j * v.lanes) for j in range(vectors)]
                firsts.append({(i, j): given[j] for i, j in cells})
            builder.branch(blocks[2])

        builder.position_at_end(blocks[2])
        k, right = builder.phi(I64), builder.phi(b.type)
        totals = {cell: builder.phi(v.type) for cell in cells}
        step = builder.load(builder.gep(steps, [k]))
        factors = [v.load(right, j * v.lanes) for j in range(vectors)]
        if ahead:
            v.prefetch(builder.gep(values[13], [builder.mul(k, values[14])]), write=True)
        sums = {}
        for i in range(height):
            source = builder.gep(sources[i], [step])
            left = None if each else v.spread(builder.load(source))
            for j in range(vectors):
                own = v.load(source, j * v.lanes) if each else left
                sums[i, j] = v.multiply_add(own, factors[j], totals[i, j])
        following = builder.add(k, ir.Constant(I64, 1)), builder.gep(right, [stride])
        for block, first in zip(blocks[:2], firsts, strict=True):
            k.add_incoming(ir.Constant(I64, 0), block)
            right.add_incoming(b, block)
            for cell in cells:
                totals[cell].add_incoming(first[cell], block)
        k.add_incoming(following[0], blocks[2])
        right.add_incoming(following[1], blocks[2])
        for cell in cells:
            totals[cell].add_incoming(sums[cell], blocks[2])
        builder.cbranch(builder.icmp_signed("<", following[0], count), *blocks[2:])

        builder.position_at_end(blocks[3])
        values = {cell: v.positive(total, relu) for cell, total in sums.items()}
        whole = builder.and_(
            is_row[-1], builder.icmp_signed("==", columns, ir.Constant(I64, vectors * v.lanes))
        )
        with builder.if_else(whole) as (then, otherwise):
            with then:
                for i, j in cells:
                    v.store(values[i, j], targets[i], j * v.lanes)
            with otherwise:
                for i in range(height):
                    with builder.if_then(is_row[i]):
                        for j in range(vectors):
                            v.store_masked(values[i, j], targets[i], j * v.lanes, masks[j])
        return context.get_dummy_value()

    long, flag = types.int64, types.boolean

    @intrinsic
    def tile(
        typing: Any, a: Any, rows: Any, steps: Any, count: Any, b: Any, stride: Any, start: Any,
        add: Any, relu: Any, out: Any, places: Any, valid: Any, columns: Any,
    ) -> Any:  # fmt: skip
        return types.void(
            a, rows, steps, long, b, long, start, flag, flag, out, places, long, long
        ), code

    @intrinsic
    def tile_ahead(
        typing: Any, a: Any, rows: Any, steps: Any, count: Any, b: Any, stride: Any, start: Any,
        add: Any, relu: Any, out: Any, places: Any, valid: Any, columns: Any, far: Any, pace: Any,
    ) -> Any:  # fmt: skip
        return types.void(
            a, rows, steps, long, b, long, start, flag, flag, out, places, long, long, far, long
        ), code

    return tile_ahead if ahead else tile


def _plain_vectors(a, a_step, b, out, out_step):  # type: ignore[no-untyped-def]
    depth = BYTES // a.itemsize
    for i in range(ROWS):
        row = out[i * out_step : i * out_step + depth]
        row[...] = 0
        for k in range(depth):
            row += a[i * a_step + k] * b[k * depth : (k + 1) * depth]


def _compiled_vectors() -> Any:
    """ROWS rows of a vector each times a square matrix of vectors, without a loop or a table."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, a_step, b, out, out_step = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        places = [ir.Constant(I64, i) for i in range(ROWS)]
        sources = [builder.gep(a, [builder.mul(i, a_step)]) for i in places]
        totals = [v.zero] * ROWS
        for k in range(v.lanes):
            factor = v.load(b, k * v.lanes)
            for i, source in enumerate(sources):
                left = v.spread(builder.load(builder.gep(source, [ir.Constant(I64, k)])))
                totals[i] = v.multiply_add(left, factor, totals[i])
        for i, total in zip(places, totals, strict=True):
            v.store(total, builder.gep(out, [builder.mul(i, out_step)]), 0)
        return context.get_dummy_value()

    @intrinsic
    def tile(typing: Any, a: Any, a_step: Any, b: Any, out: Any, out_step: Any) -> Any:
        return types.void(a, types.int64, b, out, types.int64), code

    return tile


_make = _compiled if numba_is_compiling() else _plain
tile_one, tile_two, tile_three = (_make(vectors, False) for vectors in (1, 2, 3))
tile_four = _make(4, False, FLAT)  # where there are registers for it
# as fast, and 8 and 16 rows fall into whole tiles; it has time to fetch what comes next
tile_square = _make(4, False, SQUARE, True)
# a is a vector too: out[places[i] + j] = sum over k of a[rows[i] + steps[k] + j] b[k, j]
tile_each = _make(1, True)
# out[i out_step + j] = sum over k of a[i a_step + k] b[k, j], where k and j are a vector's lanes:
# products too short for the others, which take twice the time for them
tile_of_vectors = _compiled_vectors() if numba_is_compiling() else _plain_vectors
