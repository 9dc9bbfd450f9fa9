"""Arrays handed to small helpers as plain addresses.

A helper that takes an array makes numba count a reference to it at every call, also where LLVM
merges the helper into its caller; between branches these counts, atomic operations, are not
removed. Hashing texts of 8 bytes in a log took 20 ns a text with them and 10 without.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from .jit import numba_is_compiling


def pointer(array):  # type: ignore[no-untyped-def]
    """What takes an index as the contiguous array (n,) does, and is no reference to it."""
    return array


@intrinsic
def _pointer(typing: Any, array: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, values[0]).data

    return types.CPointer(array.dtype)(array), code  # type: ignore[attr-defined]


if numba_is_compiling():  # else the plain function above serves
    pointer = _pointer
