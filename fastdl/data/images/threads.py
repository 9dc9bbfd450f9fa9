"""Work on many images by a few threads, with the results in their order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 8  # threads: decoding more images at a time than that is bound by memory


def in_threads(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """function(item) of every item; the first item's exception that there is, is raised.

    Pillow lets go of Python's lock where it decodes and resizes.

    >>> in_threads(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    threads = min(MOST, os.cpu_count() or 1, len(items))
    if threads <= 1:
        return [function(item) for item in items]
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(function, items))
    finally:
        pool.shutdown(cancel_futures=True)
