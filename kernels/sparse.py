"""Optimizer steps on the touched rows of a table, and what untouched rows missed.

The rules are those of ``optimizer``, applied to one row of a table at a time; ROWWISE is AdaGrad
with a single v a row (its mean squared gradient). The gradient of a row is summed from the batch's
entries on the way and never stored.

A dense optimizer changes every row at every step: Adam goes on moving a row by its momentum, and a
penalty shrinks it. Rows here are changed when they are touched, so ``last`` (R,) int64 keeps up to
which step a row has been brought, and the steps between are made up for, either one by one
(settle_exactly) or, for Adam without a penalty, by the sum of the series (settle_lazily).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .dense import pieces
from .jit import jit
from .lanes import add_row, copy_row, fill_row
from .math import exp
from .optimizer import ADAM, ADAMW, BETA1, BETA2, EPSILON, LR, step_numbers, update_block

KERNELS = (
    "sparse_step", "settle_lazily", "settle_exactly", "segment_sums", "segment_squares",
)  # fmt: skip

ROWWISE = 8  # behind optimizer.FTRL

ROWS = 128  # rows of the table in one task, at least
ELEMENTS = 2048  # of the table gathered together: with their states they stay in the first cache
SERIES = 1e-18  # the rest of a series is left out when its terms have shrunk to this share


@jit(inline=True)
def _own(state, row, K):  # type: ignore[no-untyped-def]
    """A row's part of a flat state; empty where the rule has no such state."""
    return state[row * K : (row + 1) * K]


@jit(apart=True)
def _sum_entries(values, order, starts, first, stop, K, out):  # type: ignore[no-untyped-def]
    """The gradients of rows first to stop, one behind the other in ``out``; values is flat.

    Indices are unsigned: numba looks at every signed one whether it counts from the end, which
    here takes longer than the sums.
    """
    width, place = np.uint64(K), np.uint64(0)
    for u in range(np.uint64(first), np.uint64(stop)):
        begin, end = np.uint64(starts[u]), np.uint64(starts[u + np.uint64(1)])
        source = np.uint64(order[begin]) * width
        if K == 1:
            total = values[source]
            for i in range(begin + np.uint64(1), end):
                total += values[np.uint64(order[i])]
            out[place] = total
        else:
            copy_row(out, place, values, source, width)
            for i in range(begin + np.uint64(1), end):
                add_row(out, place, values, np.uint64(order[i]) * width, width)
        place += width


@jit(apart=True)
def _gather(flat, rows, K, out):  # type: ignore[no-untyped-def]
    """Rows of a table or state, one behind the other; nothing where there is no such state."""
    if flat.size > 0:
        width, target = np.uint64(K), np.uint64(0)
        for u in range(np.uint64(rows.size)):
            copy_row(out, target, flat, np.uint64(rows[u]) * width, width)
            target += width


@jit(apart=True)
def _scatter(flat, rows, K, values):  # type: ignore[no-untyped-def]
    """The way back."""
    if flat.size > 0:
        width, source = np.uint64(K), np.uint64(0)
        for u in range(np.uint64(rows.size)):
            copy_row(flat, np.uint64(rows[u]) * width, values, source, width)
            source += width


@jit(inline=True)
def _buffer(state, rows, K):  # type: ignore[no-untyped-def]
    """Room for some rows of a state."""
    return np.empty(rows * K if state.size > 0 else 0, state.dtype)


