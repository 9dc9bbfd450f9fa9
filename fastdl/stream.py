"""Rows that come in pieces, for training on more of them than memory holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass
class Rows:
    """Some rows: what the network takes, labels (N, ...), and weights (N,) if there are any."""

    x: Any
    t: np.ndarray
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, rows: Any) -> Rows:
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.x[rows], self.t[rows], weight)


@dataclass
class Window:
    """Rows from ``start`` on in the epoch's order, into which ``order``, if given, brings them."""

    start: int
    rows: Rows
    order: np.ndarray | None = None

    @property
    def stop(self) -> int:
        """The first row of the next window."""
        return self.start + len(self.rows)

    def take(self, first: int, count: int) -> Rows:
        """``count`` rows from ``first`` on, both counted in the epoch's order."""
        own = slice(first - self.start, first - self.start + count)
        return self.rows[own if self.order is None else self.order[own]]


class RowStream(ABC):
    """What ``Trainer.train`` takes in the place of arrays.

    ``fastdl.data.EncodedLog``, ``fastdl.data.images.ImageStream``, or yours. ``features`` says
    whether x is a ``Batch`` of features, for models with embeddings, or what any network takes.
    """

    rows: int
    features: ClassVar[bool] = True

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
