"""How forecasters are trained: on all series at once, by windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from ..callbacks import Callback, EarlyStopping
from ..data.series.checks import check_series
from ..data.series.series_set import SeriesSet
from ..data.series.split import split_series
from ..data.series.stream import WindowStream
from ..data.series.windows import SCALINGS, WindowMaker
from ..models.series import BY_NAME, DirectForecaster, ForecastModel
from ..optimizers import Adam
from ..schedules import CosineDecay
from ..trainer import Trainer
from ..validation import check_number, check_size
from .linear import LinearWindow
from .trained import SeriesPreparation, TrainedForecaster

_SCALINGS = ("standard", "last_standard")  # tried where none is asked for
_TRIED_ON = 20_000  # windows that a scaling is judged on, at most
WINDOWS_PER_EPOCH = 50_000
_CLIP = 1.0  # the gradients' norm; a window that is nearly constant makes a large one


@dataclass(frozen=True)
class Recipe:
    """What a forecaster is made and trained with: the parameters of ``AdSeriesForecaster``."""

    model: str
    horizon: int
    context: int | None
    encoder: str
    hidden: int
    num_layers: int
    dropout: float
    head: str | None
    quantiles: Sequence[float]
    scaling: str | None
    embed_ids: bool
    epochs: int
    batch_size: int
    lr: float
    patience: int
    validation_fraction: float
    windows_per_epoch: int | None
    conformal: bool
    paths: int
    model_options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.model not in BY_NAME:
            raise ValueError(f"model is {self.model!r}; expected one of {', '.join(BY_NAME)}.")
        if self.scaling is not None and self.scaling not in SCALINGS:
            known = ", ".join(SCALINGS)
            raise ValueError(f"scaling is {self.scaling!r}; expected one of {known}.")
        for name in ("horizon", "epochs", "batch_size", "patience", "paths"):
            check_size(getattr(self, name), name)
        check_number(self.lr, "lr", open_low=True)
        check_number(self.validation_fraction, "validation_fraction", high=1.0, open_high=True)
        if self.counts and self.scaling not in (None, "mean_abs", "none"):
            raise ValueError(
                f"scaling is {self.scaling!r}; counts can be divided, not shifted: expected "
                "'mean_abs' or 'none'."
            )

    @property
    def counts(self) -> bool:
        """Whether values have to be counts."""
        return self.head == "negative_binomial"

    def steps_of_context(self, series: SeriesSet) -> int:
        """The context that is asked for, or two seasons or the horizon, if the series allow it."""
        if self.context is not None:
            return check_size(self.context, "context")
        usual = max(2 * series.frequency.season, self.horizon, 16)
        longest = int(series.length.max()) if len(series) else 0
        return max(1, min(usual, (longest - self.horizon) // 3))


def train_forecaster(
    recipe: Recipe, series: SeriesSet, rng: np.random.Generator, *,
    callbacks: Sequence[Callback] = (), resume: str | PathLike[str] | None = None,
    verbose: bool = False,
) -> tuple[TrainedForecaster, dict[str, list[Any]]]:  # fmt: skip
    """(forecaster, history): trained on the first part of the time, stopped on the last one.

    Raises ValueError for series that cannot be trained on, with the series and row.
    """
    context = recipe.steps_of_context(series)
    check_series(series, context, recipe.horizon, counts=recipe.counts)
    train, held = _parts(recipe, series, context)
    scaling, linear = _scaling(recipe, train, held, context)
    maker = WindowMaker(context, recipe.horizon, scaling)
    until = int((train.ticks + train.length).max())
    preparation = SeriesPreparation.of(train, maker, recipe.embed_ids, until)
    network = make_network(recipe, preparation, train, rng)
    if linear is not None and isinstance(network, DirectForecaster):
        network.start_from_line(*linear)
    history = _fit(recipe, network, preparation, train, held, rng, callbacks, resume, verbose)
    seed = int(rng.integers(1 << 31))
    found = TrainedForecaster(network, preparation, recipe.conformal, recipe.paths, seed)
    if held is not None:
        found.calibrate(held)
    return found, history


def make_network(
    recipe: Recipe, preparation: SeriesPreparation, series: SeriesSet,
    rng: np.random.Generator | None,
) -> ForecastModel:  # fmt: skip
    """The network for such windows, not trained."""
    maker, options = preparation.maker, dict(recipe.model_options)
    season = series.frequency.season
    if recipe.model == "autoregressive" and 1 < season < maker.context:
        options.setdefault("lags", (season,))
    return BY_NAME[recipe.model](
        maker.context, maker.horizon, len(maker.channels(series)),
        unknown=2 + len(preparation.past_names), numbers=len(preparation.number_names),
        categories=preparation.sizes, encoder=recipe.encoder, hidden=recipe.hidden,
        num_layers=recipe.num_layers, dropout=recipe.dropout, head=recipe.head,
        quantiles=tuple(recipe.quantiles), rng=rng, **options,
    )  # fmt: skip


def _parts(
    recipe: Recipe, series: SeriesSet, context: int
) -> tuple[SeriesSet, SeriesSet | None]:  # fmt: skip
    """What to train on, and the end of the time, which says when to stop, if it has a window."""
    share = recipe.validation_fraction
    if share <= 0:
        return series, None
    train, held = split_series(series, shares=(1 - share, share))
    room = (held.length - np.maximum(held.target_from, context) >= recipe.horizon).any()
    learns = (train.length >= context + recipe.horizon).any()
    return (train, held) if room and learns else (series, None)


def _scaling(
    recipe: Recipe, train: SeriesSet, held: SeriesSet | None, context: int
) -> tuple[str, tuple[np.ndarray, np.ndarray] | None]:
    """(scaling, the linear baseline's (weights, errors) for it).

    Where none is asked for, that with which the linear baseline is better on what is held out.
    """
    if recipe.counts:
        return recipe.scaling or "mean_abs", None
    found: dict[str, tuple[float, tuple[np.ndarray, np.ndarray]]] = {}
    for name in _SCALINGS if recipe.scaling is None else (recipe.scaling,):
        model = LinearWindow(context, scaling=name, windows=_TRIED_ON)
        solved = model.solve(train, recipe.horizon)
        error = model.error(held, recipe.horizon, solved) if held is not None else 0.0
        found[name] = error, solved[1:]
    best = min(found, key=lambda name: found[name][0])
    return best, found[best][1]


def _fit(
    recipe: Recipe, network: ForecastModel, preparation: SeriesPreparation, train: SeriesSet,
    held: SeriesSet | None, rng: np.random.Generator, callbacks: Sequence[Callback],
    resume: str | PathLike[str] | None, verbose: bool,
) -> dict[str, list[Any]]:  # fmt: skip
    maker = preparation.maker
    limit = recipe.windows_per_epoch or WINDOWS_PER_EPOCH
    stream = WindowStream(preparation.prepared(train), maker, batches=True)
    if stream.all_rows > limit:
        stream = WindowStream(stream.series, maker, per_epoch=limit, batches=True)
    validation, own = None, list[Callback]()
    if held is not None:
        validation = WindowStream(preparation.prepared(held), maker, batches=True)
        stride = -(-validation.all_rows // _TRIED_ON)
        validation = WindowStream(validation.series, maker, stride=stride, batches=True)
        own.append(EarlyStopping(patience=recipe.patience))
    batch = min(recipe.batch_size, stream.rows)
    steps = recipe.epochs * max(1, stream.rows // batch)
    optimizer = Adam(CosineDecay(recipe.lr, steps), clip_norm=_CLIP)
    trainer = Trainer(network, optimizer)
    trainer.train(
        stream, None, validation, None, recipe.epochs, batch, rng=rng,
        callbacks=[*own, *callbacks], loss_at="before", verbose=verbose, resume=resume,
    )  # fmt: skip
    return trainer.history
