"""The label column of a log as 0 and 1."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .faults import NO_LABEL, STRANGE_LABEL, BadRows
from .formats import LABELS
from .places import Source

if TYPE_CHECKING:
    from pyarrow import Array, ChunkedArray, Table

_BOUND = re.compile(r"\s*(>=|<=|>|<)\s*(\S+)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CLICKS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


class Target:
    """Finds and converts the label; remembers its values over all pieces of a log."""

    def __init__(
        self, source: Source, name: str | None, positive: Any, required: bool, skips: bool = False
    ) -> None:
        self.source, self.given, self.positive, self.required = source, name, positive, required
        self.bound = _bound(positive)
        self.skips = skips  # rows of a third label are bad rows, not the end
        self.name: str | None = None
        self.values: set[str] = set()

    def column(self, table: Table, first_row: int) -> Array | None:
        """The labels of a piece as int8, or None where the log is read without."""
        self.name = self.find(table.column_names)
        if self.name is None or not self.required:
            return None
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            texts = table[self.name].cast(pa.string())
        except pa.ArrowException as error:
            raise ValueError(
                f"The label column {self.name} of {self.source.path} has the type "
                f"{table[self.name].type}; expected numbers, strings or booleans: {error}"
            ) from None
        absent = pc.or_kleene(pc.is_null(texts), pc.equal(texts, "nan"))
        if pc.any(absent).as_py():
            words = f"the label in column {self.name} is missing."
            raise BadRows(self.source, first_row, absent.to_numpy(), NO_LABEL, words)
        if self.skips:
            self._check_rows(texts, first_row)
        found = [str(value) for value in texts.unique().to_pylist()]
        self.values |= set(found)
        self._check()
        clicks = pa.array([text for text in found if self._is_click(text)], pa.string())
        return pc.is_in(texts, clicks).cast(pa.int8())

    def _check_rows(self, texts: ChunkedArray, first_row: int) -> None:
        """BadRows for the rows whose labels are none of the two that the log has."""
        import pyarrow as pa
        import pyarrow.compute as pc

        counted = pc.value_counts(texts).to_pylist()
        counts = {str(item["values"]): int(item["counts"]) for item in counted}
        strange = [text for text in counts if text not in self._accepted(counts)]
        if not strange or (len(strange) == len(counts) and not self.values):
            return  # where all are strange, the user has to say what a click is
        bad = pc.is_in(texts, pa.array(strange, pa.string())).to_numpy()
        raise BadRows(
            self.source, first_row, bad, STRANGE_LABEL,
            lambda row: f"the label in column {self.name} is {texts[row].as_py()!r}.",
        )  # fmt: skip

    def _accepted(self, counts: dict[str, int]) -> set[str]:
        if self.bound is not None and any(_number(text) is not None for text in counts):
            return {text for text in counts if _number(text) is not None}
        if self.positive is None:
            return {text for text in counts if text.strip().lower() in _CLICKS}
        clicks = {text for text in counts if self._is_click(text)}
        others = {text for text in self.values if not self._is_click(text)}
        if not others and len(clicks) < len(counts):
            others = {max(counts.keys() - clicks, key=lambda text: (counts[text], text))}
        return clicks | others

    def finish(self) -> None:
        """After the last piece: ValueError unless clicks and rows without a click have come."""
        clicks = {self._is_click(text) for text in self.values}
        if len(clicks) != 1:
            return
        if self.positive is not None and clicks == {0}:
            raise ValueError(
                f"No row of {self.source.path} has the value {self.positive!r} in the label column "
                f"{self.name}; its values are {_listed(self.values)}."
            )
        raise ValueError(
            f"The label column {self.name} of {self.source.path} has only the value "
            f"{_listed(self.values)}; expected clicks and rows without a click."
        )

    def find(self, names: list[str]) -> str | None:
        """The label column's name, or None where there is none and none is required."""
        if self.given is not None:
            if self.given in names:
                return self.given
            if not self.required:
                return None
            raise ValueError(
                f"{self.source.path} has no label column {self.given}; its columns are "
                f"{', '.join(names)}."
            )
        known = [*LABELS, *(f"{name}:{kind}" for name in LABELS for kind in ("float", "token"))]
        found = next((name for name in known if name in names), None)
        if found is None and self.required:
            raise ValueError(
                f"{self.source.path} has none of the label columns {', '.join(LABELS)}; name it by "
                f"label=, one of {', '.join(names)}."
            )
        return found

    def _is_click(self, text: str) -> int:
        if self.positive is None:
            return _CLICKS[text.strip().lower()]
        if self.bound is not None:
            return int(self.bound(text))
        return int(_same(text, self.positive))

    def _check(self) -> None:
        plain = {_CLICKS.get(text.strip().lower()) for text in self.values}
        if None not in plain and self.positive is None:
            return  # 1 and 1.0, true and True are one value
        if self.bound is not None and all(_number(t) is not None for t in self.values):
            return
        if len(self.values) > 2:
            raise ValueError(
                f"The label column {self.name} of {self.source.path} has more than two values: "
                f"{_listed(self.values)}."
            )
        if self.positive is None:
            raise ValueError(
                f"The label column {self.name} of {self.source.path} has the values "
                f"{_listed(self.values)}; say which one means a click by positive=."
            )


def _bound(positive: Any) -> Callable[[str], bool] | None:
    """What ``positive`` says of a label's text where it is a bound for numbers, such as >=4."""
    found = _BOUND.fullmatch(positive) if isinstance(positive, str) else None
    if found is None or (limit := _number(found[2])) is None:
        return None
    compare = _COMPARE[found[1]]

    def fits(text: str) -> bool:
        value = _number(text)
        return text.strip() == positive.strip() or (value is not None and compare(value, limit))

    return fits


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _same(text: str, positive: Any) -> bool:
    """Whether a label's text is the value that the user gave, as text, truth value or number."""
    wanted = str(positive)
    if text.strip() == wanted.strip():
        return True
    if isinstance(positive, bool):
        return text.strip().lower() == wanted.lower()
    try:
        return float(text) == float(wanted)
    except ValueError:
        return False


def _listed(values: set[str]) -> str:
    shown = sorted(values)[:5]
    return ", ".join(repr(value) for value in shown) + (" ..." if len(values) > 5 else "")
