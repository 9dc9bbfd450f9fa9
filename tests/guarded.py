"""Arrays beside memory that nobody may touch: a read behind their ends is a crash."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE


def guarded(array, end=True):
    """A copy of the array that ends (or starts) where a page begins (or ends) without access."""
    pages = -(-array.nbytes // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for page in (0, pages + 1):
        place = ctypes.c_void_p(address + page * PAGE)
        if libc.mprotect(place, ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect failed")
    first = PAGE * (pages + 1) - array.nbytes if end else PAGE
    copy = np.frombuffer(memory, array.dtype, array.size, first).reshape(array.shape)
    copy[...] = array
    return copy
