"""A private OpenBLAS: finds it, chooses its kernels for this CPU, publishes its symbols to LLVM.

The copies inside the NumPy and SciPy wheels spread one product over their own threads, and on
some AVX-512 CPUs that they do not know by name they take the AVX2 kernels. This copy runs each
product on the calling thread, so that kernels may call it from every iteration of a ``prange``,
and it is told to use the AVX-512 kernels where the CPU has the instructions.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_AVX2_CORES = ("Haswell", "Zen", "Excavator")
_AVX512_FLAGS = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}
_SYMBOLS = ("scipy_cblas_sgemm", "scipy_cblas_dgemm")


def cpu_flags() -> set[str]:
    """Instruction-set flags of this CPU, empty where the system does not tell."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


def cpu_name() -> str:
    """Model name of this CPU."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()


def _find() -> Path | None:
    try:
        import scipy_openblas32
    except ImportError:
        return None
    folder = Path(scipy_openblas32.get_lib_dir())
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    found = sorted(folder.glob(f"libscipy_openblas{suffix}")) or sorted(folder.glob(f"*{suffix}"))
    return found[0] if found else None


def _load(path: Path, **environment: str) -> ctypes.CDLL:
    """Load the library with the environment set for the load only; OpenBLAS reads it then."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        # RTLD_LOCAL: no other library may bind to this copy's symbols.
        return ctypes.CDLL(str(path), mode=getattr(ctypes, "RTLD_LOCAL", 0))
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _corename(library: ctypes.CDLL) -> str:
    function = library.scipy_openblas_get_corename
    function.restype = ctypes.c_char_p
    return str(function().decode())


def _choose() -> tuple[ctypes.CDLL | None, str]:
    wanted = os.environ.get("FASTDL_BLAS", "openblas")
    if wanted not in ("openblas", "none"):
        raise ValueError(
            f"The environment variable FASTDL_BLAS is {wanted!r}; it may be 'openblas' (default) "
            "or 'none' (loops compiled by numba)."
        )
    path = _find() if wanted == "openblas" else None
    if path is None:
        return None, "none"
    # OPENBLAS_CORETYPE set by the user is left to rule; else AVX-512 kernels where they can run.
    # A library once loaded keeps its choice, so the flags decide before the load.
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    if "OPENBLAS_CORETYPE" not in os.environ and _takes_avx2() and cpu_flags() >= _AVX512_FLAGS:
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    try:
        library = _load(path, **environment)
        for symbol in _SYMBOLS:
            getattr(library, symbol)
        core = _corename(library)
        library.scipy_openblas_set_num_threads(1)
    except (OSError, AttributeError):
        return None, "none"
    return library, core


def _takes_avx2() -> bool:
    """Whether OpenBLAS by itself would take an AVX2 core: the one NumPy has loaded tells."""
    import numpy as np

    for file in _numpy_openblas(Path(np.__file__).parent):
        try:
            library = ctypes.CDLL(str(file))
            for name in ("scipy_openblas_get_corename64_", "scipy_openblas_get_corename"):
                if hasattr(library, name):
                    function = getattr(library, name)
                    function.restype = ctypes.c_char_p
                    return function().decode() in _AVX2_CORES
        except OSError:
            continue
    return True  # NumPy without OpenBLAS: nothing to ask, the flags alone decide


def _numpy_openblas(numpy_folder: Path) -> list[Path]:
    bundled = [numpy_folder.parent / "numpy.libs", numpy_folder / ".dylibs"]
    return [file for folder in bundled for file in sorted(folder.glob("*openblas*"))]


LIBRARY, CORE = _choose()
NAME = "none" if LIBRARY is None else f"openblas-{CORE}"


def _thread_functions() -> tuple[Callable[[], int], Callable[[int], None]]:
    if LIBRARY is None:
        return (lambda: 1), (lambda n: None)
    return LIBRARY.scipy_openblas_get_num_threads, LIBRARY.scipy_openblas_set_num_threads


_get_threads, _set_threads = _thread_functions()


def stay_on_one_thread() -> None:
    """Undo what others set: threadpoolctl (scikit-learn calls it) reaches this copy too."""
    if _get_threads() != 1:
        _set_threads(1)


def publish() -> bool:
    """Make the symbols known to LLVM; compiled code and cached code resolve them by name."""
    if LIBRARY is None:
        return False
    from llvmlite import binding

    for symbol in _SYMBOLS:
        address = ctypes.cast(getattr(LIBRARY, symbol), ctypes.c_void_p).value
        binding.add_symbol(symbol, address)
    return True
