"""Tiles of depthwise 3 x 3 convolutions, in registers.

A tile of ROWS x COLUMNS outputs takes the channels a vector at a time, loads each input once and
uses it for all outputs that it reaches. Inputs outside of the image are loads that are masked out:
there is no padded copy. Tiles inside of the image run without such masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import numba_is_compiling
from .vectors import I64, REGISTERS, Vectors

ROWS = 2 if REGISTERS == 32 else 1
COLUMNS = 4
TAPS = [(i, j) for i in range(3) for j in range(3)]
CELLS = [(i, j) for i in range(ROWS) for j in range(COLUMNS)]


# ------------------------------------------------------------------- for the JIT off
def _window(x, H, W, row, column, C, rows, columns):  # type: ignore[no-untyped-def]
    """The inputs (rows, columns, C) from row and column on, 0 outside of the image (H, W, C)."""
    found = np.zeros((rows, columns, C), x.dtype)
    image = x[: H * W * C].reshape(H, W, C)
    own = image[max(0, row) : row + rows, max(0, column) : column + columns]
    top, left = max(0, -row), max(0, -column)
    found[top : top + own.shape[0], left : left + own.shape[1]] = own
    return found


def _plain_forward(stride: int) -> Any:
    def tile(x, H, W, row, column, C, f, step, start, relu, out, OW, rows, columns):  # type: ignore[no-untyped-def]
        reach = (ROWS - 1) * stride + 3, (COLUMNS - 1) * stride + 3
        held = _window(x, H, W, row, column, C, *reach)
        for i, j in CELLS:
            if i < rows and j < columns:
                total = start[:C].copy()
                for t, (kh, kw) in enumerate(TAPS):
                    total += held[i * stride + kh, j * stride + kw] * f[t * step : t * step + C]
                place = (i * OW + j) * C
                out[place : place + C] = np.where(relu & (total < 0), 0, total)

    return tile


def _plain_weights(stride: int) -> Any:
    def tile(x, H, W, row, column, C, d, OW, rows, columns, sums, step):  # type: ignore[no-untyped-def]
        reach = (ROWS - 1) * stride + 3, (COLUMNS - 1) * stride + 3
        held = _window(x, H, W, row, column, C, *reach)
        for i, j in CELLS:
            if i < rows and j < columns:
                own = d[(i * OW + j) * C :][:C]
                for t, (kh, kw) in enumerate(TAPS):
                    sums[t * step : t * step + C] += held[i * stride + kh, j * stride + kw] * own

    return tile


def _plain_data(d, OH, OW, row, column, C, f, step, dx, H, W, top, left):  # type: ignore[no-untyped-def]
    held = _window(d, OH, OW, row, column, C, 2, COLUMNS + 1)
    for a in range(2):
        for w in range(2 * COLUMNS):
            if 0 <= top + a < H and 0 <= left + w < W:
                total = np.zeros(C, dx.dtype)
                for kh, kw in _taps_of(a, w):
                    place = (3 * kh + kw) * step
                    total += held[1 - kh // 2, w // 2 + 1 - kw // 2] * f[place : place + C]
                dx[((top + a) * W + left + w) * C :][:C] = total


def _taps_of(a: int, w: int) -> list[tuple[int, int]]:
    """The filter places that reach row a and column w of a tile of dx with stride 2."""
    return [(kh, kw) for kh, kw in TAPS if kh % 2 == a % 2 and kw % 2 == w % 2]


# ------------------------------------------------------------------- compiled
def _integer(number: int) -> Any:
    return ir.Constant(I64, number)


class _Grid:
    """Pixels of an image by row and column of a tile; the first pixel may lie outside of it."""

    def __init__(
        self, v: Vectors, pointer: Any, size: tuple[Any, Any], first: tuple[Any, Any], C: Any,
        rows: int, columns: int,
    ) -> None:  # fmt: skip
        b = v.builder
        self.v, self.pointer = v, pointer
        row_of = [b.add(first[0], _integer(r)) for r in range(rows)]
        column_of = [b.add(first[1], _integer(c)) for c in range(columns)]
        self.rows = [b.icmp_unsigned("<", row, size[0]) for row in row_of]
        self.columns = [b.icmp_unsigned("<", column, size[1]) for column in column_of]
        self.offsets = [b.mul(b.mul(row, size[1]), C) for row in row_of]
        self.places = [b.mul(column, C) for column in column_of]

    def inside(self, r: int, c: int) -> Any:
        return self.v.builder.and_(self.rows[r], self.columns[c])

    def at(self, r: int, c: int, channel: Any) -> Any:
        b = self.v.builder
        return b.gep(self.pointer, [b.add(b.add(self.offsets[r], self.places[c]), channel)])

    def load(self, r: int, c: int, channel: Any, mask: Any, checked: bool) -> Any:
        """The vector there; ``checked``: 0 outside of the image."""
        if checked:
            mask = self.v.builder.and_(mask, self.v.spread(self.inside(r, c)))
        return self.v.load_masked(self.at(r, c, channel), 0, mask)

    def store(self, value: Any, r: int, c: int, channel: Any, mask: Any, checked: bool) -> None:
        """Write the vector there; ``checked``: not outside of the image."""
        if not checked:
            self.v.store_masked(value, self.at(r, c, channel), 0, mask)
            return
        with self.v.builder.if_then(self.inside(r, c)):
            self.v.store_masked(value, self.at(r, c, channel), 0, mask)


def _over_channels(v: Vectors, C: Any, grids: list[_Grid], body: Any) -> None:
    """body(channel, mask, checked) for each vector of channels; checked if a pixel is outside."""
    b = v.builder
    whole = ir.Constant(ir.IntType(1), 1)
    for grid in grids:
        for flag in (*grid.rows, *grid.columns):
            whole = b.and_(whole, flag)
    before = b.block
    inner, edge, end = (b.append_basic_block(name) for name in ("inner", "edge", "end"))
    b.cbranch(whole, inner, edge)
    for block, checked in ((inner, False), (edge, True)):
        b.position_at_end(block)
        channel = b.phi(I64)
        channel.add_incoming(_integer(0), before)
        body(channel, v.first(b.sub(C, channel)), checked)
        after = b.add(channel, _integer(v.lanes))
        channel.add_incoming(after, b.block)
        b.cbranch(b.icmp_signed("<", after, C), block, end)
    b.position_at_end(end)


def _filters(v: Vectors, f: Any, step: Any, channel: Any) -> dict[tuple[int, int], Any]:
    """The vector of each filter place, or of its sum."""
    b = v.builder
    return {tap: v.load(f, b.add(b.mul(_integer(t), step), channel)) for t, tap in enumerate(TAPS)}


def _uses(stride: int, r: int, c: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """(output, filter place) of the tile's outputs that the input at (r, c) reaches."""
    found = [(cell, (r - cell[0] * stride, c - cell[1] * stride)) for cell in CELLS]
    return [(cell, tap) for cell, tap in found if tap in TAPS]


