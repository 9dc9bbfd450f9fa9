"""A trained forecaster with what it needs to look at further series, in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..checkpoint import load, save
from ..data.series.checks import check_known
from ..data.series.frequency import Frequency
from ..data.series.series_set import SeriesSet
from ..data.series.static import Static
from ..data.series.stream import WindowStream
from ..data.series.windows import WindowBatch, WindowMaker
from ..files import read_described, write_described
from ..models.series import AutoregressiveForecaster, ForecastModel
from ..network import evaluation
from ..runs import MODEL, SERIES, require_complete
from ..validation import check_size
from .conformal import level_margin
from .forecast import LEVELS, Forecast
from .heads import head_point, head_quantiles

_BLOCK = 256  # windows that are forecast together
_SEASONS = 6  # newest seasons (or horizons) whose windows say how far quantiles are off
_WINDOWS = {False: 2048, True: 256}  # at most, of direct and of autoregressive networks
_LEAST = 20  # windows; fewer say too little
UNKNOWN = 0  # the code of categories that were not there in training
IDS = "series id"  # the static category that the series' own names are


@dataclass(frozen=True, eq=False)
class SeriesPreparation:
    """How series become a network's windows.

    classes: of each static category the values that were there in training, in the order of their
    codes from 1 on. center, factor: of the static numbers, (F,). trained_until: the first step that
    was not trained on, a tick (``Frequency.ticks``).
    """

    maker: WindowMaker
    frequency: str
    known_names: tuple[str, ...]
    past_names: tuple[str, ...]
    number_names: tuple[str, ...]
    classes: dict[str, tuple[str, ...]]
    center: np.ndarray
    factor: np.ndarray
    trained_until: int

    @classmethod
    def of(
        cls, series: SeriesSet, maker: WindowMaker, embed_ids: bool, trained_until: int
    ) -> SeriesPreparation:
        """What the series to train on tell."""
        static = series.static
        classes = dict(zip(static.code_names, static.classes, strict=True))
        if embed_ids:
            classes[IDS] = tuple(sorted(series.ids))
        std = static.numbers.std(axis=0)
        return cls(
            maker.fit(series), str(series.frequency), series.known_names, series.past_names,
            static.number_names, classes, static.numbers.mean(axis=0),
            1 / np.where(std > 0, std, 1), trained_until,
        )  # fmt: skip

    def prepared(self, series: SeriesSet) -> SeriesSet:
        """The series with static features as the network takes them; ValueError for other ones."""
        static = series.static
        if str(series.frequency) != self.frequency:
            raise ValueError(
                f"The series have the frequency {str(series.frequency)!r}; the forecaster was "
                f"trained on {self.frequency!r}. Resample them."
            )
        for what, own, known in (
            ("known covariates", series.known_names, self.known_names),
            ("past covariates", series.past_names, self.past_names),
            ("static numbers", static.number_names, self.number_names),
            ("static categories", static.code_names, tuple(n for n in self.classes if n != IDS)),
        ):
            if tuple(own) != tuple(known):
                raise ValueError(
                    f"The series have the {what} {', '.join(own) or 'none'}; the forecaster was "
                    f"trained with {', '.join(known) or 'none'}."
                )
        columns = []
        for name, values in self.classes.items():
            place = {value: code + 1 for code, value in enumerate(values)}
            if name == IDS:
                columns.append([place.get(i, UNKNOWN) for i in series.ids])
                continue
            j = static.code_names.index(name)
            table = np.array([place.get(v, UNKNOWN) for v in static.classes[j]] or [0])
            columns.append(table[static.codes[:, j]].tolist())
        codes = np.array(columns, np.int64).reshape(len(columns), len(series)).T
        numbers = ((static.numbers - self.center) * self.factor).astype(np.float32)
        made = Static(numbers, np.ascontiguousarray(codes), static.number_names,
                      tuple(self.classes), tuple(self.classes.values()))  # fmt: skip
        return replace(series, static=made)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many codes each category has."""
        return tuple(len(values) + 1 for values in self.classes.values())

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON holds them."""
        maker = vars(self.maker) | {
            "center": self.maker.center.tolist(), "factor": self.maker.factor.tolist(),
            "dtype": np.dtype(self.maker.dtype).name,
        }  # fmt: skip
        return vars(self) | {
            "maker": maker,
            "center": self.center.tolist(),
            "factor": self.factor.tolist(),
        }

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> SeriesPreparation:
        """What ``to_dict`` told; KeyError, TypeError and ValueError for anything else."""
        maker = dict(known["maker"])
        for name in ("center", "factor"):
            maker[name] = np.array(maker[name], np.float64)
        Frequency.of(known["frequency"])
        return cls(
            WindowMaker(**maker), str(known["frequency"]), tuple(map(str, known["known_names"])),
            tuple(map(str, known["past_names"])), tuple(map(str, known["number_names"])),
            {str(name): tuple(map(str, values)) for name, values in known["classes"].items()},
            np.array(known["center"], np.float32), np.array(known["factor"], np.float32),
            int(known["trained_until"]),
        )  # fmt: skip


class TrainedForecaster:
    """A network, how series become its windows, and how its quantiles are corrected.

    conformal: whether each quantile is moved by how far it was off (``conformal.level_margin``), on
    windows that were not trained on: the newest of the series that are forecast, or, where there
    are too few, those of training, whose ``margins`` (levels,) are kept in units of the windows'
    scales. paths: how many an autoregressive network draws; seed: their randomness.
    """

    def __init__(
        self, network: ForecastModel, preparation: SeriesPreparation, conformal: bool = True,
        paths: int = 200, seed: int = 0, margins: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.network, self.preparation = network, preparation
        self.conformal, self.paths, self.seed = conformal, check_size(paths, "paths"), seed
        self.levels = np.asarray(network.quantiles, np.float64)
        self.margins = np.zeros(len(self.levels)) if margins is None else margins

    @property
    def horizon(self) -> int:
        """Steps that were trained for."""
        return self.network.horizon

    def predict(
        self, series: SeriesSet, horizon: int | None = None, quantiles: Sequence[float] = LEVELS
    ) -> Forecast:
        """What comes behind the last step of each series.

        Raises ValueError for a longer horizon than a direct network was trained for, other
        covariates or another frequency than in training, levels outside of those of a quantile
        head, and known covariates that do not reach far enough.
        """
        H = self.horizon if horizon is None else check_size(horizon, "horizon")
        levels = np.asarray(quantiles, np.float64)
        maker = self._maker(H)
        given = self.preparation.prepared(series)
        check_known(given, H)
        rows = np.arange(len(given))
        windows = maker.make(given, rows, given.length)[0].blind()
        point, found = self.of_windows(windows, levels)
        point, found = point[:, :H], found[:, :H]
        if self.conformal:
            margins = self._margins(given, levels)
            found = found + windows.scale[:, None, None] * margins
        return Forecast.of(series, point, found, levels.tolist())

    def calibrate(self, series: SeriesSet) -> None:
        """Keep how far quantiles were off on the newest windows that were not trained on."""
        scores = self._scores(self.preparation.prepared(series), self.levels)
        self.margins = _margins(scores, self.levels)

    def _maker(self, H: int) -> WindowMaker:
        maker = self.preparation.maker
        if isinstance(self.network, AutoregressiveForecaster):
            return replace(maker, horizon=H)
        if self.horizon < H:
            raise ValueError(
                f"The forecaster was trained for {self.horizon} steps; {H} are asked for. Train it "
                "with a longer horizon."
            )
        return maker

    def of_windows(self, windows: WindowBatch, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(point (B, H), quantiles (B, H, Q)) in the series' units."""
        rng = np.random.default_rng(self.seed)
        parts = [
            self._block(windows[start : start + _BLOCK], levels, rng)
            for start in range(0, len(windows), _BLOCK)
        ]
        return np.concatenate([p for p, _ in parts]), np.concatenate([q for _, q in parts])

    def _block(
        self, windows: WindowBatch, levels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        network, loss = self.network, self.network.loss_layer
        counts = network.head == "negative_binomial"
        if isinstance(network, AutoregressiveForecaster):
            drawn = network.paths(windows, self.paths, rng)
            point = drawn.mean(axis=1)
            found = np.moveaxis(np.quantile(drawn, levels, axis=1), 0, 2)
        else:
            with evaluation(network):
                out = network.distribution(windows)
            scale = windows.scale[:, None]
            point = head_point(loss, out, scale)
            found = head_quantiles(loss, out, levels, scale)
        return (point, found) if counts else (windows.inverse(point), windows.inverse(found))

    def _margins(self, series: SeriesSet, levels: np.ndarray) -> np.ndarray:
        """(Q,): what each quantile is moved by, in units of the windows' scales."""
        scores = self._scores(series, levels)
        if sum(map(len, scores)) >= _LEAST:
            return _margins(scores, levels)
        return np.interp(levels, self.levels, self.margins)

    def _scores(self, series: SeriesSet, levels: np.ndarray) -> list[np.ndarray]:
        """Of each series (windows, H, Q): actual less quantile, in units of the scale.

        Of the newest windows behind what was trained on; NaN where a value is missing.
        """
        first = np.maximum(self.preparation.trained_until - series.ticks, 0)
        unseen = series.cut(series.length, 0, first)
        try:
            stream = WindowStream(unseen, self.preparation.maker)
        except ValueError:  # no window is behind what was trained on
            return []
        most = _WINDOWS[isinstance(self.network, AutoregressiveForecaster)]
        with_some = np.flatnonzero(stream.counts)
        if len(with_some) > most:
            with_some = with_some[np.linspace(0, len(with_some) - 1, most).astype(int)]
        usual = _SEASONS * max(unseen.frequency.season, self.horizon)
        room = np.minimum(stream.counts[with_some], min(usual, most // len(with_some)))
        numbers = np.concatenate([
            np.arange(end - n, end) for end, n in zip(stream.ends[with_some], room, strict=True)
        ])  # fmt: skip
        rows, origins = stream.place_of(numbers)
        windows = stream.maker.make(unseen, rows, origins, stream.calendar)[0].blind()
        at = unseen.first[rows][:, None] + origins[:, None] + np.arange(self.horizon)
        found = self.of_windows(windows, levels)[1]
        scores = (unseen.values[at][..., None] - found) / windows.scale[:, None, None]
        return np.split(scores, np.cumsum(room)[:-1])

    # ------------------------------------------------------------------------ files
    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model.safetensors and series.json into a folder, which is made if needed."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save(self.network, folder / MODEL)
        write_described(folder / SERIES, {
            **self.preparation.to_dict(),
            "conformal": self.conformal, "paths": self.paths, "seed": self.seed,
            "margins": self.margins.tolist(),
        })  # fmt: skip

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TrainedForecaster:
        """The forecaster of a folder.

        Raises FileNotFoundError where files are missing, ValueError for those that are damaged or
        do not belong together.
        """
        folder = Path(folder)
        require_complete(folder, SERIES)
        network = load(folder / MODEL)
        if not isinstance(network, ForecastModel):
            raise ValueError(f"{folder / MODEL} holds a {type(network).__name__}, no forecaster.")

        def whole(known: dict[str, Any]) -> TrainedForecaster:
            preparation = SeriesPreparation.from_dict(known)
            margins = np.array(known["margins"], np.float64).reshape(len(network.quantiles))
            return cls(network, preparation, bool(known["conformal"]), int(known["paths"]),
                       int(known["seed"]), margins)  # fmt: skip

        return read_described(folder / SERIES, whole, "; train again.")


def _margins(scores: list[np.ndarray], levels: np.ndarray) -> np.ndarray:
    """(Q,) from scores (windows, H, Q) of each series."""
    return np.array([
        level_margin([own[..., j] for own in scores], level)
        for j, level in enumerate(levels.tolist())
    ])  # fmt: skip


def is_forecast_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a forecaster."""
    return (Path(folder) / SERIES).is_file()
