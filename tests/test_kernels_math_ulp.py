"""Errors of kernels/math.py in ulp against wider types, over the whole range of both types.

The exhaustive run, and the reference functions, are in benchmarks/accuracy_math.py.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from fastdl.kernels.jit import numba_is_compiling
from fastdl.kernels.math_constants import FLOAT32, FLOAT64
from fastdl.kernels.math_primitives import SPLIT, multiply_add

pytestmark = pytest.mark.skipif(
    not numba_is_compiling(), reason="the bounds are those of the compiled code"
)

BOUNDS = {"exp": 1, "log": 1, "tanh": 2, "sigmoid": 2.5, "softplus": 2, "erf": 2}
STRIDE = 4099  # prime, so that every exponent and all fraction bits occur


def script() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "accuracy_math.py"
    spec = importlib.util.spec_from_file_location("accuracy_math", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


accuracy = script()
long_double = pytest.mark.skipif(
    not accuracy.HAS_LONG_DOUBLE, reason="NumPy's long double is no wider than 64 bits here"
)


@pytest.fixture(scope="module")
def bounds() -> dict[str, float]:
    """The documented bounds; without fused multiply-add exp loses an eighth."""
    fused = numba.njit(lambda a, b, c: multiply_add(a, b, c))(1 + 2.0**-30, 1 - 2.0**-30, -1.0)
    return BOUNDS | ({} if fused != 0 else {"exp": 1.25})


def neighbours(points, real, count: int):
    """The ``count`` numbers on either side of each point, both signs."""
    integer = np.int32 if real is np.float32 else np.int64
    bits = np.abs(np.asarray(points, real)).view(integer)[:, None] + np.arange(-count, count + 1)
    x = np.unique(np.maximum(bits, 0)).astype(integer).view(real)
    return np.concatenate([x, -x])


def special_points(real):
    """Where an exponent, a branch-free selection or the rounding to 0, 1 or infinity changes."""
    info = np.finfo(real)
    halves = (np.arange(info.minexp - info.nmant, info.maxexp + 1) + 0.5) * np.log(2)  # n steps
    powers = np.ldexp(real(1), np.arange(info.minexp - info.nmant, info.maxexp))
    c = FLOAT32 if real is np.float32 else FLOAT64
    edges = [c.exp_lowest, c.exp_highest, c.tanh_small, c.tanh_highest, c.erf_highest]
    others = [0, info.max, info.smallest_normal, SPLIT, 2 * SPLIT, np.log(2), np.log(info.max)]
    largest = np.array([np.inf, np.nan, info.smallest_subnormal])
    return np.concatenate([halves, powers, edges, others, largest]).astype(real)


def test_special_points_hold_what_they_promise():
    for real in (np.float32, np.float64):
        x = neighbours(special_points(real), real, 3)
        assert np.isnan(x).any() and np.isinf(x).any() and (x == 0).any()
        assert ((x != 0) & (np.abs(x) < np.finfo(real).smallest_normal)).sum() > 20


@pytest.mark.parametrize("name", accuracy.NAMES)
def test_float32_over_all_bit_patterns(name, bounds):
    error, x, count = accuracy.worst(name, accuracy.float32_patterns(STRIDE))
    assert count > 1_000_000
    assert 0.4 < error <= bounds[name], f"{error} ulp at {x!r}"


@pytest.mark.parametrize("name", accuracy.NAMES)
def test_float32_near_special_points(name, bounds):
    x = neighbours(special_points(np.float32), np.float32, 200)
    error, where, count = accuracy.worst(name, iter([x]))
    assert count > 100_000
    assert 0.4 < error <= bounds[name], f"{error} ulp at {where!r}"


@long_double
@pytest.mark.parametrize("name", accuracy.NAMES)
def test_float64_over_all_magnitudes(name, bounds, rng):
    error, x, count = accuracy.worst(name, accuracy.float64_samples(rng, 15_000))
    assert count > 100_000
    assert 0.4 < error <= bounds[name], f"{error} ulp at {x!r}"


@long_double
@pytest.mark.parametrize("name", accuracy.NAMES)
def test_float64_near_special_points(name, bounds):
    x = neighbours(special_points(np.float64), np.float64, 3)
    error, where, count = accuracy.worst(name, iter([x]))
    assert count > 20_000
    assert 0.4 < error <= bounds[name], f"{error} ulp at {where!r}"


def test_ulp_errors_counts_places_and_sees_wrong_specials():
    y = np.array([1, 1 + 2**-23, np.inf, np.nan, np.nan, 2.0**-149, 3.4028235e38], np.float32)
    exact = np.array([1, 1, np.inf, np.nan, 1, 0, np.inf])
    np.testing.assert_array_equal(accuracy.ulp_errors(y, exact), [0, 1, 0, 0, np.inf, 1, 1])
