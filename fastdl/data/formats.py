"""What a log file looks like: formats, their columns, and telling one from another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CRITEO_COUNTS = tuple(f"I{i}" for i in range(1, 14))
CRITEO_CATEGORIES = tuple(f"C{i}" for i in range(1, 27))
FORMATS = ("criteo", "avazu", "csv", "tsv", "parquet")
LABELS = ("label", "click", "clicked", "clk")  # names that are taken for the label if none is given
MISSING = ["", "NULL", "null", "NaN", "nan", "NA", "N/A"]

_BY_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".parquet": "parquet"}
_MAGIC = {
    b"PAR1": "a Parquet file", b"\x89PNG": "a PNG picture",
    b"PK\x03\x04": "a zip archive (or .npz)",
    b"\x93NUM": "a NumPy array", b"\x1f\x8b": "a gzip file", b"\xff\xd8\xff": "a JPEG picture",
    b"ARRO": "an Arrow file", b"ORC": "an ORC file",
}  # fmt: skip


@dataclass(frozen=True)
class TextFormat:
    """How a text format is parsed."""

    delimiter: str
    names: tuple[str, ...] | None = None  # None: the first line has them


def resolve_format(path: Path, name: str | None) -> str:
    """The format's name, guessed from the file's if it is None; ValueError where that fails."""
    if name is None:
        suffixes = [s for s in path.suffixes if s != ".gz"]
        name = _BY_SUFFIX.get(suffixes[-1] if suffixes else "")
        if name is None:
            raise ValueError(
                f"The format of {path} cannot be told from its name; give one of "
                f"{', '.join(FORMATS)}."
            )
    if name not in FORMATS:
        raise ValueError(f"format is {name!r}; expected one of {', '.join(FORMATS)}.")
    return name


def check_file(path: Path, format: str) -> None:
    """FileNotFoundError or ValueError unless there is a file that may be of the format."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head:
        raise ValueError(f"{path} is empty (0 bytes).")
    found = next((text for magic, text in _MAGIC.items() if head.startswith(magic)), None)
    if format == "parquet":
        if found != "a Parquet file":
            raise ValueError(f"{path} is {found or 'not a Parquet file'}; expected Parquet.")
        return
    if found == "a gzip file" and path.suffix == ".gz":
        return
    if found is None and b"\x00" in head:
        found = "not a text file (it has zero bytes)"
    if found:
        raise ValueError(f"{path} is {found}; expected text in the format {format}.")


def text_format(path: Path, format: str) -> TextFormat:
    """Delimiter and column names of a text file; Criteo's test files have no label column."""
    if format != "criteo":
        return TextFormat("\t" if format == "tsv" else ",")
    names = ("label", *CRITEO_COUNTS, *CRITEO_CATEGORIES)
    columns = first_line(path).count("\t") + 1
    if columns not in (len(names), len(names) - 1):
        raise ValueError(
            f"{path} has {columns} tab-separated columns in line 1; Criteo's format has 40 (label, "
            "13 counts, 26 categories), or 39 without the label."
        )
    return TextFormat("\t", names if columns == len(names) else names[1:])


def first_line(path: str | os.PathLike[str]) -> str:
    """The first line of a text file, plain or gzip."""
    import gzip

    opener: Any = gzip.open if str(path).endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            return bytes(file.readline(1 << 20)).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text in line 1.") from None
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}") from None
