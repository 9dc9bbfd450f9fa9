"""First values of weights: ``Dense(input_dim, output_dim, initializer=He())``.

An initializer is called with ``(shape, fan_in, fan_out, rng, dtype)`` and returns a new array.
``rng`` is a numpy Generator, or None for NumPy's global state. Values are drawn in float64 and
then cast, so that a float32 network starts from the rounded weights of the float64 one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Function = Callable[[tuple[int, ...], int, int, np.random.Generator | None, np.dtype[Any]], Array]

_zero: list[bool] = []  # not empty: see left_at_zero
_BLOCK = 1 << 18  # values drawn at a time: a large float32 table needs no float64 copy of itself


class Initializer:
    """What all initializers share: checks, the random stream and the cast."""

    def __call__(
        self,
        shape: Sequence[int],
        fan_in: int,
        fan_out: int,
        rng: np.random.Generator | None,
        dtype: DTypeLike,
    ) -> Array:
        """A new C-contiguous array of ``shape`` and ``dtype``.

        ``fan_in`` and ``fan_out`` are the numbers of inputs and outputs that one unit is wired
        to. ValueError for sizes below 1, TypeError for a dtype that is not float or a wrong rng.
        """
        dims = _check_shape(shape)
        for name, value in (("fan_in", fan_in), ("fan_out", fan_out)):
            _check_size(name, value)
        kind = np.dtype(dtype)
        if kind.kind != "f":
            raise TypeError(f"dtype must be a float dtype, got {kind}.")
        if not (rng is None or isinstance(rng, np.random.Generator)):
            raise TypeError(
                f"rng must be None or a numpy Generator, got {type(rng).__name__}. "
                "Make one with np.random.default_rng(seed)."
            )
        return self._make(dims, int(fan_in), int(fan_out), rng, kind)

    def describe(self) -> dict[str, Any]:
        """Class name and configuration as a dict for JSON; ``from_description`` reverses it.

        >>> Xavier().describe()
        {'class': 'Xavier', 'config': {'distribution': 'uniform', 'gain': 1.0}}
        """
        # A class of the user's may be no dataclass; it is described by its name alone.
        options: list[str] = [f.name for f in fields(self)] if is_dataclass(self) else []
        config = {name: getattr(self, name) for name in options}
        return {"class": type(self).__name__, "config": config}

    def _make(
        self,
        shape: tuple[int, ...],
        fan_in: int,
        fan_out: int,
        rng: np.random.Generator | None,
        dtype: np.dtype[Any],
    ) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define _make.")


@dataclass(frozen=True)
class He(Initializer):
    """Variance 2 / ((1 + a^2) fan_in), a = ``negative_slope``: keeps the signal's size under ReLU.

    "normal" draws N(0, variance), "uniform" U(-l, l) with l = sqrt(3 variance) (He et al. 2015,
    Delving deep into rectifiers, equations 10 and 15). He() with rng None is
    ``np.random.randn(*shape) * np.sqrt(2.0 / fan_in)`` bit for bit, as in the original Dense.

    >>> He()((2, 3), 2, 3, np.random.default_rng(1), np.float32).shape
    (2, 3)
    """

    distribution: str = "normal"
    negative_slope: float = 0.0

    def __post_init__(self) -> None:
        _check_distribution(self)
        _set_number(self, "negative_slope")

    def _make(self, shape, fan_in, fan_out, rng, dtype):  # type: ignore[no-untyped-def]
        std = np.sqrt(2.0 / (1.0 + self.negative_slope**2) / fan_in)
        return _spread(self.distribution, float(std), shape, rng, dtype)


@dataclass(frozen=True)
class Xavier(Initializer):
    """Variance gain^2 2 / (fan_in + fan_out): keeps the signal's size forward and backward.

    "uniform" draws U(-l, l) with l = gain sqrt(6 / (fan_in + fan_out)), "normal" N(0, variance)
    (Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural
    networks, equations 12 and 16).

    >>> weights = Xavier()((100, 50), 100, 50, np.random.default_rng(1), np.float64)
    >>> bool(abs(weights).max() <= np.sqrt(6 / 150))
    True
    """

    distribution: str = "uniform"
    gain: float = 1.0

    def __post_init__(self) -> None:
        _check_distribution(self)
        _set_number(self, "gain", above_zero=True)

    def _make(self, shape, fan_in, fan_out, rng, dtype):  # type: ignore[no-untyped-def]
        std = self.gain * math.sqrt(2.0 / (fan_in + fan_out))
        return _spread(self.distribution, std, shape, rng, dtype)


@dataclass(frozen=True)
class Normal(Initializer):
    """N(mean, std^2), whatever the fans.

    >>> Normal(std=0.1)((3,), 3, 1, np.random.default_rng(1), np.float64).round(4).tolist()
    [0.0346, 0.0822, 0.033]
    """

    mean: float = 0.0
    std: float = 0.01

    def __post_init__(self) -> None:
        _set_number(self, "mean")
        _set_number(self, "std", above_zero=True)

    def _make(self, shape, fan_in, fan_out, rng, dtype):  # type: ignore[no-untyped-def]
        draw = np.random.randn if rng is None else rng.standard_normal
        return _fill(lambda n: draw(n) * self.std + self.mean, shape, dtype)


@dataclass(frozen=True)
class Uniform(Initializer):
    """U(low, high), whatever the fans.

    >>> Uniform(0, 1)((3,), 3, 1, np.random.default_rng(1), np.float64).round(4).tolist()
    [0.5118, 0.9505, 0.1442]
    """

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        _set_number(self, "low")
        _set_number(self, "high")
        if not (self.low < self.high and math.isfinite(self.high - self.low)):
            raise ValueError(f"Uniform: low must be below high, got {self.low} and {self.high}.")

    def _make(self, shape, fan_in, fan_out, rng, dtype):  # type: ignore[no-untyped-def]
        draw = np.random.uniform if rng is None else rng.uniform
        return _fill(lambda n: draw(self.low, self.high, n), shape, dtype)


class Custom(Initializer):
    """A function of the user's, with its result checked. Made by ``get_initializer``.

    Only its name is described, since code is not stored: the one that ``from_description``
    returns can be described and saved again, and is a ValueError when called.
    """

    def __init__(self, function: Function | None, name: str) -> None:
        self.function = function
        self.name = name

    def describe(self) -> dict[str, Any]:
        return {"class": "Custom", "config": {"name": self.name}}

    def _make(self, shape, fan_in, fan_out, rng, dtype):  # type: ignore[no-untyped-def]
        if self.function is None:
            raise ValueError(
                f"The initializer {self.name} was a function, which a description does not hold. "
                "Pass the function itself as initializer."
            )
        made = np.asarray(self.function(shape, fan_in, fan_out, rng, dtype))
        if made.shape != shape or made.dtype.kind not in "biuf":
            raise ValueError(
                f"The initializer {self.name} returned shape {made.shape} and dtype {made.dtype}; "
                f"expected numbers of shape {shape}."
            )
        return np.array(made, dtype=dtype, order="C")  # a copy: the function may keep its own


_STRINGS: dict[str, type[Initializer]] = {
    "he": He,
    "xavier": Xavier,
    "normal": Normal,
    "uniform": Uniform,
}
_REGISTRY: dict[str, type[Initializer]] = {c.__name__: c for c in _STRINGS.values()}


def get_initializer(spec: str | Initializer | Function) -> Initializer:
    """The initializer that "he", "xavier", "normal", "uniform", an instance or a function names.

    A function is called with ``(shape, fan_in, fan_out, rng, dtype)``. ValueError for another
    string, TypeError for anything else.

    >>> get_initializer("he")
    He(distribution='normal', negative_slope=0.0)
    """
    if _zero:
        return Custom(lambda shape, fan_in, fan_out, rng, dtype: np.zeros(shape, dtype), "zero")
    expected = '"' + '", "'.join(_STRINGS) + '", an instance such as He(), or a function'
    if isinstance(spec, str):
        if spec not in _STRINGS:
            raise ValueError(f"Unknown initializer {spec!r}; expected {expected}.")
        return _STRINGS[spec]()
    if isinstance(spec, Initializer):
        return spec
    if isinstance(spec, type) and issubclass(spec, Initializer):
        raise TypeError(f"Got the class {spec.__name__}; pass an instance, {spec.__name__}().")
    if not callable(spec) or isinstance(spec, type):
        raise TypeError(f"An initializer must be {expected}; got {spec!r}.")
    return Custom(spec, getattr(spec, "__qualname__", type(spec).__qualname__))


@contextmanager
def left_at_zero() -> Iterator[None]:
    """While it lasts nothing is drawn: for networks whose weights are about to be read."""
    _zero.append(True)
    try:
        yield
    finally:
        _zero.pop()


def from_description(description: Mapping[str, Any]) -> Initializer:
    """The initializer that ``describe`` described.

    ValueError for an unknown class or option, TypeError for a value of the wrong type.

    >>> from_description({"class": "Normal", "config": {"mean": 0.0, "std": 0.1}})
    Normal(mean=0.0, std=0.1)
    """
    if not isinstance(description, Mapping) or set(description) != {"class", "config"}:
        raise ValueError(
            'An initializer\'s description must be {"class": ..., "config": {...}}, '
            f"got {description!r}."
        )
    name, config = description["class"], description["config"]
    if not isinstance(config, Mapping):
        raise TypeError(f"{name}: config must be a dict, got {type(config).__name__}.")
    if name == "Custom" and set(config) == {"name"}:
        return Custom(None, str(config["name"]))
    if not isinstance(name, str) or name not in _REGISTRY:
        raise ValueError(f"Unknown initializer {name!r}; known are {', '.join(_REGISTRY)}.")
    known = {f.name for f in fields(_REGISTRY[name])}  # type: ignore[arg-type]
    if unknown := set(config) - known:
        raise ValueError(f"{name} has no option {sorted(unknown)}; it has {sorted(known)}.")
    return _REGISTRY[name](**config)


# ------------------------------------------------------------------------ drawing and checks
def _spread(
    distribution: str,
    std: float,
    shape: tuple[int, ...],
    rng: np.random.Generator | None,
    dtype: np.dtype[Any],
) -> Array:
    """Values of mean 0 and the given standard deviation."""
    if distribution == "uniform":
        limit = math.sqrt(3.0) * std
        uniform = np.random.uniform if rng is None else rng.uniform
        return _fill(lambda n: uniform(-limit, limit, n), shape, dtype)
    normal = np.random.randn if rng is None else rng.standard_normal
    return _fill(lambda n: normal(n) * std, shape, dtype)


def _fill(draw: Callable[[int], Array], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Draw in C order, a block at a time: the same stream as one call for the whole shape."""
    out = np.empty(shape, dtype)
    flat = out.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        block[...] = draw(block.size)
    return out


def _check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"shape must be a tuple of ints, got {shape!r}.")
    for size in shape:
        _check_size("shape's sizes", size)
    return tuple(int(size) for size in shape)


def _check_size(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an int, got {value!r}.")
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, got {value!r}.")


def _check_distribution(owner: He | Xavier) -> None:
    if owner.distribution not in ("normal", "uniform"):
        raise ValueError(
            f'{type(owner).__name__}: distribution must be "normal" or "uniform", '
            f"got {owner.distribution!r}."
        )


def _set_number(owner: Initializer, name: str, above_zero: bool = False) -> None:
    """Check one option and store it as a plain float, which JSON can hold."""
    value, label = getattr(owner, name), f"{type(owner).__name__}: {name}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{label} must be a number, got {value!r}.")
    if not math.isfinite(value) or (above_zero and value <= 0):
        raise ValueError(
            f"{label} must be finite{' and above 0' if above_zero else ''}, got {value!r}."
        )
    object.__setattr__(owner, name, float(value))
