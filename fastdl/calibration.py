"""Probabilities that mean what they say: calibration after training, and sampled negatives.

A calibrator is fitted on rows that the model was not trained on, and maps its probabilities to
better ones. ``CTRModel.calibrate`` fits one and keeps it with the model.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .kernels.backend import ops
from .layers import Sigmoid
from .metrics.checks import Data, Floats, check, column, require_both_classes
from .validation import check_number

registry: dict[str, type[Calibrator]] = {}

_STEPS = 100  # of Newton's method; about ten are needed


class Calibrator:
    """Base: ``fit`` on labels and probabilities, then ``predict`` for probabilities."""

    fitted: ClassVar[tuple[str, ...]] = ()  # attributes that ``fit`` sets

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        registry[cls.__name__] = cls

    def fit(
        self, label: ArrayLike, probability: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Calibrator:
        """Learn the map from label (N,) of 0 and 1 and probability (N,); returns itself.

        Raises ValueError where a class is missing, and what metrics raise.
        """
        data = check(label, probability, sample_weight)
        weights = np.ones(len(data.y)) if data.w is None else data.w
        clicks = float(np.sum(weights * data.y))
        require_both_classes(clicks, float(np.sum(weights)) - clicks, data.w is not None)
        self._fit(data, weights)
        return self

    def predict(self, probability: ArrayLike) -> Floats:
        """Calibrated probabilities (N,), float64."""
        p = column("probability", probability).astype(np.float64)
        if not (p.min() >= 0 and p.max() <= 1):
            raise ValueError("probability must be in [0, 1]; give probabilities, not logits.")
        if any(not hasattr(self, name) for name in self.fitted):
            raise ValueError(f"This {type(self).__name__} is not fitted; call fit first.")
        return self._predict(p)

    def to_dict(self) -> dict[str, Any]:
        """The fitted map as JSON can hold it."""
        found = {name: getattr(self, name) for name in self.fitted}
        return {
            "class": type(self).__name__,
            **{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in found.items()},
        }

    @staticmethod
    def from_dict(known: dict[str, Any]) -> Calibrator:
        """The calibrator that ``to_dict`` described."""
        kind = registry.get(str(known.get("class")))
        if kind is None or set(known) != {"class", *kind.fitted}:
            raise ValueError(
                f"{known.get('class')!r} with {sorted(set(known) - {'class'})} is no calibrator; "
                f"known are {', '.join(registry)}."
            )
        found = kind.__new__(kind)
        for name in kind.fitted:
            value = known[name]
            array = np.asarray(value, np.float64)
            setattr(found, name, array if isinstance(value, list) else float(array))
        return found

    def _fit(self, data: Data, weights: Floats) -> None:
        raise NotImplementedError

    def _predict(self, p: Floats) -> Floats:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PlattScaling(Calibrator):
    """sigmoid(slope logit(p) + shift), fitted by maximum likelihood (Platt 1999).

    Targets are (C + 1) / (C + 2) for clicks and 1 / (O + 2) for the O others, as Platt smooths
    them; by Newton's method (Lin, Lin, Weng 2007, A note on Platt's probabilistic outputs).

    >>> import numpy as np
    >>> p = np.linspace(0.1, 0.9, 9)
    >>> PlattScaling().fit(p > 0.45, p).predict([0.5]) > 0.5
    array([ True])
    """

    fitted = ("slope", "shift")

    slope: float
    shift: float

    def _fit(self, data: Data, weights: Floats) -> None:
        f = _logit(data)
        clicks = float(np.sum(weights * data.y))
        others = float(np.sum(weights)) - clicks
        target = np.where(data.y, (clicks + 1) / (clicks + 2), 1 / (others + 2))
        columns = np.stack([f, np.ones_like(f)])
        start = np.array([0.0, np.log((clicks + 1) / (others + 1))])
        self.slope, self.shift = (float(x) for x in _newton(columns, target, weights, start))

    def _predict(self, p: Floats) -> Floats:
        return Sigmoid().forward(self.slope * _log_odds(p, _EPS) + self.shift)


class TemperatureScaling(Calibrator):
    """sigmoid(logit(p) / temperature): one number, which keeps 0.5 where it is (Guo et al. 2017).

    Above 1 it makes a model that is too sure less so. It cannot correct a wrong mean: for models
    trained on sampled negatives use ``DownsamplingCorrection`` first, or ``PlattScaling``.
    """

    fitted = ("temperature",)

    temperature: float

    def _fit(self, data: Data, weights: Floats) -> None:
        f = _logit(data)
        slope = float(_newton(f[None], data.y.astype(np.float64), weights, np.zeros(1))[0])
        if slope <= 0:
            raise ValueError(
                "Clicks have lower probabilities than the other rows: no temperature mends that. "
                "Are label and probability in the same order?"
            )
        self.temperature = 1 / slope

    def _predict(self, p: Floats) -> Floats:
        return Sigmoid().forward(_log_odds(p, _EPS) / self.temperature)


class IsotonicCalibration(Calibrator):
    """The rising step function nearest to the labels, with straight lines between its steps.

    Zadrozny and Elkan 2002, Transforming classifier scores into accurate multiclass probability
    estimates. It can mend any monotone error, and needs some thousand clicks for it. Below its
    first and above its last row it is constant; it may say 0 or 1.
    """

    fitted = ("x", "y")

    x: Floats
    y: Floats

    def _fit(self, data: Data, weights: Floats) -> None:
        held = weights > 0
        x, place = np.unique(data.p[held].astype(np.float64), return_inverse=True)
        weight = np.bincount(place, weights[held])
        mean = np.bincount(place, weights[held] * data.y[held]) / weight
        y = np.empty_like(mean)
        ops.pool_adjacent_violators(mean, weight, y)
        ends = np.ones(len(y), bool)  # the first and the last of each block say it all
        ends[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
        self.x, self.y = x[ends], y[ends]

    def _predict(self, p: Floats) -> Floats:
        return np.interp(p, self.x, self.y)


class DownsamplingCorrection(Calibrator):
    """p / (p + (1 - p) / keep): probabilities of a model trained on a share ``keep`` of negatives.

    He et al. 2014, Practical lessons from predicting clicks on ads at Facebook, section 6.3. There
    is nothing to fit.

    >>> DownsamplingCorrection(0.1).predict([0.5]).round(4)
    array([0.0909])
    """

    fitted = ("keep",)

    def __init__(self, keep: float) -> None:
        self.keep = check_number(keep, "keep", high=1.0, open_low=True)

    def _fit(self, data: Data, weights: Floats) -> None:
        """Nothing: the share is known."""

    def _predict(self, p: Floats) -> Floats:
        return p / (p + (1 - p) / self.keep)

    def __repr__(self) -> str:
        return f"DownsamplingCorrection({self.keep})"


def downsample_negatives(
    label: ArrayLike, keep: float, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Numbers of the rows to train on: every click, and each other row with probability ``keep``.

    A model trained on them predicts too high; ``DownsamplingCorrection(keep)`` puts that right.

    >>> import numpy as np
    >>> rows = downsample_negatives(np.arange(1000) < 10, 0.1, np.random.default_rng(0))
    >>> len(rows), rows[:10].tolist()
    (97, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    labels = column("label", label)
    check(labels, np.zeros(len(labels), np.float32), None)
    keep = check_number(keep, "keep", high=1.0, open_low=True)
    draw = np.random.random if rng is None else rng.random
    return np.flatnonzero((labels != 0) | (draw(len(labels)) < keep))


METHODS: dict[str, type[Calibrator]] = {
    "platt": PlattScaling, "isotonic": IsotonicCalibration, "temperature": TemperatureScaling,
}  # fmt: skip


def as_calibrator(method: str | Calibrator) -> Calibrator:
    """A calibrator from its short name, or as it is."""
    if isinstance(method, Calibrator):
        return method
    if method not in METHODS:
        raise ValueError(
            f"method is {method!r}; expected {', '.join(map(repr, METHODS))} or a calibrator."
        )
    return METHODS[method]()


# ------------------------------------------------------------------------------ logits
_EPS = float(np.finfo(np.float64).eps)


def _log_odds(p: Floats, eps: float) -> Floats:
    p = np.clip(p, eps, 1 - eps)
    return np.log(p) - np.log1p(-p)


def _logit(data: Data) -> Floats:
    return _log_odds(data.p.astype(np.float64), data.eps)


def _newton(columns: Floats, target: Floats, weights: Floats, start: Floats) -> Floats:
    """Coefficients (k,) of the logistic regression of target (N,) on columns (k, N)."""

    def loss(c: Floats) -> float:
        z = np.sum(c[:, None] * columns, axis=0)
        return float(np.sum(weights * (np.logaddexp(0, z) - target * z)))

    coefficients, now = start, loss(start)
    for _ in range(_STEPS):
        p = Sigmoid().forward(np.sum(coefficients[:, None] * columns, axis=0))
        gradient = np.sum(columns * (weights * (p - target)), axis=1)
        scaled = columns * (weights * p * (1 - p))
        hessian = np.array([[np.sum(a * b) for b in columns] for a in scaled])
        hessian += 1e-12 * np.trace(hessian) * np.eye(len(hessian)) + 1e-300 * np.eye(len(hessian))
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (then := loss(coefficients - size * step)) > now and size > 1e-10:
            size /= 2
        coefficients, before, now = coefficients - size * step, now, then
        if abs(before - now) <= 1e-14 * abs(now) and np.abs(size * step).max() < 1e-9:
            break
    return coefficients
