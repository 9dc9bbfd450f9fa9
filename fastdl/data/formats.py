"""What a log file looks like: formats, their columns, and telling one from another."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CRITEO_COUNTS = tuple(f"I{i}" for i in range(1, 14))
CRITEO_CATEGORIES = tuple(f"C{i}" for i in range(1, 27))
FORMATS = ("criteo", "avazu", "csv", "tsv", "parquet")
LABELS = ("label", "click", "clicked", "clk")  # names that are taken for the label if none is given
OPPOSITES = {"clk": "nonclk"}  # columns that are 1 - label in Taobao's logs: never features
MISSING = ["", "NULL", "null", "NaN", "nan", "NA", "N/A"]

_BY_SUFFIX = {".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".parquet": "parquet"}
_PACKED = {".gz": "a gzip file", ".zst": "a zstd file"}
_MAGIC = {
    b"PAR1": "a Parquet file", b"\x89PNG": "a PNG picture",
    b"PK\x03\x04": "a zip archive (or .npz)",
    b"\x93NUM": "a NumPy array", b"\x1f\x8b": "a gzip file", b"\xff\xd8\xff": "a JPEG picture",
    b"ARRO": "an Arrow file", b"ORC": "an ORC file", b"\x28\xb5\x2f\xfd": "a zstd file",
}  # fmt: skip


def packed_texts(texts: Sequence[str]) -> np.ndarray:
    """uint64 (n,): texts of at most 7 bytes, little end first, their length in the highest byte."""
    some = [text.encode() for text in texts]
    return np.array([int.from_bytes(t, "little") | len(t) << 56 for t in some], np.uint64)


@dataclass(frozen=True)
class TextFormat:
    """How a text format is parsed."""

    delimiter: str
    names: tuple[str, ...] | None = None  # None: the first line has them


def resolve_format(path: Path, name: str | None) -> str:
    """The format's name, guessed from the file's if it is None; ValueError where that fails."""
    if name is None:
        suffixes = [s.lower() for s in path.suffixes if s.lower() not in _PACKED]
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
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head:
        raise ValueError(f"{path} is empty (0 bytes).")
    found = _kind(head)
    if format == "parquet":
        if found != "a Parquet file":
            raise ValueError(f"{path} is {found or 'not a Parquet file'}; expected Parquet.")
        return
    if found is not None and found == _PACKED.get(path.suffix.lower()):
        found = _kind(read_head(path, 4096))
    if found:
        raise ValueError(f"{path} is {found}; expected text in the format {format}.")


def _kind(head: bytes) -> str | None:
    """What a file that begins so is in words, or None for text."""
    found = next((text for magic, text in _MAGIC.items() if head.startswith(magic)), None)
    return found or ("not a text file (it has zero bytes)" if b"\x00" in head else None)


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


def header(path: Path, format: str, delimiter: str) -> list[str]:
    """The column names in a text file's first line; ValueError where they cannot be names."""
    line = first_line(path).removeprefix("\ufeff")
    if not line.strip("\r\n") and not read_head(path, 4096).removeprefix(b"\xef\xbb\xbf").strip():
        raise ValueError(f"{path} is empty: it has blank lines only.")
    names = next(csv.reader([line], delimiter=delimiter), [])
    if format == "tsv" and len(names) in (39, 40) and names[0] in ("0", "1"):
        raise ValueError(
            f"Line 1 of {path} has values, not column names. A file of Criteo's needs the format "
            "criteo."
        )
    if len(names) == 1 and any(other in line for other in ",;|\t"):
        raise ValueError(
            f"{path} has one column in line 1, {names[0]!r}; the format {format} separates columns "
            f"by {delimiter!r}."
        )
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{path} has more than one column named {', '.join(sorted(twice))}.")
    return names


def open_bytes(path: str | os.PathLike[str]) -> Any:
    """The file's content, uncompressed as its name says, as a binary file."""
    suffix = Path(path).suffix.lower()
    if suffix == ".gz":
        return gzip.open(path, "rb")
    if suffix == ".zst":
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(os.fspath(path), compression="zstd"))
    return open(path, "rb")


def read_head(path: str | os.PathLike[str], size: int) -> bytes:
    """The first bytes of the content; ValueError where it cannot be uncompressed."""
    try:
        with open_bytes(path) as file:
            return bytes(file.read(size))
    except (EOFError, OSError) as error:  # OSError: gzip.BadGzipFile too
        raise ValueError(f"{path} is truncated or damaged: {error}") from None


def first_line(path: str | os.PathLike[str]) -> str:
    """The first line of a text file, plain or gzip, without blank lines before it."""
    try:
        with open_bytes(path) as file:
            line = file.readline(1 << 20)
            while line in (b"\n", b"\r\n"):
                line = file.readline(1 << 20)
            return bytes(line).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text in line 1.") from None
    except (EOFError, OSError) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}") from None
