"""How has a price changed since a day?

A day is a UTC day. Year to date is counted from the close of 31 December, year on year from the close of 365
days before; `from_price` and `to_price` say which price of each day is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.errors import InputError
from deleverage.measure.asof import DAY_NS, AsOf
from deleverage.measure.measure import Found, Measure, Measured, Parameter, Whose
from deleverage.measure.prices import last_day_note, need_daily, source_of

YEAR_DAYS = 365.0


def compute(asof: AsOf, parameters: Mapping[str, Any]) -> Measured:
    """Readings, the closes with each day's low and high [USD], and all against the first price [share]."""
    coin, venue, kind = parameters["coin"], parameters["venue"], parameters["kind"]
    bars = need_daily(asof, coin, venue=venue, kind=kind)
    last = bars.row(-1, named=True)
    last_ns = int(last["time_ns"])
    day = first_day(parameters, last_ns, asof.at_ns)
    rows = bars.filter(pl.col("time_ns") == day)
    if rows.is_empty():
        missing = asof.missing(
            "candles", f"daily bar of {coin} ({kind}) at {venue}", start_ns=day, end_ns=day + DAY_NS,
            venue=venue, kind=kind, coin=coin,
        )  # fmt: skip
        raise missing.error()
    first = rows.row(0, named=True)
    at_start, at_end = parameters["from_price"], parameters["to_price"]
    start, end = float(first[at_start]), float(last[at_end])
    found = Found("change", asof, parameters)
    whose = Whose(f"{venue} {kind}, UTC days", source_of(coin, venue, kind), day, last_ns + DAY_NS)
    late = last_day_note(asof, last_ns)
    words = f"{at_start} of {iso(day)[:10]} to {at_end} of {iso(last_ns)[:10]}{late}"
    low, high = float(last["low"]) / start - 1, float(last["high"]) / start - 1
    span = "at the last day's low and high"
    found.reading(
        "change", coin, end / start - 1, "share", whose, low=low, high=high, interval=span, note=words
    )
    found.reading(
        "change_usd", coin, end - start, "USD", whose,
        low=low * start, high=high * start, interval=span, note=words,
    )  # fmt: skip
    found.reading(
        "from_price", coin, start, "USD", whose.over(day, day + DAY_NS), note=f"{at_start} of {iso(day)[:10]}"
    )
    found.reading(
        "to_price", coin, end, "USD", whose.over(last_ns, last_ns + DAY_NS),
        low=float(last["low"]), high=float(last["high"]), interval="low and high of the day",
        note=f"{at_end} of {iso(last_ns)[:10]}{late}",
    )  # fmt: skip
    found.reading("from_day", coin, day / DAY_NS, "date", whose)
    found.reading("to_day", coin, last_ns / DAY_NS, "date", whose)
    found.reading("days", coin, (last_ns - day) / DAY_NS, "days", whose)
    shown = bars.filter(pl.col("time_ns") >= day)
    found.series("close", coin, "USD", shown.select("time_ns", "low", "high", value="close"))
    found.series(
        "change", coin, "share",
        shown.select("time_ns", *((pl.col(a) / start - 1).alias(b) for a, b in _AS_SERIES)),
    )  # fmt: skip
    return found.measured()


_AS_SERIES = (("close", "value"), ("low", "low"), ("high", "high"))


def first_day(parameters: Mapping[str, Any], last_ns: int, at_ns: int) -> int:
    """The day [ns UTC, 00:00] from which is counted: ``since``, or ``since_days`` before the last closed day.

    Raises
    ------
    InputError
        both are given, days are not whole, or the day is later than the moment that is asked for.
    """
    since, days = parameters["since"], parameters["since_days"]
    if since is not None and days is not None:
        raise InputError(
            "measure change: expected one of since and since_days, found both",
            hint="since is a day, since_days counts back from the last closed day",
            parameter="since_days",
        )
    if since is None:
        days = YEAR_DAYS if days is None else days
        if days != round(days):
            raise InputError(
                f"measure change, parameter since_days: expected whole days, found {days:g}",
                hint="daily bars know no parts of days",
                parameter="since_days",
            )
        return last_ns - int(days) * DAY_NS
    day = int(since) // DAY_NS * DAY_NS
    if day >= at_ns:
        raise InputError(
            f"measure change, parameter since: expected a day before {iso(at_ns)}, found {iso(day)[:10]}",
            hint="a change is counted from the past",
            parameter="since",
        )
    return day


MEASURE = Measure(
    name="change",
    question="How has a price changed since a day?",
    parameters=(
        Parameter("coin", "coin", "BTC", "the coin"),
        Parameter("venue", "venue", "binance", "whose bars"),
        Parameter("kind", "choice", "spot", "spot or perpetual", choices=("spot", "perp")),
        Parameter("since", "time", None, "the day from which is counted; for the year to date 31 December"),
        Parameter(
            "since_days",
            "days",
            None,
            "days before the last closed day, in place of since; 365 if neither",
            "days",
        ),
        Parameter(
            "from_price",
            "choice",
            "close",
            "which price of the first day",
            choices=("close", "low", "high", "open"),
        ),
        Parameter(
            "to_price",
            "choice",
            "close",
            "which price of the last closed day",
            choices=("close", "low", "high"),
        ),
    ),
    compute=compute,
    headline=("change", "from_day"),
    readings={
        "change": "last price ÷ first price − 1; < 0 fell",
        "change_usd": "last price − first price",
        "from_price": "the first price",
        "to_price": "the last price",
        "from_day": "day of the first price",
        "to_day": "day of the last price",
        "days": "days between both",
    },
)
