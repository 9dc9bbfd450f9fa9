"""The transforms of Winograd's convolution: small matrices applied to both sides of tiles.

F(m x m, 3 x 3) takes m^2 outputs from tiles of (m + 2)^2 inputs with as many products:
Y = A^T [(G g G^T) * (B^T d B)] A (Lavin & Gray 2016). The matrices follow from m + 1 points of
interpolation and infinity (Cook & Toom; Blahut 2010, ch. 5).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .jit import numba_is_compiling
from .vectors import BYTES, I64, Vectors, ir

# The usual points of F(4x4) are 0, +-1, +-2; with these, whose powers are nearer to 1, its errors
# are a third to a half as large (benchmarks/accuracy_winograd.py).
POINTS = {
    2: (Fraction(0), Fraction(1), Fraction(-1)),
    4: (Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2)),
}


def matrices(points: tuple[Fraction, ...], m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A^T (m, m + 2), G (m + 2, 3) and B^T (m + 2, m + 2), rounded only at the end.

    So rows of opposite points differ in nothing but signs, which ``_applied`` makes use of.
    """
    exact: Any = np.array(points, object)
    n = len(points)
    others = [np.delete(exact, i) for i in range(n)]
    A, G, B = (np.zeros((n + 1, size), object) for size in (m, 3, n + 1))
    for i in range(n):
        A[i] = [points[i] ** j for j in range(m)]  # of Python's ints: of NumPy's it is a float
        G[i] = [points[i] ** j / np.prod(points[i] - others[i]) for j in range(3)]
        B[i, :n] = np.poly(others[i])[::-1]
    A[n, -1] = G[n, -1] = 1
    B[n] = np.poly(exact)[::-1]
    return A.T.astype(np.float64), G.astype(np.float64), B.astype(np.float64)


class _Sum:
    """A vector that + and * build instructions for."""

    def __init__(self, vectors: Vectors, value: Any) -> None:
        self.vectors, self.value = vectors, value

    def __add__(self, other: _Sum) -> _Sum:
        return _Sum(self.vectors, self.vectors.builder.fadd(self.value, other.value))

    def __sub__(self, other: _Sum) -> _Sum:
        return _Sum(self.vectors, self.vectors.builder.fsub(self.value, other.value))

    def plus(self, factor: float, other: _Sum) -> _Sum:
        """self + factor other, rounded once."""
        v = self.vectors
        if factor in (1, -1):
            return self + other if factor == 1 else self - other
        constant = ir.Constant(v.type, [factor] * v.lanes)
        return _Sum(v, v.multiply_add(constant, other.value, self.value))

    def times(self, factor: float) -> _Sum:
        v = self.vectors
        if factor == 1:
            return self
        return _Sum(v, v.builder.fmul(ir.Constant(v.type, [factor] * v.lanes), self.value))


def _combined(row: np.ndarray, numbers: list[Any]) -> Any:
    """The sum of row[i] numbers[i], zeros left out, a factor 1 first if there is one."""
    order = sorted(np.flatnonzero(row), key=lambda i: (row[i] != 1, i))
    total = numbers[order[0]].times(row[order[0]])
    for i in order[1:]:
        total = total.plus(row[i], numbers[i])
    return total


def _applied(matrix: np.ndarray, numbers: list[Any]) -> list[Any]:
    """matrix numbers; rows of two opposite points share their even and their odd part."""
    out: list[Any] = [None] * len(matrix)
    for i, row in enumerate(matrix):
        if out[i] is not None:
            continue
        for j in range(i + 1, len(matrix)):
            even, odd = (row + matrix[j]) / 2, (row - matrix[j]) / 2
            if even.any() and odd.any() and not (even * odd).any():
                first, second = _combined(even, numbers), _combined(odd, numbers)
                out[i], out[j] = first + second, first - second
                break
        else:
            out[i] = _combined(row, numbers)
    return out


def _both_sides(matrix: np.ndarray, grid: list[list[Any]]) -> list[list[Any]]:
    """matrix grid matrix^T of a grid of vectors."""
    columns = [_applied(matrix, list(column)) for column in zip(*grid, strict=True)]
    return [_applied(matrix, list(row)) for row in zip(*columns, strict=True)]


