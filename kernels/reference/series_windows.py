"""NumPy twin of the kernel that gathers windows of time series."""

from __future__ import annotations

import numpy as np

MEAN, LAST, MEAN_ABS, STD, FLAT = 1, 2, 1, 2, 1e-7


def gather_windows(  # type: ignore[no-untyped-def]
    values, past, known, calendar, places, context, shift_by, scale_by, center, factor, x, y, seen,
    stats,
):  # fmt: skip
    """x (B, T, 2 + P + K + C), y and seen (B, H), stats (B, 2), window after window."""
    T, P, K = x.shape[1], past.shape[1], known.shape[1]
    steps = np.arange(T)
    for b, (first, begin, end, known_row, known_end, clock_row) in enumerate(places):
        rows = first + steps
        inside = (begin <= rows) & (rows < end)
        v = np.where(inside, _take(values, rows, inside), np.nan).astype(np.float64)
        shift, scale = stats[b] = _stats(v[:context], shift_by, scale_by)
        fine = ~np.isnan(v)
        scaled = np.where(fine, (v - shift) / scale, 0)
        y[b], seen[b] = scaled[context:], fine[context:]
        own = x[b]
        own[...] = 0
        own[:context, 0], own[:context, 1] = scaled[:context], fine[:context]
        own[:context, 2 : 2 + P] = np.where(
            inside[:context, None], _scaled(past, rows, inside, center[:P], factor[:P])[:context], 0
        )
        ahead = (rows >= begin) & (known_row + steps < known_end)
        own[:, 2 + P : 2 + P + K] = np.where(
            ahead[:, None], _scaled(known, known_row + steps, ahead, center[P:], factor[P:]), 0
        )
        clock = (clock_row + steps >= 0) & (clock_row + steps < len(calendar))
        own[:, 2 + P + K :] = _take(calendar, clock_row + steps, clock) * clock[:, None]


def _take(array, rows, inside):  # type: ignore[no-untyped-def]
    return array[np.where(inside, rows, 0)] if len(array) else np.zeros((len(rows), array.shape[1]))


def _scaled(array, rows, inside, center, factor):  # type: ignore[no-untyped-def]
    return np.nan_to_num((_take(array, rows, inside) - center) * factor)


def _stats(context, shift_by, scale_by):  # type: ignore[no-untyped-def]
    v = context[~np.isnan(context)]
    if not len(v):
        return 0.0, 1.0
    shift = v.mean() if shift_by == MEAN else v[-1] if shift_by == LAST else 0.0
    absolute = np.abs(v).mean()
    scale = v.std() if scale_by == STD else absolute
    if not scale > FLAT * absolute:
        scale = absolute
    return shift, scale if scale_by in (MEAN_ABS, STD) and scale > 0 else 1.0
