"""Reading ahead in a thread."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import numba
from fastdl.kernels import jit
from fastdl.prefetch import prefetched

def items():
    yield numba.get_num_threads()

print(list(prefetched(items())))
"""


def test_a_process_on_one_core_ends_after_numba_was_used_in_the_thread():
    done = subprocess.run([sys.executable, "-P", "-c", CODE], timeout=60, capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"[1")
