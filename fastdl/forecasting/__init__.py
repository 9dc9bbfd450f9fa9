"""Forecasts of time series: what they are, the baselines, conformal intervals, backtests."""

from .anomaly import anomaly_scores, anomaly_table, flag, predictive_cdf, tail_probability
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
    "anomaly_scores",
    "anomaly_table",
    "backtest",
    "baselines",
    "conformal_levels",
    "conformal_quantile",
    "conformalized",
    "flag",
    "predictive_cdf",
    "split_conformal",
    "tail_probability",
]
