"""Products of the power method with filters as they lie, and the gradient through W / sigma.

W (A, B, T) is a matrix with a row for each of B outputs, whose columns are (a, t): A is 1 for W
(K, C KH KW) of a convolution, T for W (D, H) of a dense layer. One thread reads it at the speed of
memory; NumPy would copy it first where A and T are both above 1.
"""

from __future__ import annotations

from .jit import jit

KERNELS = ("spectral_rows", "spectral_columns", "spectral_gradient")


@jit()
def spectral_rows(W, v, u):  # type: ignore[no-untyped-def]
    """u (B,) = W v; W (A, B, T), v (A, T)."""
    A, B, T = W.shape
    for b in range(B):
        u[b] = 0
    for a in range(A):
        if T == 1:
            row, factor = W[a, :, 0], v[a, 0]
            for b in range(B):
                u[b] += row[b] * factor
            continue
        own = v[a]
        for b in range(B):
            row, total = W[a, b], u[b]
            for t in range(T):
                total += row[t] * own[t]
            u[b] = total


@jit()
def spectral_columns(W, u, v):  # type: ignore[no-untyped-def]
    """v (A, T) = W^T u; W (A, B, T), u (B,)."""
    A, B, T = W.shape
    for a in range(A):
        own = v[a]
        if T == 1:
            row, total = W[a, :, 0], u[0] * 0
            for b in range(B):
                total += row[b] * u[b]
            own[0] = total
            continue
        for t in range(T):
            own[t] = 0
        for b in range(B):
            row, factor = W[a, b], u[b]
            for t in range(T):
                own[t] += row[t] * factor


@jit()
def spectral_gradient(d, W, u, v, sigma, dW):  # type: ignore[no-untyped-def]
    """dW = (d - (sum of d W) u v^T) / sigma, with d the gradient at W, which is divided by sigma.

    d, W, dW (A, B, T), u (B,), v (A, T).
    """
    A, B, T = W.shape
    given, held, result, share = d.reshape(-1), W.reshape(-1), dW.reshape(-1), 0.0
    for first in range(0, held.size, B):
        own, row, total = given[first : first + B], held[first : first + B], held[0] * 0
        for j in range(row.size):
            total += own[j] * row[j]
        share += total
    scale, less = dW.dtype.type(1 / sigma), dW.dtype.type(share / sigma)
    for a in range(A):
        if T == 1:
            own, to, factor = d[a, :, 0], dW[a, :, 0], less * v[a, 0]
            for b in range(B):
                to[b] = own[b] * scale - factor * u[b]
            continue
        for b in range(B):
            place, factor, row = (a * B + b) * T, less * u[b], v[a]
            own, to = given[place : place + T], result[place : place + T]
            for t in range(T):
                to[t] = own[t] * scale - factor * row[t]
