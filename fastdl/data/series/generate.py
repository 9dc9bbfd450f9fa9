"""A seeded generator of ad series whose expectation is known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files import write_atomically
from ...validation import check_number, check_size
from .ad_model import channel_of, draw_series
from .arrays import as_instant
from .frequency import Frequency
from .series_set import SeriesSet

if TYPE_CHECKING:
    from pyarrow import Table

COLUMNS = ("impressions", "clicks", "spend", "cpc", "cpm")
KNOWN = ("promotion", "budget")


@dataclass(frozen=True, eq=False)
class AdSeries:
    """Generated figures (n, steps) of n accounts, and what was expected (n, steps + future).

    values, expected: dicts of impressions, clicks, spend, cpc and cpm; NaN where a value is missing
    or, of cpc and cpm, not defined. promotion (0 or 1) and budget (a day): (n, steps + future),
    known ahead. outage: (n, steps + future) bool. shape: (n,), of the negative binomial impressions
    and clicks, whose variance is mean + mean^2 / shape.
    """

    ids: tuple[str, ...]
    channel: tuple[str, ...]
    start: int
    frequency: Frequency
    values: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    promotion: np.ndarray
    budget: np.ndarray
    outage: np.ndarray
    shape: np.ndarray

    @property
    def steps(self) -> int:
        """The steps that have values."""
        return self.values["clicks"].shape[1]

    def series(self, column: str = "clicks") -> SeriesSet:
        """One figure as series, with promotion and budget as known covariates, and the channel."""
        if column not in self.values:
            raise ValueError(f"column is {column!r}; expected one of {', '.join(COLUMNS)}.")
        known = np.stack([self.promotion, np.log1p(self.budget)], axis=-1)
        return SeriesSet.from_arrays(
            self.values[column], self.ids, frequency=self.frequency,
            start=np.datetime64(self.start, "us"), known=known,
            known_names=("promotion", "log_budget"), static={"channel": self.channel},
        )  # fmt: skip

    def table(self) -> Table:
        """A row for each account and step, those to come without values, as a pyarrow Table."""
        import pyarrow as pa

        n, T = self.promotion.shape
        times = self.frequency.after(self.start, np.arange(T)).astype("datetime64[us]")
        ahead = np.full((n, T - self.steps), np.nan)
        columns: dict[str, Any] = {
            "time": np.tile(times, n), "series": np.repeat(self.ids, T),
            "channel": np.repeat(self.channel, T),
        }  # fmt: skip
        for name in COLUMNS:
            found = np.concatenate([self.values[name], ahead], axis=1).reshape(-1)
            columns[name] = pa.array(found, mask=np.isnan(found))
        columns |= {"promotion": self.promotion.reshape(-1), "budget": self.budget.reshape(-1)}
        columns |= {f"expected_{k}": self.expected[k].reshape(-1) for k in COLUMNS[:3]}
        return pa.table(columns)


def generate_ad_series(
    n: int = 10, steps: int = 365, frequency: str | Frequency = "D", seed: int = 0, *,
    future: int = 0, promotions: float = 0.03, outages: float = 0.005, capped: float = 0.3,
    missing: float = 0.0, start: Any = "2024-01-01",
) -> AdSeries:  # fmt: skip
    """n accounts with weekly and, below days, daily seasons, trend, promotions, caps and outages.

    Demand is a product of level, trend, seasons and promotions; a day's budget, spread evenly over
    its steps, caps it in a share ``capped`` of the accounts. Impressions are negative binomial
    around it, clicks binomial among them, spend is clicks times a price with some noise, cpc =
    spend / clicks and cpm = 1000 spend / impressions. In outages nothing is shown. promotions,
    outages: the share of days on which one begins; missing: the share of steps without values.
    future: steps to come, of which covariates and expectations are known.

    Expected cpc and cpm are the ratios of the expectations. Account i is the same for every n.
    Raises TypeError or ValueError for options out of range.

    >>> found = generate_ad_series(2, 28, "D", seed=1, future=7)
    >>> found.series("clicks")
    SeriesSet(2 series of 28 steps, 'D', 2 known, 1 static)
    >>> found.expected["clicks"].shape
    (2, 35)
    """
    n, T = (
        check_size(n, "n"),
        check_size(steps, "steps") + (future and check_size(future, "future")),
    )
    step = Frequency.of(frequency)
    shares = [
        check_number(value, name, high=1.0)
        for name, value in (("promotions", promotions), ("outages", outages), ("capped", capped),
                            ("missing", missing))
    ]  # fmt: skip
    first = as_instant(start, "start")
    times = step.after(first, np.arange(T))
    worlds = [
        draw_series(seed, i, times, step, shares[0], shares[1], _is_capped(i, shares[2]))
        for i in range(n)
    ]

    def stack(name: str) -> np.ndarray:
        return np.stack([getattr(world, name) for world in worlds])

    values = _figures(stack("impressions"), stack("clicks"), stack("spend"))
    mean = stack("mean_impressions")
    clicks = mean * stack("rate")
    expected = _figures(mean, clicks, clicks * stack("price"))
    gone = np.stack([np.random.default_rng([seed, i]).random(T) < shares[3] for i in range(n)])
    return AdSeries(
        ids=tuple(f"account_{i}" for i in range(n)), channel=tuple(map(channel_of, range(n))),
        start=first, frequency=step,
        values={name: np.where(gone, np.nan, v)[:, :steps] for name, v in values.items()},
        expected=expected, promotion=stack("promotion"), budget=stack("budget"),
        outage=stack("outage"), shape=np.array([world.shape for world in worlds]),
    )  # fmt: skip


def _is_capped(i: int, share: float) -> bool:
    """A share of the accounts, spread evenly: the golden ratio's multiples."""
    return (i * 0.6180339887498949 + 0.5) % 1 < share


def _figures(
    impressions: np.ndarray, clicks: np.ndarray, spend: np.ndarray
) -> dict[str, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        cpc = np.where(clicks > 0, spend / clicks, np.nan)
        cpm = np.where(impressions > 0, 1000 * spend / impressions, np.nan)
    return {"impressions": impressions, "clicks": clicks, "spend": spend, "cpc": cpc, "cpm": cpm}


def write_ad_series(path: str | os.PathLike[str], n: int = 10, **options: Any) -> None:
    """Write generated series as a long table, .csv or .parquet by the name; options as above.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_ad_series(f"{folder}/ads.csv", 2, steps=10)
    """
    from pyarrow import csv, parquet

    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise ValueError(f"The file is {path}; expected a name in .csv or .parquet.")
    table = generate_ad_series(n, **options).table()
    write = csv.write_csv if suffix == ".csv" else parquet.write_table
    write_atomically(path, lambda temporary: write(table, temporary))
