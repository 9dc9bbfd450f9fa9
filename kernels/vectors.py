"""Vectors of numbers, as wide as the processor's registers, for kernels that LLVM alone would not
vectorise: what builds their instructions, and the few functions that kernels call by themselves.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .jit import numba_is_compiling

_features = llvm.get_host_cpu_features()
BYTES = 64 if _features.get("avx512f") else 32 if _features.get("avx") else 16  # of a register
REGISTERS = 16 if BYTES < 64 and llvm.get_process_triple().startswith("x86") else 32

I32, I64 = ir.IntType(32), ir.IntType(64)


def at(array, offset):  # type: ignore[no-untyped-def]
    """The address of array[offset] (this body, for the JIT off: the array from there on)."""
    return array[offset:]


def lanes(array):  # type: ignore[no-untyped-def]
    """Numbers in one register, of the array's dtype."""
    return BYTES // array.itemsize


@intrinsic
def _at(typing: Any, array: Any, offset: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, kind = values[0], signature.args[0]
        if isinstance(kind, types.Array):
            place = context.make_array(kind)(context, builder, place).data
        return builder.gep(place, [values[1]])

    return types.CPointer(array.dtype)(array, types.int64), code  # type: ignore[attr-defined]


@intrinsic
def _lanes(typing: Any, array: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return ir.Constant(I64, 8 * BYTES // signature.args[0].dtype.bitwidth)

    return types.int64(array), code


if numba_is_compiling():  # else the plain functions above serve
    at, lanes = _at, _lanes


class Vectors:
    """Instructions on vectors of one dtype."""

    def __init__(self, builder: Any, real: Any) -> None:
        self.builder = builder
        self.bytes = 4 if isinstance(real, ir.FloatType) else 8
        self.lanes = BYTES // self.bytes
        self.type = ir.VectorType(real, self.lanes)
        self.mask_type = ir.VectorType(ir.IntType(1), self.lanes)
        self.zero = ir.Constant(self.type, [0.0] * self.lanes)
        self._name = f"v{self.lanes}f{8 * self.bytes}"

    def call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """One of LLVM's own functions for this type of vector."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(
            self.builder.module, kind, f"llvm.{name}.{self._name}"
        )
        return self.builder.call(function, arguments)

    def place(self, pointer: Any, offset: Any) -> Any:
        """The address of the vector that starts ``offset`` numbers behind ``pointer``."""
        offset = ir.Constant(I64, offset) if isinstance(offset, int) else offset
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.type.as_pointer())

    def load(self, pointer: Any, offset: Any) -> Any:
        """The vector that starts ``offset`` numbers behind ``pointer``."""
        return self.builder.load(self.place(pointer, offset), align=self.bytes)

    def store(self, value: Any, pointer: Any, offset: Any) -> None:
        """Write the vector there."""
        self.builder.store(value, self.place(pointer, offset), align=self.bytes)

    def spread(self, number: Any) -> Any:
        """The number (or flag) in every lane."""
        vector = ir.VectorType(number.type, self.lanes)
        undefined = ir.Constant(vector, ir.Undefined)
        first = self.builder.insert_element(undefined, number, ir.Constant(I32, 0))
        every = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, every)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded once."""
        return self.call("fma", self.type, [a, b, c])

    def positive(self, value: Any, wanted: Any) -> Any:
        """max(0, value) if ``wanted``, else value; NaN stays."""
        below = self.builder.fcmp_ordered("<", value, self.zero)
        clipped = self.builder.and_(self.spread(wanted), below)
        return self.builder.select(clipped, self.zero, value)

    def first(self, count: Any) -> Any:
        """The mask of the first ``count`` lanes."""
        numbers = ir.Constant(ir.VectorType(I64, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.spread(count))

    def load_masked(self, pointer: Any, offset: Any, mask: Any) -> Any:
        """The vector there, 0 where the mask is not set: those numbers are not touched."""
        align = ir.Constant(I32, self.bytes)
        arguments = [self.place(pointer, offset), align, mask, self.zero]
        return self.call("masked.load", self.type, arguments)

    def store_masked(self, value: Any, pointer: Any, offset: Any, mask: Any) -> None:
        """Write the vector's numbers there where the mask is set."""
        arguments = [value, self.place(pointer, offset), ir.Constant(I32, self.bytes), mask]
        self.call("masked.store", ir.VoidType(), arguments)

    def prefetch(self, pointer: Any, write: bool = False) -> None:
        """Fetch what lies there into the first-level cache (to be written) while work goes on."""
        place = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, I32, I32, I32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        access, near, data = (ir.Constant(I32, number) for number in (int(write), 3, 1))
        self.builder.call(function, [place, access, near, data])
