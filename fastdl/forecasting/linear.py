"""A linear model on the window: the baseline that neural forecasters have to beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..data.series.series_set import SeriesSet
from ..data.series.stream import WindowStream
from ..data.series.windows import WindowBatch, WindowMaker
from ..validation import check_number, check_size
from .baseline import error_quantiles
from .forecast import LEVELS, Forecast

_BLOCK = 2048  # windows at a time
_KEPT = 10_000  # windows whose errors give the quantiles


class LinearWindow:
    """Each step of the horizon is a linear function of the scaled context, the same for all series.

    W = argmin |X W - Y|^2 + ridge tr(X'X) / L |W|^2 over all windows (X has a column of ones, which
    is not penalised), by Cholesky's decomposition; the plain "Linear" of Zeng et al. 2023, Are
    transformers effective for time series forecasting?, in closed form. Quantiles are those of the
    windows' own errors, by step, times the scale of the window that is forecast.

    context: steps, by default two seasons, at least 8. scaling: as ``WindowMaker``'s. windows: at
    most so many are learnt from, evenly spread. Missing values of a context count as 0 scaled;
    windows whose targets have missing values are left out, unless there are too few others: then
    those values are interpolated.

    >>> wave = np.sin(np.arange(200) * np.pi / 6)
    >>> model = LinearWindow(context=24).fit(SeriesSet.from_arrays([wave[:180]]))
    >>> error = model.predict(SeriesSet.from_arrays([wave[:180]]), 12).point - wave[180:192]
    >>> bool(np.abs(error).max() < 0.01)
    True
    """

    name = "linear"

    def __init__(
        self, context: int | None = None, *, ridge: float = 1e-4, scaling: str = "standard",
        windows: int = 100_000,
    ) -> None:  # fmt: skip
        self.context = None if context is None else check_size(context, "context")
        self.ridge = check_number(ridge, "ridge")
        self.scaling, self.windows = scaling, check_size(windows, "windows")
        self._series: SeriesSet | None = None
        self._solved: dict[int, tuple[WindowMaker, np.ndarray, np.ndarray]] = {}

    def fit(self, series: SeriesSet) -> LinearWindow:
        """Keep the series; ``predict`` solves for each horizon once."""
        self._series, self._solved = series, {}
        return self

    def predict(
        self, series: SeriesSet, horizon: int, quantiles: Sequence[float] = LEVELS
    ) -> Forecast:
        if self._series is None:
            raise ValueError("LinearWindow has to be fitted before it predicts.")
        H = check_size(horizon, "horizon")
        if H not in self._solved:
            self._solved[H] = self.solve(self._series, H)
        maker, W, errors = self._solved[H]
        bands = error_quantiles(errors[:, None], np.asarray(quantiles, np.float64))  # (1, H, Q)
        plain = _plain(series)
        point, spread = np.empty((len(series), H)), np.empty((len(series), 1, 1))
        for start in range(0, len(series), _BLOCK):
            own = np.arange(start, min(start + _BLOCK, len(series)))
            made = maker.make(plain, own, plain.length[own])[0]
            point[own] = made.inverse(_design(made.x, maker.context) @ W)
            spread[own, 0, 0] = made.scale
        return Forecast.of(series, point, point[..., None] + spread * bands, quantiles)

    def error(
        self, series: SeriesSet, H: int, solved: tuple[WindowMaker, np.ndarray, np.ndarray]
    ) -> float:
        """The mean absolute error of ``solved`` on the windows of series, in their units."""
        maker, W, _ = solved
        stream = WindowStream(_plain(series), maker)
        count = min(self.windows, stream.all_rows)
        numbers = np.unique(np.linspace(0, stream.all_rows - 1, count).astype(int))
        total = values = 0.0
        for made, y, seen in _windows(stream, numbers):
            missed = np.abs(y - _design(made.x, maker.context) @ W) * seen
            total += float((missed.sum(axis=1) * made.scale).sum())
            values += float(seen.sum())
        return total / max(values, 1.0)

    def solve(self, series: SeriesSet, H: int) -> tuple[WindowMaker, np.ndarray, np.ndarray]:
        """(maker, weights (L + 1, H), scaled errors (R, H) of the windows)."""
        context = self.context or max(8, 2 * series.frequency.season)
        longest = int(series.length.max())
        if self.context is None:  # a short history has a shorter window
            context = max(1, min(context, (longest - H) // 2))
        maker = WindowMaker(context, H, self.scaling, parts=())
        stream = WindowStream(_plain(series), maker, min_context=max(1, context // 2))
        numbers = np.unique(
            np.linspace(0, stream.all_rows - 1, min(self.windows, stream.all_rows)).astype(int)
        )
        complete = self._complete(stream, numbers)
        impute = complete.sum() < min(len(numbers), 2 * (context + 1))
        if not impute:
            numbers = numbers[complete]
        L = context + 1
        gram, product = np.zeros((L, L)), np.zeros((L, H))
        for X, Y in _blocks(stream, numbers):
            gram += X.T @ X
            product += X.T @ Y
        penalty = np.full(L, self.ridge * np.trace(gram[1:, 1:]) / context + 1e-9)
        penalty[0] = 1e-12 * len(numbers)
        gram[np.diag_indices(L)] += penalty
        lower = np.linalg.cholesky(gram)
        W = np.linalg.solve(lower.T, np.linalg.solve(lower, product))
        few = numbers[np.unique(np.linspace(0, len(numbers) - 1, _KEPT).astype(int))]
        return maker, W, np.concatenate([Y - X @ W for X, Y in _blocks(stream, few)])

    @staticmethod
    def _complete(stream: WindowStream, numbers: np.ndarray) -> np.ndarray:
        """(n,) bool: the windows without missing targets."""
        values, H = stream.series.values, stream.maker.horizon
        gone = np.concatenate([[0], np.cumsum(np.isnan(values))])
        rows, origins = stream.place_of(numbers)
        begin = stream.series.first[rows] + origins
        return gone[begin + H] == gone[begin]


def _windows(
    stream: WindowStream, numbers: np.ndarray
) -> Iterator[tuple[WindowBatch, np.ndarray, np.ndarray]]:
    """(windows, scaled targets (n, H), observed (n, H)), some windows at a time."""
    for start in range(0, len(numbers), _BLOCK):
        rows, origins = stream.place_of(numbers[start : start + _BLOCK])
        yield stream.maker.make(stream.series, rows, origins, stream.calendar)


def _blocks(
    stream: WindowStream, numbers: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """(X (n, 1 + L), Y (n, H)) of windows, some at a time; single missing targets interpolated."""
    at = np.arange(stream.maker.horizon)
    for made, scaled, seen in _windows(stream, numbers):
        y = scaled.astype(np.float64)
        for i in np.flatnonzero((seen == 0).any(axis=1) & (seen > 0).any(axis=1)):
            y[i] = np.interp(at, at[seen[i] > 0], y[i, seen[i] > 0])
        yield _design(made.x, stream.maker.context), y


def _design(x: np.ndarray, context: int) -> np.ndarray:
    """(B, 1 + L): a one, and the scaled values of the context."""
    out = np.ones((len(x), context + 1))
    out[:, 1:] = x[:, :context, 0]
    return out


def _plain(series: SeriesSet) -> SeriesSet:
    """The series without covariates, which the model does not use."""
    none = np.empty((len(series.values), 0), np.float32)
    return replace(series, past=none, past_names=(), known=none[:0], known_names=(),
                   known_length=0 * series.known_length)  # fmt: skip
