"""The bit operations that kernels/math.py is built from, for float32 and float64 scalars.

Each is a plain Python function, used as it stands where the JIT is off, and beside it the LLVM
instructions that a call becomes inside a kernel. They are written as instructions because numba's
own integers widen to 64 bits, its ternaries become branches that LLVM threads together (a clamp
written as two ternaries took a compare and a masked move more), and it has no ``fmuladd``.
Call them from helpers compiled with ``strict`` only: fast-math flags would undo the roundings.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import lower_builtin, type_callable

F = TypeVar("F", bound=Callable[..., Any])
Emit = Callable[[Any, Any, Any, Any], Any]  # (context, builder, signature, arguments) -> value

# Adding 1.5 * 2^(fraction bits) rounds to the nearest integer n and leaves n in the low bits.
SHIFT32, SHIFT64 = np.float32(1.5 * 2**23), np.float64(1.5 * 2**52)

SPLIT = 181 / 256  # near sqrt(1/2), with few bits; see split

_FLOATS = (types.float32, types.float64)
# LLVM integer of the same width, bits of the fraction, exponent bias
_LAYOUT = {types.float32: (ir.IntType(32), 23, 127), types.float64: (ir.IntType(64), 52, 1023)}


def _compiled_as(emit: Emit, parameters: tuple[Any, ...], result: Callable[..., Any]) -> Any:
    """Decorator: a call inside a kernel becomes what ``emit`` writes."""

    def decorate(function: F) -> F:
        def typer(*arguments: Any) -> Any:
            return result(*arguments) if arguments[0] in _FLOATS else None

        typer.pysig = inspect.signature(function)  # type: ignore[attr-defined]
        type_callable(function)(lambda context: typer)
        lower_builtin(function, *parameters)(emit)
        return function

    return decorate


def _one_type(*arguments: Any) -> Any:
    """Result type where every argument must have it: nothing is widened silently."""
    return arguments[0] if all(a == arguments[0] for a in arguments) else None


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    kind = arguments[0].type
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    return builder.call(builder.module.declare_intrinsic(name, [kind], signature), arguments)


# ---------------------------------------------------------------------------- the type's constants
def _emit_pick(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return arguments[1 if signature.args[0] == types.float32 else 2]


@_compiled_as(
    _emit_pick, (types.Float, types.Any, types.Any), lambda x, a, b: a if x == types.float32 else b
)
def pick(x: Any, if_float32: Any, if_float64: Any) -> Any:
    """One of two constants, chosen by the type of ``x`` when the kernel is compiled."""
    return if_float32 if isinstance(x, np.float32) else if_float64


# ---------------------------------------------------------------------------- arithmetic
def _emit_multiply_add(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _call(builder, "llvm.fmuladd", *arguments)


@_compiled_as(_emit_multiply_add, (types.Float,) * 3, _one_type)
def multiply_add(a: Any, b: Any, c: Any) -> Any:
    """a b + c, with one rounding where the processor has the instruction."""
    return a * b + c


def _emit_polynomial(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    x, coefficients = arguments
    degree = signature.args[1].count - 1
    total = builder.extract_value(coefficients, degree)
    for k in reversed(range(degree)):
        total = _call(builder, "llvm.fmuladd", total, x, builder.extract_value(coefficients, k))
    return total


@_compiled_as(
    _emit_polynomial, (types.Float, types.UniTuple), lambda x, c: x if c.dtype == x else None
)
def polynomial(x: Any, coefficients: Any) -> Any:
    """c[0] + c[1] x + c[2] x^2 + …, by Horner's rule."""
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def _emit_clamp(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    x, low, high = arguments
    x = builder.select(builder.fcmp_ordered("<", high, x), high, x)
    return builder.select(builder.fcmp_ordered(">", low, x), low, x)


@_compiled_as(_emit_clamp, (types.Float,) * 3, _one_type)
def clamp(x: Any, low: Any, high: Any) -> Any:
    """``x`` moved into [low, high]; NaN stays NaN. Two instructions, vminps and vmaxps."""
    return low if x < low else (high if x > high else x)


# ---------------------------------------------------------------------------- exponent and sign
def _emit_copysign(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _call(builder, "llvm.copysign", *arguments)


@_compiled_as(_emit_copysign, (types.Float,) * 2, _one_type)
def copysign(x: Any, sign: Any) -> Any:
    """``x`` with the sign of ``sign``, zeros included."""
    return np.copysign(x, sign)


def _power_of_two(builder: Any, n: Any, kind: Any) -> Any:
    """2^n as ``kind``; only the low bits of the integer ``n`` count."""
    integer, fraction, bias = _LAYOUT[kind]
    bits = builder.add(builder.shl(n, integer(fraction)), integer(bias << fraction))
    return builder.bitcast(bits, ir.FloatType() if kind == types.float32 else ir.DoubleType())


def _emit_scale(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    y, shifted = arguments
    kind = signature.return_type
    integer = _LAYOUT[kind][0]
    n = builder.bitcast(shifted, integer)
    half = builder.lshr(n, integer(1))
    first = builder.fmul(y, _power_of_two(builder, half, kind))
    return builder.fmul(first, _power_of_two(builder, builder.sub(n, half), kind))


@_compiled_as(_emit_scale, (types.Float,) * 2, _one_type)
def scale(y: Any, shifted: Any) -> Any:
    """y 2^n for ``shifted`` = n + SHIFT. Two factors, so that n may leave the exponent's range.

    Only the second product can round, so subnormal results are right; y = NaN stays NaN. One
    factor and a flush to zero instead is 5 % faster in exp, which was not worth the hole.
    """
    return np.ldexp(y, int(np.nan_to_num(shifted - pick(y, SHIFT32, SHIFT64))))


def _emit_exp2(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    n = builder.bitcast(arguments[0], _LAYOUT[signature.return_type][0])
    return _power_of_two(builder, n, signature.return_type)


@_compiled_as(_emit_exp2, (types.Float,), _one_type)
def power_of_two(shifted: Any) -> Any:
    """2^n for ``shifted`` = n + SHIFT, where 2^n is a normal number."""
    return scale(pick(shifted, np.float32(1), np.float64(1)), shifted)


def _emit_split(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = signature.args[0]
    integer, fraction, bias = _LAYOUT[kind]
    low = ((bias - 1) << fraction) | (53 << (fraction - 7))  # the bits of SPLIT
    bits = builder.bitcast(arguments[0], integer)
    bits = builder.add(bits, integer((bias << fraction) - low))
    # Or-ed into the bits of 2^fraction, the biased exponent becomes a float without a conversion:
    # AVX2 has none from 64-bit integers, and AVX-512's costs three times as much.
    exponent = builder.lshr(bits, integer(fraction))
    exponent = builder.or_(exponent, integer((bias + fraction) << fraction))
    exponent = builder.bitcast(exponent, arguments[0].type)
    exponent = builder.fsub(exponent, arguments[0].type(2.0**fraction + bias))
    mantissa = builder.add(builder.and_(bits, integer((1 << fraction) - 1)), integer(low))
    mantissa = builder.bitcast(mantissa, arguments[0].type)
    return context.make_tuple(builder, signature.return_type, (mantissa, exponent))


@_compiled_as(_emit_split, (types.Float,), lambda x: types.UniTuple(x, 2))
def split(x: Any) -> Any:
    """(m, e) with x = m 2^e and SPLIT <= m < 2 SPLIT, for a positive, finite, normal ``x``."""
    m, e = np.frexp(x)
    exponent = type(m)(e)
    return (m + m, exponent - 1) if m < SPLIT else (m, exponent)
