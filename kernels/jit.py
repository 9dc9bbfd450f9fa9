"""The one place that names numba's options: decorator, disk cache, threads.

numba's own disk cache keys an entry by the file of the cached function and does not notice an
edit in another file that it calls. Kernels call each other across files, so this package keeps a
folder of its own, named by a hash of everything that a compiled kernel depends on.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.cpu_options import ParallelOptions
from numba.extending import overload
from numba.np.ufunc import parallel

from . import blas_library
from .apart import ApartCompiler, compiled_with_own_copies

# Never nnan or ninf: they would let LLVM delete the checks for NaN and infinity.
FASTMATH = {"contract", "reassoc", "nsz", "arcp", "afn"}

# Only explicit prange loops: numba's own search for parallel array expressions costs compile time,
# and what it finds would run in parallel regions where work is small. Not as a dict: numba empties
# it at the first compilation, and all later ones would find everything allowed.
_PRANGE_ONLY = ParallelOptions(
    {
        "prange": True,
        "comprehension": False,
        "reduction": False,
        "inplace_binop": False,
        "setitem": False,
        "numpy": False,
        "stencil": False,
        "fusion": False,
    }
)

F = TypeVar("F", bound=Callable[..., Any])


def _preload_tbb() -> None:
    """Make the `tbb` wheel's library findable; numba asks the dynamic linker by bare name."""
    if sys.platform != "linux":
        return
    library = Path(sys.prefix) / "lib" / "libtbb.so.12"
    if library.exists():
        try:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        except OSError:
            pass  # omp or workqueue serve as well, with a slower launch


_preload_tbb()


def source_hash() -> str:
    """Hash of all kernel sources, numba's version and the BLAS in use: the cache folder's name.

    Globals are constants to numba, so whatever a kernel was compiled against belongs in here.
    """
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    for fact in (numba.__version__, blas_library.NAME, sys.implementation.cache_tag):
        digest.update(str(fact).encode())
    return digest.hexdigest()[:16]


