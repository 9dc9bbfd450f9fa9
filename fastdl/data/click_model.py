"""The world behind a generated ad log: how columns are distributed, and when a user clicks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .ids import IdField

if TYPE_CHECKING:
    from pyarrow import Table

BEST_AUC = 0.81  # of the true probabilities; real ad logs are about as hard
CROWD = 32  # ids of a column that pairwise effects tell apart; rarer ones act as one
_SHARES = (0.4, 0.4, 0.1, 0.1)  # of the logit's variance: counts, ids, pairs of ids, count and id
_CALIBRATION_ROWS = 32768
_WORLD, _ROWS, _CALIBRATION = range(3)  # what a random stream is for


@dataclass(frozen=True)
class Recipe:
    """The options of a generated log that its rows depend on."""

    seed: int
    numeric: int
    categorical: int
    cardinality: int
    click_rate: float
    missing: float


@dataclass(frozen=True)
class CountField:
    """A numeric column: floor(exp(center + width z)), z normal, with a share of gaps."""

    center: float
    width: float
    absent: float
    slope: float
    bend: float

    def draw(self, normal: Any, gaps: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Counts (rows,) and whether they are absent (rows,)."""
        z = normal.standard_normal(rows)
        return np.floor(np.exp(self.center + self.width * z)), gaps.random(rows) < self.absent

    def score(self, count: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """A smooth bounded function of the logarithm of what the reader of the log sees."""
        u = (np.log1p(count) - self.center) / self.width
        bell = 1 / (1 + u * u)
        return np.where(absent, 0.0, self.slope * u * np.sqrt(bell) + self.bend * (bell - 0.6))


class ClickModel:
    """Draws rows and knows their click probabilities.

    logit = intercept + scale (counts + ids + pairs of ids + products of a count and an id). Each
    group has a fixed share of the variance; scale and intercept are found on rows of a stream of
    their own, so that they depend on the recipe alone.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        world = _stream(recipe.seed, _WORLD)
        gaps = _spread(world, recipe.numeric) * 2 * recipe.missing
        self.counts = [
            CountField(0.5 + 3 * center, 0.6 + width, float(gap), *world.uniform(-1, 1, 2))
            for gap, (center, width) in zip(gaps, world.random((recipe.numeric, 2)), strict=True)
        ]
        gaps = _spread(world, recipe.categorical) * 2 * recipe.missing
        self.ids = [
            IdField(size, float(gap), world.uniform(0.2, 1.2), *world.integers(2**32, size=2))
            for gap, size in zip(gaps, _sizes(recipe), strict=True)
        ]
        n_ids, n_counts = len(self.ids), len(self.counts)
        order = world.permutation(n_ids)
        self.pairs = [(a, b, _table(world, 2)) for a, b in zip(order[:4], order[1:5], strict=False)]
        mixed = zip(world.permutation(n_counts)[:3], order[::-1][:3], strict=False)
        self.mixed = [(a, b, _table(world, 1)) for a, b in mixed]
        self.factors, self.intercept = np.ones(4), 0.0
        self._calibrate()

    def table(self, block: int, rows: int) -> Table:
        """The first ``rows`` rows of a block."""
        import pyarrow as pa

        parts, counts, ids = self._draw(_ROWS, block, rows)
        probability = _sigmoid(self.factors @ parts + self.intercept)
        streams = self._streams(_ROWS, block)
        label = (streams(0).random(rows) < probability).astype(np.int8)
        columns: dict[str, Any] = {"label": label, "click_probability": probability}
        columns |= {f"I{i}": pa.array(c, mask=absent) for i, (c, absent) in enumerate(counts, 1)}
        columns |= {f"C{i}": column for i, column in enumerate(ids, 1)}
        return pa.table(columns)

    def _streams(self, purpose: int, block: int) -> Any:
        return lambda column: _stream(self.recipe.seed, purpose, block, column)

    def _draw(
        self, purpose: int, block: int, rows: int
    ) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]], list[Any]]:
        """The logit's parts (4, rows), the counts, and the ids as pyarrow arrays.

        Every column has streams of its own: fewer rows are then the beginning of more rows.
        """
        stream = self._streams(purpose, block)
        parts = np.zeros((4, rows))
        counts, scores, columns, crowds = [], [], [], []
        for i, count_field in enumerate(self.counts):
            count, absent = count_field.draw(stream(3 * i + 1), stream(3 * i + 2), rows)
            scores.append(count_field.score(count, absent))
            parts[0] += scores[-1]
            counts.append((count, absent))
        for i, id_field in enumerate(self.ids):
            ids = id_field.draw(stream(3 * i + 3), rows)
            effect, column = id_field.effect_and_column(ids)
            parts[1] += effect
            columns.append(column)
            crowds.append(np.minimum(ids, CROWD - 1) + 1)  # 0 is missing
        for a, b, table in self.pairs:
            parts[2] += table[crowds[a], crowds[b]]
        for a, b, table in self.mixed:
            parts[3] += scores[a] * table[crowds[b]]
        return parts, counts, columns

    def _calibrate(self) -> None:
        parts = self._draw(_CALIBRATION, 0, _CALIBRATION_ROWS)[0]
        std = parts.std(axis=1)
        self.factors = np.sqrt(_SHARES) / np.where(std > 0, std, np.inf)
        logit = np.sort(self.factors @ parts)
        rate = self.recipe.click_rate
        few = logit[::8]
        low, high = 0.0, 8.0  # more would make clicks certain, whatever the columns
        for _ in range(20):
            scale = (low + high) / 2
            p = _sigmoid(scale * few + _intercept(scale * few, rate))
            low, high = (scale, high) if _best_auc(p) < BEST_AUC else (low, scale)
        self.factors *= scale
        self.intercept = _intercept(scale * logit, rate)


@functools.lru_cache(maxsize=8)
def click_model(recipe: Recipe) -> ClickModel:
    """The recipe's model; the last few are kept, for calibration costs more than a small log."""
    return ClickModel(recipe)


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=key)))


def _spread(rng: np.random.Generator, n: int) -> np.ndarray:
    """n numbers spread evenly over 0 to 1 in random order: their mean is exactly 1/2."""
    return (rng.permutation(n) + 0.5) / max(n, 1)


def _sizes(recipe: Recipe) -> list[int]:
    """Ids of each category column, from a few to about a third of all, in a mixed order."""
    n = recipe.categorical
    weights = np.exp(np.linspace(0, np.log(max(recipe.cardinality, 2)), n) * 0.85)
    sizes = np.maximum(2, np.round(weights / weights.sum() * recipe.cardinality))
    return [int(size) for size in np.random.default_rng(n).permutation(sizes)]


def _table(rng: np.random.Generator, ids: int) -> np.ndarray:
    """Effects of one id or of a pair of ids; none where one is missing (index 0)."""
    table = rng.standard_normal((CROWD + 1,) * ids)
    table[0] = 0
    if ids == 2:
        table[:, 0] = 0
    return table


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _intercept(logit: np.ndarray, rate: float) -> float:
    """The number to add to logits to make the mean probability ``rate``, by bisection."""
    low = float(np.log(rate / (1 - rate)) - logit.max())
    high = float(np.log(rate / (1 - rate)) - logit.min())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(logit + middle).mean() < rate else (low, middle)
    return (low + high) / 2


def _best_auc(p: np.ndarray) -> float:
    """The expected AUC of ascending true probabilities; equal ones count as ordered."""
    not_clicked = np.cumsum(1 - p)
    return float(np.sum(p[1:] * not_clicked[:-1]) / (p.sum() * not_clicked[-1]))
