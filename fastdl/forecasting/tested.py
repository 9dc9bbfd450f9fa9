"""A forecaster beside the baselines on the folds of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..data.series import BacktestFolds, SeriesSet
from ..metrics.forecast import interval_of
from .backtest import Backtest, backtest, baselines
from .baseline import Forecaster
from .forecast import LEVELS, Forecast
from .naive import SeasonalNaive

JUDGE = SeasonalNaive.name  # what skill is against


class AtLeast:
    """A forecaster whose forecasts are not below a bound, as those of counts and costs."""

    def __init__(self, forecaster: Forecaster, lower: float) -> None:
        self.forecaster, self.lower, self.name = forecaster, lower, forecaster.name

    def fit(self, series: SeriesSet) -> AtLeast:
        self.forecaster.fit(series)
        return self

    def predict(
        self, series: SeriesSet, horizon: int, quantiles: Sequence[float] = LEVELS
    ) -> Forecast:
        return self.forecaster.predict(series, horizon, quantiles).clipped(self.lower)


class Prepared:
    """A forecaster that is fitted by ``fit`` in a way of its own, as with checkpoints."""

    def __init__(self, forecaster: Any, fit: Callable[[SeriesSet], Any]) -> None:
        self.forecaster, self._fit, self.name = forecaster, fit, forecaster.name

    def fit(self, series: SeriesSet) -> Prepared:
        self.forecaster = self._fit(series)
        return self

    def predict(
        self, series: SeriesSet, horizon: int, quantiles: Sequence[float] = LEVELS
    ) -> Forecast:
        found: Forecast = self.forecaster.predict(series, horizon, quantiles)
        return found


def backtests(
    own: Forecaster, series: SeriesSet, folds: BacktestFolds, season: int | None,
    lower: float | None,
) -> dict[str, Backtest]:  # fmt: skip
    """Backtests by name, that of ``own`` first, then the baselines'."""
    found = {}
    for model in (own, *baselines(season)):
        bounded: Forecaster = model if lower is None else AtLeast(model, lower)
        found[model.name] = backtest(bounded, series, folds, season=season)
    return found


def judged(tested: dict[str, Backtest]) -> dict[str, dict[str, Any]]:
    """``Backtest.metrics`` of each, with the skill against the seasonal naive."""
    return {name: own.metrics(tested[JUDGE]) for name, own in tested.items()}


def steps_judged(tested: Backtest) -> dict[str, list[float | None]]:
    """MAE, CRPS and coverage of the 80 % interval at each step of the horizon; None is unknown."""
    actual, _, _, _ = tested.pooled()
    known = [h for h in range(actual.shape[1]) if not np.isnan(actual[:, h]).all()]
    found = dict(zip(known, tested.by_step(), strict=True))
    steps = range(actual.shape[1])

    def of(take: Callable[[dict[str, Any]], float]) -> list[float | None]:
        return [float(f"{take(found[h]):.6g}") if h in found else None for h in steps]

    return {
        "mae": of(lambda own: own["mae"]), "crps": of(lambda own: own["crps"]),
        "covered": of(lambda own: interval_of(own)["covered"]),
    }  # fmt: skip


def calibration(tested: Backtest) -> dict[str, list[float]]:
    """Nominal levels of the quantiles, and the shares of values that are not above them."""
    actual, _, quantiles, _ = tested.pooled()
    seen = ~np.isnan(actual)
    share = (actual[seen][:, None] <= quantiles[seen]).mean(axis=0)
    levels = tested.forecasts[0].levels
    return {"nominal": levels.tolist(), "observed": [round(float(s), 6) for s in share]}