@jit(inline=True)
def _at_once(K):  # type: ignore[no-untyped-def]
    """Rows that are gathered together: loops over a row alone would be too short to vectorise."""
    return max(1, ELEMENTS // K)


@jit(inline=True)
def _task_rows(K):  # type: ignore[no-untyped-def]
    """Rows of one task: narrow rows go in larger tasks, whose scratch costs more than they do."""
    return max(ROWS, ELEMENTS // K)


@jit(apart=True)
def _update_rows(kind, settings, numbers, scale, K, p, g, m, v):  # type: ignore[no-untyped-def]
    if kind != ROWWISE:
        update_block(kind, settings, numbers, scale, p, g, m, v)
        return
    real = p.dtype.type
    rate, factor, decay = real(numbers[0]), real(scale), real(numbers[2])
    epsilon = real(settings[EPSILON])
    for u in range(v.size):
        row, own = _own(p, u, K), _own(g, u, K)
        total = real(0)
        for k in range(K):
            slope = factor * own[k] + decay * row[k]
            total += slope * slope
        v[u] += total / real(K)
        share = rate / (np.sqrt(v[u]) + epsilon)
        for k in range(K):
            row[k] -= share * (factor * own[k] + decay * row[k])


@jit(apart=True)
def _step_task(
    task, kind, settings, numbers, t, scale, K, table, m, v, width, last, unique, starts, count,
    order, values,
):  # type: ignore[no-untyped-def]  # fmt: skip
    most = _at_once(K)
    p, g = np.empty(most * K, table.dtype), np.empty(most * K, table.dtype)
    own_m, own_v = _buffer(m, most, K), _buffer(v, most, width)
    own_rows = _task_rows(K)
    stop = min((task + 1) * own_rows, count)
    for start in range(task * own_rows, stop, most):
        rows = unique[start : min(start + most, stop)]
        n = rows.size
        _sum_entries(values.reshape(-1), order, starts, start, start + n, K, g)
        _gather(table, rows, K, p)
        _gather(m, rows, K, own_m)
        _gather(v, rows, width, own_v)
        _update_rows(
            kind, settings, numbers, scale, K, p[: n * K], g[: n * K], own_m[: n * K],
            own_v[: n * width],
        )  # fmt: skip
        _scatter(table, rows, K, p)
        _scatter(m, rows, K, own_m)
        _scatter(v, rows, width, own_v)
        if last.size > 0:
            for u in range(n):
                last[np.uint64(rows[u])] = t


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
    for task in prange(pieces(count, _task_rows(K))):  # each owns rows of the table and states
        _step_task(
            np.int64(task), kind, settings, numbers, t, scale, K, table, m, v, width, last, unique,
            starts, count, order, values,
        )  # fmt: skip


@jit(apart=True)
def series_numbers(settings, now, touched, numbers):  # type: ignore[no-untyped-def]
    """(rate, root, fade1, fade2) of Adam's moves in the steps up to now after each step touched.

    m and v shrink by beta1 and beta2, so the moves by r = beta1 / sqrt(beta2) where epsilon is
    small: together move * (r + r^2 + ... + r^missed). The bias corrections are taken as they were.
    touched (n,) int64, numbers (4, n) float64.
    """
    log1, log2 = np.log(settings[BETA1]), np.log(settings[BETA2])
    logr = log1 - 0.5 * log2
    r = np.exp(logr)
    slope = settings[LR] * r / (1.0 - r)
    rate, root, fade1, fade2 = numbers[0], numbers[1], numbers[2], numbers[3]
    for u in range(touched.size):
        step = np.float64(touched[u])
        missed = np.float64(now) - step
        terms = slope * (1.0 - exp(missed * logr)) if r < 1.0 else settings[LR] * missed
        rate[u] = terms / (1.0 - exp(step * log1))
        root[u] = 1.0 / np.sqrt(1.0 - exp(step * log2))
        fade1[u] = exp(missed * log1)
        fade2[u] = exp(missed * log2)


@jit(apart=True)
def _series(settings, now, K, touched, p, m, v):  # type: ignore[no-untyped-def]
    """The missed moves of rows that were touched last at steps ``touched`` (n,), all at once."""
    real = p.dtype.type
    n = touched.size
    numbers = np.empty((4, n))
    series_numbers(settings, now, touched, numbers)
    factors = np.empty((4, n * K), p.dtype)  # one for each element, so that the loop vectorises
    width = np.uint64(K)
    for i in range(4):
        own, place = factors[i], np.uint64(0)
        for u in range(n):
            fill_row(own, place, real(numbers[i, u]), width)
            place += width
    rate, root, fade1, fade2 = factors[0], factors[1], factors[2], factors[3]
    epsilon = real(settings[EPSILON])
    for i in range(n * K):
        p[i] -= rate[i] * m[i] / (np.sqrt(v[i]) * root[i] + epsilon)
        m[i] *= fade1[i]
        v[i] *= fade2[i]


@jit(inline=True)
def _quiet_after(kind, settings, numbers, gap):  # type: ignore[no-untyped-def]
    """Steps after which a row without a gradient no longer moves, at most ``gap``."""
    if (kind != ADAM and kind != ADAMW) or numbers[2] != 0.0 or numbers[3] != 1.0:
        return gap
    r = settings[BETA1] / np.sqrt(settings[BETA2])
    return min(gap, np.int64(np.log(SERIES) / np.log(r)) + 1) if r < 1.0 else gap


@jit(apart=True)
def _steps(kind, settings, history, base, now, K, width, touched, p, m, v):  # type: ignore[no-untyped-def]
    """The missed steps one by one, with a gradient of zero and the penalty.

    ``touched`` (n,), the last step of each row, rises: the rows to be moved at one step lie side
    by side.
    """
    n = touched.size
    zeros = np.zeros(n * K, p.dtype)
    quiet = _quiet_after(kind, settings, history[now - base], now)
    first, stop = 0, 0
    for t in range(touched[0] + 1, now + 1):
        while stop < n and touched[stop] < t:
            stop += 1
        while first < stop and t > touched[first] + quiet:
            first += 1
        if first < stop:
            own = history[t - base]
            rows, states = slice(first * K, stop * K), slice(first * width, stop * width)
            _update_rows(
                kind, settings, (own[0], own[1], own[2], own[3]), 1.0, K, p[rows], zeros[rows],
                m[rows], v[states],
            )  # fmt: skip
    real = p.dtype.type
    for u in range(n):
        rest = now - touched[u] - quiet
        if rest > 0:
            fade1, fade2 = real(settings[BETA1] ** rest), real(settings[BETA2] ** rest)
            own_m, own_v = _own(m, u, K), _own(v, u, K)
            for k in range(K):
                own_m[k] *= fade1
                own_v[k] *= fade2


@jit(apart=True)
def _late_rows(rows, now, since, last, late, touched):  # type: ignore[no-untyped-def]
    """Those of ``rows`` that were touched after step ``since`` and before ``now``: how many.

    They go to ``late``, their last steps to ``touched``; from now on they count as settled.
    """
    n = 0
    for u in range(rows.size):
        row = np.uint64(rows[u])
        step = last[row]
        if step < now:
            last[row] = now
            if step > since:
                late[n], touched[n] = rows[u], step
                n += 1
    return n


@jit(apart=True)
def _sort_by_step(late, touched):  # type: ignore[no-untyped-def]
    """Insertion sort of both by ``touched``."""
    for i in range(1, late.size):
        row, step = late[i], touched[i]
        place = i
        while place > 0 and touched[place - 1] > step:
            late[place], touched[place] = late[place - 1], touched[place - 1]
            place -= 1
        late[place], touched[place] = row, step


@jit(apart=True)
def _settle_lazily(task, settings, now, K, table, m, v, last, rows):  # type: ignore[no-untyped-def]
    most = _at_once(K)
    p = np.empty(most * K, table.dtype)
    own_m, own_v = _buffer(m, most, K), _buffer(v, most, K)
    late, touched = np.empty(most, np.int64), np.empty(most, np.int64)
    own_rows = _task_rows(K)
    stop = min((task + 1) * own_rows, rows.size)
    for start in range(task * own_rows, stop, most):
        n = _late_rows(rows[start : min(start + most, stop)], now, 0, last, late, touched)
        if n > 0:
            _gather(table, late[:n], K, p)
            _gather(m, late[:n], K, own_m)
            _gather(v, late[:n], K, own_v)
            _series(settings, now, K, touched[:n], p, own_m, own_v)
            _scatter(table, late[:n], K, p)
            _scatter(m, late[:n], K, own_m)
            _scatter(v, late[:n], K, own_v)


@jit(parallel=True)
def settle_lazily(settings, now, K, table, m, v, last, rows):  # type: ignore[no-untyped-def]
    """Bring different ``rows`` of Adam's table, which missed steps, to about where they would be.

    The moves of the missed steps are taken together (see ``series_numbers``); for the arguments
    see sparse_step. A row whose last step is 0 was never touched and does not move.
    """
    for task in prange(pieces(rows.size, _task_rows(K))):  # each task owns rows of the table
        _settle_lazily(np.int64(task), settings, now, K, table, m, v, last, rows)


@jit(apart=True)
def _settle_exactly(
    task, kind, settings, history, base, now, K, table, m, v, width, last, rows,
):  # type: ignore[no-untyped-def]  # fmt: skip
    most = _at_once(K)
    p = np.empty(most * K, table.dtype)
    own_m, own_v = _buffer(m, most, K), _buffer(v, most, width)
    late, touched = np.empty(most, np.int64), np.empty(most, np.int64)
    own_rows = _task_rows(K)
    stop = min((task + 1) * own_rows, rows.size)
    for start in range(task * own_rows, stop, most):
        n = _late_rows(rows[start : min(start + most, stop)], now, -1, last, late, touched)
        if n > 0:
            _sort_by_step(late[:n], touched[:n])
            _gather(table, late[:n], K, p)
            _gather(m, late[:n], K, own_m)
            _gather(v, late[:n], width, own_v)
            _steps(
                kind, settings, history, base, now, K, width, touched[:n], p[: n * K],
                own_m[: n * K], own_v[: n * width],
            )  # fmt: skip
            _scatter(table, late[:n], K, p)
            _scatter(m, late[:n], K, own_m)
            _scatter(v, late[:n], width, own_v)


@jit(parallel=True)
def settle_exactly(
    kind, settings, history, base, now, K, table, m, v, width, last, rows
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Take the steps that different ``rows`` of a table have missed, up to step now.

    history (steps, 4) float64: ``step_numbers`` of the steps base, base + 1, ... now, with the
    penalty in their decay. The other arguments are those of sparse_step.
    """
    for task in prange(pieces(rows.size, _task_rows(K))):  # each task owns rows of the table
        _settle_exactly(
            np.int64(task), kind, settings, history, base, now, K, table, m, v, width, last, rows
        )


@jit(apart=True)
def _sums_task(task, unique, starts, count, order, values, sums):  # type: ignore[no-untyped-def]
    K = sums.shape[1]
    start, stop = task * ROWS, min((task + 1) * ROWS, count)
    own = sums[start:stop].reshape(-1)
    _sum_entries(values.reshape(-1), order, starts, start, stop, K, own)


@jit(parallel=True)
def segment_sums(unique, starts, count, order, values, sums):  # type: ignore[no-untyped-def]
    """sums[u] = sum of the entries of row unique[u]; sums (count, K), the rest as in sparse_step.

    ``unique`` is taken only so that all of ``coalesce``'s results go along.
    """
    for task in prange(pieces(count, ROWS)):  # each task owns ROWS rows of sums
        _sums_task(np.int64(task), unique, starts, count, order, values, sums)


@jit(apart=True)
def _squares_task(task, penalty, K, table, unique, starts, count, order, values):  # type: ignore[no-untyped-def]
    start, stop = task * ROWS, min((task + 1) * ROWS, count)
    sums = np.empty((stop - start) * K, values.dtype)
    _sum_entries(values.reshape(-1), order, starts, start, stop, K, sums)
    factor = values.dtype.type(penalty)
    total = 0.0
    for u in range(stop - start):
        p, g = _own(table, unique[start + u], K), _own(sums, u, K)
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