def _compiled_forward(stride: int) -> Any:
    reach = (ROWS - 1) * stride + 3, (COLUMNS - 1) * stride + 3

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, H, W, row, column, C, f, step, start, relu, out, OW, rows, columns = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        inputs = _Grid(v, x, (H, W), (row, column), C, *reach)
        outputs = _Grid(v, out, (rows, OW), (_integer(0), _integer(0)), C, ROWS, COLUMNS)
        outputs.columns = [builder.icmp_signed("<", _integer(j), columns) for j in range(COLUMNS)]

        def body(channel: Any, mask: Any, checked: bool) -> None:
            filters = _filters(v, f, step, channel)
            totals = dict.fromkeys(CELLS, v.load(start, channel))
            for r, c in np.ndindex(*reach):
                uses = _uses(stride, r, c)
                if not uses:
                    continue
                value = inputs.load(r, c, channel, mask, checked)
                for cell, tap in uses:
                    totals[cell] = v.multiply_add(value, filters[tap], totals[cell])
            for (i, j), total in totals.items():
                outputs.store(v.positive(total, relu), i, j, channel, mask, checked)

        _over_channels(v, C, [inputs, outputs], body)
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any, x: Any, H: Any, W: Any, row: Any, column: Any, C: Any, f: Any, step: Any,
        start: Any, relu: Any, out: Any, OW: Any, rows: Any, columns: Any,
    ) -> Any:  # fmt: skip
        long = types.int64
        given = x, *(long,) * 5, f, long, start, types.boolean, out, *(long,) * 3
        return types.void(*given), code

    return tile


