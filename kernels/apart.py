"""How numba's compiled functions are put together: three departures from its habits.

``ApartCompiler``: functions that LLVM calls instead of merging them into their callers. It
optimises a merged body again in every caller and every caller's caller: with the helpers of the
fused step merged, a first compilation took 27 s.

``OwnCopies``: a kernel runs the helpers that were compiled into it. By numba's habit it runs, in
the process that compiles it, the helpers' separate code, and in later processes, which load it from
the cache, the copies inside of it: LLVM has optimised these once more, and the last bit of a sum
differed between the first process and the others. So nothing needs the helpers by themselves, nor
the functions that numba makes of the loops' bodies: they are put together, optimised and turned
into machine code in kernels only. By numba's habit all three happen to each of them, and again in
every helper that calls it: 60 % of the time of a first compilation, measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import BaseNativeLowering, NativeLowering

_WRAPPER = "_ZN7cpython"  # what the names of numba's wrappers for Python begin with
_LOOP = "numba_parfor_gufunc"  # in the name of a function that numba made of a loop's body


class _LowerApart(Lower):
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        self.function.attributes.discard("alwaysinline")  # numba hands a strict caller's down
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


class OwnCopies(JITCodeLibrary):
    """Compiled code that calls nothing but its own copies of the functions compiled into it.

    A helper is kept as it was written; a kernel is put together from all of them, once.
    """

    _shared_module: Any
    _linking_libraries: list[Any]

    _is_kernel = False  # whether Python calls it

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._is_kernel = any(map(_is_wrapper_of_kernel, self._final_module.functions))
        if self._is_kernel:
            self._link_all(self._final_module)
            self._linking_libraries = []
            super().finalize()
        else:
            _set_linkage(self._final_module, "external", "linkonce_odr")
            self._shared_module = self._final_module
            self._finalize_dynamic_globals()
            self._finalized = True

    def _link_all(self, module: Any) -> None:
        """Add to the module all that this library calls."""
        libraries: list[Any] = []
        _add_with_their_own(self._linking_libraries, libraries)
        for library in reversed(libraries):  # LLVM leaves out what nothing has called so far
            self._reload_init.update(library._reload_init)
            own = library._shared_module if _is_helper(library) else None
            module.link_in(own or library._get_module_for_linking(), preserve=True)

    def _get_module_for_linking(self) -> Any:
        """What a library of numba's own kind links: a helper with all that it calls."""
        found = super()._get_module_for_linking()
        if not _is_helper(self):
            return found
        whole = found.clone()
        self._link_all(whole)
        return whole

    def _finalize_final_module(self) -> None:
        if self._shared_module is None:  # compiled, not loaded from the cache
            self._shared_module = self._final_module.clone()  # for those that compile it in
            _set_linkage(self._shared_module, "external", "linkonce_odr")
            _set_linkage(self._final_module, "linkonce_odr", "internal")
        else:  # a kernel that another one calls; helpers are not in the cache
            self._is_kernel = True
        super()._finalize_final_module()

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a kernel's function; 0 for helpers, which Python does not call."""
        self._ensure_finalized()
        return super().get_pointer_to_function(name) if self._is_kernel else 0


def _is_wrapper_of_kernel(function: Any) -> bool:
    return function.name.startswith(_WRAPPER) and _LOOP not in function.name


def _is_helper(library: Any) -> bool:
    return isinstance(library, OwnCopies) and not library._is_kernel


def _add_with_their_own(libraries: list[Any], found: list[Any]) -> None:
    """To found: libraries that are not in it, each behind those that it links itself."""
    for library in libraries:
        if library not in found:
            if _is_helper(library):
                _add_with_their_own(library._linking_libraries, found)
            found.append(library)


@contextmanager
def _own_copies(codegen: Any) -> Iterator[None]:
    """All that is compiled in the block becomes ``OwnCopies``; numba's compiler lock is held."""
    usual, own = codegen._library_class, vars(codegen).get("set_env")

    def set_env(name: str, env: Any) -> None:
        if codegen._engine.get_global_value_address(name):  # helpers' are not in the engine
            type(codegen).set_env(codegen, name, env)

    codegen._library_class, codegen.set_env = OwnCopies, set_env
    try:
        yield
    finally:
        codegen._library_class = usual
        if own is None:
            del codegen.set_env
        else:  # a kernel within a kernel
            codegen.set_env = own


def _set_linkage(module: Any, before: str, after: str) -> None:
    for function in module.functions:
        if not function.is_declaration and function.linkage.name == before:
            function.linkage = after


def compiled_with_own_copies(dispatcher: Any) -> Callable[..., Any]:
    """The dispatcher's compiler, which puts everything that it makes into such libraries."""
    compile_as_usual = dispatcher._compiler.compile

    def compile(args: Any, return_type: Any) -> Any:
        with _own_copies(dispatcher.targetctx.codegen()):
            return compile_as_usual(args, return_type)

    return compile
