"""The compiled primitives against their Python bodies, which NumPy's own functions make up."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from fastdl.kernels import math_primitives as primitives
from fastdl.kernels.jit import numba_is_compiling

pytestmark = pytest.mark.skipif(not numba_is_compiling(), reason="compares with compiled code")

CASES = [
    ("multiply_add", [(2, 3, 4), (-0.0, 1, -0.0), (np.inf, 1, 1), (np.nan, 1, 1)]),
    ("clamp", [(5, -1, 3), (-5, -1, 3), (2, -1, 3), (np.inf, -1, 3), (np.nan, -1, 3)]),
    ("copysign", [(2, -0.0), (2, 0.0), (-2, 1), (np.nan, -1), (0, -np.inf)]),
]


def equal_with_sign(a, b):
    return np.array_equal(a, b, equal_nan=True) and (np.isnan(a) or np.signbit(a) == np.signbit(b))


def compiled(name, count):
    """A function of ``count`` arguments that calls the primitive from compiled code."""
    function = getattr(primitives, name)
    return numba.njit(
        {
            1: lambda a: function(a),
            2: lambda a, b: function(a, b),
            3: lambda a, b, c: function(a, b, c),
        }[count]
    )


@pytest.mark.parametrize(("name", "cases"), CASES)
def test_arithmetic(name, cases, dtype):
    function = compiled(name, len(cases[0]))
    for case in cases:
        arguments = [dtype.type(value) for value in case]
        mine, expected = function(*arguments), getattr(primitives, name)(*arguments)
        assert type(expected) is dtype.type
        assert equal_with_sign(mine, expected), case


def test_scale_by_powers_of_two(dtype):
    """Across the whole range: overflow, subnormal results with one rounding, zero, NaN."""
    info = np.finfo(dtype)
    shift = primitives.pick(dtype.type(0), primitives.SHIFT32, primitives.SHIFT64)
    function = compiled("scale", 2)
    with np.errstate(over="ignore"):
        for y in (0.70711, 0.9, 1.0, 1.41421, np.nan):
            for n in range(info.minexp - info.nmant - 3, info.maxexp + 2):
                arguments = dtype.type(y), dtype.type(n) + shift
                mine, expected = function(*arguments), primitives.scale(*arguments)
                assert equal_with_sign(mine, expected), (y, n)
                assert equal_with_sign(mine, np.ldexp(dtype.type(y), n)), (y, n)


def test_power_of_two(dtype):
    info = np.finfo(dtype)
    shift = primitives.pick(dtype.type(0), primitives.SHIFT32, primitives.SHIFT64)
    function = compiled("power_of_two", 1)
    for n in range(info.minexp, info.maxexp):
        shifted = dtype.type(n) + shift
        assert function(shifted) == primitives.power_of_two(shifted) == 2.0**n


def test_split(dtype, rng):
    info = np.finfo(dtype)
    drawn = np.ldexp(rng.uniform(0.5, 1, 500), rng.integers(info.minexp + 1, info.maxexp, 500))
    edges = [info.smallest_normal, info.max, 1, primitives.SPLIT, 2 * primitives.SPLIT]
    edges += [np.nextafter(dtype.type(edge), 0) for edge in edges[1:]]
    function = compiled("split", 1)
    for x in np.concatenate([drawn, edges]).astype(dtype):
        m, e = function(x)
        assert (m, e) == primitives.split(x)
        assert primitives.SPLIT <= m < 2 * primitives.SPLIT
        assert np.ldexp(m, int(e)) == x


def test_polynomial(dtype):
    coefficients = tuple(dtype.type(v) for v in (1, -2, 0.5, 4))
    function = numba.njit(lambda x: primitives.polynomial(x, coefficients))
    for x in (0, 1, -2, 0.5, np.nan):
        mine = function(dtype.type(x))
        expected = np.polynomial.polynomial.polyval(x, [1, -2, 0.5, 4])
        assert equal_with_sign(mine, expected)
        assert equal_with_sign(primitives.polynomial(dtype.type(x), coefficients), expected)


def test_arguments_of_two_types_are_refused():
    function = compiled("multiply_add", 3)
    with pytest.raises(numba.TypingError):
        function(np.float32(1), np.float64(1), np.float32(1))