def _plain(matrix: np.ndarray, last: bool) -> Any:
    def read(x, row_step, column_step, columns):  # type: ignore[no-untyped-def]
        places = range(matrix.shape[1])
        return np.array([[x[i * row_step + j * column_step :][:columns] for j in places]
                         for i in places])  # fmt: skip

    def transform(x, row_step, column_step, out, out_row_step, out_column_step):  # type: ignore[no-untyped-def]
        grid = read(x, row_step, column_step, BYTES // x.itemsize)
        found = np.einsum("ij,jkv,lk->ilv", matrix, grid, matrix)
        for i, j in np.ndindex(found.shape[:2]):
            out[i * out_row_step + j * out_column_step :][: found.shape[2]] = found[i, j]

    def finish(
        x,
        row_step,
        column_step,
        out,
        out_row_step,
        out_column_step,
        start,
        relu,
        rows,
        width,
        columns,
    ):  # type: ignore[no-untyped-def]
        grid = read(x, row_step, column_step, columns)
        found = np.einsum("ij,jkv,lk->ilv", matrix, grid, matrix) + start[:columns]
        for i, j in np.ndindex(min(rows, len(matrix)), min(width, len(matrix))):
            value = np.where(relu & (found[i, j] < 0), 0, found[i, j])
            out[i * out_row_step + j * out_column_step :][:columns] = value

    return finish if last else transform


def _place(builder: Any, steps: tuple[Any, Any], i: int, j: int) -> Any:
    parts = [builder.mul(ir.Constant(I64, n), step) for n, step in zip((i, j), steps, strict=True)]
    return builder.add(*parts)


def _found(builder: Any, v: Vectors, matrix: np.ndarray, x: Any, steps: tuple[Any, Any]) -> Any:
    places = range(matrix.shape[1])
    grid = [[_Sum(v, v.load(x, _place(builder, steps, i, j))) for j in places] for i in places]
    return _both_sides(matrix, grid)


def _compiled_transform(matrix: np.ndarray) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, *steps, out, row_step, column_step = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        found = _found(builder, v, matrix, x, tuple(steps))
        for i, j in np.ndindex(len(matrix), len(matrix)):
            v.store(found[i][j].value, out, _place(builder, (row_step, column_step), i, j))
        return context.get_dummy_value()

    @intrinsic
    def transform(
        typing: Any, x: Any, row_step: Any, column_step: Any, out: Any, out_row_step: Any,
        out_column_step: Any,
    ) -> Any:  # fmt: skip
        long = types.int64
        return types.void(x, long, long, out, long, long), code

    return transform


def _compiled_finish(matrix: np.ndarray) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, s, t, out, row_step, column_step, start, relu, rows, width, columns = values
        v = Vectors(builder, context.get_data_type(signature.args[0].dtype))
        found = _found(builder, v, matrix, x, (s, t))
        mask, first = v.first(columns), _Sum(v, v.load(start, 0))
        m = len(matrix)
        values_of = {
            place: v.positive((found[place[0]][place[1]] + first).value, relu)
            for place in np.ndindex(m, m)
        }
        size = ir.Constant(I64, m)
        whole = builder.and_(
            builder.and_(
                builder.icmp_signed(">=", rows, size), builder.icmp_signed(">=", width, size)
            ),
            builder.icmp_signed(">=", columns, ir.Constant(I64, v.lanes)),
        )
        steps = (row_step, column_step)
        with builder.if_else(whole) as (then, otherwise):
            with then:
                for (i, j), value in values_of.items():
                    v.store(value, out, _place(builder, steps, i, j))
            with otherwise:
                for (i, j), value in values_of.items():
                    inside = builder.and_(
                        builder.icmp_signed("<", ir.Constant(I64, i), rows),
                        builder.icmp_signed("<", ir.Constant(I64, j), width),
                    )
                    with builder.if_then(inside):
                        v.store_masked(value, out, _place(builder, steps, i, j), mask)
        return context.get_dummy_value()

    @intrinsic
    def finish(
        typing: Any, x: Any, row_step: Any, column_step: Any, out: Any, out_row_step: Any,
        out_column_step: Any, start: Any, relu: Any, rows: Any, width: Any, columns: Any,
    ) -> Any:  # fmt: skip
        long = types.int64
        return types.void(
            x, long, long, out, long, long, start, types.boolean, long, long, long
        ), code

    return finish


def _transform(matrix: np.ndarray) -> Any:
    """out = matrix x matrix^T of grids of vectors: x[i s + j t] in, out[i u + j v] out."""
    return _compiled_transform(matrix) if numba_is_compiling() else _plain(matrix, False)


def _finish(matrix: np.ndarray) -> Any:
    """The same plus ``start``, then relu; only the first rows, width and columns are written."""
    return _compiled_finish(matrix) if numba_is_compiling() else _plain(matrix, True)


_A2, _G2, _B2 = matrices(POINTS[2], 2)
_A4, _G4, _B4 = matrices(POINTS[4], 4)
inputs_2, inputs_4 = _transform(_B2), _transform(_B4)  # B^T d B of inputs
filters_2, filters_4 = _transform(_G2), _transform(_G4)  # G g G^T of filters
outputs_2, outputs_4 = _finish(_A2), _finish(_A4)  # A^T Y A of products
gradients_2, gradients_4 = _transform(_A2.T), _transform(_A4.T)  # A dY A^T of outputs' gradients
dfilters_2, dfilters_4 = _transform(_G2.T), _transform(_G4.T)  # G^T dU G of products' sums
