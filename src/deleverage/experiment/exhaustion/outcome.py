"""What happened after a day? It reads later data on purpose, and no measure may call it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS, AsOf, Tables
from deleverage.measure.prices import daily

_END_OF_TIME_NS = 2**62


@dataclass(frozen=True)
class Lowest:
    """The lowest low after a day: within so many days [USD/coin], as a share of the close, and when.

    complete : all the days are there; else it is the lowest of ``seen`` days.
    """

    days: int
    low: float | None
    share: float | None
    low_day_ns: int | None
    seen: int
    complete: bool


@dataclass(frozen=True)
class Outcome:
    """What happened after a day, from data that is later than it.

    day_ns, close : the day's start [ns UTC] and close [USD/coin]; held : whether the lows of ``horizon`` days
    were all ≥ floor × close, None where that is not known yet; lowest : by number of days.
    """

    coin: str
    day_ns: int
    close: float
    horizon: int
    floor: float
    held: bool | None
    lowest: tuple[Lowest, ...]


def outcome(
    source: Tables,
    at_ns: int,
    horizon: int = 30,
    floor: float = 0.95,
    *,
    coin: str = "BTC",
    venue: str = "binance",
    kind: str = "spot",
    further: tuple[int, ...] = (90,),
) -> Outcome:
    """What happened after the last day that had ended at ``at_ns`` [ns UTC], as far as the lake knows it.

    Reads later data on purpose; never call it from a measure. ``further`` : more numbers of days to look at.

    Raises
    ------
    MissingDataError
        the lake has no bar of that day.
    """
    asof = AsOf(source, _END_OF_TIME_NS)
    bars = daily(asof, coin, venue=venue, kind=kind)
    day_ns = (at_ns // DAY_NS - 1) * DAY_NS
    today = bars.filter(pl.col("time_ns") == day_ns)
    if today.is_empty():
        what = f"daily bar of {coin} ({kind}) at {venue} on {iso(day_ns)[:10]}"
        raise asof.missing(
            "candles", what, start_ns=day_ns, end_ns=day_ns + DAY_NS, coin=coin, kind=kind
        ).error()
    close = float(today["close"][0])
    lowest = tuple(_lowest(bars, day_ns, close, days) for days in sorted({horizon, *further}))
    asked = next(one for one in lowest if one.days == horizon)
    kept: bool | None = None
    if asked.share is not None and asked.share < floor:
        kept = False
    elif asked.complete:
        kept = True
    return Outcome(coin, day_ns, close, horizon, floor, kept, lowest)


def _lowest(bars: pl.DataFrame, day_ns: int, close: float, days: int) -> Lowest:
    after = bars.filter(pl.col("time_ns") > day_ns, pl.col("time_ns") <= day_ns + days * DAY_NS)
    if after.is_empty():
        return Lowest(days, None, None, None, 0, False)
    row = after.sort("low", "time_ns").row(0, named=True)
    low = float(row["low"])
    return Lowest(days, low, low / close, int(row["time_ns"]), after.height, after.height == days)
