"""What forecasters give: points and quantiles of the steps to come, for many series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.series.frequency import Frequency
from ..forecast_losses import QUANTILES
from ..metrics.forecast_checks import as_levels

if TYPE_CHECKING:
    from pyarrow import Table

    from ..data.series.series_set import SeriesSet

LEVELS = QUANTILES  # what forecasters are asked for, and trained for, by default


@dataclass(frozen=True, eq=False)
class Forecast:
    """point: (S, H). quantiles: (S, H, Q), rising with their levels (Q,).

    start: (S,) int64 microseconds, the time of each series' first step that is forecast.
    """

    ids: tuple[str, ...]
    start: np.ndarray
    frequency: Frequency
    zone: str | None
    point: np.ndarray
    quantiles: np.ndarray
    levels: np.ndarray

    @classmethod
    def of(
        cls, series: SeriesSet, point: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]
    ) -> Forecast:
        """The forecast of what comes behind the last step of each series.

        Quantiles that cross are put in order (Chernozhukov, Fernandez-Val and Galichon 2010).
        """
        q = as_levels(np.asarray(levels), quantiles.shape[-1])
        start = series.frequency.after(series.start, series.length)
        return cls(series.ids, start, series.frequency, series.zone, np.asarray(point, np.float64),
                   np.sort(np.asarray(quantiles, np.float64), axis=-1), q)  # fmt: skip

    @property
    def horizon(self) -> int:
        """How many steps are forecast."""
        return self.point.shape[1]

    def __len__(self) -> int:
        return len(self.ids)

    def times_of(self, i: int) -> np.ndarray:
        """The times (H,) of series i as datetime64[us]."""
        steps = np.arange(self.horizon)
        return self.frequency.after(self.start[i], steps).astype("datetime64[us]")

    def at(self, level: float) -> np.ndarray:
        """The quantile (S, H) of a level; ValueError where it was not forecast."""
        j = np.flatnonzero(np.abs(self.levels - level) < 1e-9)
        if not len(j):
            raise ValueError(
                f"The level {level} was not forecast; levels are {self.levels.tolist()}."
            )
        return self.quantiles[..., int(j[0])]

    def interval(self, coverage: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
        """(lower, upper), each (S, H), of the central interval between two quantiles."""
        return self.at((1 - coverage) / 2), self.at((1 + coverage) / 2)

    def clipped(self, lower: float) -> Forecast:
        """The same without values below ``lower``: of counts and costs below 0."""
        return replace(self, point=np.maximum(self.point, lower),
                       quantiles=np.maximum(self.quantiles, lower))  # fmt: skip

    def table(self) -> Table:
        """A row for each series and step: series, time, step, point, and quantiles as q0.1 ..."""
        import pyarrow as pa

        S, H = self.point.shape
        times = [self.times_of(i) for i in range(S)]
        columns: dict[str, Any] = {
            "series": pa.array(np.repeat(np.array(self.ids, object), H).tolist(), pa.string()),
            "time": pa.array(np.concatenate(times), pa.timestamp("us", self.zone)),
            "step": np.tile(np.arange(1, H + 1), S),
            "point": self.point.reshape(-1),
        }
        for j, level in enumerate(self.levels):
            columns[f"q{level:g}"] = self.quantiles[..., j].reshape(-1)
        return pa.table(columns)
