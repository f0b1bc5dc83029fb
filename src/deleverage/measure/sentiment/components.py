"""What goes into the own composite, and what was each part on a midnight, by what was known then?

None is a published index, and none looks past the midnight it is of. A row that became known after a later
one is left out for good: it was not there when the days after it were measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deleverage.data.known import known_from
from deleverage.measure.asof import DAY_NS, AsOf

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COIN = "BTC"
OTHERS = ("ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "LINK")
_LEAST_OTHERS = 4
_FRESH_NS = 3 * DAY_NS
_FRESH_FLOWS_NS = 7 * DAY_NS  # over a weekend with a holiday
_VENUE = "binance"
_SETTLED_S = 28_800


@dataclass(frozen=True)
class Component:
    """One part of the composite.

    weight : of the sum, fixed beforehand; greed : +1 where more is greed, −1 where more is fear.
    unit, meaning : of its raw value; data : tables and series of the lake.
    at : from the tables and midnights [ns UTC] to raw values, NaN where there is none.
    """

    name: str
    weight: float
    greed: int
    unit: str
    meaning: str
    data: str
    at: Callable[[Inputs, Ints], Floats]


@dataclass(frozen=True)
class Bars:
    """Closes and volumes of consecutive days, NaN where a day is absent; first : its first day [ns UTC].

    known : when each day's bar was known [ns UTC], in order of time; 0 for absent days.
    """

    first: int
    known: Ints
    close: Floats
    volume: Floats

    def at(self, values: Floats, midnights: Ints) -> Floats:
        """``values``, one a day of the bars, as they were known at midnights."""
        there = self.known > 0
        stamps = self.first + np.flatnonzero(there) * DAY_NS
        return as_known(stamps, self.known[there], values[there], midnights, fresh_ns=_FRESH_NS)


class Inputs:
    """The lake as of a moment; a coin's bars are read once for all components."""

    def __init__(self, asof: AsOf) -> None:
        self.asof = asof
        self._bars: dict[str, Bars | None] = {}

    def bars(self, coin: str) -> Bars | None:
        """Daily spot bars of a coin as published; None where there are none."""
        if coin not in self._bars:
            self._bars[coin] = bars(self.asof, coin)
        return self._bars[coin]


