"""NumPy twins of the gather kernels."""

from __future__ import annotations

import numpy as np

from ..gather import NOT_FINITE, NOT_ONE_HOT


def gather_rows(source, order, out, one_hot, problem):  # type: ignore[no-untyped-def]
    """out[i] = source[order[i]]; source (M, D) of any real type, order (N,), out (N, D)."""
    out[...] = source[order]
    check_rows(out, one_hot, problem)


def check_rows(x, one_hot, problem):  # type: ignore[no-untyped-def]
    """Only the check, of an array x (N, D)."""
    finite = np.isfinite(x).all(axis=1)
    fine = finite & ((np.sum(x == 1, axis=1) == 1) & (np.sum(x != 0, axis=1) == 1) | (not one_hot))
    problem[...] = 0
    if not fine.all():
        row = int(np.argmin(fine))
        problem[...] = (NOT_ONE_HOT if finite[row] else NOT_FINITE), row


def check_batch(x, t, one_hot, problem):  # type: ignore[no-untyped-def]
    """The checks of inputs x (N, D) and targets t (N, C); problem (4,): of x, then of t."""
    check_rows(x, False, problem[:2])
    check_rows(t, one_hot, problem[2:])