def _compiled_weights(stride: int) -> Any:
    reach = (ROWS - 1) * stride + 3, (COLUMNS - 1) * stride + 3

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, H, W, row, column, C, d, OW, rows, columns, sums, step = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        inputs = _Grid(v, x, (H, W), (row, column), C, *reach)
        given = _Grid(v, d, (rows, OW), (_integer(0), _integer(0)), C, ROWS, COLUMNS)
        given.columns = [builder.icmp_signed("<", _integer(j), columns) for j in range(COLUMNS)]

        def body(channel: Any, mask: Any, checked: bool) -> None:
            totals = _filters(v, sums, step, channel)
            own = {cell: given.load(*cell, channel, mask, checked) for cell in CELLS}
            for r, c in np.ndindex(*reach):
                uses = _uses(stride, r, c)
                if not uses:
                    continue
                value = inputs.load(r, c, channel, mask, checked)
                for cell, tap in uses:
                    total = v.multiply_add(value, own[cell], totals[tap])
                    if checked:  # an infinite input times no output does not count
                        valid = v.spread(given.inside(*cell))
                        total = builder.select(valid, total, totals[tap])
                    totals[tap] = total
            for t, tap in enumerate(TAPS):
                place = builder.add(builder.mul(_integer(t), step), channel)
                v.store(totals[tap], sums, place)

        _over_channels(v, C, [inputs, given], body)
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any, x: Any, H: Any, W: Any, row: Any, column: Any, C: Any, d: Any, OW: Any,
        rows: Any, columns: Any, sums: Any, step: Any,
    ) -> Any:  # fmt: skip
        long = types.int64
        return types.void(x, *(long,) * 5, d, *(long,) * 3, sums, long), code

    return tile


def _compiled_data() -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        d, OH, OW, row, column, C, f, step, dx, H, W, top, left = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        given = _Grid(v, d, (OH, OW), (row, column), C, 2, COLUMNS + 1)
        outputs = _Grid(v, dx, (H, W), (top, left), C, 2, 2 * COLUMNS)

        def body(channel: Any, mask: Any, checked: bool) -> None:
            filters = _filters(v, f, step, channel)
            near = {
                (r, c): given.load(r, c, channel, mask, checked)
                for r, c in np.ndindex(2, COLUMNS + 1)
            }
            for a, w in np.ndindex(2, 2 * COLUMNS):
                total = v.zero
                for kh, kw in _taps_of(a, w):
                    value = near[1 - kh // 2, w // 2 + 1 - kw // 2]
                    total = v.multiply_add(value, filters[kh, kw], total)
                outputs.store(total, a, w, channel, mask, checked)

        _over_channels(v, C, [given, outputs], body)
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any, d: Any, OH: Any, OW: Any, row: Any, column: Any, C: Any, f: Any, step: Any,
        dx: Any, H: Any, W: Any, top: Any, left: Any,
    ) -> Any:  # fmt: skip
        long = types.int64
        return types.void(d, *(long,) * 5, f, long, dx, *(long,) * 4), code

    return tile


_on = numba_is_compiling()
# at most ROWS x COLUMNS outputs from ``out`` on, rows of OW pixels, with their bias and activation:
# from the image x (H, W, C), whose first input's row and column may lie outside; f (9, step)
forward_1 = _compiled_forward(1) if _on else _plain_forward(1)
forward_2 = _compiled_forward(2) if _on else _plain_forward(2)
# sums (9, step) += the inputs times d, for as many outputs
weights_1 = _compiled_weights(1) if _on else _plain_weights(1)
weights_2 = _compiled_weights(2) if _on else _plain_weights(2)
# for stride 2, two rows from ``top`` on and 2 COLUMNS columns from ``left`` on of the image dx
# (H, W, C), from the two rows and COLUMNS + 1 columns of the image d from row and column on
data_2 = _compiled_data() if _on else _plain_data
