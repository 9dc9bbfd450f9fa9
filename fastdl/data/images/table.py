"""CSV files of paths and labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..skipped import Skipped

PATHS = ("path", "file", "filename", "file_name", "filepath", "image_path", "image_file", "image",
         "img", "img_path", "creative")  # fmt: skip
LABELS = ("label", "class", "category", "target", "class_name", "product", "y")
_SEPARATORS = ",;\t|"


def table_files(
    table: Path, path_column: str | None, label_column: str | None, labelled: bool, on_error: str,
    skipped: Skipped,
) -> tuple[list[Path], list[str]]:  # fmt: skip
    """(files, labels) of a CSV file with a header; paths are relative to the file's folder.

    Raises ValueError for columns that are not there and, with on_error "stop", for rows without a
    path, a label or a file; with "skip" these are counted.
    """
    rows = _rows(table)
    header = rows[0][1]
    path_at = _column(table, header, path_column, PATHS, "path_column")
    label_at = _column(table, header, label_column, LABELS, "label_column") if labelled else path_at
    paths: list[Path] = []
    labels: list[str] = []
    for line, row in rows[1:]:
        problem = _problem(table, header, row, path_at, label_at)
        if problem is None:
            paths.append(table.parent / row[path_at].strip())
            labels.append(row[label_at].strip())
        elif on_error == "stop":
            raise ValueError(f"{table}, line {line}{problem[1]}")
        else:
            skipped.add(table, problem[0], 1, [f"line {line}{problem[1]}"])
    if not paths:
        raise ValueError(f"{table} has no rows that name an image file below its header.")
    return paths, labels


def _rows(table: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every row that is not blank."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is not UTF-8 text: {error}.") from None
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"{table}, line {reader.line_num}: {error}.") from None
    if not rows:
        raise ValueError(f"{table} is empty; expected a header and rows of paths and labels.")
    return rows


def _column(
    table: Path, header: list[str], name: str | None, usual: tuple[str, ...], of: str
) -> int:
    names = [cell.strip() for cell in header]
    if name is not None:
        if names.count(name) != 1:
            times = "no column" if name not in names else "several columns"
            raise ValueError(f"{table} has {times} {name!r}; its columns are {names}.")
        return names.index(name)
    lower = [cell.lower() for cell in names]
    for known in usual:
        if lower.count(known) == 1:
            return lower.index(known)
    raise ValueError(
        f"{table} has the columns {names}, none of which is one of {', '.join(usual)}; name the "
        f"right one by {of}."
    )


def _problem(
    table: Path, header: list[str], row: list[str], path_at: int, label_at: int
) -> tuple[str, str] | None:
    """(reason, what is wrong) with a row, None if nothing is."""
    if len(row) != len(header):
        return "ragged row", f": expected {len(header)} columns, got {len(row)}."
    for at, reason in ((path_at, "missing path"), (label_at, "missing label")):
        if not row[at].strip():
            return reason, f", column {header[at]!r} is empty."
    path = table.parent / row[path_at].strip()
    if not path.is_file():
        return "missing file", f", column {header[path_at]!r}: there is no file {path}."
    return None
