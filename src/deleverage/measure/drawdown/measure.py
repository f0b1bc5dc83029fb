"""How far is the price below its high, and how rare would such a fall be by chance alone?

The chance is given by two nulls, each without drift: a Brownian motion with the volatility from before the
high, and whole days of that time drawn again in blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.drawdown.bootstrap import blocks, largest_falls, stream, volatilities, wilson
from deleverage.measure.drawdown.brownian import log_depth, probability
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import last_day_note, need_daily, no_bars, source_of

Floats = NDArray[np.float64]

DRAWS = 10_000
_MOST = 1_000_000
"""Days drawn in all: of a very long fall, fewer paths are drawn."""
LEAST_DAYS = 60
"""Fewer days before the high than that, and nothing is said about chance."""
YEAR_DAYS = 365.0
STATED_VOLATILITIES = (0.4, 0.5, 0.6)


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings, the closes and lows since before the high [USD], and both against the high [share]."""
    coin, venue, kind = parameters["coin"], parameters["venue"], parameters["kind"]
    stated = parameters["stated"]
    if stated is not None and not -1.0 < stated < 0.0:
        raise InputError(
            f"measure drawdown, parameter stated: expected a fall between -1 and 0, found {stated:g}",
            hint="-0.3 is a fall of 30 %",
            parameter="stated",
        )
    every = need_daily(asof, coin, venue=venue, kind=kind)
    start = parameters["from"]
    bars = every if start is None else every.filter(pl.col("time_ns") >= start // DAY_NS * DAY_NS)
    if bars.is_empty():
        raise no_bars(asof, coin, venue=venue, kind=kind, start_ns=start).error()
    found = Found("drawdown", asof, parameters)
    first, last = int(bars["time_ns"][0]), int(bars["time_ns"][-1])
    whose = Whose(f"{venue} {kind}, UTC days", source_of(coin, venue, kind), first, last + DAY_NS)
    where = bars["high"].arg_max() or 0
    high, high_day = float(bars["high"][where]), int(bars["time_ns"][where])
    days = (last - high_day) // DAY_NS
    close = float(bars["close"][-1])
    late = last_day_note(asof, last)
    found.reading("high", coin, high, "USD", whose, note=f"highest trade, {iso(high_day)[:10]}")
    found.reading("high_day", coin, high_day / DAY_NS, "date", whose)
    since = whose.over(high_day, last + DAY_NS)
    found.reading(
        "days_since_high",
        coin,
        float(days),
        "days",
        since,
        note=f"to {iso(last)[:10]}, the last closed day{late}",
    )
    found.reading(
        "from_high_close", coin, close / high - 1, "share", since, note=f"close of {iso(last)[:10]}{late}"
    )
    after = bars[where + 1 :]
    worst = _lows(found, coin, after, high, close, since)
    top = bars["close"].arg_max() or 0
    top_close, top_day = float(bars["close"][top]), int(bars["time_ns"][top])
    found.reading("high_close", coin, top_close, "USD", whose, note=f"highest close, {iso(top_day)[:10]}")
    found.reading(
        "from_high_close_to_close", coin, close / top_close - 1, "share", whose.over(top_day, last + DAY_NS),
        note="last close against the highest close",
    )  # fmt: skip
    _chance(found, coin, _before(every, high_day, parameters["window"]), worst, int(days), whose)
    shown = every.filter(pl.col("time_ns") >= high_day - max(60, days) * DAY_NS)
    found.series("close", coin, "USD", shown.select("time_ns", value="close"))
    found.series("low", coin, "USD", shown.select("time_ns", value="low"))
    found.series("high", coin, "USD", shown.select("time_ns", value="high"))
    fall = bars[where:]
    found.series("from_high_close", coin, "share", fall.select("time_ns", value=pl.col("close") / high - 1))
    found.series("from_high_low", coin, "share", after.select("time_ns", value=pl.col("low") / high - 1))
    return found.measured()


def _lows(
    found: Found, coin: str, after: pl.DataFrame, high: float, close: float, since: Whose
) -> float | None:
    """The readings of the lows since the high; the lowest as a share of it."""
    if after.is_empty():
        note = "the high is in the last closed day: daily bars do not say what came after it"
        for name, unit in (
            ("from_high_low", "share"), ("worst_since_high", "share"), ("worst_day", "date"),
            ("recovered", "share"),
        ):  # fmt: skip
            found.reading(name, coin, None, unit, since, note=note)
        return None
    where = after["low"].arg_min() or 0
    low, day = float(after["low"][where]), int(after["time_ns"][where])
    note = "from the day after the high on"
    found.reading(
        "from_high_low", coin, float(after["low"][-1]) / high - 1, "share", since, note="last day's low"
    )
    found.reading(
        "worst_since_high", coin, low / high - 1, "share", since, note=f"lowest trade {low:,.2f}; {note}"
    )
    found.reading("worst_day", coin, day / DAY_NS, "date", since)
    found.reading(
        "recovered", coin, (close - low) / (high - low) if low < high else None, "share", since,
        note="of the fall to the lowest trade; 0 at that trade, 1 back at the high"
        if low < high
        else "no trade since was below the high: there is no fall to recover from",
    )  # fmt: skip
    return low / high - 1


@dataclass(frozen=True)
class _Days:
    """Before the high: log against the close of the day before, float64 [n]; their first and last ns."""

    closes: Floats
    highs: Floats
    lows: Floats
    first_ns: int
    last_ns: int
    asked: float


def _before(bars: pl.DataFrame, high_day: int, window: float) -> _Days | None:
    """The days of the window that ended before the high's day; None where there are too few."""
    begin = high_day - int(window * DAY_NS)
    rows = (
        bars.with_columns(before=pl.col("close").shift(1), step=pl.col("time_ns").diff())
        # a day after a gap has no return of one day
        .filter((pl.col("step") == DAY_NS) & (pl.col("time_ns") >= begin) & (pl.col("time_ns") < high_day))
    )
    if rows.height < LEAST_DAYS:
        return None
    closes, highs, lows = (
        rows.select((pl.col(name) / pl.col("before")).log()).to_series().to_numpy()
        for name in ("close", "high", "low")
    )
    return _Days(closes, highs, lows, int(rows["time_ns"][0]), int(rows["time_ns"][-1]), window)


def _chance(
    found: Found, coin: str, before: _Days | None, worst: float | None, days: int, whose: Whose
) -> None:
    """Volatility before the high, and how likely so deep a fall in so many days is."""
    stated, length = found.parameters["stated"], max(1, round(found.parameters["block"]))
    share = stated if stated is not None else worst
    asked = f"a fall of {abs(share):.1%} or more within {days} d" if share is not None else ""
    names = ["p_brownian", *(f"p_brownian_{s:.0%}"[:-1] for s in STATED_VOLATILITIES)]
    names += ["p_brownian_closes", "p_bootstrap", "p_bootstrap_drift"]
    no_fall = None
    if share is None or days < 1 or share >= 0.0:
        no_fall = "no day has closed since the high, or none below it: there is no fall to ask about"
    few = f"fewer than {LEAST_DAYS} daily returns before the high: nothing is said about their volatility"
    if before is None:
        found.reading("volatility", coin, None, "share per sqrt(year)", whose, note=few)
    else:
        drawn = stream("drawdown", coin, str(found.parameters["venue"]), str(found.parameters["kind"]))
        over = whose.over(before.first_ns - DAY_NS, before.last_ns + DAY_NS)
        many = before.closes.size
        sigma = float(before.closes.std(ddof=1)) * math.sqrt(YEAR_DAYS)
        again = volatilities(before.closes, blocks(drawn, many, length, many, 1_000)) * math.sqrt(YEAR_DAYS)
        low, high = (float(v) for v in np.quantile(again, (0.05, 0.95)))
        found.reading(
            "volatility", coin, sigma, "share per sqrt(year)", over, low=low, high=high,
            interval=f"90 %, moving blocks of {length} d",
            note=f"daily log returns of closes, {many} of the {before.asked:g} d before the high; × √365",
        )  # fmt: skip
    if no_fall is not None:
        for name in names:
            found.reading(name, coin, None, "share", whose, note=no_fall)
        return
    assert share is not None
    depth, years = log_depth(share), days / YEAR_DAYS
    meaning = f"{asked} under Brownian motion of the log price without drift"
    for sigma_at, name in zip(STATED_VOLATILITIES, names[1:4], strict=True):
        found.reading(
            name, coin, probability(depth, sigma_at, years), "share", whose,
            note=f"{meaning}, volatility {sigma_at:.0%} a year by assumption, watched all the time",
        )  # fmt: skip
    if before is None:
        for name in ("p_brownian", *names[4:]):
            found.reading(name, coin, None, "share", whose, note=few)
        return
    ends = {"low": probability(depth, low, years), "high": probability(depth, high, years)}
    found.reading(
        "p_brownian", coin, probability(depth, sigma, years), "share", over, **ends,
        interval="at the ends of the volatility's 90 % interval",
        note=f"{meaning}, at the volatility before the high; watched all the time, as lows of trades are",
    )  # fmt: skip
    found.reading(
        "p_brownian_closes", coin, probability(depth, sigma, years, samples=days), "share", over,
        low=probability(depth, low, years, samples=days), high=probability(depth, high, years, samples=days),
        interval="at the ends of the volatility's 90 % interval",
        note=f"{meaning}, if it were seen at daily closes alone (corrected by 2·0.5826·σ√(T/n))",
    )  # fmt: skip
    draws = max(200, min(DRAWS, _MOST // (days + 1)))
    picked = blocks(drawn, many, length, days + 1, draws)
    mean = float(before.closes.mean())
    for name, drift, words in (
        ("p_bootstrap", mean, "their mean return is taken out"),
        ("p_bootstrap_drift", 0.0, "their mean return is kept"),
    ):
        falls = largest_falls(before.closes - drift, before.highs - drift, before.lows - drift, picked)
        hits = int((falls >= depth).sum())
        low_p, high_p = wilson(hits, draws)
        found.reading(
            name, coin, hits / draws, "share", over, low=low_p, high=high_p,
            interval=f"90 % Wilson, {draws:,} draws; not what one year of days leaves open",
            note=f"{asked}, highs and lows of trades; blocks of {length} d of {many} d before it; {words}",
        )  # fmt: skip


MEASURE = Measure(
    name="drawdown",
    question="How far is the price below its high, and how rare would that be by chance?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("venue", "venue", "binance", "whose bars"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
        Parameter("from", "time", None, "first day on which the high is looked for; all where none is given"),
        Parameter(
            "window", "days", 365.0, "days before the high whose volatility and returns are used", "days"
        ),
        Parameter("block", "days", 10.0, "days of a block that the bootstrap draws", "days"),
        Parameter(
            "stated", "number", None, "a fall to ask the chance of, < 0; the measured one if none", "share"
        ),
    ),
    compute=compute,
    headline=(
        "high",
        "days_since_high",
        "from_high_close",
        "p_brownian",
        "p_bootstrap",
    ),
    readings={
        "high": "highest trade",
        "high_day": "its day",
        "days_since_high": "whole UTC days from that day to the last closed one",
        "from_high_close": "last close against the high; < 0 below",
        "from_high_low": "low of the last closed day against the high",
        "worst_since_high": "lowest trade since against the high",
        "worst_day": "the day of it",
        "recovered": "share of the fall to the worst that is made good",
        "high_close": "highest close",
        "from_high_close_to_close": "last close against it",
        "volatility": "of daily closes before the high, a year",
        "p_brownian": "chance of such a fall in such a time, Brownian motion at that volatility",
        "p_brownian_closes": "the same if it were seen at closes alone",
        "p_brownian_*": "the same at 40, 50, 60 % volatility a year",
        "p_bootstrap": "the same by days drawn again in blocks, without drift",
        "p_bootstrap_drift": "the same with the drift of those days",
    },
)
