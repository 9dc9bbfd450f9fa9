"""Image files in folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff",
            ".pgm", ".ppm", ".pbm", ".pnm", ".avif")  # fmt: skip
_OF_SYSTEMS = frozenset(("thumbs.db", "desktop.ini", "__macosx"))  # written by file managers


def class_files(folder: Path) -> tuple[list[Path], list[str]]:
    """(files, their classes) of a folder whose folders are the classes, in sorted order.

    Every file in a class's folder counts, whatever its name, but hidden ones and those that file
    managers leave. Raises ValueError where there is no class, or one without files.
    """
    classes = [entry for entry in _entries(folder) if entry.is_dir()]
    beside = [e for e in _entries(folder) if e.suffix.lower() in SUFFIXES and not e.is_dir()]
    if not classes:
        found = f"{len(beside)} images" if beside else "no images"
        raise ValueError(
            f"{folder} has no folders, but {found}; expected a folder for each class with its "
            "images, or a CSV file of paths and labels."
        )
    if beside:
        raise ValueError(
            f"{beside[0]} lies beside the folders of the classes ({len(beside)} images do); move "
            "it into one of them."
        )
    paths: list[Path] = []
    labels: list[str] = []
    for entry in classes:
        own = list(files_below(entry))
        if not own:
            raise ValueError(
                f"The class folder {entry} has no images: put some into it or remove it."
            )
        paths += own
        labels += [entry.name] * len(own)
    return paths, labels


def files_below(folder: Path) -> Iterator[Path]:
    """Files in the folder and below it, sorted; a folder that links lead to again comes once."""
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        inner = []
        for entry in _entries(place):
            if entry.is_dir():
                inner.append(entry)
            else:
                yield entry
        waiting += reversed(inner)


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without hidden files and those of file managers."""
    found = (Path(entry) for entry in os.scandir(folder))
    wanted = (e for e in found if e.name[0] != "." and e.name.lower() not in _OF_SYSTEMS)
    return sorted(wanted)
