"""Windows of series as batches for the Trainer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from ...memory import rows_at_once
from ...stream import Rows, RowStream, Window
from ...validation import check_size
from .series_set import SeriesSet
from .windows import WindowBatch, WindowMaker

_WINDOW_BYTES = 4 << 20  # of batches that are made together
SAMPLING = ("windows", "series")


class WindowStream(RowStream):
    """Windows of series for ``Trainer.train``, in the place of arrays; the series are not copied.

    maker: sizes and scaling. A window's horizon lies within the steps of a series from
    ``target_from`` on, and its context begins ``min_context`` or more steps before the horizon (by
    default all of the context; steps before a series begins are missing). stride: steps between
    windows. per_epoch: windows drawn for an epoch, with replacement; by default each one comes
    once. sampling: what these are drawn from, "windows" evenly, or "series" evenly and then one of
    its windows. batches: whether x is a ``WindowBatch``, or the array (B, T, D) in it.

    t (B, H) are the scaled targets, 0 where one is missing, and windows with a missing target have
    the weight 0; with ``batches`` t is (B, H, 2), value - shift in the series' units, NaN where it
    is missing, and the window's scale, as the losses of forecasts take them. Which windows come
    follows from epoch and seed alone. ``blocks`` gives every window, in order.

    Raises ValueError where no series is long enough, or options are unknown.

    >>> series = SeriesSet.from_arrays([np.arange(20.0), np.arange(9.0)], frequency="h")
    >>> stream = WindowStream(series, WindowMaker(context=6, horizon=2, parts=()))
    >>> stream.rows, next(stream.windows(epoch=0, seed=0, batch_size=4)).take(0, 4).x.shape
    (15, (4, 8, 2))
    """

    features = False

    def __init__(
        self, series: SeriesSet, maker: WindowMaker, *, stride: int = 1,
        min_context: int | None = None, per_epoch: int | None = None, sampling: str = "windows",
        batches: bool = False,
    ) -> None:  # fmt: skip
        self.series, self.maker, self.batches = series, maker, batches
        self.stride = check_size(stride, "stride")
        least = maker.context if min_context is None else check_size(min_context, "min_context")
        self.origins = np.maximum(series.target_from, min(least, maker.context))  # the first ones
        room = series.length - maker.horizon - self.origins
        self.counts = np.where(room >= 0, room // self.stride + 1, 0)  # windows of each series
        self.ends = np.cumsum(self.counts)
        self.all_rows = int(self.ends[-1]) if len(series) else 0
        if not self.all_rows:
            i = int(np.argmax(room)) if len(series) else -1
            longest = f": {series.ids[i]!r} has {series.length[i]} steps" if i >= 0 else ""
            raise ValueError(
                f"No series has a window of {maker.context} steps of context and "
                f"{maker.horizon} of horizon{longest}. Use shorter ones."
            )
        if sampling not in SAMPLING:
            raise ValueError(f"sampling is {sampling!r}; expected 'windows' or 'series'.")
        self.sampling = sampling
        self.per_epoch = None if per_epoch is None else check_size(per_epoch, "per_epoch")
        self.rows = self.all_rows if self.per_epoch is None else self.per_epoch
        if series.past.shape[1] + series.known.shape[1] != len(maker.center):
            maker.fit(series)
        self.calendar = maker.calendar(series)
        width = 2 + len(maker.center) + self.calendar.features.shape[1]
        self._row_bytes = np.dtype(maker.dtype).itemsize * width * (maker.context + maker.horizon)

    def __len__(self) -> int:
        return self.rows

    def place_of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(series, origins) of windows by their numbers, 0 to ``all_rows`` - 1."""
        rows = np.searchsorted(self.ends, numbers, "right")
        inside = numbers - (self.ends - self.counts)[rows]
        return rows, self.origins[rows] + inside * self.stride

    def take(self, numbers: np.ndarray) -> Rows:
        """Some windows by their numbers."""
        rows, origins = self.place_of(np.asarray(numbers, np.int64))
        made, y, seen = self.maker.make(self.series, rows, origins, self.calendar)
        if self.batches:
            return Rows(made, self._targets(made))
        complete: np.ndarray = np.all(seen, axis=1)
        return Rows(made.x, y, None if complete.all() else complete.astype(np.float64))

    def _targets(self, made: WindowBatch) -> np.ndarray:
        """(B, H, 2): values of the horizon less the windows' shifts, and their scales."""
        rows = self.series.first[made.series] + made.origin
        values = self.series.values[rows[:, None] + np.arange(self.maker.horizon)]
        t = np.empty((*values.shape, 2), self.maker.dtype)
        t[..., 0], t[..., 1] = values - made.shift[:, None], made.scale[:, None]
        return t

    def blocks(self) -> Iterator[Rows]:
        size = rows_at_once(self._row_bytes // 4)
        for start in range(0, self.all_rows, size):
            yield self.take(np.arange(start, min(start + size, self.all_rows)))

    def windows(
        self, epoch: int, seed: int, batch_size: int, first_row: int = 0
    ) -> Generator[Window, None, None]:
        order = self.order(epoch, seed)
        size = max(1, _WINDOW_BYTES // (batch_size * self._row_bytes)) * batch_size
        for start in range(first_row // size * size, self.rows, size):
            yield Window(start, self.take(order[start : start + size]))

    def order(self, epoch: int, seed: int) -> np.ndarray:
        """The numbers of an epoch's windows (rows,), as it takes them."""
        rng = np.random.default_rng([seed, epoch])
        if self.per_epoch is None:
            kind: Any = np.int32 if self.all_rows < 2**31 else np.int64
            order = np.arange(self.all_rows, dtype=kind)
            rng.shuffle(order)
            return order
        if self.sampling == "windows":
            return rng.integers(0, self.all_rows, self.rows)
        some = np.flatnonzero(self.counts)
        own = some[rng.integers(0, len(some), self.rows)]
        inside = (rng.random(self.rows) * self.counts[own]).astype(np.int64)
        return (self.ends - self.counts)[own] + inside
