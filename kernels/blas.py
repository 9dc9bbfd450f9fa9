"""Matrix products from compiled code: ``gemm(a, b, c, alpha, beta)``.

c = alpha a b + beta c, for 2-D float32 or float64 arrays whose rows or columns are contiguous;
a transposed view is a transposed operand and costs nothing. Each product runs on the calling
thread. Where no OpenBLAS is at hand, loops compiled by numba take its place.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types
from numba.extending import overload

from . import blas_library
from .jit import jit

AVAILABLE = blas_library.publish()

_ROW_MAJOR, _NO_TRANS, _TRANS = 101, 111, 112


def _external(symbol: str, real: types.Type) -> types.ExternalFunction:
    integer, pointer = types.int32, types.intp
    signature = types.void(*(integer,) * 6, real, *(pointer, integer) * 2, real, pointer, integer)
    return types.ExternalFunction(symbol, signature)


_sgemm = _external("scipy_cblas_sgemm", types.float32)
_dgemm = _external("scipy_cblas_dgemm", types.float64)


def gemm(a: np.ndarray, b: np.ndarray, c: np.ndarray, alpha: float, beta: float) -> None:
    """c = alpha a @ b + beta c; with beta 0 the old c is not read (this body: the JIT is off).

    Shapes: a (M, K), b (K, N), c (M, N); all of one dtype; c must be row-contiguous.
    """
    c[...] = np.asarray(alpha, c.dtype) * (a @ b) + (beta * c if beta != 0 else 0)


@jit(inline=True)
def _stride(x):  # type: ignore[no-untyped-def]
    """(leading dimension, transposed?) of an operand whose rows or columns are contiguous."""
    rows, columns = x.shape
    if x.strides[1] == x.itemsize or (columns == 1 and x.strides[0] >= x.itemsize):
        return max(x.strides[0] // x.itemsize, columns), False
    return max(x.strides[1] // x.itemsize, rows), True


@jit(inline=True)
def gemm_loops(a, b, c, alpha, beta):  # type: ignore[no-untyped-def]
    """The same product as plain loops, row times matrix, which LLVM vectorises along N."""
    M, K = a.shape
    N = b.shape[1]
    for i in range(M):
        row = c[i]
        for j in range(N):
            row[j] = row[j] * beta if beta != 0 else row.dtype.type(0)
        for k in range(K):
            factor = alpha * a[i, k]
            b_row = b[k]
            for j in range(N):
                row[j] += factor * b_row[j]


@overload(gemm, jit_options={"error_model": "numpy", "nogil": True}, inline="never")
def _gemm_compiled(a, b, c, alpha, beta):  # type: ignore[no-untyped-def]
    if not AVAILABLE:
        real = numba.np.numpy_support.as_dtype(c.dtype).type

        def loops(a, b, c, alpha, beta):  # type: ignore[no-untyped-def]
            gemm_loops(a, b, c, real(alpha), real(beta))

        return loops
    function = _sgemm if c.dtype == types.float32 else _dgemm

    def blas(a, b, c, alpha, beta):  # type: ignore[no-untyped-def]
        M, K = a.shape
        N = b.shape[1]
        if M == 0 or N == 0:
            return
        lda, a_turned = _stride(a)
        ldb, b_turned = _stride(b)
        ldc = max(c.strides[0] // c.itemsize, N)
        function(
            _ROW_MAJOR,
            _TRANS if a_turned else _NO_TRANS,
            _TRANS if b_turned else _NO_TRANS,
            M, N, K, alpha, a.ctypes.data, lda, b.ctypes.data, ldb, beta, c.ctypes.data, ldc,
        )  # fmt: skip

    return blas
