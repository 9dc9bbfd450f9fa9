"""Forecasts of many series with scikit-learn's conventions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..forecast_losses import QUANTILES
from .conventions import Estimator
from .fitting import generator

# .data and .forecasting are imported where they are needed: `import fastdl` stays fast
if TYPE_CHECKING:
    from ..callbacks import Callback
    from ..data.series import BacktestFolds, SeriesSet
    from ..forecasting import Backtest, Forecast, Forecaster
    from ..forecasting.trained import TrainedForecaster
    from ..forecasting.training import Recipe

FORECASTER = "forecaster.json"


class AdSeriesForecaster(Estimator):
    """One network for many series: ``fit``, ``predict``, ``backtest``.

    model: "direct" (all steps at once) or "autoregressive" (DeepAR: step by step, paths are drawn).
    horizon: steps that are forecast. context: steps that a forecast sees; by default two seasons or
    the horizon, if that is longer. encoder: "lstm", "gru", "rnn" or "conv" of ``hidden`` numbers in
    ``num_layers`` layers with ``dropout``. head: "quantile" of the levels ``quantiles``,
    "gaussian", "student_t" or "negative_binomial" (for counts); by default quantiles, of an
    autoregressive model Student's t. scaling: of each window, as ``WindowMaker``'s; by default the
    one with which the linear baseline is better on the validation part ("mean_abs" for counts).
    model_options: the model's own, as {"attention": True} or {"lags": (24,)}, by default a season
    for an autoregressive model. embed_ids: whether each series has a learned vector of its own.

    epochs, batch_size, lr: of Adam, whose rate falls as half a cosine. The last
    ``validation_fraction`` of the time decides when to stop, after ``patience`` epochs without
    improvement. windows_per_epoch: by default all, up to 50,000. conformal: whether quantiles are
    moved by how far they were off on the newest windows that were not trained on. paths: how many
    an autoregressive model draws.

    A direct model with its linear part begins as the linear baseline (``LinearWindow``) and learns
    what a line does not say. Learned attributes: ``forecaster_`` (network, windows, calibration),
    ``model_``, ``series_`` (not kept by ``save``), ``history_``.

    >>> import numpy as np, fastdl
    >>> wave = 10 + np.sin(np.arange(120) * np.pi / 6)
    >>> model = fastdl.AdSeriesForecaster(horizon=3, context=12, hidden=4, epochs=1, random_state=0)
    >>> model.fit([wave]).predict().point.shape
    (1, 3)
    """

    def __init__(
        self, model: str = "direct", *, horizon: int = 24, context: int | None = None,
        encoder: str = "lstm", hidden: int = 64, num_layers: int = 1, dropout: float = 0.0,
        head: str | None = None, quantiles: Sequence[float] = QUANTILES,
        scaling: str | None = None, model_options: Mapping[str, Any] | None = None,
        embed_ids: bool = False, epochs: int = 20, batch_size: int = 64, lr: float = 0.003,
        patience: int = 3, validation_fraction: float = 0.2,
        windows_per_epoch: int | None = None, conformal: bool = True, paths: int = 200,
        random_state: Any = None, verbose: bool = False,
    ) -> None:  # fmt: skip
        self.model = model
        self.horizon = horizon
        self.context = context
        self.encoder = encoder
        self.hidden = hidden
        self.num_layers = num_layers
        self.dropout = dropout
        self.head = head
        self.quantiles = quantiles
        self.scaling = scaling
        self.model_options = model_options
        self.embed_ids = embed_ids
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.windows_per_epoch = windows_per_epoch
        self.conformal = conformal
        self.paths = paths
        self.random_state = random_state
        self.verbose = verbose

    forecaster_: TrainedForecaster
    series_: SeriesSet | None
    history_: dict[str, list[Any]]

    @property
    def name(self) -> str:
        """How backtests call it."""
        return f"{self.model} {self.encoder}"

    @property
    def model_(self) -> Any:
        """The trained network."""
        self._check_fitted()
        return self.forecaster_.network

    def fit(
        self, data: Any, y: None = None, *, callbacks: Sequence[Callback] = (),
        resume: str | os.PathLike[str] | None = None, **columns: Any,
    ) -> AdSeriesForecaster:  # fmt: skip
        """Train on a ``SeriesSet``, on what ``SeriesSet.from_arrays`` takes, or on a table.

        A table is what ``fastdl.data.series.read_series`` takes (a path, a pandas or polars frame
        ...), with its options, such as ``fit(frame, time="hour", value="clicks",
        series_id="campaign")``. callbacks go to the Trainer; ``resume`` goes on from a
        ``Checkpoint``'s folder. y is not used.

        Raises ValueError and TypeError for parameters out of range, and for series that cannot be
        trained on, with the series and row.
        """
        from ..forecasting.training import train_forecaster

        series, recipe = as_series(data, columns), self.recipe()
        found, history = train_forecaster(
            recipe, series, generator(self.random_state), callbacks=callbacks, resume=resume,
            verbose=bool(self.verbose),
        )  # fmt: skip
        self.forecaster_, self.history_, self.series_ = found, history, series
        return self

    def predict(
        self, data: Any = None, horizon: int | None = None,
        quantiles: Sequence[float] = QUANTILES, **columns: Any,
    ) -> Forecast:  # fmt: skip
        """What comes behind the last step of each series; by default of those of ``fit``.

        data: as in ``fit``. horizon: up to the one of training; of an autoregressive model any.
        """
        self._check_fitted()
        series = self.series_ if data is None else as_series(data, columns)
        if series is None:
            raise ValueError("A loaded forecaster has no series; pass those to forecast.")
        return self.forecaster_.predict(series, horizon, quantiles)

    def backtest(
        self, data: Any, folds: int | BacktestFolds = 5, *, baselines: bool = True,
        refit: bool = False, quantiles: Sequence[float] = QUANTILES, **columns: Any,
    ) -> dict[str, Backtest]:  # fmt: skip
        """Forecasts at moving origins, by name: this model's first, then the baselines'.

        A copy with the same parameters is fitted on what was known before the first origin, with
        ``refit`` anew before each. folds: how many, ``horizon`` steps apart, or a
        ``BacktestFolds``.
        """
        from ..data.series import BacktestFolds
        from ..forecasting import backtest
        from ..forecasting import baselines as usual

        series = as_series(data, columns)
        if isinstance(folds, int):
            folds = BacktestFolds(self.horizon, folds=folds)
        models: list[Forecaster] = [type(self)(**self.get_params())]
        models += usual() if baselines else []
        return {
            model.name: backtest(model, series, folds, quantiles, refit) for model in models
        }  # fmt: skip

    def recipe(self) -> Recipe:
        """The parameters, checked."""
        from ..forecasting.training import Recipe

        options = self.model_options
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"model_options is {options!r}; expected a dict of options.")
        own = {k: v for k, v in self.get_params().items() if k not in ("random_state", "verbose")}
        return Recipe(**{**own, "model_options": dict(options or {})})

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write network, windows, calibration and parameters into a folder; not the series."""
        from ..forecasting.files import write_forecaster

        self._check_fitted()
        write_forecaster(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> AdSeriesForecaster:
        """The forecaster of a folder by ``save`` or by ``fastdl forecast``.

        Raises FileNotFoundError, and ValueError for files that are damaged or do not belong
        together.
        """
        from ..forecasting.files import read_forecaster

        return read_forecaster(cls, folder)


def as_series(data: Any, columns: Mapping[str, Any] | None = None) -> SeriesSet:
    """A ``SeriesSet`` as it is, arrays or a table as one."""
    import numpy as np

    from ..data.series import SeriesSet, read_series

    if isinstance(data, SeriesSet):
        if columns:
            raise TypeError(f"A SeriesSet has its columns; got {', '.join(columns)} beside it.")
        return data
    if isinstance(data, np.ndarray) or (
        isinstance(data, list | tuple) and len(data) and not isinstance(data[0], str | os.PathLike)
    ):
        return SeriesSet.from_arrays(data, **(columns or {}))
    return read_series(data, **(columns or {}))
