"""A numba compiler whose functions LLVM calls instead of merging them into their callers.

LLVM optimises a merged body again in every caller and every caller's caller: with the helpers of
the fused step merged, a first compilation took 27 s.
"""

from __future__ import annotations

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import BaseNativeLowering, NativeLowering


class _LowerApart(Lower):
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        self.function.attributes.add("noinline")


@register_pass(mutates_CFG=True, analysis_only=False)
class _NativeLoweringApart(BaseNativeLowering):
    _name = "native_lowering_apart"

    @property
    def lowering_class(self) -> type[Lower]:
        return _LowerApart


class ApartCompiler(CompilerBase):
    """numba's usual passes, but for the attribute on the function."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [
            (_NativeLoweringApart if step is NativeLowering else step, text)
            for step, text in passes.passes
        ]
        passes.finalize()
        return [passes]
