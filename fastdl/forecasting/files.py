"""A forecaster's folder: network and windows, and the estimator's parameters beside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from ..estimators.files import parameters
from ..estimators.series_forecaster import FORECASTER, AdSeriesForecaster
from ..files import read_described, write_described
from .trained import TrainedForecaster

Own = TypeVar("Own", bound=AdSeriesForecaster)


def write_forecaster(estimator: AdSeriesForecaster, folder: str | os.PathLike[str]) -> None:
    """Write a fitted forecaster; parameters that JSON cannot hold are left out."""
    folder = Path(folder)
    estimator.forecaster_.save(folder)
    write_described(folder / FORECASTER, {
        "parameters": {**parameters(estimator), "model": estimator.model},
        "history": estimator.history_,
    })  # fmt: skip


def read_forecaster(kind: type[Own], folder: str | os.PathLike[str]) -> Own:
    """The forecaster of a folder."""
    trained, path = TrainedForecaster.load(folder), Path(folder) / FORECASTER
    found = kind()

    def fill(known: dict[str, Any]) -> None:
        found.set_params(**{
            k: tuple(v) if isinstance(v, list) else v for k, v in known["parameters"].items()
        })  # fmt: skip
        found.history_ = dict(known["history"])

    if path.is_file():
        read_described(path, fill)
    found.forecaster_, found.series_ = trained, None
    return found
