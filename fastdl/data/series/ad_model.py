"""The world behind generated ad series: what an account shows, is clicked and pays at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frequency import DAY, HOUR, Frequency

CHANNELS = ("search", "social", "display", "video")
_LEVEL = (8.5, 9.5, 10.5, 9.0)  # log impressions a day
_RATE = (0.03, 0.012, 0.004, 0.008)  # clicks of an impression
_PRICE = (1.2, 0.7, 0.4, 0.5)  # of a click
_WEEKEND = (-0.25, 0.15, 0.0, 0.2)  # in log impressions
_WORLD, _PROMOTIONS, _OUTAGES, _COUNTS, _CLICKS, _PRICES = range(6)  # what a stream is for


@dataclass(frozen=True)
class AdWorld:
    """One series over T steps: what is expected, and what was drawn.

    promotion, budget: known ahead. outage: whether nothing was shown. mean_impressions, rate,
    price: expectations; shape: of the negative binomial impressions, whose variance is
    mean + mean^2 / shape; clicks are negative binomial with the same shape.
    """

    promotion: np.ndarray
    budget: np.ndarray
    outage: np.ndarray
    mean_impressions: np.ndarray
    rate: np.ndarray
    price: np.ndarray
    shape: float
    impressions: np.ndarray
    clicks: np.ndarray
    spend: np.ndarray


def channel_of(i: int) -> str:
    """The channel of series i."""
    return CHANNELS[i % len(CHANNELS)]


def draw_series(
    seed: int, i: int, times: np.ndarray, frequency: Frequency, promotions: float, outages: float,
    capped: bool,
) -> AdWorld:  # fmt: skip
    """Series i at ``times`` (T,); it depends on its number and the seed, not on other series."""
    channel = i % len(CHANNELS)
    world = _stream(seed, i, _WORLD)
    days = frequency.size / DAY if not frequency.months else 30.0 * frequency.size
    day = (times - times[0] + times[0] % DAY) // DAY  # from the first midnight on
    promotion = _promotions(_stream(seed, i, _PROMOTIONS), int(day[-1]) + 1, promotions)[day]
    demand = _LEVEL[channel] + world.normal(0, 0.4) + _seasons(world, times, days, channel)
    demand = demand + world.uniform(0.3, 0.7) * promotion
    rate = _RATE[channel] * np.exp(world.normal(0, 0.3) + 0.15 * promotion) * np.ones(len(times))
    year = 2 * np.pi * (times / (365.25 * DAY) + world.random())
    price = _PRICE[channel] * np.exp(world.normal(0, 0.2) + 0.1 * np.sin(year) + 0.1 * promotion)
    mean = np.exp(demand) * days
    budget, share = _paced(world, mean * rate * price, day, max(days, 1.0), capped)
    outage = _outages(_stream(seed, i, _OUTAGES), times, int(day[-1]) + 1, outages)
    mean = np.where(outage, 0.0, mean * share)
    shape = float(np.exp(world.uniform(2.5, 5.0)))
    luck = _stream(seed, i, _COUNTS).gamma(shape, 1 / shape, len(times))
    impressions = _stream(seed, i, _COUNTS, 1).poisson(mean * luck)
    clicks = _stream(seed, i, _CLICKS).binomial(impressions, rate)
    noise = np.exp(0.1 * _stream(seed, i, _PRICES).standard_normal(len(times)) - 0.005)
    return AdWorld(
        promotion.astype(np.float64), budget, outage, mean, rate, price, shape,
        impressions.astype(np.float64), clicks.astype(np.float64), clicks * price * noise,
    )  # fmt: skip


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=key)))


def _seasons(
    world: np.random.Generator, times: np.ndarray, days: float, channel: int
) -> np.ndarray:
    """Trend, year, week and, where steps are shorter than days, the hours: in log impressions."""
    years = (times - times[0]) / (365.25 * DAY)
    found = world.normal(0.1, 0.25) * years
    found = found + 0.15 * np.sin(2 * np.pi * (years + world.random()))
    week = world.normal(0, 0.12, 7)
    week[5:] += _WEEKEND[channel]
    peak, second = world.uniform(18, 22), world.uniform(8, 12)
    high, low = world.uniform(0.4, 0.9), world.uniform(0.1, 0.3)
    if days <= 1:
        found = found + (week - week.mean())[(times // DAY + 3) % 7]
    if days < 1:
        hour = times % DAY / HOUR
        found = found + high * np.cos(2 * np.pi * (hour - peak) / 24)
        found = found + low * np.cos(4 * np.pi * (hour - second) / 24)
    return np.asarray(found)


def _promotions(rng: np.random.Generator, days: int, rate: float) -> np.ndarray:
    """(days,) of 0 and 1: promotions of 3 to 8 days that begin on ``rate`` of the days."""
    begins, lengths = rng.random((days, 2)).T
    found = np.zeros(days)
    for day in np.flatnonzero(begins < rate):
        found[day : day + 3 + int(6 * lengths[day])] = 1
    return found


def _outages(rng: np.random.Generator, times: np.ndarray, days: int, rate: float) -> np.ndarray:
    """(T,) bool: nothing is shown for 2 to 24 hours, from some hour of ``rate`` of the days on."""
    draws = rng.random((days, 3))
    found = np.zeros(len(times), np.bool_)
    midnight = times[0] - times[0] % DAY
    for day in np.flatnonzero(draws[:, 0] < rate):
        begin = midnight + day * DAY + int(24 * draws[day, 1]) * HOUR
        found |= (times >= begin) & (times < begin + 2 * HOUR + draws[day, 2] * 22 * HOUR)
    return found


def _paced(
    world: np.random.Generator, planned: np.ndarray, day: np.ndarray, days: float, capped: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(budget a day (T,), share (T,) of demand that it pays for, spread evenly over the day)."""
    periods = np.unique(day, return_inverse=True)[1].reshape(-1)
    total = np.bincount(periods, planned)[periods] / days  # planned spend a day
    months = day // 28
    usual = float(np.median(total[: 28 * max(1, len(total) // max(1, int(day[-1]) + 1))]))
    levels = np.exp(world.normal(0.15 if capped else 3.0, 0.15, 4096))
    budget = usual * levels[months % len(levels)]
    return budget, np.minimum(1.0, budget / np.maximum(total, 1e-12))
