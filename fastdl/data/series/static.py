"""What is known of a series as a whole: numbers, and categories by their codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Static:
    """numbers (S, F) float32; codes (S, G) int64, indices into the ``classes`` of each column."""

    numbers: np.ndarray
    codes: np.ndarray
    number_names: tuple[str, ...] = ()
    code_names: tuple[str, ...] = ()
    classes: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Any] | None, ids: Sequence[str]) -> Static:
        """From a dict of columns, one value for each series: numbers, or anything else as text.

        Raises ValueError for columns of another length and for missing values.
        """
        S = len(ids)
        numbers, codes, number_names, code_names, classes = [], [], [], [], []
        for name, column in (columns or {}).items():
            values = np.asarray(column)
            if values.shape != (S,):
                raise ValueError(
                    f"The static feature {name} has shape {values.shape}; expected a value for "
                    f"each of {S} series."
                )
            if values.dtype.kind in "fiu":
                _check(np.isfinite(values), name, ids)
                numbers.append(values.astype(np.float32))
                number_names.append(name)
            else:
                _check(np.array([v is not None and v == v for v in values], bool), name, ids)
                found, own = np.unique(values.astype(str), return_inverse=True)
                codes.append(own.reshape(-1).astype(np.int64))
                code_names.append(name)
                classes.append(tuple(found.tolist()))
        return cls(
            np.stack(numbers, axis=1) if numbers else np.empty((S, 0), np.float32),
            np.stack(codes, axis=1) if codes else np.empty((S, 0), np.int64),
            tuple(number_names), tuple(code_names), tuple(classes),
        )  # fmt: skip

    def __getitem__(self, chosen: Any) -> Static:
        return Static(self.numbers[chosen], self.codes[chosen], self.number_names,
                      self.code_names, self.classes)  # fmt: skip


def _check(fine: np.ndarray, name: str, ids: Sequence[str]) -> None:
    if not fine.all():
        raise ValueError(
            f"Series {ids[int(np.argmin(fine))]!r}: the static feature {name} is missing or "
            "infinite."
        )
