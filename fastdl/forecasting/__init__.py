"""Forecasts of time series: what they are, the baselines, conformal intervals, backtests."""

from .backtest import Backtest, backtest, baselines
from .baseline import Baseline, Forecaster
from .conformal import (
    AdaptiveConformal,
    adaptive_conformal,
    conformal_levels,
    conformal_quantile,
    conformalized,
    split_conformal,
)
from .forecast import LEVELS, Forecast
from .linear import LinearWindow
from .naive import Drift, MovingAverage, Naive, SeasonalNaive

__all__ = [
    "LEVELS",
    "AdaptiveConformal",
    "Backtest",
    "Baseline",
    "Drift",
    "Forecast",
    "Forecaster",
    "LinearWindow",
    "MovingAverage",
    "Naive",
    "SeasonalNaive",
    "adaptive_conformal",
    "backtest",
    "baselines",
    "conformal_levels",
    "conformal_quantile",
    "conformalized",
    "split_conformal",
]
