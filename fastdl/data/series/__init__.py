"""Time series: many in one array, read from tables, made regular, split by time, as windows."""

from .calendar import Calendar, calendar_features, calendar_parts
from .checks import check_known, check_series
from .frequency import Frequency
from .generate import AdSeries, generate_ad_series, write_ad_series
from .observations import Observations
from .read import read_observations, read_series
from .resample import Resampling
from .series_set import SeriesSet
from .split import BacktestFolds, Fold, split_series, until
from .stream import WindowStream
from .windows import WindowBatch, WindowMaker

__all__ = [
    "AdSeries",
    "BacktestFolds",
    "Calendar",
    "Fold",
    "Frequency",
    "Observations",
    "Resampling",
    "SeriesSet",
    "WindowBatch",
    "WindowMaker",
    "WindowStream",
    "calendar_features",
    "calendar_parts",
    "check_known",
    "check_series",
    "generate_ad_series",
    "read_observations",
    "read_series",
    "split_series",
    "until",
    "write_ad_series",
]
