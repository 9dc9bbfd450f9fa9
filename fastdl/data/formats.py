"""What a log file looks like: formats, their columns, and telling one from another."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .faults import BadPart

CRITEO_COUNTS = tuple(f"I{i}" for i in range(1, 14))
CRITEO_CATEGORIES = tuple(f"C{i}" for i in range(1, 27))
FORMATS = ("criteo", "avazu", "csv", "tsv", "parquet", "libsvm", "libffm")
LABELS = ("label", "click", "clicked", "clk")  # names that are taken for the label if none is given
OPPOSITES = {"clk": "nonclk"}  # columns that are 1 - label in Taobao's logs: never features
MISSING = ["", "NULL", "null", "NaN", "nan", "NA", "N/A"]

_AVAZU = ("id", "hour", "C1", "banner_pos", "site_id", "app_id", "device_id", "C14", "C21")

DAMAGE = (EOFError, OSError, zlib.error)  # what packed files raise; BadGzipFile is an OSError

_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".parquet": "parquet", ".svm": "libsvm",
    ".libsvm": "libsvm", ".ffm": "libffm", ".libffm": "libffm",
}  # fmt: skip
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
    """The format's name; if it is None told from the file's name and first line.

    Raises ValueError where that fails.
    """
    if name is None:
        suffixes = [s.lower() for s in path.suffixes if s.lower() not in _PACKED]
        name = _BY_SUFFIX.get(suffixes[-1] if suffixes else "")
        if name is None:
            raise ValueError(
                f"The format of {path} cannot be told from its name; give one of "
                f"{', '.join(FORMATS)}."
            )
        name = _told_by_first_line(path, name)
    if name not in FORMATS:
        raise ValueError(f"format is {name!r}; expected one of {', '.join(FORMATS)}.")
    return name


def _told_by_first_line(path: Path, usual: str) -> str:
    """criteo or avazu for text whose first line is as theirs, else the usual format."""
    if usual not in ("csv", "tsv") or not path.is_file():
        return usual
    try:
        line = first_line(path).strip("\ufeff\r\n")
    except ValueError:
        return usual  # it is told when the file is read
    if usual == "tsv":
        fields = line.split("\t")
        counts = all(re.fullmatch(r"(-?\d+)?", field) for field in fields[1:14])
        return "criteo" if len(fields) == 40 and fields[0] in ("0", "1") and counts else usual
    return "avazu" if set(_AVAZU) <= set(line.split(",")) else usual


def check_file(path: Path, format: str, lenient: bool = False) -> None:
    """FileNotFoundError or BadPart unless there is a file that may be of the format.

    ``lenient``: text may have a few zero bytes.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    with open(path, "rb") as file:
        head = file.read(4096)
    if not head:
        raise BadPart(f"{path} is empty (0 bytes).")
    found = _kind(head, lenient)
    if format == "parquet":
        if found != "a Parquet file":
            raise BadPart(f"{path} is {found or 'not a Parquet file'}; expected Parquet.")
        return
    if found is not None and found == _PACKED.get(path.suffix.lower()):
        found = _kind(read_head(path, 4096), lenient)
    if found:
        raise BadPart(f"{path} is {found}; expected text in the format {format}.")


def _kind(head: bytes, lenient: bool) -> str | None:
    """What a file that begins so is in words, or None for text."""
    found = next((text for magic, text in _MAGIC.items() if head.startswith(magic)), None)
    zeros = head.count(b"\x00")
    if found is None and zeros > (len(head) // 50 if lenient else 0):
        return "not a text file (it has zero bytes)"
    return found


def text_format(path: Path, format: str, lenient: bool = False) -> TextFormat:
    """Delimiter and column names of a text file; Criteo's test files have no label column.

    ``lenient``: most of the first lines of Criteo's tell, not the first one.
    """
    if format != "criteo":
        return TextFormat("\t" if format == "tsv" else ",")
    names = ("label", *CRITEO_COUNTS, *CRITEO_CATEGORIES)
    fitting = (len(names), len(names) - 1)
    if lenient:
        found = [line.count(b"\t") + 1 for line in read_head(path, 1 << 16).splitlines()]
        columns = max(found, key=lambda count: (count in fitting, found.count(count)), default=0)
    else:
        columns = first_line(path).count("\t") + 1
    if columns not in fitting:
        raise ValueError(
            f"{path} has {columns} tab-separated columns in line 1; Criteo's format has 40 (label, "
            "13 counts, 26 categories), or 39 without the label."
        )
    return TextFormat("\t", names if columns == len(names) else names[1:])


def header(path: Path, format: str, delimiter: str) -> list[str]:
    """The column names in a text file's first line; ValueError where they cannot be names."""
    line = first_line(path).removeprefix("\ufeff")
    if not line.strip("\r\n") and not read_head(path, 4096).removeprefix(b"\xef\xbb\xbf").strip():
        raise BadPart(f"{path} is empty: it has blank lines only.")
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
    """The first bytes of the content, as far as they can be read; BadPart where none can."""
    found = b""
    try:
        with open_bytes(path) as file:
            while len(found) < size and (piece := file.read1(size - len(found))):
                found += piece
    except DAMAGE as error:
        if not found:
            raise BadPart(f"{path} is truncated or damaged: {error}") from None
    return found


def first_line(path: str | os.PathLike[str]) -> str:
    """The first line of a text file, plain or gzip, without blank lines before it."""
    try:
        with open_bytes(path) as file:
            line = file.readline(1 << 20)
            while line in (b"\n", b"\r\n"):
                line = file.readline(1 << 20)
            return bytes(line).decode("utf-8")
    except UnicodeDecodeError:
        raise BadPart(f"{path} is not UTF-8 text in line 1.") from None
    except DAMAGE as error:
        raise BadPart(f"{path} is truncated or damaged: {error}") from None
