"""exp, log, tanh, sigmoid, softplus and erf as scalar helpers that vectorise inside kernels.

LLVM compiles a plain loop over one of them to AVX-512, AVX2 or NEON: no branch, no table, no call.
float32 in gives float32 computed in float32, float64 likewise; nothing is widened. NaN gives NaN
of no particular sign, and results below the smallest normal number are rounded, not flushed.

Largest error in ulp (unit in the last place of the correct result) with fused multiply-add, found
by benchmarks/accuracy_math.py over every float32 and over 7 million float64 of all magnitudes, and
the bound that tests/test_kernels_math_ulp.py asserts of both types on a part of those numbers:

| function | float32 | float64 | bound |
|----------|---------|---------|-------|
| exp      | 0.914   | 0.844   | 1     |
| log      | 0.928   | 0.936   | 1     |
| tanh     | 1.623   | 1.487   | 2     |
| sigmoid  | 2.402   | 2.276   | 2.5   |
| softplus | 1.662   | 1.608   | 2     |
| erf      | 1.786   | 1.604   | 2     |

Without that instruction exp reaches 1.13, the others stay as they are.

Polynomials are minimax fits (Remez exchange in 60 digits, coefficients rounded to the type from
the lowest up, the rest refitted after each). A helper reads its constants from one typed tuple,
because a bare literal would turn a float32 loop to float64.

What failed. numba's fast-math flags on these helpers: ``reassoc`` folds (x + SHIFT) - SHIFT to x
and joins the two halves of ln 2; hence ``strict``. tanh = expm1(2x) / (expm1(2x) + 2): as fast,
2.5 ulp. exp as 1 + (r + r^2 q): one operation more and 1.04 ulp.
log of a mantissa in [3/4, 3/2), the range that softplus needs: 1.06 ulp. log with the leading term
as f - (f^2/2 - s f^2/2): three operations more, slower than NumPy's on AVX-512, 0.94 ulp. ``out`` and ``x`` as one array in
a caller's loop: LLVM's overlap check sends it down the scalar path, 8 times slower; write such a
loop over a single array.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .jit import jit
from .math_primitives import (
    SHIFT32,
    SHIFT64,
    clamp,
    copysign,
    multiply_add,
    pick,
    polynomial,
    power_of_two,
    scale,
    split,
)

KERNELS = (
    "exp_elementwise",
    "log_elementwise",
    "tanh_elementwise",
    "sigmoid_elementwise",
    "softplus_elementwise",
    "erf_elementwise",
)


class _Constants(NamedTuple):
    """What differs between the types."""

    zero: np.floating
    half: np.floating
    one: np.floating
    two: np.floating
    inf: np.floating
    nan: np.floating
    shift: np.floating
    log2_e: np.floating
    ln2_high: np.floating  # with so few bits that n ln2_high is exact
    ln2_low: np.floating
    exp_lowest: np.floating  # below, exp rounds to 0
    exp_highest: np.floating  # above, exp is infinite
    smallest_normal: np.floating
    to_normal: np.floating  # a power of two that makes any subnormal number normal
    to_normal_exponent: np.floating
    tanh_small: np.floating  # up to here tanh needs no argument reduction
    tanh_highest: np.floating  # above, tanh rounds to 1
    erf_highest: np.floating  # above, erf rounds to 1
    exp_tail: tuple[np.floating, ...]  # (e^r - 1 - r) / r^2 for abs(r) <= ln(2) / 2
    log_tail: tuple[np.floating, ...]  # (2 atanh(s) - 2 s) / s^3 in s^2 for abs(s) <= 1/5
    tanh_tail: tuple[np.floating, ...]  # (r / tanh(r) - 1) / r^2 in r^2 for abs(r) <= 0.55
    erf_tail: tuple[np.floating, ...]  # -ln(erfc(x)) / x - 1 for 0 <= x <= erf_highest


def _constants(real: type[np.floating], **values: float | tuple[float, ...]) -> _Constants:
    shared = {"zero": 0, "half": 0.5, "one": 1, "two": 2, "inf": np.inf, "nan": np.nan}
    typed = {
        name: tuple(real(v) for v in value) if isinstance(value, tuple) else real(value)
        for name, value in (shared | {"tanh_small": 0.55} | values).items()
    }
    return _Constants(**typed)


_FLOAT32 = _constants(
    np.float32,
    shift=SHIFT32, log2_e=1.442695, ln2_high=0.69314575, ln2_low=1.4286068e-06,
    exp_lowest=-104, exp_highest=89,
    smallest_normal=2.0**-126, to_normal=2.0**24, to_normal_exponent=24,
    tanh_highest=10, erf_highest=3.95,
    exp_tail=(0.49999997, 0.16666539, 0.041667756, 0.008367124, 0.0013835668),
    log_tail=(0.6666689, 0.39963767, 0.30232078),
    tanh_tail=(0.3333333, -0.022221662, 0.0021114845, -0.00019448657),
    erf_tail=(
        0.12837917, 0.63661987, 0.102771096, -0.019117933, -0.00025012658, 0.0017927752,
        -0.00073388166, 0.00016382795, -2.0370931e-05, 1.088574e-06,
    ),
)  # fmt: skip

_FLOAT64 = _constants(
    np.float64,
    shift=SHIFT64, log2_e=1.4426950408889634, ln2_high=0.693147180559663,
    ln2_low=2.8235290563031577e-13, exp_lowest=-746, exp_highest=710,
    smallest_normal=2.0**-1022, to_normal=2.0**54, to_normal_exponent=54,
    tanh_highest=20, erf_highest=5.95,
    exp_tail=(
        0.5, 0.16666666666666677, 0.04166666666666669, 0.008333333333321744,
        0.0013888888888883438, 0.00019841269885309413, 2.4801587298019944e-05,
        2.7557245354397023e-06, 2.7557322184989974e-07, 2.5108582306769594e-08,
        2.0892379188676617e-09,
    ),
    log_tail=(
        0.6666666666667078, 0.3999999999722565, 0.285714292030763, 0.22222154233577263,
        0.18185713714851412, 0.15262935319137316, 0.15270328700787628,
    ),
    tanh_tail=(
        0.3333333333333332, -0.022222222222208512, 0.0021164021159058837, -0.00021164020294751453,
        2.1377714795072957e-05, -2.1639259529686417e-06, 2.1767779880201625e-07,
        -1.9364488420361283e-08,
    ),
    erf_tail=(
        0.12837916709551256, 0.6366197723675875, 0.10277260330153729, -0.019128446998668013,
        -0.00020919478037225765, 0.001696207079898781, -0.0005901292901052154,
        2.5892748960323436e-05, 6.445266849933302e-05, -2.964217779302311e-05,
        3.2755216252561493e-06, 3.001091888568481e-06, -1.9070860142011638e-06,
        4.681713810420116e-07, 5.3010900189121836e-08, -9.85774857725245e-08,
        4.795771641127927e-08, -1.5120732769944082e-08, 3.4787004680880554e-09,
        -6.002979881884579e-10, 7.727868344681567e-11, -7.211726964308466e-12,
        4.604436026474007e-13, -1.7935535307328596e-14, 3.1979968973942677e-16,
    ),
)  # fmt: skip


# ---------------------------------------------------------------------------- exp
@jit(inline=True, strict=True)
def _reduce(x):  # type: ignore[no-untyped-def]
    """(r, n + SHIFT) with x = n ln 2 + r and abs(r) <= ln(2) / 2."""
    c = pick(x, _FLOAT32, _FLOAT64)
    shifted = multiply_add(x, c.log2_e, c.shift)
    n = shifted - c.shift
    return multiply_add(n, -c.ln2_low, multiply_add(n, -c.ln2_high, x)), shifted


@jit(inline=True, strict=True)
def _exp_in_range(x):  # type: ignore[no-untyped-def]
    """e^x for exp_lowest <= x <= exp_highest, as 2^n e^r."""
    c = pick(x, _FLOAT32, _FLOAT64)
    r, shifted = _reduce(x)
    slope = multiply_add(polynomial(r, c.exp_tail), r, c.one)
    return scale(multiply_add(slope, r, c.one), shifted)


@jit(inline=True, strict=True)
def _exp_of_minus_abs(x):  # type: ignore[no-untyped-def]
    """e^-abs(x), which cannot overflow."""
    c = pick(x, _FLOAT32, _FLOAT64)
    x = -abs(x)
    return _exp_in_range(c.exp_lowest if x < c.exp_lowest else x)


@jit(inline=True, strict=True)
def exp(x):  # type: ignore[no-untyped-def]
    """e^x; inf from 88.73 (float32) or 709.79 (float64) on, exp(-inf) = 0."""
    c = pick(x, _FLOAT32, _FLOAT64)
    return _exp_in_range(clamp(x, c.exp_lowest, c.exp_highest))


@jit(inline=True, strict=True)
def _expm1_of_minus(x):  # type: ignore[no-untyped-def]
    """1 - e^-x for 0 <= x < 40, accurate near zero too: 1 - 2^n (1 + q) with q = e^r - 1."""
    c = pick(x, _FLOAT32, _FLOAT64)
    r, shifted = _reduce(-x)
    q = multiply_add(r * r, polynomial(r, c.exp_tail), r)
    factor = power_of_two(shifted)
    return -multiply_add(factor, q, factor - c.one)


# ---------------------------------------------------------------------------- log
@jit(inline=True, strict=True)
def _log1p_plus(f, k):  # type: ignore[no-untyped-def]
    """log(1 + f) + k ln 2 for -1/4 <= f <= 1/2.

    log(1 + f) = 2 atanh(s) = 2 s + s^3 tail(s^2) with s = f / (2 + f). The leading term is taken
    as 2 s = f - s f, where s's rounding counts less, by the factor f / 2.
    """
    c = pick(f, _FLOAT32, _FLOAT64)
    s = f / (c.two + f)
    z = s * s
    slope = multiply_add(-z, polynomial(z, c.log_tail), f)
    correction = multiply_add(-s, slope, k * c.ln2_low)
    return multiply_add(k, c.ln2_high, f + correction)


@jit(inline=True, strict=True)
def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm; log(0) = -inf, log of a negative number is NaN, log(inf) = inf."""
    c = pick(x, _FLOAT32, _FLOAT64)
    subnormal = x < c.smallest_normal
    m, k = split(x * c.to_normal if subnormal else x)
    y = _log1p_plus(m - c.one, k - c.to_normal_exponent if subnormal else k)
    y = y if x > c.zero else (-c.inf if x == c.zero else c.nan)
    return y if x < c.inf else x


