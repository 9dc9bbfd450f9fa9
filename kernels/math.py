"""exp, log, tanh, sigmoid, softplus and erf as scalar helpers that vectorise inside kernels.

LLVM compiles a plain loop over one of them to AVX-512 or AVX2: no branch, no table, no call.
float32 in gives float32 computed in float32, float64 likewise; nothing is widened. NaN gives NaN
of no particular sign, and results below the smallest normal number are rounded, not flushed.

Largest error in ulp (unit in the last place of the correct result) with fused multiply-add, found
by benchmarks/accuracy_math.py over every float32 and over 29 million float64 of all magnitudes, and
the bound that tests/test_kernels_math_ulp.py asserts of both types on a part of those numbers:

| function | float32 | float64 | bound |
|----------|---------|---------|-------|
| exp      | 0.914   | 0.865   | 1     |
| log      | 0.911   | 0.920   | 1     |
| tanh     | 1.623   | 1.494   | 2     |
| sigmoid  | 2.402   | 2.369   | 2.5   |
| softplus | 1.813   | 1.607   | 2     |
| erf      | 1.786   | 1.652   | 2     |

Without that instruction exp reaches 1.13 and the others keep their bounds.

What failed:
- numba's fast-math flags on these helpers: ``reassoc`` folds (x + SHIFT) - SHIFT to x and joins the
  two halves of ln 2; hence ``strict``. The flags of a caller do not reach into a strict helper.
- exp as 1 + (r + r^2 q): one operation more, 1.04 ulp.
- tanh as expm1(2x) / (expm1(2x) + 2): as fast, 2.5 ulp.
- log of a mantissa in [3/4, 3/2), the range that softplus needs: 1.06 ulp in float64. log with the
  leading term f - (f^2/2 - s f^2/2): as exact, and a fifth slower than NumPy's.
- ``out`` and ``x`` as one array in a caller's loop: LLVM's overlap check takes the scalar path,
  8 times slower. Such a loop has to read and write through one name.
"""

from __future__ import annotations

from .jit import jit
from .math_constants import FLOAT32, FLOAT64
from .math_primitives import (
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


# ---------------------------------------------------------------------------- exp
@jit(inline=True, strict=True)
def _reduce(x):  # type: ignore[no-untyped-def]
    """(r, n + SHIFT) with x = n ln 2 + r and abs(r) <= ln(2) / 2."""
    c = pick(x, FLOAT32, FLOAT64)
    shifted = multiply_add(x, c.log2_e, c.shift)
    n = shifted - c.shift
    return multiply_add(n, -c.ln2_low, multiply_add(n, -c.ln2_high, x)), shifted


@jit(inline=True, strict=True)
def _exp_in_range(x):  # type: ignore[no-untyped-def]
    """e^x for exp_lowest <= x <= exp_highest, as 2^n e^r."""
    c = pick(x, FLOAT32, FLOAT64)
    r, shifted = _reduce(x)
    slope = multiply_add(polynomial(r, c.exp_tail), r, c.one)
    return scale(multiply_add(slope, r, c.one), shifted)


@jit(inline=True, strict=True)
def _exp_of_minus_abs(x):  # type: ignore[no-untyped-def]
    """e^-abs(x), which cannot overflow."""
    c = pick(x, FLOAT32, FLOAT64)
    x = -abs(x)
    return _exp_in_range(c.exp_lowest if x < c.exp_lowest else x)


@jit(inline=True, strict=True)
def exp(x):  # type: ignore[no-untyped-def]
    """e^x; inf above 88.7228 (float32) or 709.7827 (float64), exp(-inf) = 0."""
    c = pick(x, FLOAT32, FLOAT64)
    return _exp_in_range(clamp(x, c.exp_lowest, c.exp_highest))


@jit(inline=True, strict=True)
def _expm1_of_minus(x):  # type: ignore[no-untyped-def]
    """1 - e^-x for 0 <= x < 40, accurate near zero too: 1 - 2^n (1 + q) with q = e^r - 1."""
    c = pick(x, FLOAT32, FLOAT64)
    r, shifted = _reduce(-x)
    q = multiply_add(r * r, polynomial(r, c.exp_tail), r)
    factor = power_of_two(shifted)
    return -multiply_add(factor, q, factor - c.one)


# ---------------------------------------------------------------------------- log
@jit(inline=True, strict=True)
def _log1p_plus(f, k):  # type: ignore[no-untyped-def]
    """log(1 + f) + k ln 2 for -0.3 <= f <= 1/2.

    log(1 + f) = 2 atanh(s) = 2 s + s^3 tail(s^2) with s = f / (2 + f). The leading term is taken
    as 2 s = f - s f, where s's rounding counts less, by the factor f / 2.
    """
    c = pick(f, FLOAT32, FLOAT64)
    s = f / (c.two + f)
    z = s * s
    slope = multiply_add(-z, polynomial(z, c.log_tail), f)
    correction = multiply_add(-s, slope, k * c.ln2_low)
    return multiply_add(k, c.ln2_high, f + correction)


@jit(inline=True, strict=True)
def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm; log(0) = -inf, log of a negative number is NaN, log(inf) = inf."""
    c = pick(x, FLOAT32, FLOAT64)
    subnormal = x < c.smallest_normal
    m, k = split(x * c.to_normal if subnormal else x)
    y = _log1p_plus(m - c.one, k - c.to_normal_exponent if subnormal else k)
    y = y if x > c.zero else (-c.inf if x == c.zero else c.nan)
    return y if x < c.inf else x


@jit(inline=True, strict=True)
def log1p_of_positive(x):  # type: ignore[no-untyped-def]
    """log(1 + x) for x >= 0, accurate near zero too; log(1 + inf) = inf."""
    c = pick(x, FLOAT32, FLOAT64)
    near = x < c.half
    m, k = split(c.one + x)
    y = _log1p_plus(x if near else m - c.one, c.zero if near else k)
    return y if x < c.inf else x


# ---------------------------------------------------------------------------- built from them
@jit(inline=True, strict=True)
def tanh(x):  # type: ignore[no-untyped-def]
    """Hyperbolic tangent; tanh(x) = x for tiny x, tanh(±inf) = ±1.

    With a = abs(x) = n ln 2 + r and d = r / tanh(r): r / d where n = 0 is taken (a <= 0.55), else
    1 - 2 (d - r) / (4^n (d + r) + d - r), the addition theorem with one division.
    """
    c = pick(x, FLOAT32, FLOAT64)
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
    c = pick(x, FLOAT32, FLOAT64)
    e = _exp_of_minus_abs(x)
    return (e if x < c.zero else c.one) / (c.one + e)


@jit(inline=True, strict=True)
def softplus(x):  # type: ignore[no-untyped-def]
    """log(1 + e^x), as max(x, 0) + log(1 + e^-abs(x)); e^x for very negative x, x for large x."""
    c = pick(x, FLOAT32, FLOAT64)
    e = _exp_of_minus_abs(x)
    upper = e > c.half  # there 1 + e = 2 (1 + f) with f = (e - 1)/2, which is exact
    f = multiply_add(c.half, e, -c.half) if upper else e
    return (c.zero if x < c.zero else x) + _log1p_plus(f, c.one if upper else c.zero)


@jit(inline=True, strict=True)
def erf(x):  # type: ignore[no-untyped-def]
    """Error function 2/sqrt(pi) int_0^x e^-t^2 dt, as 1 - e^-u with u = -ln(erfc(abs(x)))."""
    c = pick(x, FLOAT32, FLOAT64)
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
