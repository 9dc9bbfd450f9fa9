"""Files that are whole or absent, and safetensors files that describe themselves."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

FORMAT_VERSION = 1
Content = TypeVar("Content")


def write_atomically(
    path: str | os.PathLike[str], write: Callable[[Path], None], *, durable: bool = True
) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it over ``path``.

    A reader sees the old file or the new one; a kill, a full disk or an error leaves the old one.
    Unless ``durable``, which waits for the disk, a crash of the machine may leave a damaged one.
    The file has the permissions of any new file, whatever ``write`` gave it.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        os.chmod(temporary, mode)  # safetensors lets nobody but the owner read
        if durable:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """``text`` as UTF-8, atomically."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_atomically(path, write)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """``content`` as JSON that people can read, atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_described(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """``write_json`` of content that also tells its format version, for ``read_described``."""
    write_json(path, {"format_version": FORMAT_VERSION, **content})


def read_described(
    path: Path, parse: Callable[[dict[str, Any]], Content], advice: str = "."
) -> Content:
    """What ``parse`` makes of a file by ``write_described``.

    Raises ValueError for other content, with ``advice`` at the end, and for newer versions;
    FileNotFoundError where there is no such file.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        version = known["format_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error!r}{advice}") from None
    check_version(version, str(path))
    try:
        return parse(known)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error!r}{advice}") from None


def entries_of(path: Path, *keys: str) -> list[dict[str, Any]]:
    """Objects of a JSON file that is there for people; empty where it is gone or changed."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return [dict(known[key]) for key in keys]
    except (OSError, ValueError, KeyError, TypeError):
        return [{} for _ in keys]


def check_version(version: Any, name: str) -> None:
    """ValueError unless ``version``, which ``name`` has, is one that this fastdl reads."""
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{name} has format version {version}; this fastdl reads up to {FORMAT_VERSION}. "
            "Install a newer fastdl."
        )


def write_arrays(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], description: dict[str, Any], *,
    durable: bool = True,
) -> None:  # fmt: skip
    """Arrays and a JSON description as one safetensors file, with a checksum, atomically."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    description = {"format_version": FORMAT_VERSION, **description}
    text = json.dumps({**description, "checksum": _checksum(arrays, description)})
    metadata = {"fastdl": text}  # one entry: safetensors writes several in random order
    write_atomically(
        path, lambda temporary: save_file(arrays, str(temporary), metadata), durable=durable
    )


def read_arrays(
    path: str | os.PathLike[str], kind: str, *, verify: bool = True
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and description of a file by ``write_arrays`` whose description has this "kind".

    ``verify`` compares the checksum, which takes longer than reading from the system's cache.
    Raises FileNotFoundError where there is no such file; ValueError where it is not such a file,
    is damaged, or was written by a newer version.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = json.loads(metadata["fastdl"])
        checksum = description.pop("checksum", None)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file: {error}") from None
    except (KeyError, AttributeError, json.JSONDecodeError):
        raise ValueError(f"{path} was not written by fastdl: its description is missing.") from None
    check_version(description.get("format_version"), str(path))
    if verify and checksum != _checksum(arrays, description):
        raise ValueError(f"{path} is damaged: its checksum does not fit its content.")
    if description.get("kind") != kind:
        raise ValueError(f"{path} holds a {description.get('kind')}; expected a {kind}.")
    return arrays, description


def _checksum(arrays: dict[str, np.ndarray], description: dict[str, Any]) -> str:
    crc = zlib.crc32(json.dumps(description).encode())
    for name in sorted(arrays):
        crc = zlib.crc32(f"{name}{arrays[name].shape}{arrays[name].dtype}".encode(), crc)
        content: Any = np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8)
        crc = zlib.crc32(content, crc)
    return f"{crc:08x}"


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
