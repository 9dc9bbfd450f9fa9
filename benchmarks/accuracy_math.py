"""Largest errors of kernels/math.py in ulp: of every float32 number and of many float64 numbers.

    python benchmarks/accuracy_math.py                  # all 2^32 float32 patterns, a quarter hour
    python benchmarks/accuracy_math.py --stride 4099    # every 4099th, some seconds

The tables in kernels/math.py are from here. tests/test_kernels_math_ulp.py runs the same functions
on a part of the numbers and asserts the bounds.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
from fastdl.kernels import math as kernels

Array = np.ndarray[Any, np.dtype[Any]]
NAMES = tuple(name.removesuffix("_elementwise") for name in kernels.KERNELS)
CHUNK = 1 << 20

# float64 results need a reference of more than 53 bits; NumPy's long double has them on x86.
HAS_LONG_DOUBLE = np.finfo(np.longdouble).nmant >= 63


@numba.njit
def _erf_of_libm(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[i] = math.erf(x[i])


def _erf(x: Array) -> Array:
    """erf in float64 by the C library, in long double by a series whose terms are all positive.

    erf(x) = 2/sqrt(pi) e^-x^2 sum_k 2^k x^(2k+1) / (1 3 5 … (2k+1)), Abramowitz and Stegun 7.1.6.
    """
    if x.dtype == np.float64:
        out = np.empty_like(x)
        _erf_of_libm(x, out)
        return out
    a = np.minimum(np.abs(x), 7)  # beyond 6, erf rounds to 1 in float64; NaN stays NaN
    term, total = a.copy(), a.copy()
    for k in range(1, 250):
        term *= 2 * a * a / (2 * k + 1)
        total += term
    root_pi = np.sqrt(4 * np.arctan(x.dtype.type(1)))
    return np.copysign(2 / root_pi * np.exp(-a * a) * total, x)


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


_REFERENCES: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": _erf,
}


def reference(name: str, x: Array) -> Array:
    """The function in the next wider type: float64 for float32, long double for float64."""
    with np.errstate(all="ignore"):
        return _REFERENCES[name](x.astype(np.float64 if x.dtype == np.float32 else np.longdouble))


def computed(name: str, x: Array) -> Array:
    """The compiled kernel's result in the type of ``x``."""
    out = np.full_like(x, np.nan)
    getattr(kernels, f"{name}_elementwise")(x, out)
    return out


def ulp_errors(y: Array, exact: Array) -> Array:
    """abs(y - exact) in units of the last place of ``exact`` in the type of ``y``.

    An infinite result counts as the power of two after the largest number, so that overflow in the
    wrong place shows. NaN where NaN is due counts 0, NaN on one side only counts as infinite.
    """
    info, wide = np.finfo(y.dtype), exact.dtype.type
    with np.errstate(all="ignore"):
        limit = np.ldexp(wide(1), int(info.maxexp))
        ours, exact = (np.clip(a.astype(wide), -limit, limit) for a in (y, exact))
        exponent = np.where(exact == 0, info.minexp, np.frexp(exact)[1] - 1)
        exponent = np.clip(exponent, info.minexp, info.maxexp - 1) - info.nmant
        errors = np.ldexp(np.abs(ours - exact), -exponent)
    both, one = np.isnan(y) & np.isnan(exact), np.isnan(y) != np.isnan(exact)
    return np.where(both, 0, np.where(one, np.inf, errors)).astype(np.float64)


def float32_patterns(stride: int, chunk: int = CHUNK) -> Iterator[Array]:
    """Every ``stride``-th of all float32 bit patterns: both signs, subnormals, infinities, NaN."""
    for start in range(0, 1 << 32, stride * chunk):
        stop = min(start + stride * chunk, 1 << 32)
        yield np.arange(start, stop, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)


def float64_samples(rng: np.random.Generator, n: int) -> Iterator[Array]:
    """``n`` random bit patterns, and ``n`` numbers from each range where the functions change."""
    yield rng.integers(0, 1 << 64, n, dtype=np.uint64, endpoint=False).view(np.float64)
    for low, high in ((-1, 1), (0.5, 2), (-6, 6), (-40, 40), (-750, 720)):
        yield rng.uniform(low, high, n)
    yield rng.choice([-1, 1], n) * np.exp(rng.uniform(-30, 7, n))


def worst(name: str, samples: Iterator[Array]) -> tuple[float, float, int]:
    """(largest error in ulp, its argument, number of arguments)."""
    largest, where, count = -1.0, math.nan, 0
    for x in samples:
        errors = ulp_errors(computed(name, x), reference(name, x))
        i = int(np.argmax(errors))
        if errors[i] > largest:
            largest, where = float(errors[i]), float(x[i])
        count += x.size
    return largest, where, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stride", type=int, default=1, help="of the float32 bit patterns")
    parser.add_argument("--samples", type=int, default=1 << 22, help="float64 numbers a range")
    parser.add_argument("--only", choices=NAMES, help="one function")
    options = parser.parse_args()
    print("| function | type | largest error, ulp | at | numbers |\n|---|---|---|---|---|")
    for name in (options.only,) if options.only else NAMES:
        runs = [("float32", float32_patterns(options.stride))]
        if HAS_LONG_DOUBLE:
            rng = np.random.default_rng(0)
            chunks = (
                part
                for sample in float64_samples(rng, options.samples)
                for part in np.array_split(sample, max(1, sample.size // 65536))
            )
            runs.append(("float64", chunks))
        for kind, samples in runs:
            error, x, count = worst(name, samples)
            print(f"| {name} | {kind} | {error:.3f} | {x!r} | {count:,} |", flush=True)


if __name__ == "__main__":
    main()
