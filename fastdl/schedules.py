"""Learning-rate schedules: the rate of every optimizer step.

All lengths are in optimizer steps; who thinks in epochs multiplies by the steps per epoch. Rates
come from scalar arithmetic of the step alone, so that training that is resumed at any step sees
the same bits as training that was not interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Schedule:
    """What all schedules share; a schedule of your own overrides ``_at``."""

    def rate(self, step: int) -> float:
        """Learning rate of the 0-based optimizer step ``step``.

        >>> CosineDecay(0.1, total_steps=10).rate(5)
        0.05
        """
        return self._at(_integer(self, "step", step, 0))

    def rates(self, start: int, stop: int) -> NDArray[np.float64]:
        """Rates of the steps start, ..., stop - 1 as a (stop - start,) array.

        >>> StepDecay(0.5, step_size=2, gamma=0.5).rates(1, 5).tolist()
        [0.5, 0.25, 0.25, 0.125]
        """
        start = _integer(self, "start", start, 0)
        stop = _integer(self, "stop", stop, start)
        return np.fromiter(map(self._at, range(start, stop)), np.float64, stop - start)

    @property
    def watched(self) -> str:
        """The column of the Trainer's history that ``update`` is given."""
        return "val_loss"

    def update(self, metric: float) -> None:
        """Tell the schedule an epoch's metric; only ReduceOnPlateau acts on it."""

    def state(self) -> dict[str, Any]:
        """What changed since construction, as a dict for JSON; empty where nothing can."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state`` returned; ValueError where the state is another schedule's."""
        _require_keys(self, "state", state, set())

    def describe(self) -> dict[str, Any]:
        """Class name and configuration as a dict for JSON; ``from_description`` reverses it.

        >>> Constant(0.1).describe()
        {'class': 'Constant', 'config': {'lr': 0.1}}
        """
        # A class of the user's may be no dataclass; it is described by its name alone.
        options: list[str] = [f.name for f in fields(self) if f.init] if is_dataclass(self) else []
        config = {name: getattr(self, name) for name in options}
        return {"class": type(self).__name__, "config": config}

    def _at(self, step: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _at(step).")


@dataclass
class Constant(Schedule):
    """The same rate in every step.

    >>> Constant(0.01).rate(1000)
    0.01
    """

    lr: float

    def __post_init__(self) -> None:
        self.lr = _positive(self, "lr", self.lr)

    def _at(self, step: int) -> float:
        return self.lr


@dataclass
class StepDecay(Schedule):
    """rate = lr gamma^floor(step / step_size), as torch.optim.lr_scheduler.StepLR.

    >>> schedule = StepDecay(0.1, step_size=100)
    >>> schedule.rate(99), round(schedule.rate(100), 9)
    (0.1, 0.01)
    """

    lr: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        self.lr = _positive(self, "lr", self.lr)
        self.step_size = _integer(self, "step_size", self.step_size, 1)
        self.gamma = _positive(self, "gamma", self.gamma)
        if self.gamma > 1:
            raise ValueError(f"StepDecay: gamma must be at most 1, got {self.gamma}.")

    def _at(self, step: int) -> float:
        return self.lr * self.gamma ** (step // self.step_size)


@dataclass
class CosineDecay(Schedule):
    """Half a cosine from lr in step 0 to ``minimum`` in step ``total_steps`` and from then on.

    rate = minimum + (lr - minimum) (1 + cos(pi step / total_steps)) / 2 (Loshchilov and Hutter
    2017, SGDR: stochastic gradient descent with warm restarts, equation 5, without restarts).

    >>> CosineDecay(0.1, total_steps=4, minimum=0.02).rates(0, 6).round(4).tolist()
    [0.1, 0.0883, 0.06, 0.0317, 0.02, 0.02]
    """

    lr: float
    total_steps: int
    minimum: float = 0.0

    def __post_init__(self) -> None:
        self.lr = _positive(self, "lr", self.lr)
        self.total_steps = _integer(self, "total_steps", self.total_steps, 1)
        self.minimum = _minimum(self, self.minimum, self.lr)

    def _at(self, step: int) -> float:
        if step >= self.total_steps:
            return self.minimum
        share = (1 + math.cos(math.pi * step / self.total_steps)) / 2
        return self.minimum + (self.lr - self.minimum) * share


@dataclass
class WarmUp(Schedule):
    """A straight line from ``start`` to the first rate of ``schedule``, which then begins.

    rate = start + (schedule.rate(0) - start) step / steps for step < steps, after that
    schedule.rate(step - steps): the wrapped schedule counts from the end of the warm-up. This is
    PyTorch's SequentialLR of a LinearLR and the schedule, with ``start`` a rate and not a factor.
    With ``start=0`` step 0 changes nothing.

    >>> WarmUp(Constant(0.4), steps=4).rates(0, 6).round(9).tolist()
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.4]
    """

    schedule: Schedule
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.schedule, Schedule):
            raise TypeError(
                f"WarmUp: schedule must be a Schedule, got {type(self.schedule).__name__}. "
                "For a constant rate write WarmUp(Constant(lr), steps)."
            )
        self.steps = _integer(self, "steps", self.steps, 1)
        self.start = _not_negative(self, "start", self.start)

    def _at(self, step: int) -> float:
        if step >= self.steps:
            return self.schedule._at(step - self.steps)
        return self.start + (self.schedule._at(0) - self.start) * (step / self.steps)

    @property
    def watched(self) -> str:
        return self.schedule.watched

    def update(self, metric: float) -> None:
        self.schedule.update(metric)

    def state(self) -> dict[str, Any]:
        return {"schedule": self.schedule.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        _require_keys(self, "state", state, {"schedule"})
        self.schedule.load_state(state["schedule"])

    def describe(self) -> dict[str, Any]:
        config = {"schedule": self.schedule.describe(), "steps": self.steps, "start": self.start}
        return {"class": "WarmUp", "config": config}


# columns of the history that can be watched, by early stopping too, and which way is better
MONITORS = {"val_loss": "min", "loss": "min", "val_accuracy": "max", "val_auc": "max"}


@dataclass
class ReduceOnPlateau(Schedule):
    """Multiplies the rate by ``factor`` when the epoch's metric has stopped improving.

    ``update(metric)`` is called once an epoch. A metric is better where it beats the best one by
    ``threshold`` ("rel": its share of the best, "abs": its size); more than ``patience`` epochs
    in a row without a better one reduce the rate, not below ``minimum``, and ``cooldown`` epochs
    after that are not counted. A change of at most ``eps`` is not made. The same rules as
    torch.optim.lr_scheduler.ReduceLROnPlateau, except that NaN and infinity are a ValueError.

    ``monitor`` is the column of the Trainer's history that it is given: "val_loss" (without
    validation data the loss), "val_auc" or "val_accuracy". ``mode`` says whether "min" or "max" is
    better; by default that follows from monitor.

    >>> schedule = ReduceOnPlateau(0.1, factor=0.5, patience=1)
    >>> for loss in (0.7, 0.6, 0.6, 0.6):
    ...     schedule.update(loss)
    >>> schedule.rate(4000)
    0.05
    """

    lr: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    minimum: float = 0.0
    mode: str | None = None
    eps: float = field(default=1e-8, kw_only=True)
    monitor: str = field(default="val_loss", kw_only=True)
    _rate: float = field(init=False, repr=False)
    _best: float | None = field(init=False, repr=False, default=None)
    _bad_epochs: int = field(init=False, repr=False, default=0)
    _cooldown_left: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        self.lr = self._rate = _positive(self, "lr", self.lr)
        self.factor = _positive(self, "factor", self.factor)
        if self.factor >= 1:
            raise ValueError(f"ReduceOnPlateau: factor must be below 1, got {self.factor}.")
        self.patience = _integer(self, "patience", self.patience, 0)
        self.threshold = _not_negative(self, "threshold", self.threshold)
        self.cooldown = _integer(self, "cooldown", self.cooldown, 0)
        self.minimum = _minimum(self, self.minimum, self.lr)
        self.eps = _not_negative(self, "eps", self.eps)
        if self.monitor not in MONITORS:
            raise ValueError(
                f"ReduceOnPlateau: monitor must be one of {', '.join(MONITORS)}, "
                f"got {self.monitor!r}."
            )
        self.mode = MONITORS[self.monitor] if self.mode is None else self.mode
        for name, allowed in (("threshold_mode", ("rel", "abs")), ("mode", ("min", "max"))):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f'ReduceOnPlateau: {name} must be "{allowed[0]}" or "{allowed[1]}", '
                    f"got {getattr(self, name)!r}."
                )

    def _at(self, step: int) -> float:
        return self._rate

    @property
    def watched(self) -> str:
        return self.monitor

    def update(self, metric: float) -> None:
        metric = _finite(self, "metric", metric)
        if self._is_better(metric):
            self._best, self._bad_epochs = metric, 0
        else:
            self._bad_epochs += 1
        if self._cooldown_left > 0:
            self._cooldown_left -= 1
            self._bad_epochs = 0
        if self._bad_epochs > self.patience:
            reduced = max(self._rate * self.factor, self.minimum)
            if self._rate - reduced > self.eps:
                self._rate = reduced
            self._cooldown_left, self._bad_epochs = self.cooldown, 0

    def _is_better(self, metric: float) -> bool:
        if self._best is None:
            return True
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * metric > sign * self._best * (1 + sign * self.threshold)
        return sign * metric > sign * self._best + self.threshold

    def state(self) -> dict[str, Any]:
        return {
            "rate": self._rate,
            "best": self._best,
            "bad_epochs": self._bad_epochs,
            "cooldown_left": self._cooldown_left,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        _require_keys(self, "state", state, {"rate", "best", "bad_epochs", "cooldown_left"})
        rate = _not_negative(self, "state's rate", state["rate"])
        best = state["best"]
        best = None if best is None else _finite(self, "state's best", best)
        bad_epochs = _integer(self, "state's bad_epochs", state["bad_epochs"], 0)
        self._cooldown_left = _integer(self, "state's cooldown_left", state["cooldown_left"], 0)
        self._rate, self._best, self._bad_epochs = rate, best, bad_epochs


_REGISTRY: dict[str, type[Schedule]] = {
    c.__name__: c for c in (Constant, StepDecay, CosineDecay, WarmUp, ReduceOnPlateau)
}


def from_description(description: Mapping[str, Any]) -> Schedule:
    """The schedule that ``describe`` described, in its first state; follow with ``load_state``.

    ValueError for an unknown class, TypeError or ValueError for a configuration it does not take.

    >>> from_description({"class": "Constant", "config": {"lr": 0.1}})
    Constant(lr=0.1)
    """
    _require_keys("from_description", "description", description, {"class", "config"})
    name, config = description["class"], description["config"]
    if not isinstance(name, str) or name not in _REGISTRY:
        raise ValueError(f"Unknown schedule {name!r}; known are {', '.join(_REGISTRY)}.")
    if not isinstance(config, Mapping):
        raise TypeError(f"{name}: config must be a dict, got {type(config).__name__}.")
    known = {f.name for f in fields(_REGISTRY[name]) if f.init}  # type: ignore[arg-type]
    if unknown := set(config) - known:
        raise ValueError(f"{name} has no option {sorted(unknown)}; it has {sorted(known)}.")
    if name == "WarmUp" and "schedule" in config:
        config = {**config, "schedule": from_description(config["schedule"])}
    return _REGISTRY[name](**config)


# ------------------------------------------------------------------------ checks
def _finite(owner: object, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{_name(owner)}: {name} must be a number, got {value!r}.")
    if not math.isfinite(value):
        raise ValueError(f"{_name(owner)}: {name} must be finite, got {value!r}.")
    return float(value)


def _positive(owner: object, name: str, value: Any) -> float:
    value = _finite(owner, name, value)
    if value <= 0:
        raise ValueError(f"{_name(owner)}: {name} must be above 0, got {value!r}.")
    return value


def _not_negative(owner: object, name: str, value: Any) -> float:
    value = _finite(owner, name, value)
    if value < 0:
        raise ValueError(f"{_name(owner)}: {name} must not be negative, got {value!r}.")
    return value


def _minimum(owner: object, value: Any, lr: float) -> float:
    value = _not_negative(owner, "minimum", value)
    if value > lr:
        raise ValueError(f"{_name(owner)}: minimum {value} must not be above lr {lr}.")
    return value


def _integer(owner: object, name: str, value: Any, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{_name(owner)}: {name} must be an int, got {value!r}.")
    if value < low:
        raise ValueError(f"{_name(owner)}: {name} must be {low} or more, got {value!r}.")
    return int(value)


def _require_keys(owner: object, name: str, given: Any, expected: set[str]) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f"{_name(owner)}: {name} must be a dict, got {type(given).__name__}.")
    if set(given) != expected:
        raise ValueError(
            f"{_name(owner)}: {name} must have the keys {sorted(expected)}, got {sorted(given)}."
        )


def _name(owner: object) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__
