"""Rows that come in pieces, for training on more of them than memory holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .features import Batch


@dataclass
class Rows:
    """Some rows: features and labels (N,)."""

    x: Batch
    t: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, rows: Any) -> Rows:
        return Rows(self.x[rows], self.t[rows])


@dataclass
class Window:
    """Rows from ``start`` on in the epoch's order, and in which order they are taken."""

    start: int
    rows: Rows
    order: np.ndarray

    @property
    def stop(self) -> int:
        """The first row of the next window."""
        return self.start + len(self.rows)

    def take(self, first: int, count: int) -> Rows:
        """``count`` rows from ``first`` on, both counted in the epoch's order."""
        return self.rows[self.order[first - self.start : first - self.start + count]]


class RowStream(ABC):
    """What ``Trainer.train`` takes in the place of arrays: ``fastdl.data.EncodedLog``, or yours."""

    rows: int

    @abstractmethod
    def blocks(self) -> Iterator[Rows]:
        """All rows in their order, in pieces of bounded size."""

    @abstractmethod
    def windows(
        self, epoch: int, seed: int, batch_size: int, first_row: int = 0
    ) -> Generator[Window, None, None]:
        """An epoch's rows in its order, from the window on that holds ``first_row``.

        The order follows from epoch and seed alone, and every window but the last has a multiple
        of ``batch_size`` rows.
        """
