"""In what state was the market at the end of each day: how far from its high, how volatile, how afraid?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.units import Floats, Int64s

COMPONENTS = ("volatility", "from_high", "funding", "sentiment")
INDEX = "alternative.me"
YEAR = 365
MONTH = 30
WEEK = 7
_YEAR_S = 365.25 * 86_400
_RATE_DIGITS = 9


class State(NamedTuple):
    """One row a day, float64 [N] and NaN where not observed."""

    days: Int64s
    close: Floats
    low: Floats
    high_before: Floats
    high_day: Int64s
    volatility: Floats  # daily
    funding: Floats  # mean of a week, share per year
    funding_rank: Floats  # of it in the year before, 0 to 1
    sentiment: Floats

    @property
    def from_high(self) -> Floats:
        """Close ÷ highest high of the year − 1, ≤ 0."""
        found: Floats = self.close / self.high_before - 1.0
        return found

    @property
    def components(self) -> Floats:
        """What the model sees, [N, 4], in the order of `COMPONENTS`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = (
                np.log(self.volatility),
                np.log1p(self.from_high),
                self.funding_rank,
                self.sentiment / 100.0,
            )
        table = np.column_stack(columns)
        return np.where(np.isfinite(table), table, np.nan)


def state_of(asof: AsOf, bars: pl.DataFrame, coin: str) -> State:
    """The days of these bars, each with what was known at its end."""
    days = (bars["time_ns"] // DAY_NS).to_numpy()
    close, low, high = (bars[name].to_numpy() for name in ("close", "low", "high"))
    top = _windows(high, YEAR, -np.inf)
    place = top.argmax(axis=1)
    at = np.arange(days.size)
    size = np.full(days.size, np.nan)
    size[1:] = np.where(np.diff(days) == 1, np.abs(np.diff(np.log(close))), np.nan)
    with np.errstate(invalid="ignore"):
        window = _windows(size, MONTH, np.nan)
        count = np.isfinite(window).sum(axis=1)
        mean = np.where(np.isfinite(window), window, 0.0).sum(axis=1) / np.maximum(count, 1)
    sigma = np.where(count >= MONTH // 2, mean * np.sqrt(np.pi / 2.0), np.nan)
    funding = weekly_funding(asof, coin, days)
    year = _windows(funding, YEAR, np.nan)
    lower = (year < funding[:, None]).sum(axis=1)
    there = np.isfinite(year).sum(axis=1)
    rank = np.where((there >= 90) & np.isfinite(funding), lower / np.maximum(there, 1), np.nan)
    return State(
        days, close, low, top.max(axis=1), days[np.maximum(at - (YEAR - 1) + place, 0)], sigma, funding,
        rank, _index(asof, days),
    )  # fmt: skip


def _windows(values: Floats, length: int, before: float) -> Floats:
    """The last ``length`` values up to each, [N, length]; ``before`` stands where there is none."""
    padded = np.concatenate([np.full(length - 1, before), values])
    found: Floats = sliding_window_view(padded, length)
    return found


def weekly_funding(asof: AsOf, coin: str, days: Int64s) -> Floats:
    """Mean settled funding of the 7 days up to each day's end [share per year]; NaN below 12 of them."""
    rows = asof.table("funding", venue="binance", coin=coin)
    if rows.is_empty():
        return np.full(days.size, np.nan)
    time = rows["time_ns"].to_numpy()
    rate = (rows["rate"] * _YEAR_S / rows["interval_s"]).to_numpy()
    total = np.concatenate([[0.0], np.cumsum(rate)])
    end = np.searchsorted(time, (days + 1) * DAY_NS, side="left")
    begin = np.searchsorted(time, (days + 1 - WEEK) * DAY_NS, side="left")
    count = end - begin
    mean = (total[end] - total[begin]) / np.maximum(count, 1)
    # weeks of the same rates are equal, and rounding must not rank them: rates have 8 digits
    found: Floats = np.where(count >= 12, np.round(mean, _RATE_DIGITS), np.nan)
    return found


def _index(asof: AsOf, days: Int64s) -> Floats:
    """The published index of each day, the value stamped with its start; NaN where there is none."""
    rows = asof.table("sentiment", publisher=INDEX)
    at = pl.DataFrame({"day": days}).join(
        rows.select(day=pl.col("time_ns") // DAY_NS, value=pl.col("value").cast(pl.Float64)).unique(
            "day", keep="first", maintain_order=True
        ),
        on="day",
        how="left",
        maintain_order="left",
    )
    found: Floats = at["value"].fill_null(np.nan).to_numpy()
    return found
