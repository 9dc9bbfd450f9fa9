"""New images from a trained generator, as files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ..validation import check_number, check_size
from ..vision.pictures import write_png
from .pictures import columns_of, write_grid
from .trained import TrainedGAN, load_gan

GRID = "grid.png"
_MOST_OF_A_GRID = 400  # images


def generate_images(
    model: str | os.PathLike[str], count: int, out: str | os.PathLike[str], *,
    class_name: str | None = None, seed: int = 0, truncation: float | None = None,
    as_grid: bool = False,
) -> list[Path]:  # fmt: skip
    """Write ``count`` images of the run folder ``model`` as PNG files into ``out``, which is made.

    Names are shoe-0000.png ... by class, or image-0000.png ...; without class_name each class gets
    as many as another. seed: the same one gives the same images. truncation: how far random numbers
    may be from 0; less of it gives images that are better and more alike. as_grid: write grid.png,
    with all of up to 400 images, too. Returns the files.

    Raises FileNotFoundError and ValueError for a run folder that is incomplete, damaged or of
    another kind, ValueError for a class that was not trained, and FileExistsError where a file
    would be written over; nothing is written then.
    """
    trained = load_gan(model)
    count = check_size(count, "count")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}; expected a whole number of 0 or more.")
    if truncation is not None:
        check_number(truncation, "truncation", open_low=True)
    if as_grid and count > _MOST_OF_A_GRID:
        raise ValueError(f"A grid takes up to {_MOST_OF_A_GRID} images; count is {count:,}.")
    folder = Path(out)
    files = _names(trained, count, class_name, folder)
    _check_free([*files, *([folder / GRID] if as_grid else [])], folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng, places, all_pixels = np.random.default_rng(seed), iter(files), []
    for pixels, _ in trained.blocks(count, class_name, rng=rng, truncation=truncation):
        for own, path in zip(pixels, places, strict=False):
            write_png(path, own, largest=None)
        if as_grid:
            all_pixels.append(pixels)
    if as_grid:
        columns = columns_of(count)
        if class_name is None and 1 < len(trained.kind.classes) <= count:
            columns = len(trained.kind.classes)  # a column for each class
        write_grid(folder / GRID, np.concatenate(all_pixels), columns)
        files.append(folder / GRID)
    return files


def _names(trained: TrainedGAN, count: int, class_name: str | None, folder: Path) -> list[Path]:
    """A file for each image, numbered within its class."""
    classes = trained.classes_of(count, class_name)
    digits = max(4, len(str(count - 1)))
    if classes is None:
        return [folder / f"image-{i:0{digits}d}.png" for i in range(count)]
    names = _file_names(trained.kind.classes)
    seen = [0] * len(names)
    files = []
    for label in classes.tolist():
        files.append(folder / f"{names[label]}-{seen[label]:0{digits}d}.png")
        seen[label] += 1
    return files


def _file_names(classes: tuple[str, ...]) -> list[str]:
    """Classes as parts of file names: no separators, no hidden files, no two the same."""
    names: list[str] = []
    for label, name in enumerate(classes):
        plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", name).strip(" .")[:60]
        if not plain or plain.lower() in (known.lower() for known in names):
            plain = f"{plain or 'class'}-{label}"
        names.append(plain)
    return names


def _check_free(files: list[Path], folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; choose another folder with --out.")
    taken = [path for path in files if path.exists()]
    if taken:
        raise FileExistsError(
            f"{taken[0]} is there already ({len(taken)} of these files are); choose another folder "
            "with --out."
        )
