"""Image files as a set, after a look at every header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..skipped import Skipped
from .decode import BadImage, described
from .faults import check_on_error, kept
from .image_set import ImageSet
from .labelled import class_indices
from .sources import FileSource
from .threads import in_threads


def files_set(
    paths: list[Path], labels: ArrayLike | None, classes: Sequence[str] | None, on_error: str,
    skipped: Skipped | None = None,
) -> ImageSet:  # fmt: skip
    """The files with their labels; bad ones end it, or are left out and counted."""
    check_on_error(on_error)
    if not paths:
        raise ValueError("There are no image files.")
    if labels is None:
        found, names = np.full(len(paths), -1, np.int64), tuple(classes or ())
    else:
        found, names = class_indices(labels, len(paths), classes, lambda row: str(paths[row]))
    skipped = Skipped() if skipped is None else skipped
    headers = in_threads(_header, paths)
    problems = [header if isinstance(header, Exception) else None for header in headers]
    rows = kept(problems, found, names, on_error, skipped)
    shapes = np.array([headers[row] for row in rows], np.int64)
    source = FileSource([paths[row] for row in rows], shapes)
    images = ImageSet(source, np.arange(len(rows)), found[rows], names, skipped)
    return images.verify("skip") if on_error == "skip" else images


def _header(path: Path) -> tuple[int, int, int] | Exception:
    try:
        return described(path)
    except (BadImage, OSError) as error:
        return error