# ---------------------------------------------------------------------------- built from them
@jit(inline=True, strict=True)
def tanh(x):  # type: ignore[no-untyped-def]
    """Hyperbolic tangent; tanh(x) = x for tiny x, tanh(±inf) = ±1.

    With a = abs(x) = n ln 2 + r and d = r / tanh(r): r / d where n = 0 is taken (a <= 0.55), else
    1 - 2 (d - r) / (4^n (d + r) + d - r), the addition theorem with one division.
    """
    c = pick(x, _FLOAT32, _FLOAT64)
    a = abs(x)
    a = c.tanh_highest if a > c.tanh_highest else a
    r, shifted = _reduce(a)
    small = a < c.tanh_small
    r = a if small else r
    square = r * r
    d = multiply_add(square, polynomial(square, c.tanh_tail), c.one)
    factor = power_of_two(shifted)
    below = d - r
    bottom = multiply_add(factor * factor, d + r, below)
    w = (r if small else below + below) / (d if small else bottom)
    return copysign(w if small else c.one - w, x)


@jit(inline=True, strict=True)
def sigmoid(x):  # type: ignore[no-untyped-def]
    """1 / (1 + e^-x); equals e^x for very negative x and never overflows."""
    c = pick(x, _FLOAT32, _FLOAT64)
    e = _exp_of_minus_abs(x)
    return (e if x < c.zero else c.one) / (c.one + e)


