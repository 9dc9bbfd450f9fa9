"""What a forecast is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..data.series.frequency import Frequency
from ..data.series.generate import COLUMNS
from ..data.series.resample import HOW
from ..options import Options, listed_names
from ..validation import check_number, check_size

if TYPE_CHECKING:
    from ..estimators.series_forecaster import AdSeriesForecaster

_NAMES = ("value", "series_id", "known", "past", "static")
_COUNTS = ("context", "folds", "step", "season")  # None: found from the series


@dataclass(frozen=True)
class ForecastJob(Options):
    """What ``fastdl forecast`` is asked for; the defaults are the command's."""

    may_change: ClassVar = ("anomaly_threshold",)

    data: str | None = None  # CSV, TSV or Parquet; None: generated ad series
    format: str | None = None
    time: str | None = None
    value: tuple[str, ...] = ()  # several: a wide table
    series_id: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    frequency: str | None = None
    resample: str | None = None
    how: str = "mean"
    fill: str | float | None = None
    time_format: str | None = None
    time_zone: str | None = None
    sort: bool = False
    on_error: str = "stop"  # or "skip" bad rows and series, which are counted
    accounts: int = 10  # of generated series
    steps: int = 1000
    figure: str = "clicks"
    horizon: int = 24
    model: str = "direct"
    context: int | None = None
    encoder: str = "lstm"
    hidden: int = 64
    num_layers: int = 1
    dropout: float = 0.0
    head: str | None = None
    scaling: str | None = None
    attention: bool = False
    linear: bool = True
    embed_ids: bool = False
    model_options: Mapping[str, Any] | None = None
    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.003
    patience: int = 3
    validation_fraction: float = 0.2
    windows_per_epoch: int | None = None
    conformal: bool = True
    folds: int | None = None
    step: int | None = None
    season: int | None = None
    refit: bool = True
    allow_negative: bool = False
    anomaly_threshold: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        self.check_choices(on_error=("stop", "skip"), how=HOW, figure=COLUMNS,
                           model=("direct", "autoregressive"))  # fmt: skip
        for name in ("horizon", "accounts", "steps", "epochs", "batch_size", "patience"):
            check_size(getattr(self, name), name)
        for name in _COUNTS:
            if getattr(self, name) is not None:
                check_size(getattr(self, name), name)
        for name in ("frequency", "resample"):
            if getattr(self, name) is not None:
                Frequency.of(getattr(self, name))
        if self.frequency is not None and self.resample is not None:
            raise ValueError("frequency and resample are given; expected one of them.")
        if self.fill is not None and self.resample is None and self.data is not None:
            raise ValueError("fill is for resample, which is not given; pass --resample too.")
        check_number(self.anomaly_threshold, "anomaly_threshold", open_low=True)

    @property
    def source(self) -> str:
        """What the series come from, in a few words."""
        return self.data or "generated ad series"

    def estimator(self) -> AdSeriesForecaster:
        """The forecaster, not fitted; ValueError and TypeError for parameters out of range."""
        from ..estimators.series_forecaster import AdSeriesForecaster

        options: dict[str, Any] = dict(self.model_options or {})
        if self.model == "direct":
            options = {"attention": self.attention, "linear": self.linear} | options
        elif self.attention or not self.linear:
            raise ValueError("attention and linear are parts of the direct model.")
        own = {
            name: getattr(self, name)
            for name in AdSeriesForecaster._parameter_defaults()
            if hasattr(self, name) and name != "model_options"
        }
        made = AdSeriesForecaster(**own, model_options=options, random_state=self.seed)
        made.recipe()
        return made

    @classmethod
    def checked(cls, name: str, value: Any, usual: Any) -> Any:
        if name in _NAMES:
            return names(value, name)
        if value is not None and name in (*_COUNTS, "windows_per_epoch"):
            return Options.checked(name, value, 1)
        if name == "fill" and value is not None:
            return _fill(value)
        return Options.checked(name, value, usual)


def names(given: Any, option: str) -> tuple[str, ...]:
    """Names of columns, from a list or from text such as "hour, budget"; TypeError."""
    if given is None:
        return ()
    found = listed_names(given, option, "columns such as 'budget,promotion'")
    return tuple(name for name in found if name)


def _fill(given: Any) -> str | float:
    if given in ("previous", "interpolate"):
        return str(given)
    try:
        return float(given)
    except (TypeError, ValueError):
        raise ValueError(
            f"fill is {given!r}; expected 'previous', 'interpolate' or a number."
        ) from None
