"""An encoder's description: what each column became, checked when it comes from a file."""

from __future__ import annotations

import math
from typing import Any

from .hashing import unpacked

VERSION = 2  # 1 had no min_count, and no rare values


def width(column: dict[str, Any]) -> int:
    """How many features a column has."""
    own = {"numeric": lambda: 1, "values": lambda: len(column["values"]),
           "hashed": lambda: int(column["buckets"])}[column["kind"]]()  # fmt: skip
    return own + int(column.get("rare", False)) + int(column["missing"])


def feature_names(column: dict[str, Any]) -> list[str]:
    """The names of a column's features."""
    name = column["name"]
    if column["kind"] == "numeric":
        found = [name]
    elif column["kind"] == "values":
        found = [f"{name} = {value}" for value in column["values"]]
    else:
        found = [f"{name} in bucket {i}" for i in range(column["buckets"])]
    if column.get("rare"):
        found.append(f"{name} is rare")
    if column["missing"]:
        found.append(f"{name} is missing")
    return found


def checked_columns(description: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The encoder's options and columns; ValueError for a damaged or newer description."""
    try:
        version = description["version"]
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise TypeError(f"version is {version!r}")
        if version > VERSION:
            raise _NewerError(
                f"The encoder has version {version}; this fastdl reads up to {VERSION}. "
                "Install a newer fastdl."
            )
        options = {"buckets": description["buckets"], "log": description["log"],
                   "min_count": description["min_count"] if version > 1 else 1}  # fmt: skip
        _check("buckets", options["buckets"], _is_size(options["buckets"]))
        _check("min_count", options["min_count"], _is_size(options["min_count"]))
        _check("log", options["log"], isinstance(options["log"], bool))
        columns = [_checked(dict(column)) for column in description["columns"]]
        names = [column["name"] for column in columns]
        _check("columns", names, 0 < len(names) == len(set(names)))
    except _NewerError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"The encoder's description is damaged: {error!r}.") from None
    return options, columns


class _NewerError(ValueError):
    pass


def _checked(column: dict[str, Any]) -> dict[str, Any]:
    """One column's description, if it is whole."""
    kind = column["kind"]
    _check("name", column["name"], isinstance(column["name"], str))
    _check("missing", column["missing"], isinstance(column["missing"], bool))
    _check("kind", kind, kind in ("numeric", "values", "hashed"))
    if kind == "numeric":
        _check("mean", column["mean"], _is_finite(column["mean"]))
        _check("std", column["std"], _is_finite(column["std"]) and column["std"] > 0)
        return column
    column.setdefault("rare", False)  # version 1
    _check("rare", column["rare"], isinstance(column["rare"], bool))
    if kind == "values":
        values = column["values"]
        texts = isinstance(values, list) and all(isinstance(value, str) for value in values)
        _check("values", values, texts and len(set(values)) == len(values))
    else:
        _check("buckets", column["buckets"], _is_size(column["buckets"]))
        if column["rare"]:
            unpacked(column["frequent"])
    return column


def _check(key: str, value: Any, fits: bool) -> None:
    if not fits:
        raise TypeError(f"{key} is {value!r}")


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
