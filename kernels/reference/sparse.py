"""NumPy twins of the sparse optimizer kernels: a dense step on copies of the touched rows."""

from __future__ import annotations

import numpy as np

from ..optimizer import ADAMW, BETA1, BETA2, EPSILON, LR, WEIGHT_DECAY
from ..sparse import ROWS, ROWWISE
from .optimizer import optimizer_step


def sparse_step(
    kind, settings, t, scale, penalty, K, table, m, v, width, last, unique, starts, count, order,
    values,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Step t on the rows ``unique[:count]``, whose gradients are sums of entries of ``values``."""
    rows = unique[:count]
    g = np.empty((count, K), table.dtype)
    segment_sums(unique, starts, count, order, values, g)
    p, own_m, own_v = _rows(table, K, rows), _rows(m, K, rows), _rows(v, width, rows)
    _step(kind, settings, t, scale, penalty, p, g, own_m, own_v)
    for array, columns, own in ((table, K, p), (m, K, own_m), (v, width, own_v)):
        if array.size:
            array.reshape(-1, columns)[rows] = own
    if last.size:
        last[rows] = t


def settle_lazily(settings, now, K, table, m, v, last, rows):  # type: ignore[no-untyped-def]
    """Bring ``rows`` of Adam's table, which missed steps, to about where they would be."""
    for row in rows:
        own = slice(row * K, (row + 1) * K)
        if 0 < last[row] < now:
            _series(settings, now - last[row], last[row], table[own], m[own], v[own])
        last[row] = max(now, last[row])


def settle_exactly(
    kind, settings, history, base, now, K, table, m, v, width, last, rows
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Take the steps that different ``rows`` of a table have missed, up to step now."""
    for row in rows:
        own = slice(row * K, (row + 1) * K)
        states = table[own], m[own], v[row * width : (row + 1) * width]
        for t in range(last[row] + 1, now + 1):
            _missed(kind, settings, history[t - base], t, *states)
        last[row] = max(now, last[row])


def segment_sums(unique, starts, count, order, values, sums):  # type: ignore[no-untyped-def]
    """sums[u] = sum of the entries of row unique[u]; sums (count, K), the rest as in sparse_step.

    ``unique`` is taken only so that all of ``coalesce``'s results go along.
    """
    sums[...] = 0
    np.add.at(sums, np.repeat(np.arange(count), np.diff(starts[: count + 1])), values[order])


def segment_squares(penalty, K, table, unique, starts, count, order, values, partial):  # type: ignore[no-untyped-def]
    """partial[i] = sum of squares of the gradients of the i-th ROWS rows, penalty included."""
    g = np.empty((count, K), values.dtype)
    segment_sums(unique, starts, count, order, values, g)
    g += g.dtype.type(penalty) * _rows(table, K, unique[:count])
    for i in range(partial.size):
        partial[i] = np.sum(g[i * ROWS : (i + 1) * ROWS].astype(np.float64) ** 2)


def _rows(array, columns, rows):  # type: ignore[no-untyped-def]
    return array.reshape(-1, columns)[rows] if array.size else array


def _step(kind, settings, t, scale, penalty, p, g, m, v):  # type: ignore[no-untyped-def]
    if kind == ROWWISE:
        g = scale * g + (settings[WEIGHT_DECAY] + penalty) * p
        v += np.mean(g**2, axis=1, keepdims=True)
        p -= settings[LR] * g / (np.sqrt(v) + settings[EPSILON])
    else:
        optimizer_step(kind, settings, t, 1.0, p, scale * g + penalty * p, m, v)


def _missed(kind, settings, numbers, t, p, m, v):  # type: ignore[no-untyped-def]
    """One step without a gradient; lr and penalty are read back from the step's numbers."""
    own = settings.copy()
    rate, _, decay, keep = numbers
    own[LR] = rate
    if kind >= 5 and kind <= ADAMW:
        own[LR] = rate * (1 - settings[BETA1] ** t)
    own[WEIGHT_DECAY] = (1 - keep) / own[LR] if kind == ADAMW else decay
    penalty = decay if kind == ADAMW else 0.0
    zeros = np.zeros((1, p.size), p.dtype)
    _step(kind, own, t, 1.0, penalty, p[None], zeros, m[None], v[None])


def _series(settings, missed, touched, p, m, v):  # type: ignore[no-untyped-def]
    beta1, beta2 = settings[BETA1], settings[BETA2]
    r = beta1 / np.sqrt(beta2)
    m_hat, v_hat = m / (1 - beta1**touched), v / (1 - beta2**touched)
    p -= settings[LR] * np.sum(r ** np.arange(1, missed + 1)) * m_hat / (
        np.sqrt(v_hat) + settings[EPSILON]
    )  # fmt: skip
    m *= beta1**missed
    v *= beta2**missed
