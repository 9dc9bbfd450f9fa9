"""Rows with a class each, for networks that treat them by it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class Conditioned:
    """x (N, ...) and the class of each row, classes (N,) from 0 on.

    Networks of layers in a row take it in the place of an array: layers that know classes, such as
    ``ConditionalBatchNormalization``, are given them. An index in brackets gives some rows. Raises
    ValueError and TypeError for classes that do not fit.

    >>> import numpy as np, fastdl
    >>> batch = fastdl.Conditioned(np.ones((3, 2)), [0, 1, 1])
    >>> len(batch), batch[1:].classes.tolist()
    (3, [1, 1])
    """

    def __init__(self, x: ArrayLike, classes: ArrayLike) -> None:
        array, found = np.asarray(x), np.asarray(classes)
        if found.dtype.kind not in "iu":
            raise TypeError(f"classes has dtype {found.dtype}; expected whole numbers.")
        if array.ndim == 0 or found.shape != array.shape[:1]:
            raise ValueError(
                f"classes has shape {found.shape}, x {array.shape}; expected a class for each row."
            )
        if len(found) and found.min() < 0:
            raise ValueError(f"classes has {found.min()}; expected numbers from 0 on.")
        self.x, self.classes = array, found.astype(np.int64)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> Conditioned:
        some = object.__new__(Conditioned)
        some.x, some.classes = self.x[rows], self.classes[rows]
        return some
