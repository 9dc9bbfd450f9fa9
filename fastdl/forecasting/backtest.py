"""Backtests: forecasters beside each other on moving origins, judged on what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.series.series_set import SeriesSet
from ..data.series.split import BacktestFolds, Fold
from ..metrics.forecast import evaluate_forecast, seasonal_scale, skill_score
from .baseline import Forecaster
from .forecast import LEVELS, Forecast
from .linear import LinearWindow
from .naive import Drift, MovingAverage, Naive, SeasonalNaive


def baselines(season: int | None = None) -> list[Forecaster]:
    """Those that are always shown: naive, seasonal naive, moving average, drift, linear."""
    return [Naive(), SeasonalNaive(season), MovingAverage(season), Drift(), LinearWindow()]


@dataclass(frozen=True, eq=False)
class Backtest:
    """What one forecaster gave at every origin, and what came.

    scale: of each fold (S,), the seasonal scale of its history, for MASE.
    """

    name: str
    folds: list[Fold]
    forecasts: list[Forecast]
    scale: list[np.ndarray]

    def pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(actual (R, H), point (R, H), quantiles (R, H, Q), scale (R,)) of all folds together."""
        return (
            np.concatenate([fold.actual for fold in self.folds]),
            np.concatenate([forecast.point for forecast in self.forecasts]),
            np.concatenate([forecast.quantiles for forecast in self.forecasts]),
            np.concatenate(self.scale),
        )

    @property
    def errors(self) -> np.ndarray:
        """(R, H): actual - point of all folds, for conformal intervals."""
        actual, point, _, _ = self.pooled()
        return np.asarray(actual - point)

    def metrics(self, baseline: Backtest | None = None) -> dict[str, Any]:
        """``evaluate_forecast`` of all folds; with a baseline also ``skill``: in MAE and CRPS.

        MASE is of the values whose series' history is not constant.
        """
        actual, point, quantiles, scale = self.pooled()
        found = evaluate_forecast(actual, point, quantiles, self.forecasts[0].levels)
        fine = (scale > 0) & ~np.isnan(actual).all(axis=1)
        if fine.any():
            own = evaluate_forecast(actual[fine], point[fine], scale=scale[fine])
            found["mase"] = own["mase"]
        if baseline is not None:
            other = baseline.metrics()
            found["skill"] = {
                key: skill_score(found[key], other[key]) if other[key] > 0 else None
                for key in ("mae", "crps")
            }
        return found

    def by_step(self) -> list[dict[str, Any]]:
        """``evaluate_forecast`` of every step of the horizon by itself."""
        actual, point, quantiles, _ = self.pooled()
        steps = range(actual.shape[1])
        return [
            evaluate_forecast(actual[:, h], point[:, h], quantiles[:, h], self.forecasts[0].levels)
            for h in steps if not np.isnan(actual[:, h]).all()
        ]  # fmt: skip


def backtest(
    model: Forecaster, series: SeriesSet, folds: BacktestFolds,
    quantiles: Sequence[float] = LEVELS, refit: bool = False, season: int | None = None,
) -> Backtest:  # fmt: skip
    """Forecast at every origin from the steps before it alone.

    The model is fitted once on what was known before the first origin, with ``refit`` anew at
    every origin. season: of the scale for MASE, by default the frequency's.

    >>> series = SeriesSet.from_arrays([np.arange(30.0)])
    >>> found = backtest(Naive(), series, BacktestFolds(horizon=2, folds=3)).metrics()
    >>> found["mae"], found["values"]
    (1.5, 6)
    """
    season = series.frequency.season if season is None else season
    made = list(folds.of(series))
    forecasts, scales = [], []
    for fold in made:
        if refit or fold.number == 0:
            model.fit(folds.before(series) if fold.number == 0 else fold.history)
        forecasts.append(model.predict(fold.history, folds.horizon, quantiles))
        history = [fold.history.values_of(i) for i in range(len(fold.history))]
        scales.append(seasonal_scale(history, season))
    return Backtest(model.name, made, forecasts, scales)
