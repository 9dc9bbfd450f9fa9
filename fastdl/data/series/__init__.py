"""Time series: many in one array, read from tables, made regular, split by time, as windows."""

from .frequency import Frequency
from .observations import Observations
from .read import read_observations, read_series
from .resample import Resampling
from .series_set import SeriesSet

__all__ = [
    "Frequency",
    "Observations",
    "Resampling",
    "SeriesSet",
    "read_observations",
    "read_series",
]
