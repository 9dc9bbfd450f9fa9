"""Oracles and tolerances that several test files use."""

from __future__ import annotations

from typing import Any

import numpy as np


def gradient_check(loss, arrays, gradients, rng, step=1e-6, tolerance=1e-6):
    """Compare gradients with a central difference along one random direction, in float64.

    ``loss()`` is a function of the arrays, which are changed in place and put back.
    """
    directions = [rng.standard_normal(array.shape) for array in arrays]
    expected = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    values = []
    for sign in (1, -1):
        for array, direction in zip(arrays, directions, strict=True):
            array += sign * step * direction
        values.append(loss())
        for array, direction in zip(arrays, directions, strict=True):
            array -= sign * step * direction
    measured = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(measured, expected, rtol=tolerance, atol=tolerance)


def tolerance(dtype: np.dtype[Any]) -> dict[str, float]:
    """Relative and absolute tolerance of results that differ by the order of their sums."""
    return {"rtol": 2e-4, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-11}
