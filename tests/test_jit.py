"""The cache, the threads, the backends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from fastdl.kernels import backend, jit
from numba import prange
from numba.core.caching import NullCache

import fastdl

SMALL = (
    "import numpy as np, fastdl; x = np.ones((4, 3), np.float32);"
    "d = fastdl.Dense(3, 2); d.forward(x); print(d.W.dtype)"
)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What a process that compiles prints, what one that loads prints, and the cache's folder.

    Lines: the bits of a BatchNormalization, hits and misses of its kernel.
    """
    folder = tmp_path_factory.mktemp("cache")
    code = (
        "import numpy as np, fastdl; fastdl.set_num_threads(1);"
        "x = np.random.default_rng(0).standard_normal((2, 20, 16));"
        "b = fastdl.BatchNormalization(dtype='float64'); y = b.forward(x[0]);"
        "print(y.tobytes().hex(), b.backward(x[1]).tobytes().hex())\n"
        "from fastdl.kernels.batchnorm import batchnorm_forward as f;"
        "print(sum(f.stats.cache_hits.values()), sum(f.stats.cache_misses.values()))"
    )
    done = [run(code, FASTDL_CACHE_DIR=str(folder)) for _ in range(2)]
    assert done[0].returncode == 0, done[0].stderr
    return *(process.stdout.splitlines() for process in done), folder


def test_kernels_are_cached_in_our_folder_also_when_threads_were_set_before(two_processes):
    first, second, folder = two_processes
    assert any("batchnorm_forward" in file.name for file in folder.glob("kernels-*/*.nbi"))
    assert (first[1], second[1]) == ("0 1", "1 0")


def test_the_process_that_compiles_has_the_bits_of_those_that_load(two_processes):
    """numba runs separate code of the helpers in the first process (see kernels/apart.py)."""
    first, second, _ = two_processes
    assert len(first[0]) > 2 * 2 * 8 * 20 * 16 and first[0] == second[0]  # two hexadecimal digits


def test_a_kernel_from_the_cache_within_one_that_is_compiled_can_be_called(tmp_path):
    """It is loaded while another kernel's helpers are put together (see kernels/apart.py)."""
    script = tmp_path / "nested.py"
    script.write_text(
        "import sys\nimport numpy as np\n"
        "from fastdl.kernels.jit import jit\nfrom fastdl.kernels.optimizer import squared_norm\n"
        "@jit(parallel='within')\ndef outer(grads, partial):\n    squared_norm(grads, partial)\n"
        "given, found = np.arange(9, dtype=np.float32), np.empty(1)\n"
        "for kernel in (outer, squared_norm) if len(sys.argv) > 1 else (squared_norm,):\n"
        "    kernel(given, found)\n    print(found[0])\n"
    )
    for arguments, expected in (((), 1), (("both",), 2)):
        done = subprocess.run(
            [sys.executable, str(script), *arguments], capture_output=True, text=True,
            env={**os.environ, "FASTDL_CACHE_DIR": str(tmp_path / "cache")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["204.0"] * expected


def test_no_cache_where_nothing_can_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    code = SMALL + ";from fastdl.kernels import jit; print(jit.cache_folder())"
    done = run(code, FASTDL_CACHE_DIR=str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "None"


def test_the_folder_changes_with_any_kernel_source(monkeypatch):
    before = jit.source_hash()
    original = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda p: original(p) + (b"#" if p.name == "dense.py" else b"")
    )
    assert jit.source_hash() != before


def test_set_num_threads(monkeypatch):
    monkeypatch.setattr(jit, "_threads", None)
    fastdl.set_num_threads(1)
    assert fastdl.get_num_threads() == 1
    x = np.ones((4000, 300), np.float32)
    before = numba.get_num_threads()
    fastdl.Dense(300, 300).forward(x)
    assert numba.get_num_threads() == before  # the user's own numba setting is left alone


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (10_000, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_bad_numbers_of_threads(n, error):
    with pytest.raises(error, match="set_num_threads"):
        fastdl.set_num_threads(n)


def test_use_backend_as_a_call_and_as_a_block():
    start = fastdl.get_backend()
    with fastdl.use_backend("numpy"):
        assert backend.ops.dense_forward.__module__.endswith("reference.dense")
        with fastdl.use_backend("numba"):
            assert fastdl.get_backend() == "numba"
        assert fastdl.get_backend() == "numpy"
    assert fastdl.get_backend() == start
    with pytest.raises(ValueError, match="'torch'"):
        fastdl.use_backend("torch")


def test_backend_from_the_environment():
    done = run("import fastdl; print(fastdl.get_backend())", FASTDL_BACKEND="numpy")
    assert done.stdout.strip() == "numpy"


def test_workqueue_layer_is_safe_for_several_threads():
    code = """
import threading, numpy as np, fastdl
x = np.ones((3000, 200)); layer = lambda: fastdl.Dense(200, 200, dtype="float64")
layers = [layer() for _ in range(4)]
work = lambda d: [d.forward(x) for _ in range(10)]
threads = [threading.Thread(target=work, args=(d,)) for d in layers]
[t.start() for t in threads]; [t.join() for t in threads]
from fastdl.kernels import jit; print(jit.threading_layer())
"""
    done = run(code, NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "workqueue"


def test_a_thread_can_keep_kernels_to_itself():
    from concurrent.futures import ThreadPoolExecutor

    x, partial = np.ones(10**6, np.float32), np.empty(16)
    seen = []

    def run():
        backend.ops.squared_norm(x, partial)
        seen.append((jit.get_num_threads(), float(partial.sum())))

    before = jit.get_num_threads()
    with ThreadPoolExecutor(1, initializer=jit.stay_on_this_thread) as pool:
        pool.submit(run).result()
    run()
    assert seen == [(1, 10**6), (before, 10**6)]


def _fill(x, out):
    total = np.zeros(x.size)  # numba would fill it in a parallel region
    for i in prange(x.size):
        out[i] = x[i] + total[i]


@pytest.mark.skipif(not jit.numba_is_compiling(), reason="nothing is compiled")
def test_only_prange_makes_parallel_regions_however_many_kernels_were_compiled():
    # numba empties a dict of these options at the first compilation
    fill = jit.jit(parallel=True)(_fill)
    fill._cache = NullCache()
    for dtype in ("float32", "float64"):
        fill(np.ones(5, dtype), np.empty(5, dtype))
    for code in fill.inspect_llvm().values():
        assert len(re.findall(r"call .*@numba_parallel_for", code)) == 1
