"""Making things ahead of their use, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from queue import Empty, Full, Queue
from typing import Any, TypeVar

import numba

T = TypeVar("T")

_WAIT = 0.05  # seconds until a thread looks whether it is still wanted


def prefetched(items: Generator[T, Any, Any], ahead: int = 1) -> Generator[T, None, None]:
    """The items in their order; a thread makes them, ``ahead`` of them before they are asked for.

    An exception in the thread is raised where the item was asked for. Closing the generator ends
    the thread and closes ``items``.

    >>> list(prefetched(n * n for n in range(4)))
    [0, 1, 4, 9]
    """
    made: Queue[tuple[str, Any]] = Queue(ahead)
    # numba's threads begin with whoever asks first; if that is a thread that ends, TBB on a single
    # core waits forever for its task when the process exits
    numba.get_num_threads()
    unwanted = threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, unwanted), daemon=True)
    thread.start()
    try:
        yield from _taken(made, thread)
    finally:
        unwanted.set()
        thread.join()


def _taken(made: Queue[tuple[str, Any]], thread: threading.Thread) -> Iterator[Any]:
    while True:
        try:
            kind, item = made.get(timeout=_WAIT)
        except Empty:
            if not thread.is_alive() and made.empty():
                raise RuntimeError("The thread that reads ahead has died.") from None
            continue
        if kind == "error":
            raise item
        if kind == "end":
            return
        yield item
        del item  # its memory is the taker's alone


def _make(items: Generator[T, Any, Any], made: Queue[Any], unwanted: threading.Event) -> None:
    def put(kind: str, item: Any) -> bool:
        while not unwanted.is_set():
            try:
                made.put((kind, item), timeout=_WAIT)
                return True
            except Full:
                continue
        return False

    with closing(items):
        try:
            for item in items:
                if not put("item", item):
                    return
                del item
        except BaseException as error:
            put("error", error)
        else:
            put("end", None)
