"""The files of a log that comes in parts."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def find_parts(data: Paths) -> list[Path]:
    """The files that a path, a pattern like ``days/*.parquet``, a folder or a list of them means.

    Those of a pattern or a folder are ordered by name, numbers in names by their value: day_2 comes
    before day_10. Files in a folder whose names begin with "." or "_" are no parts. Raises
    FileNotFoundError where there is none, TypeError for anything else.
    """
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        found = [part for path in data for part in find_parts(path)]
        if not found:
            raise FileNotFoundError("The list of files is empty.")
        return found
    if not isinstance(data, str | os.PathLike):
        raise TypeError(f"The log is {type(data).__name__}; expected a path or a list of paths.")
    path = Path(data)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.is_file() and p.name[0] not in "._"]
        if not found:
            raise FileNotFoundError(f"The folder {path} has no files.")
    elif not path.exists() and glob.has_magic(str(path)):
        found = [p for p in map(Path, glob.glob(str(path), recursive=True)) if p.is_file()]
        if not found:
            raise FileNotFoundError(f"No file fits the pattern {path}.")
    else:
        return [path]
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    pieces = re.split(r"(\d+)", str(path))
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pieces if p]
