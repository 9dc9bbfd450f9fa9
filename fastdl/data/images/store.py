"""Decoded images of one size, kept for later epochs where there is room."""

from __future__ import annotations

import os
import tempfile
import threading

import numpy as np

from ...layers.layout import channels_first
from .image_set import ImageSet
from .sources import ArraySource

KEEP = ("memory", "disk", "nowhere")


class PixelStore:
    """The images of a set as uint8 (H, W, C), each decoded once if they are kept.

    keep: "memory" keeps them if all fit into ``memory_bytes``, "disk" in a temporary file, which
    is gone with the process, "nowhere" decodes anew. Several threads may ask at once.

    Raises ValueError for another ``keep``, OSError where the disk has no room for them.
    """

    def __init__(
        self, images: ImageSet, size: tuple[int, int], channels: int, fit: str, keep: str,
        memory_bytes: int,
    ) -> None:  # fmt: skip
        if keep not in KEEP:
            raise ValueError(f"keep is {keep!r}; expected one of {', '.join(KEEP)}.")
        self.images, self.size, self.channels, self.fit = images, size, channels, fit
        shape = (len(images), *size, channels)
        self._given = _as_given(images, size, channels)
        self._kept: np.ndarray | None = None
        if self._given is None and keep == "disk":
            self._kept = _on_disk(shape)
        elif self._given is None and keep == "memory" and int(np.prod(shape)) <= memory_bytes:
            self._kept = np.empty(shape, np.uint8)
        self._ready = np.zeros(len(images), bool)
        self._lock = threading.Lock()

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(pixels uint8 (M, H, W, C), which of the M the rows are)."""
        if self._given is not None:
            own = self.images.rows[rows]
            if self._given.flags.writeable:
                return self._given, own
            return self._given[own], np.arange(len(own))  # numba would compile for such arrays anew
        if self._kept is None:
            return self._decoded(rows), np.arange(len(rows))
        with self._lock:
            missing = np.unique(rows[~self._ready[rows]])
            if len(missing):
                self._kept[missing] = self._decoded(missing)
                self._ready[missing] = True
        return self._kept, rows

    def pixels(self, rows: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W) of these rows."""
        found, places = self.take(rows)
        return channels_first(found[places])

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        found = self.images.load(rows, self.size, self.channels, fit=self.fit)
        return found.transpose(0, 2, 3, 1)


def _as_given(images: ImageSet, size: tuple[int, int], channels: int) -> np.ndarray | None:
    """The arrays that the user gave, where nothing is to be done to them."""
    source = images.source
    if isinstance(source, ArraySource) and source.images.shape[1:] == (*size, channels):
        return source.images
    return None


def _on_disk(shape: tuple[int, ...]) -> np.ndarray:
    """An array in a file without a name: it goes when the array does."""
    size = int(np.prod(shape))
    with tempfile.TemporaryFile(prefix="fastdl-images-") as file:
        try:
            if hasattr(os, "posix_fallocate"):  # else a full disk would end the process later on
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise OSError(
                error.errno,
                f"The decoded images need {size >> 20:,} MB in {tempfile.gettempdir()}: "
                f"{error.strerror}. Free space, set TMPDIR to another folder, or use "
                "keep='nowhere'",
            ) from None
        return np.asarray(np.memmap(file, np.uint8, "w+", shape=shape))  # holds the file open