def bars(asof: AsOf, coin: str) -> Bars | None:
    """Daily spot bars of a coin as published; None where there are none."""
    rows = asof.table("candles", venue=_VENUE, kind="spot", coin=coin, interval_s=86_400)
    rows = rows.filter(~pl.col("symbol").str.contains(":")).with_columns(known=known_from("candles"))
    rows = in_order(rows.unique(["time_ns"], keep="first", maintain_order=True))
    if rows.is_empty():
        return None
    first = int(rows["time_ns"][0])
    place = ((rows["time_ns"] - first) // DAY_NS).to_numpy()
    size = int(place[-1]) + 1
    known = np.zeros(size, dtype=np.int64)
    close, volume = np.full(size, np.nan), np.full(size, np.nan)
    known[place] = rows["known"].to_numpy()
    close[place] = rows["close"].to_numpy()
    volume[place] = rows["volume_coins"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Bars(first, known, close, volume)


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in order of time that were known no later than any row after them."""
    rows = rows.sort("time_ns")
    soonest = pl.col("known").reverse().cum_min().reverse()
    return rows.filter(pl.col("known") <= soonest)


def as_known(stamps: Ints, known: Ints, values: Floats, midnights: Ints, *, fresh_ns: int) -> Floats:
    """The latest value that was known at each midnight, NaN where it is older than ``fresh_ns``.

    stamps, known : increasing.
    """
    there = np.isfinite(values)
    stamps, known, values = stamps[there], known[there], values[there]
    found = np.full(midnights.size, np.nan)
    if not values.size:
        return found
    place = np.searchsorted(known, midnights, side="right") - 1
    kept = place >= 0
    kept[kept] = midnights[kept] - stamps[place[kept]] <= fresh_ns
    found[kept] = values[place[kept]]
    return found


def volatility(inputs: Inputs, midnights: Ints) -> Floats:
    """Standard deviation of 30 daily log returns, a year: × √365."""
    return _of_bars(
        inputs, midnights, lambda found: _rolled(_log_returns(found.close), 30, np.std) * 365**0.5
    )


def drawdown(inputs: Inputs, midnights: Ints) -> Floats:
    """ln(close ÷ highest close of 365 days); never > 0."""
    return _of_bars(inputs, midnights, lambda found: np.log(found.close / _rolled(found.close, 365, np.max)))


def momentum(inputs: Inputs, midnights: Ints) -> Floats:
    """ln(close ÷ mean close of 90 days)."""
    return _of_bars(inputs, midnights, lambda found: np.log(found.close / _rolled(found.close, 90, np.mean)))


def volume(inputs: Inputs, midnights: Ints) -> Floats:
    """Share of 30 days' volume that was traded on days that closed higher than the day before."""

    def share(found: Bars) -> Floats:
        rose = _log_returns(found.close)
        up = np.where(np.isfinite(rose), np.where(rose > 0, found.volume, 0.0), np.nan)
        return _divided(_rolled(up, 30, np.sum), _rolled(found.volume, 30, np.sum))

    return _of_bars(inputs, midnights, share)


def funding(inputs: Inputs, midnights: Ints) -> Floats:
    """Mean settled rate of 7 days, as a share per 8 h; a rate counts for the day on which it was known."""
    rows = inputs.asof.table("funding", venue=_VENUE, symbol=f"{COIN}USDT").with_columns(
        known=known_from("funding")
    )
    if rows.is_empty():
        return np.full(midnights.size, np.nan)
    days = (
        rows.with_columns(
            day=(pl.col("known") - 1) // DAY_NS * DAY_NS,
            rate=pl.col("rate") * _SETTLED_S / pl.col("interval_s"),
        )
        .group_by("day", maintain_order=True)
        .agg(pl.col("rate").mean())
        .sort("day")
    )
    first = int(days["day"][0])
    place = ((days["day"] - first) // DAY_NS).to_numpy()
    rates = np.full(int(place[-1]) + 1, np.nan)
    rates[place] = days["rate"].to_numpy()
    stamps = first + np.arange(rates.size) * DAY_NS
    # weeks of the same rates are equal, and rounding must not rank them: rates have 8 digits
    weekly = np.round(_rolled(rates, 7, np.mean), 12)
    return as_known(stamps, stamps + DAY_NS, weekly, midnights, fresh_ns=_FRESH_NS)


def flows(inputs: Inputs, midnights: Ints) -> Floats:
    """Sum of the last 20 sessions' flows into US spot funds that were known [USD]."""
    rows = inputs.asof.table("flows", publisher="farside", coin=COIN, fund="total")
    rows = in_order(rows.with_columns(known=known_from("flows")))
    summed = _rolled(rows["usd"].to_numpy(), 20, np.sum)
    stamps, known = rows["time_ns"].to_numpy(), rows["known"].to_numpy()
    return as_known(stamps, known, summed, midnights, fresh_ns=_FRESH_FLOWS_NS)


def breadth(inputs: Inputs, midnights: Ints) -> Floats:
    """Median over other coins of their log return of 90 days less Bitcoin's."""
    base = inputs.bars(COIN)
    if base is None:
        return np.full(midnights.size, np.nan)
    own = base.at(_log_over(base.close, 90), midnights)
    ahead = []
    for coin in OTHERS:
        found = inputs.bars(coin)
        if found is not None:
            ahead.append(found.at(_log_over(found.close, 90), midnights) - own)
    if len(ahead) < _LEAST_OTHERS:
        return np.full(midnights.size, np.nan)
    table = np.array(ahead)
    enough = np.isfinite(table).sum(axis=0) >= _LEAST_OTHERS
    found_at = np.full(midnights.size, np.nan)
    found_at[enough] = np.nanmedian(table[:, enough], axis=0)
    return found_at


def _of_bars(inputs: Inputs, midnights: Ints, value: Callable[[Bars], Floats]) -> Floats:
    found = inputs.bars(COIN)
    return np.full(midnights.size, np.nan) if found is None else found.at(value(found), midnights)


def _rolled(values: Floats, days: int, take: Callable[..., Floats]) -> Floats:
    """``take`` of each full window, NaN where one of its values is absent; each is computed afresh."""
    out = np.full(values.size, np.nan)
    if values.size >= days:
        # each window in memory of its own: a sum must not depend on how many windows there are
        windows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(values, days))
        out[days - 1 :] = take(windows, axis=1)
    return out


def _log_returns(close: Floats) -> Floats:
    return _log_over(close, 1)


def _log_over(close: Floats, days: int) -> Floats:
    out = np.full(close.size, np.nan)
    out[days:] = np.log(close[days:] / close[:-days]) if close.size > days else 0.0
    return out


def _divided(part: Floats, whole: Floats) -> Floats:
    out = np.full(part.size, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


_SPOT = f"candles: {_VENUE} spot {COIN}, 1 d"
COMPONENTS = (
    Component(
        "volatility",
        0.20,
        -1,
        "share per √year",
        "standard deviation of 30 daily log returns",
        _SPOT,
        volatility,
    ),
    Component("momentum", 0.20, 1, "log", "ln(close ÷ mean of 90 days)", _SPOT, momentum),
    Component("drawdown", 0.15, 1, "log", "ln(close ÷ highest close of 365 days)", _SPOT, drawdown),
    Component(
        "funding",
        0.15,
        1,
        "share per 8 h",
        "mean settled funding of 7 days",
        f"funding: {_VENUE} {COIN}USDT",
        funding,
    ),
    Component("volume", 0.10, 1, "share", "share of 30 days' volume on rising days", _SPOT, volume),
    Component("flows", 0.10, 1, "USD", "20 sessions of US spot funds", f"flows: farside {COIN} total", flows),
    Component(
        "breadth",
        0.10,
        1,
        "log",
        "median 90-day return of other coins, less Bitcoin's",
        f"candles: {_VENUE} spot {', '.join((COIN, *OTHERS))}, 1 d",
        breadth,
    ),
)
"""Chosen and weighted before any comparison with a published index, and not fitted to one."""
