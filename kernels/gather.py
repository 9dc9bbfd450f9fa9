"""Batches out of a data set: chosen rows, converted, and checked on the way.

``problem`` (2,) int64 receives (0, 0), or what is wrong and the position of the row: NOT_FINITE,
or with ``one_hot`` also NOT_ONE_HOT.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit

KERNELS = ("gather_rows", "check_rows", "check_batch")

FINE, NOT_FINITE, NOT_ONE_HOT = 0, 1, 2

ELEMENTS = 65536  # of one task


@jit(inline=True)
def row_problem(row, one_hot):  # type: ignore[no-untyped-def]
    """FINE, NOT_FINITE or NOT_ONE_HOT for one row (D,)."""
    zeros = row.dtype.type(0)
    for j in range(row.size):
        zeros += row[j] * row.dtype.type(0)  # NaN and infinity times zero are NaN
    if not zeros == 0:
        return NOT_FINITE
    if one_hot:
        ones = 0
        others = 0
        for j in range(row.size):
            ones += row[j] == 1
            others += row[j] != 0
        if ones != 1 or others != 1:
            return NOT_ONE_HOT
    return FINE


@jit(apart=True)
def _copy_rows(source, order, start, stop, out, one_hot, found):  # type: ignore[no-untyped-def]
    D = out.shape[1]
    real = out.dtype.type
    for i in range(start, stop):
        row, target = source[order[i]], out[i]
        for j in range(D):
            target[j] = real(row[j])
        problem = row_problem(target, one_hot)
        if problem != FINE and found[1] == 0:
            found[0], found[1] = i, problem


@jit(parallel=True)
def gather_rows(source, order, out, one_hot, problem):  # type: ignore[no-untyped-def]
    """out[i] = source[order[i]]; source (M, D) of any real type, order (N,), out (N, D)."""
    N, D = out.shape
    rows = max(1, ELEMENTS // max(D, 1))
    tasks = pieces(N, rows)
    found = np.zeros((tasks, 2), np.int64)
    if tasks <= 1:
        for task in range(tasks):
            _copy_rows(source, order, np.int64(0), N, out, one_hot, found[task])
    else:
        for task in prange(tasks):  # each task owns some rows of out
            start = np.int64(task) * rows
            stop = min(start + rows, N)
            _copy_rows(source, order, start, stop, out, one_hot, found[task])
    problem[0], problem[1] = 0, 0
    for task in range(tasks - 1, -1, -1):  # the first row with a problem is the one reported
        if found[task, 1] != 0:
            problem[0], problem[1] = found[task, 1], found[task, 0]


@jit
def check_rows(x, one_hot, problem):  # type: ignore[no-untyped-def]
    """Only the check, of an array x (N, D)."""
    # On one thread: it is 0.5 % of a step, and a prange would add 0.6 s to a first compilation.
    problem[0], problem[1] = 0, 0
    for i in range(x.shape[0]):
        found = row_problem(x[i], one_hot)
        if found != FINE:
            problem[0], problem[1] = found, i
            return


@jit
def check_batch(x, t, one_hot, problem):  # type: ignore[no-untyped-def]
    """The checks of inputs x (N, D) and targets t (N, C); problem (4,): of x, then of t."""
    check_rows(x, False, problem[:2])
    check_rows(t, one_hot, problem[2:])
