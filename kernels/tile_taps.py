"""The gradient of the filters of a network's first convolution: all filter places at once.

For 3 x 3 filters on colours, patches of 3 rows of 9 numbers side by side, the sums of all 27 fit
into the registers, each with a vector of filters. A pixel then costs one load a multiplication; the
tiles of kernels/tile.py, which take 8 places at a time, need half as long again.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import numba_is_compiling
from .vectors import BYTES, I64, REGISTERS, Vectors

PATCH = (3, 9)  # rows, and numbers in each
TAPS = PATCH[0] * PATCH[1] if REGISTERS == 32 else 0  # 0: there are no registers for them


def _plain_taps(a, pixels, n, row_step, d, d_step, add, sums, step):  # type: ignore[no-untyped-def]
    lanes = BYTES // a.itemsize
    for i in range(TAPS):
        row, column = divmod(i, PATCH[1])
        own = sums[i * step :][:lanes]
        own[...] = own if add else 0
        for p in range(n):
            own += a[pixels[p] + row * row_step + column] * d[p * d_step :][:lanes]


@intrinsic
def _compiled_taps(
    typing: Any, a: Any, pixels: Any, n: Any, row_step: Any, d: Any, d_step: Any, add: Any,
    sums: Any, step: Any,
) -> Any:  # fmt: skip
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, pixels, n, row_step, d, d_step, add, sums, step = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        cells = [builder.gep(sums, [builder.mul(ir.Constant(I64, i), step)]) for i in range(TAPS)]
        kept = v.spread(add)
        firsts = [builder.select(kept, v.load(cell, 0), v.zero) for cell in cells]
        before, loop, end = builder.block, *map(builder.append_basic_block, ("loop", "end"))
        builder.branch(loop)

        builder.position_at_end(loop)
        p, upstream = builder.phi(I64), builder.phi(d.type)
        totals = [builder.phi(v.type) for _ in cells]
        own = builder.gep(a, [builder.load(builder.gep(pixels, [p]))])
        rows = [
            builder.gep(own, [builder.mul(ir.Constant(I64, i), row_step)]) for i in range(PATCH[0])
        ]
        gradient, found = v.load(upstream, 0), []
        for i, total in enumerate(totals):
            place = builder.gep(rows[i // PATCH[1]], [ir.Constant(I64, i % PATCH[1])])
            found.append(v.multiply_add(v.spread(builder.load(place)), gradient, total))
        following = builder.add(p, ir.Constant(I64, 1)), builder.gep(upstream, [d_step])
        for value, first, after in zip(
            (p, upstream, *totals), (ir.Constant(I64, 0), d, *firsts), (*following, *found),
            strict=True,
        ):  # fmt: skip
            value.add_incoming(first, before)
            value.add_incoming(after, loop)
        builder.cbranch(builder.icmp_signed("<", following[0], n), loop, end)

        builder.position_at_end(end)
        for total, cell in zip(found, cells, strict=True):
            v.store(total, cell, 0)
        return context.get_dummy_value()

    long = types.int64
    return types.void(a, pixels, long, long, d, long, types.boolean, sums, long), code


# sums[i step + j] = or += the sum over n pixels p of patch[i] d[p d_step + j], j in a vector, where
# a patch's rows begin at a[pixels[p]] and are row_step apart
taps_weights = _compiled_taps if numba_is_compiling() else _plain_taps
