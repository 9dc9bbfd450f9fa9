"""The label column of a log as 0 and 1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .formats import LABELS

if TYPE_CHECKING:
    from pyarrow import Array, Table

_TEXTS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "False": 0, "True": 1}


class Target:
    """Finds and converts the label; remembers its values over all pieces of a log."""

    def __init__(self, path: Path, name: str | None, positive: str | None, required: bool) -> None:
        self.path, self.given, self.positive, self.required = path, name, positive, required
        self.name: str | None = None
        self.values: set[str] = set()

    def column(self, table: Table, first_line: int) -> Array | None:
        """The labels of a piece as int8, or None where the log is read without."""
        self.name = self._find(table.column_names)
        if self.name is None or not self.required:
            return None
        import pyarrow as pa
        import pyarrow.compute as pc

        column = table[self.name]
        if column.null_count:
            row = first_line + pc.is_null(column).to_pylist().index(True)
            raise ValueError(f"{self.path}, line {row}: the label column {self.name} is missing.")
        texts = column.cast(pa.string())
        found = [str(value) for value in texts.unique().to_pylist()]
        self.values |= set(found)
        self._check()
        if self.positive is None:
            mapped: dict[str, int] = {text: _TEXTS[text] for text in found}
        else:
            mapped = {text: int(self._is_positive(text)) for text in found}
        clicks = pa.array([text for text, value in mapped.items() if value], pa.string())
        return pc.is_in(texts, clicks).cast(pa.int8())

    def finish(self) -> None:
        """After the last piece: a ``positive`` value that never came is an error."""
        if (
            self.positive is not None
            and self.values
            and not any(self._is_positive(text) for text in self.values)
        ):
            raise ValueError(
                f"No row of {self.path} has the value {self.positive!r} in the label column "
                f"{self.name}; its values are {_listed(self.values)}."
            )

    def _is_positive(self, text: str) -> bool:
        return text.strip() == str(self.positive).strip()

    def _find(self, names: list[str]) -> str | None:
        if self.given is not None:
            if self.given in names:
                return self.given
            if not self.required:
                return None
            raise ValueError(
                f"{self.path} has no label column {self.given}; its columns are {', '.join(names)}."
            )
        found = next((name for name in LABELS if name in names), None)
        if found is None and self.required:
            raise ValueError(
                f"{self.path} has none of the label columns {', '.join(LABELS)}; name it by "
                f"label=, one of {', '.join(names)}."
            )
        return found

    def _check(self) -> None:
        if len(self.values) > 2:
            raise ValueError(
                f"The label column {self.name} of {self.path} has more than two values: "
                f"{_listed(self.values)}."
            )
        if self.positive is None and not self.values <= set(_TEXTS):
            raise ValueError(
                f"The label column {self.name} of {self.path} has the values "
                f"{_listed(self.values)}; say which one means a click by positive=."
            )


def _listed(values: set[Any]) -> str:
    shown = sorted(values)[:5]
    return ", ".join(repr(value) for value in shown) + (" ..." if len(values) > 5 else "")
