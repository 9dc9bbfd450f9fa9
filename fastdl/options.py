"""What a run is asked for, kept in its folder, and the options files that say it."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from .files import read_described, write_described

JOB = "job.json"


@dataclass(frozen=True)
class Options:
    """Base of what commands are asked for: fields with the command's defaults."""

    may_change: ClassVar[tuple[str, ...]] = ()  # when a run is resumed

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON holds them."""
        return dict(json.loads(json.dumps(dataclasses.asdict(self))))

    def save(self, folder: Path) -> None:
        """Write job.json into a run folder."""
        write_described(folder / JOB, {"job": self.to_dict()})

    def check_same(self, folder: Path) -> None:
        """ValueError where the run in a folder was asked for something else."""
        path = folder / JOB
        if not path.is_file():
            return
        advice = "; train anew in another folder."
        theirs = read_described(path, lambda known: dict(known["job"]), advice)
        mine = self.to_dict()
        for name in mine:
            if name not in self.may_change and theirs.get(name) != mine[name]:
                raise ValueError(
                    f"The run in {folder} cannot be resumed with {name} {mine[name]!r}: it was "
                    f"begun with {theirs.get(name)!r}. Give the same options, or another --out."
                )

    @classmethod
    def checked(cls, name: str, value: Any, usual: Any) -> Any:
        """The value as the option's type, which its default ``usual`` tells; TypeError.

        ``model_options`` are a table of any options, whose names may be written with dashes.
        """
        if name == "model_options" and value is not None:
            return table_of_options(name, value)
        kind = str if usual is None else type(usual)
        if value is None and usual is None:
            return None
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise TypeError(f"{name} is {value!r}; expected a value such as {usual or 'text'!r}.")
        return value

    def check_choices(self, **choices: tuple[str, ...]) -> None:
        """ValueError for an option that is none of its choices."""
        for name, known in choices.items():
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} is {value!r}; expected {' or '.join(map(repr, known))}.")


Kind = TypeVar("Kind", bound=Options)


def table_of_options(name: str, value: Any) -> dict[str, Any]:
    """A table with dashes in its names as underscores; TypeError for anything else."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}; expected a table of options.")
    return {str(key).replace("-", "_"): own for key, own in value.items()}


def listed_names(given: Any, option: str, such_as: str) -> tuple[str, ...]:
    """Names from a list or from text with commas, without the spaces around them; TypeError.

    >>> listed_names("budget, promotion", "known", "columns")
    ('budget', 'promotion')
    """
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise TypeError(f"{option} is {given!r}; expected {such_as}.")
    return tuple(part.strip() for part in parts)


def options_from(kind: type[Kind], options: Mapping[str, Any], where: str) -> Kind:
    """Options by name as an object; ValueError for unknown ones, TypeError for wrong types."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = [name for name in options if name not in fields]
    if unknown:
        raise ValueError(
            f"{where} has the unknown option {', '.join(unknown)}; options are {', '.join(fields)}."
        )
    return kind(**{n: kind.checked(n, v, fields[n].default) for n, v in options.items()})


def read_options(path: Path) -> dict[str, Any]:
    """Options of a TOML file by name; "-" and "_" are the same, as in ``embedding-dim = 16``.

    Raises FileNotFoundError, and ValueError for a file that is not TOML or has unknown options.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no options file {path}.")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from None
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def run_folder(folder: Path, resume: bool) -> Path:
    """The folder that a run fills, made; FileExistsError where something is in it already."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"The run folder {folder} is a file; choose another with --out.")
    if folder.is_dir() and any(folder.iterdir()) and not resume:
        raise FileExistsError(
            f"The run folder {folder} is not empty; choose another with --out, or go on with it by "
            "--resume."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder
