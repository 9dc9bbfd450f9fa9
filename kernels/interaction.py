"""Interactions between the embedded fields of a row, e (B, F, K) with one vector a field.

| kernel    | output                                                                            |
|-----------|-----------------------------------------------------------------------------------|
| fm        | sum over f < g of <e_f, e_g>, in O(F K): ((sum e)^2 - sum e^2) / 2 (Rendle 2010)  |
| ffm       | sum over f < g of <e_f,g , e_g,f>, where field f has one vector for each other    |
|           | field: e (B, F, F * K) (Juan et al. 2016)                                         |
| dot       | all <e_f, e_g> with f > g, row by row of the lower triangle (Naumov et al. 2019)  |
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .blas import gemm
from .dense import pieces
from .jit import jit

KERNELS = (
    "fm_forward", "fm_backward", "ffm_forward", "ffm_backward", "dot_forward", "dot_backward",
)  # fmt: skip

ELEMENTS = 65536  # of e in one task


@jit(inline=True)
def _rows(e):  # type: ignore[no-untyped-def]
    """Rows of the batch in one task."""
    return max(1, ELEMENTS // max(1, e.shape[1] * e.shape[2]))


@jit(apart=True)
def _fm_forward(e, sums, out):  # type: ignore[no-untyped-def]
    B, F, K = e.shape
    half = e.dtype.type(0.5)
    for b in range(B):
        total, first = sums[b], e[b, 0]
        squares = e.dtype.type(0)
        for k in range(K):
            total[k] = first[k]
            squares += first[k] * first[k]
        for f in range(1, F):
            own = e[b, f]
            for k in range(K):
                total[k] += own[k]
                squares += own[k] * own[k]
        result = -squares
        for k in range(K):
            result += total[k] * total[k]
        out[b, 0] = half * result


@jit(parallel=True)
def fm_forward(e, sums, out):  # type: ignore[no-untyped-def]
    """out (B, 1); sums (B, K) = sum over the fields, which backward needs."""
    B, step = e.shape[0], _rows(e)
    for task in prange(pieces(B, step)):  # each task owns some rows of sums and out
        own = slice(np.int64(task) * step, min((np.int64(task) + 1) * step, B))
        _fm_forward(e[own], sums[own], out[own])


@jit(apart=True)
def _fm_backward(e, sums, dout, de):  # type: ignore[no-untyped-def]
    B, F, K = e.shape
    for b in range(B):
        total, share = sums[b], dout[b, 0]
        for f in range(F):
            own, target = e[b, f], de[b, f]
            for k in range(K):
                target[k] = share * (total[k] - own[k])


@jit(parallel=True)
def fm_backward(e, sums, dout, de):  # type: ignore[no-untyped-def]
    """de_f = dout (sums - e_f); dout (B, 1), de (B, F, K)."""
    B, step = e.shape[0], _rows(e)
    for task in prange(pieces(B, step)):  # each task owns some rows of de
        own = slice(np.int64(task) * step, min((np.int64(task) + 1) * step, B))
        _fm_backward(e[own], sums[own], dout[own], de[own])


@jit(apart=True)
def _ffm_forward(e, out):  # type: ignore[no-untyped-def]
    B, F, width = e.shape
    K = width // F
    for b in range(B):
        total = e.dtype.type(0)
        for f in range(F):
            own = e[b, f]
            for g in range(f + 1, F):
                one, other = own[g * K : (g + 1) * K], e[b, g, f * K : (f + 1) * K]
                for k in range(K):
                    total += one[k] * other[k]
        out[b, 0] = total


@jit(parallel=True)
def ffm_forward(e, out):  # type: ignore[no-untyped-def]
    """out (B, 1); e[b, f, g * K : (g + 1) * K] is field f's vector towards field g."""
    B, step = e.shape[0], _rows(e)
    for task in prange(pieces(B, step)):  # each task owns some rows of out
        own = slice(np.int64(task) * step, min((np.int64(task) + 1) * step, B))
        _ffm_forward(e[own], out[own])


@jit(apart=True)
def _ffm_backward(e, dout, de):  # type: ignore[no-untyped-def]
    B, F, width = e.shape
    K = width // F
    for b in range(B):
        share = dout[b, 0]
        for f in range(F):
            target = de[b, f]
            for g in range(F):
                if g == f:
                    for k in range(K):
                        target[f * K + k] = e.dtype.type(0)
                else:
                    one, other = target[g * K : (g + 1) * K], e[b, g, f * K : (f + 1) * K]
                    for k in range(K):
                        one[k] = share * other[k]


@jit(parallel=True)
def ffm_backward(e, dout, de):  # type: ignore[no-untyped-def]
    """de of ``ffm_forward``; dout (B, 1), de (B, F, F * K)."""
    B, step = e.shape[0], _rows(e)
    for task in prange(pieces(B, step)):  # each task owns some rows of de
        own = slice(np.int64(task) * step, min((np.int64(task) + 1) * step, B))
        _ffm_backward(e[own], dout[own], de[own])


@jit(apart=True)
def _dot_forward(e, out):  # type: ignore[no-untyped-def]
    B, F = e.shape[:2]
    products = np.empty((F, F), e.dtype)
    for b in range(B):
        own, target = e[b], out[b]
        gemm(own, own.T, products, 1.0, 0.0)
        place = 0
        for f in range(1, F):
            row = products[f]
            for g in range(f):
                target[place + g] = row[g]
            place += f


@jit(parallel=True)
def dot_forward(e, out):  # type: ignore[no-untyped-def]
    """out (B, F (F - 1) / 2)."""
    B, step = e.shape[0], _rows(e)
    for task in prange(pieces(B, step)):  # each task owns some rows of out
        own = slice(np.int64(task) * step, min((np.int64(task) + 1) * step, B))
        _dot_forward(e[own], out[own])


@jit(apart=True)
def _dot_backward(e, dout, de):  # type: ignore[no-untyped-def]
    B, F = e.shape[:2]
    dproducts = np.zeros((F, F), e.dtype)
    for b in range(B):
        own, source = e[b], dout[b]
        place = 0
        for f in range(1, F):
            for g in range(f):
                dproducts[f, g] = source[place + g]
                dproducts[g, f] = source[place + g]
            place += f
        gemm(dproducts, own, de[b], 1.0, 0.0)


@jit(parallel=True)
def dot_backward(e, dout, de):  # type: ignore[no-untyped-def]
    """de of ``dot_forward``; dout (B, F (F - 1) / 2), de (B, F, K)."""
    B, step = e.shape[0], _rows(e)
    for task in prange(pieces(B, step)):  # each task owns some rows of de
        own = slice(np.int64(task) * step, min((np.int64(task) + 1) * step, B))
        _dot_backward(e[own], dout[own], de[own])
