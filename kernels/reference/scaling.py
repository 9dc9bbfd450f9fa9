"""NumPy twins of ``kernels/scaling.py``."""

from __future__ import annotations

import numpy as np

ROWS = 8192
BINS = 150_000
ACCURACY = 0.005
_LOWEST = 74_500


def _scaled(values, logarithm):
    return np.copysign(np.log1p(np.abs(values)), values) if logarithm else values


def moments(values, logarithm, partial):
    for task in range(len(partial)):
        some = _scaled(values[task * ROWS : (task + 1) * ROWS], logarithm)
        some = some[~np.isnan(some)]
        if not len(some):
            partial[task] = 0
            continue
        apart = some - some[0]
        partial[task] = len(some), some[0] + apart.mean(), np.sum((apart - apart.mean()) ** 2)


def standardize(values, logarithm, mean, std, out, absent):
    absent[:] = np.isnan(values)
    out[:] = np.where(absent, 0, (_scaled(values, logarithm) - mean) / std)


def bucket_ids(values, borders, out):
    out[:] = np.where(np.isnan(values), 0, np.searchsorted(borders, values) + 1)


def count_sizes(values, counts, largest):
    values = values[~np.isnan(values)]
    size, step = np.abs(values), np.log((1 + ACCURACY) / (1 - ACCURACY))
    with np.errstate(divide="ignore"):
        place = np.where(size > 0, np.ceil(np.log(size) / step) + _LOWEST, 0)
    bins = BINS + (np.sign(values) * place).astype(np.int64)
    largest[bins[counts[bins] == 0]] = -np.inf
    np.maximum.at(largest, bins, values)
    np.add.at(counts, bins, 1)
