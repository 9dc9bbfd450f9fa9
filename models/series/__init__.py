"""Forecasters of time series, each beside its paper's name."""

from .autoregressive import AutoregressiveForecaster
from .base import ForecastModel
from .direct import DirectForecaster

__all__ = ["AutoregressiveForecaster", "DirectForecaster", "ForecastModel"]

# the models by their names, as commands and files give them
BY_NAME: dict[str, type[ForecastModel]] = {
    "direct": DirectForecaster, "autoregressive": AutoregressiveForecaster,
}  # fmt: skip
