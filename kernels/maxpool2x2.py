"""Maximum of windows of 2 x 2 that do not overlap, of images (N, H, W, C), by whole vectors.

C is a multiple of a vector's lanes; ``maxpool`` takes any window and any C, at three times the
time. The last row and column of images of odd sizes are in no window. Backward can apply the
gradient of a ReLU before the pool as well: where a maximum is 0 or less, all of its window was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange
from numba.core import types
from numba.extending import intrinsic

from .dense import pieces
from .jit import jit, numba_is_compiling
from .vectors import BYTES, Vectors, at, lanes

KERNELS = ("maxpool2x2_forward", "maxpool2x2_backward")

ELEMENTS = 16384  # of the input of one task
SMALL = 32768  # elements below which a parallel region would cost more than it saves
PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


def _plain_largest(x, row, pixel, out, index):  # type: ignore[no-untyped-def]
    n = BYTES // x.itemsize
    out[:n], index[:n] = x[:n], 0
    for place, (i, j) in enumerate(PLACES[1:], start=1):
        own = x[i * row + j * pixel :][:n]
        larger = (own > out[:n]) | np.isnan(own)
        out[:n] = np.where(larger, own, out[:n])
        index[:n] = np.where(larger, place, index[:n])


def _plain_spread(dout, out, index, gated, row, pixel, dx):  # type: ignore[no-untyped-def]
    n = BYTES // dx.itemsize
    d = np.where(gated & (out[:n] <= 0), 0, dout[:n])
    for place, (i, j) in enumerate(PLACES):
        dx[i * row + j * pixel :][:n] = np.where(index[:n] == place, d, 0)


def _begin(context: Any, builder: Any, signature: Any) -> tuple[Vectors, Any, list[Any]]:
    """Vectors of the first argument's dtype, the type of their places, and the four of those."""
    v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
    kind = ir.VectorType(ir.IntType(8), v.lanes)
    return v, kind, [ir.Constant(kind, [place] * v.lanes) for place in range(len(PLACES))]


def _offset(builder: Any, row: Any, pixel: Any, place: tuple[int, int]) -> Any:
    zero = ir.Constant(row.type, 0)
    return builder.add(row if place[0] else zero, pixel if place[1] else zero)


@intrinsic
def _compiled_largest(typing: Any, x: Any, row: Any, pixel: Any, out: Any, index: Any) -> Any:
    """A vector of maxima and their places from the four vectors of a window."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, row, pixel, out, index = values
        v, kind, numbers = _begin(context, builder, signature)
        best, found = v.load(x, 0), numbers[0]
        for number, place in zip(numbers[1:], PLACES[1:], strict=True):
            own = v.load(x, _offset(builder, row, pixel, place))
            larger = builder.or_(
                builder.fcmp_ordered(">", own, best), builder.fcmp_unordered("uno", own, own)
            )
            best = builder.select(larger, own, best)
            found = builder.select(larger, number, found)
        v.store(best, out, 0)
        builder.store(found, builder.bitcast(index, kind.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(x, types.int64, types.int64, out, index), code


@intrinsic
def _compiled_spread(
    typing: Any, dout: Any, out: Any, index: Any, gated: Any, row: Any, pixel: Any, dx: Any
) -> Any:
    """The four vectors of a window's gradient."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        dout, out, index, gated, row, pixel, dx = values
        v, kind, numbers = _begin(context, builder, signature)
        below = builder.fcmp_ordered("<=", v.load(out, 0), v.zero)
        closed = builder.and_(v.spread(gated), below)
        d = builder.select(closed, v.zero, v.load(dout, 0))
        found = builder.load(builder.bitcast(index, kind.as_pointer()), align=1)
        for number, place in zip(numbers, PLACES, strict=True):
            own = builder.select(builder.icmp_signed("==", found, number), d, v.zero)
            v.store(own, dx, _offset(builder, row, pixel, place))
        return context.get_dummy_value()

    long = types.int64
    return types.void(dout, out, index, types.boolean, long, long, dx), code


_largest, _spread = _plain_largest, _plain_spread
if numba_is_compiling():
    _largest, _spread = _compiled_largest, _compiled_spread


@jit(apart=True)
def _forward_lines(start, stop, x, out, index):  # type: ignore[no-untyped-def]
    """Lines start to stop of out and index, those of all images counted on."""
    _, H, W, C = x.shape
    OH, OW = out.shape[1:3]
    source, values, places = x.reshape(-1), out.reshape(-1), index.reshape(-1)
    for i in range(start, stop):
        first, own = (i // OH * H + i % OH * 2) * W * C, i * OW * C
        for ow in range(OW):
            for c in range(0, C, lanes(x)):
                to = own + ow * C + c
                _largest(at(source, first + ow * 2 * C + c), W * C, C, at(values, to),
                         at(places, to))  # fmt: skip


@jit(parallel=True)
def maxpool2x2_forward(x, out, index):  # type: ignore[no-untyped-def]
    """x (N, H, W, C), out and index, uint8, (N, H // 2, W // 2, C)."""
    total, most = x.shape[0] * out.shape[1], max(ELEMENTS // (2 * x.shape[2] * x.shape[3]), 1)
    if x.size < SMALL:
        _forward_lines(np.int64(0), total, x, out, index)
    else:
        for task in prange(pieces(total, most)):  # each task owns some lines of out and index
            start = np.int64(task * most)
            _forward_lines(start, min(start + most, total), x, out, index)


@jit(apart=True)
def _backward_lines(start, stop, dout, out, index, gated, dx):  # type: ignore[no-untyped-def]
    """The two lines of dx, or the last three, of each of the lines start to stop of dout."""
    _, H, W, C = dx.shape
    OH, OW = dout.shape[1:3]
    given, values, places = dout.reshape(-1), out.reshape(-1), index.reshape(-1)
    result = dx.reshape(-1)
    for i in range(start, stop):
        first, own = (i // OH * H + i % OH * 2) * W * C, i * OW * C
        for ow in range(OW):
            for c in range(0, C, lanes(dx)):
                k = own + ow * C + c
                _spread(at(given, k), at(values, k), at(places, k), gated, W * C, C,
                        at(result, first + ow * 2 * C + c))  # fmt: skip
        if W % 2:
            result[first + (W - 1) * C : first + W * C] = 0
            result[first + (2 * W - 1) * C : first + 2 * W * C] = 0
        if H % 2 and i % OH == OH - 1:
            result[first + 2 * W * C : first + 3 * W * C] = 0


@jit(parallel=True)
def maxpool2x2_backward(dout, out, index, gated, dx):  # type: ignore[no-untyped-def]
    """dout, out, index (N, H // 2, W // 2, C), dx (N, H, W, C); gated: 0 where out is 0 or less."""
    total, most = dx.shape[0] * dout.shape[1], max(ELEMENTS // (2 * dx.shape[2] * dx.shape[3]), 1)
    if dx.size < SMALL:
        _backward_lines(np.int64(0), total, dout, out, index, gated, dx)
    else:
        for task in prange(pieces(total, most)):  # each task owns two lines of dx for each of dout
            start = np.int64(task * most)
            _backward_lines(start, min(start + most, total), dout, out, index, gated, dx)