@jit(inline=True, strict=True)
def softplus(x):  # type: ignore[no-untyped-def]
    """log(1 + e^x), as max(x, 0) + log(1 + e^-abs(x)); e^x for very negative x, x for large x."""
    c = pick(x, _FLOAT32, _FLOAT64)
    e = _exp_of_minus_abs(x)
    upper = e > c.half  # there 1 + e = 2 (1 + f) with f = (e - 1)/2, which is exact
    f = multiply_add(c.half, e, -c.half) if upper else e
    return (c.zero if x < c.zero else x) + _log1p_plus(f, c.one if upper else c.zero)


@jit(inline=True, strict=True)
def erf(x):  # type: ignore[no-untyped-def]
    """Error function 2/sqrt(pi) int_0^x e^-t^2 dt, as 1 - e^-u with u = -ln(erfc(abs(x)))."""
    c = pick(x, _FLOAT32, _FLOAT64)
    a = abs(x)
    a = c.erf_highest if a > c.erf_highest else a
    u = multiply_add(a, polynomial(a, c.erf_tail), a)
    return copysign(_expm1_of_minus(u), x)


# ---------------------------------------------------------------------------- over arrays
@jit
def exp_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = exp(x) for contiguous x, out (n,) of one type, here and below not one array.

    >>> import numpy as np
    >>> x, out = np.array([-np.inf, 0.0, 1.0, 1000.0]), np.empty(4)
    >>> exp_elementwise(x, out)
    >>> out
    array([0.        , 1.        , 2.71828183,        inf])
    """
    for i in range(x.size):
        out[i] = exp(x[i])


@jit
def log_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = log(x)."""
    for i in range(x.size):
        out[i] = log(x[i])


@jit
def tanh_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = tanh(x)."""
    for i in range(x.size):
        out[i] = tanh(x[i])


@jit
def sigmoid_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = 1 / (1 + exp(-x))."""
    for i in range(x.size):
        out[i] = sigmoid(x[i])


@jit
def softplus_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = log(1 + exp(x))."""
    for i in range(x.size):
        out[i] = softplus(x[i])


@jit
def erf_elementwise(x, out):  # type: ignore[no-untyped-def]
    """out = erf(x)."""
    for i in range(x.size):
        out[i] = erf(x[i])