def _user_cache_folder() -> Path:
    if "FASTDL_CACHE_DIR" in os.environ:
        return Path(os.environ["FASTDL_CACHE_DIR"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "fastdl"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fastdl"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastdl"


@functools.cache
def cache_folder() -> Path | None:
    """Folder of this version's compiled kernels, or None where nothing can be written."""
    try:
        folder = _user_cache_folder() / f"kernels-{source_hash()}"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        return None


class _Locator(_CacheLocator):
    """Where numba keeps our functions' cache files; other functions are not affected."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file
        self._name = f"{Path(py_file).stem}-{py_func.__code__.co_firstlineno}"

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def ensure_cache_path(self) -> None:
        pass

    def get_source_stamp(self) -> str:
        return "in the folder's name"

    def get_disambiguator(self) -> str:
        return self._name

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _CacheImpl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012  (numba's own attribute)


class _KernelCache(FunctionCache):
    _impl_class = _CacheImpl

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk costs a recompilation next time, not this run
            pass


def jit(
    function: F | None = None,
    *,
    parallel: bool | str = False,
    inline: bool = False,
    apart: bool = False,
    strict: bool = False,
) -> Any:
    """Compile a kernel lazily, with the package's options and disk cache.

    ``parallel=True`` is for a kernel with a ``prange``, ``parallel="within"`` for one that calls
    such kernels; Python calls both through ``backend.ops``,
    under the package's own thread count. ``inline=True`` is for helpers that are only called from
    other kernels; they are compiled into their callers and so are not cached by themselves.
    ``apart=True`` is for the larger ones of them: LLVM calls them instead of merging them, which
    halves the time of a first compilation. For a literal argument numba compiles a helper
    once more: where the value need not be known then, write ``f(np.int64(0), N)`` for ``f(0, N)``.
    ``strict=True`` is for helpers whose roundings are the algorithm: their operations stay as
    written, in callers with the fast-math flags too, and LLVM must inline them.
    """
    if function is None:
        return functools.partial(jit, parallel=parallel, inline=inline, apart=apart, strict=strict)
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": FASTMATH, "nogil": True}
    if strict:
        options |= {"fastmath": False, "forceinline": True}
    if apart and numba_is_compiling():
        options["pipeline_class"] = ApartCompiler
    if inline or apart:  # without wrappers for Python and C, which cost a third of the compile time
        options.update(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    if inline or apart or not numba_is_compiling():
        return numba.njit(**options)(function)
    kernel = numba.njit(parallel=_PRANGE_ONLY if parallel is True else False, **options)(function)
    kernel.spreads_work = bool(parallel)
    kernel._compiler.compile = compiled_with_own_copies(kernel)
    if cache_folder() is not None:
        kernel._cache = _KernelCache(function)
    return kernel


def numba_is_compiling() -> bool:
    """False where NUMBA_DISABLE_JIT is set and kernels run as plain Python."""
    return not numba.config.DISABLE_JIT


# ---------------------------------------------------------------------------- threads
def set_task_size(n: int) -> int:
    """Inside a kernel: iterations of the next ``prange`` handed out at a time; returns the old one.

    0 is numba's default, one piece a thread; 1 suits tasks of unequal size. (This body: JIT off.)
    """
    return 0


# By name, as numba's own lowering calls it: its public function is a ctypes pointer, which would
# keep every kernel that calls it out of the disk cache.
_set_task_size = types.ExternalFunction("set_parallel_chunksize", types.uint32(types.uint32))


@overload(set_task_size)
def _set_task_size_compiled(n):  # type: ignore[no-untyped-def]
    threading_layer()  # numba publishes the symbol when it starts its threads
    return lambda n: _set_task_size(n)


_threads: int | None = None  # None: numba's own setting rules
_entry = threading.RLock()


class _OfThread(threading.local):
    alone = False


_mine = _OfThread()


def stay_on_this_thread() -> None:
    """From now on, kernels that the calling Python thread runs use no other thread.

    For threads that share work among themselves: two that each spread every kernel over two
    threads took half as long again.
    """
    _mine.alone = True


def on_our_threads(kernel: Any) -> Any:
    """Call a parallel kernel with our thread count and leave the caller's own setting as it was."""
    if not kernel.spreads_work:
        return kernel

    @functools.wraps(kernel.py_func)
    def call(*arguments: Any) -> None:
        blas_library.stay_on_one_thread()
        safe = _layer_is_threadsafe()
        wanted = 1 if _mine.alone else _threads
        if safe and wanted is None:
            kernel(*arguments)
            return
        # numba's public functions take 2 us to say or set what these do in 0.2
        before = parallel._get_num_threads()
        if safe and before == wanted:
            kernel(*arguments)
            return
        with _guard():
            parallel._set_num_threads(wanted or before)
            try:
                kernel(*arguments)
            finally:
                parallel._set_num_threads(before)

    return call


_threadsafe: bool | None = None


def _layer_is_threadsafe() -> bool:
    """Whether two Python threads may be in parallel regions at once; workqueue would abort."""
    global _threadsafe
    if _threadsafe is None:
        _threadsafe = threading_layer() != "workqueue"
    return _threadsafe


def _guard() -> Any:
    return nullcontext() if _layer_is_threadsafe() else _entry


@functools.cache
def threading_layer() -> str:
    """Name of numba's threading layer: "tbb", "omp" or "workqueue"."""
    with _entry:
        parallel._launch_threads()
    return str(numba.threading_layer())


def set_num_threads(n: int) -> None:
    """Use ``n`` threads for large work, in the whole process. Results do not depend on it."""
    global _threads
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_num_threads expects an int, got {type(n).__name__}.")
    limit = numba.config.NUMBA_NUM_THREADS
    if not 1 <= n <= limit:
        raise ValueError(
            f"set_num_threads expects 1 to {limit} on this machine, got {n}. "
            "Set the environment variable NUMBA_NUM_THREADS before the import to raise the limit."
        )
    _threads = n


def get_num_threads() -> int:
    """Number of threads that large work is spread over."""
    return 1 if _mine.alone else _threads or int(numba.get_num_threads())
