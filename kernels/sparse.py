"""Optimizer steps on the touched rows of a table, and what untouched rows missed.

The rules are those of ``optimizer``, applied to one row of a table at a time; ROWWISE is AdaGrad
with a single v a row (its mean squared gradient). The gradient of a row is summed from the batch's
entries on the way and never stored.

A dense optimizer changes every row at every step: Adam goes on moving a row by its momentum, and a
penalty shrinks it. Rows here are changed when they are touched, so ``last`` (R,) int64 keeps up to
which step a row has been brought, and ``settle_rows`` makes up for the steps between, either step
by step (EXACT) or, for Adam without a penalty, by the sum of the series (LAZY).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .optimizer import ADAM, ADAMW, BETA1, BETA2, EPSILON, LR, step_numbers, update_block

KERNELS = ("sparse_step", "settle_rows", "segment_sums", "segment_squares")

ROWWISE = 8  # behind optimizer.FTRL
LAZY, EXACT = 0, 1

ROWS = 128  # rows of the table in one task
SERIES = 1e-18  # the rest of a series is left out when its terms have shrunk to this share


@jit(inline=True)
def _own(state, row, K):  # type: ignore[no-untyped-def]
    """A row's part of a flat state; empty where the rule has no such state."""
    return state[row * K : (row + 1) * K]


@jit(apart=True)
def _sum_entries(values, order, start, stop, out):  # type: ignore[no-untyped-def]
    K = out.size
    first = values[order[start]]
    for k in range(K):
        out[k] = first[k]
    for i in range(start + 1, stop):
        entry = values[order[i]]
        for k in range(K):
            out[k] += entry[k]


@jit(inline=True)
def _update_row(kind, settings, numbers, scale, p, g, m, v):  # type: ignore[no-untyped-def]
    if kind != ROWWISE:
        update_block(kind, settings, numbers, scale, p, g, m, v)
        return
    real = p.dtype.type
    factor, decay = real(scale), real(numbers[2])
    total = real(0)
    for k in range(p.size):
        g[k] = factor * g[k] + decay * p[k]
        total += g[k] * g[k]
    v[0] += total / real(p.size)
    rate = real(numbers[0]) / (np.sqrt(v[0]) + real(settings[EPSILON]))
    for k in range(p.size):
        p[k] -= rate * g[k]


@jit(apart=True)
def _step_task(
    task, kind, settings, numbers, t, scale, K, table, m, v, width, last, unique, starts, count,
    order, values,
):  # type: ignore[no-untyped-def]  # fmt: skip
    g = np.empty(K, table.dtype)
    for u in range(task * ROWS, min((task + 1) * ROWS, count)):
        row = unique[u]
        _sum_entries(values, order, starts[u], starts[u + 1], g)
        _update_row(
            kind, settings, numbers, scale, _own(table, row, K), g, _own(m, row, K),
            _own(v, row, width),
        )  # fmt: skip
        if last.size > 0:
            last[row] = t


