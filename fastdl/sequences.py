"""Sequences of different lengths as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .validation import check_finite


class Sequences:
    """x (N, T, D) and how many steps of each row count, lengths (N,) from 0 to T.

    Networks and the Trainer take it in the place of an array; recurrent layers are given the
    lengths, so that what lies behind them changes nothing. An index in brackets gives some rows.
    Raises ValueError and TypeError for lengths that do not fit, and for NaN or infinity within
    them.

    >>> import numpy as np, fastdl
    >>> batch = fastdl.Sequences.of([np.ones((2, 3)), np.ones((5, 3))])
    >>> batch.x.shape, batch.lengths.tolist()
    ((2, 5, 3), [2, 5])
    >>> net = fastdl.Sequential(fastdl.GRU(3, 4, return_sequences=False), fastdl.Dense(4, 2))
    >>> net.predict(batch).shape
    (2, 2)
    """

    def __init__(self, x: ArrayLike, lengths: ArrayLike) -> None:
        array, steps = np.asarray(x), np.asarray(lengths)
        if array.ndim != 3 or array.dtype.kind not in "fiub":
            raise ValueError(
                f"x has shape {array.shape} and dtype {array.dtype}; expected numbers (N, T, D)."
            )
        if steps.dtype.kind not in "iu":
            raise TypeError(f"lengths has dtype {steps.dtype}; expected whole numbers of steps.")
        if steps.shape != array.shape[:1]:
            raise ValueError(f"lengths has shape {steps.shape}; expected ({len(array)},).")
        wrong = (steps < 0) | (steps > array.shape[1])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"lengths[{row}] is {steps[row]}; x has {array.shape[1]} steps: expected 0 to that."
            )
        behind = np.arange(array.shape[1]) >= steps[:, None]
        if array[behind].any():  # NaN counts too
            array = np.where(behind[..., None], array.dtype.type(0), array)
        check_finite(array, "x")
        self.x, self.lengths = array, steps.astype(np.int64)

    @classmethod
    def of(cls, arrays: Sequence[ArrayLike]) -> Sequences:
        """From arrays (T_i, D), with zeros behind the shorter ones."""
        found = [np.asarray(a) for a in arrays]
        if not found or any(a.ndim != 2 or a.shape[1] != found[0].shape[1] for a in found):
            shapes = [a.shape for a in found]
            raise ValueError(f"The sequences have the shapes {shapes}; expected (T, D) of one D.")
        lengths = np.array([len(a) for a in found])
        x = np.zeros((len(found), max(1, int(lengths.max())), found[0].shape[1]),
                     np.result_type(*found))  # fmt: skip
        for row, a in zip(x, found, strict=True):
            row[: len(a)] = a
        return cls(x, lengths)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Sequences:
        some = object.__new__(Sequences)
        some.x, some.lengths = self.x[rows], self.lengths[rows]
        return some
