"""Rows some of whose features are those of other rows, a piece at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .features import Batch, FeatureSpec


class ArrayRows:
    """Rows of an array (N, D)."""

    def __init__(self, x: ArrayLike, names: Sequence[str] | None) -> None:
        self.x = np.asarray(x)
        if self.x.ndim != 2:
            raise ValueError(f"x has shape {self.x.shape}; expected (N, D).")
        columns = self.x.shape[1]
        self.names = [f"x{i}" for i in range(columns)] if names is None else list(names)
        if len(set(self.names)) != columns or len(self.names) != columns:
            raise ValueError(f"names are {len(self.names)}; expected {columns} different ones.")
        self.place = {name: i for i, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.x)

    def piece(self, rows: slice) -> np.ndarray:
        """The rows as they are."""
        return self.x[rows]

    def mixed(self, rows: slice, other: np.ndarray, features: Sequence[str]) -> np.ndarray:
        """The rows, but with these features of other rows."""
        piece = np.array(self.x[rows])
        columns = np.array([self.place[name] for name in features], np.intp)
        piece[:, columns] = self.x[other[:, None], columns]
        return piece


class FeatureRows:
    """Rows of the features of a spec."""

    def __init__(self, spec: FeatureSpec, batch: Batch) -> None:
        self.batch, self.names = batch, list(spec.names)
        fields, numbers = len(spec.fields), tuple(spec.numeric)  # type: ignore[arg-type]
        columns = [f.name for f in spec.columns]
        self._places = {
            "numeric": {name: i for i, name in enumerate(numbers)},
            "ids": {name: i for i, name in enumerate(columns[:fields])},
        }
        self._sequences = {name: i for i, name in enumerate(columns[fields:])}

    def __len__(self) -> int:
        return len(self.batch)

    def piece(self, rows: slice) -> Batch:
        """The rows as they are."""
        return self.batch[rows]

    def mixed(self, rows: slice, other: np.ndarray, features: Sequence[str]) -> Batch:
        """The rows, but with these features of other rows."""
        piece, batch = self.batch[rows], self.batch
        for part, places in self._places.items():
            columns = np.array([places[name] for name in features if name in places], np.intp)
            if len(columns):
                own = np.array(getattr(piece, part))
                own[:, columns] = getattr(batch, part)[other[:, None], columns]
                setattr(piece, part, own)
        lists = list(piece.sequences)
        for i in (self._sequences[name] for name in features if name in self._sequences):
            alone = Batch(batch.spec, None, None, (batch.sequences[i],))
            lists[i] = alone[other].sequences[0]
        piece.sequences = tuple(lists)
        return piece