@jit(parallel=True)
def sparse_step(
    kind, settings, t, scale, penalty, K, table, m, v, width, last, unique, starts, count, order,
    values,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Step t on the rows ``unique[:count]``, whose gradients are sums of entries of ``values``.

    table (R * K,), flat; m (R * K,) or (0,); v (R * width,) or (0,); last (R,) or (0,); unique,
    starts and order as ``coalesce`` gives them; values (n, K); penalty: coefficient of the row
    itself in its gradient, already multiplied by scale.
    """
    rate, root, decay, keep = step_numbers(kind, settings, t)
    numbers = (rate, root, decay + penalty, keep)
    for task in prange(pieces(count, ROWS)):  # each task owns ROWS rows of the table and states
        _step_task(
            np.int64(task), kind, settings, numbers, t, scale, K, table, m, v, width, last, unique,
            starts, count, order, values,
        )  # fmt: skip


@jit(apart=True)
def _series(settings, missed, touched, p, m, v):  # type: ignore[no-untyped-def]
    """Adam's moves in ``missed`` steps without a gradient, after a last one at step ``touched``.

    m and v shrink by beta1 and beta2, so the moves by r = beta1 / sqrt(beta2) where epsilon is
    small: together move * (r + r^2 + ... + r^missed). The bias corrections are taken as they were.
    """
    real = p.dtype.type
    beta1, beta2 = settings[BETA1], settings[BETA2]
    r = beta1 / np.sqrt(beta2)
    terms = r * (1.0 - r**missed) / (1.0 - r) if r < 1.0 else np.float64(missed)
    rate = real(settings[LR] * terms / (1.0 - beta1**touched))
    root = real(1.0 / np.sqrt(1.0 - beta2**touched))
    fade1, fade2, epsilon = real(beta1**missed), real(beta2**missed), real(settings[EPSILON])
    for k in range(p.size):
        p[k] -= rate * m[k] / (np.sqrt(v[k]) * root + epsilon)
        m[k] *= fade1
        v[k] *= fade2


@jit(apart=True)
def _steps(kind, settings, history, base, start, now, p, zeros, m, v):  # type: ignore[no-untyped-def]
    """The steps start + 1 ... now one by one, with a gradient of zero and the penalty."""
    quiet = now - start  # steps that can still move the row
    if (kind == ADAM or kind == ADAMW) and history[now - base, 2] == 0.0:
        r = settings[BETA1] / np.sqrt(settings[BETA2])
        if r < 1.0 and history[now - base, 3] == 1.0:
            quiet = min(quiet, np.int64(np.log(SERIES) / np.log(r)) + 1)
    for t in range(start + 1, start + quiet + 1):
        own = history[t - base]
        numbers = (own[0], own[1], own[2], own[3])
        _update_row(kind, settings, numbers, 1.0, p, zeros, m, v)
        if kind == ROWWISE:
            for k in range(zeros.size):
                zeros[k] = zeros.dtype.type(0)
    rest = now - start - quiet
    if rest > 0:
        real = p.dtype.type
        fade1, fade2 = real(settings[BETA1] ** rest), real(settings[BETA2] ** rest)
        for k in range(p.size):
            m[k] *= fade1
            v[k] *= fade2


@jit(apart=True)
def _settle_task(
    task, mode, kind, settings, history, base, now, K, table, m, v, width, last, rows,
):  # type: ignore[no-untyped-def]  # fmt: skip
    zeros = np.zeros(K, table.dtype)
    for u in range(task * ROWS, min((task + 1) * ROWS, rows.size)):
        row = rows[u]
        touched = last[row]
        if touched >= now:
            continue
        last[row] = now
        p, own_m, own_v = _own(table, row, K), _own(m, row, K), _own(v, row, width)
        if mode == EXACT:
            _steps(kind, settings, history, base, touched, now, p, zeros, own_m, own_v)
        elif touched > 0:
            _series(settings, now - touched, touched, p, own_m, own_v)


@jit(parallel=True)
def settle_rows(
    mode, kind, settings, history, base, now, K, table, m, v, width, last, rows
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Bring different ``rows`` of a table, which missed steps, to where they are after step now.

    history (steps, 4) float64: ``step_numbers`` of the steps base, base + 1, ... now, with the
    penalty in their decay; LAZY does not read it. The other arguments are those of sparse_step.
    """
    for task in prange(pieces(rows.size, ROWS)):  # each task owns ROWS rows of the table
        _settle_task(
            np.int64(task), mode, kind, settings, history, base, now, K, table, m, v, width, last,
            rows,
        )  # fmt: skip


@jit(apart=True)
def _sums_task(task, unique, starts, count, order, values, sums):  # type: ignore[no-untyped-def]
    for u in range(task * ROWS, min((task + 1) * ROWS, count)):
        _sum_entries(values, order, starts[u], starts[u + 1], sums[u])


@jit(parallel=True)
def segment_sums(unique, starts, count, order, values, sums):  # type: ignore[no-untyped-def]
    """sums[u] = sum of the entries of row unique[u]; sums (count, K), the rest as in sparse_step.

    ``unique`` is taken only so that all of ``coalesce``'s results go along.
    """
    for task in prange(pieces(count, ROWS)):  # each task owns ROWS rows of sums
        _sums_task(np.int64(task), unique, starts, count, order, values, sums)


@jit(apart=True)
def _squares_task(task, penalty, K, table, unique, starts, count, order, values):  # type: ignore[no-untyped-def]
    g = np.empty(K, values.dtype)
    factor = values.dtype.type(penalty)
    total = 0.0
    for u in range(task * ROWS, min((task + 1) * ROWS, count)):
        _sum_entries(values, order, starts[u], starts[u + 1], g)
        p = _own(table, unique[u], K)
        for k in range(K):
            own = np.float64(g[k] + factor * p[k])
            total += own * own
    return total


@jit(parallel=True)
def segment_squares(penalty, K, table, unique, starts, count, order, values, partial):  # type: ignore[no-untyped-def]
    """partial[i] = sum of squares of the gradients of the i-th ROWS rows, penalty included."""
    for task in prange(partial.size):  # each task owns one element of partial
        partial[task] = _squares_task(
            np.int64(task), penalty, K, table, unique, starts, count, order, values
        )
