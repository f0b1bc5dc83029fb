"""What did a coin cost, day by day?

Days are UTC days. The bars are those of one venue and kind: daily bars as published, and where these are
missing, days put together from finer bars that cover them whole.
"""

from __future__ import annotations

import polars as pl

from deleverage.data.lake.times import iso
from deleverage.measure.asof import DAY_NS, AsOf, Missing

_DAY_S = 86_400


def daily(
    asof: AsOf, coin: str, *, venue: str = "binance", kind: str = "spot", start_ns: int | None = None
) -> pl.DataFrame:
    """Daily bars that had ended: time_ns (00:00 UTC), open, high, low, close [USD/coin], volume_coins.

    No day twice, in order of time; a day that no bars cover whole is absent. Empty where there are none.
    """
    columns = ["time_ns", "open", "high", "low", "close", "volume_coins"]
    bars = asof.table("candles", start_ns=start_ns, venue=venue, kind=kind, coin=coin).filter(
        ~pl.col("symbol").str.contains(":")  # a vendor's own series, not the venue's contract
    )
    days = bars.filter(pl.col("interval_s") == _DAY_S).select(columns)
    for (interval,), finer in sorted(
        bars.filter(pl.col("interval_s") < _DAY_S).group_by("interval_s"), reverse=True
    ):
        whole = _DAY_S // int(interval)
        day = (pl.col("time_ns") // DAY_NS * DAY_NS).alias("time_ns")
        made = (
            finer.sort("time_ns")
            .unique(["time_ns"], keep="first", maintain_order=True)
            .group_by(day, maintain_order=True)
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                # a sum of which a part was not observed is not observed
                pl.when(pl.col("volume_coins").null_count() == 0).then(pl.col("volume_coins").sum()),
                pl.len().alias("bars"),
            )
            .filter(pl.col("bars") == whole)
            .select(columns)
        )
        days = pl.concat([days, made.join(days, on="time_ns", how="anti")])
    return days.unique(["time_ns"], keep="first", maintain_order=True).sort("time_ns")


def need_daily(
    asof: AsOf, coin: str, *, venue: str = "binance", kind: str = "spot", start_ns: int | None = None
) -> pl.DataFrame:
    """The same, where having none is an error.

    Raises
    ------
    MissingDataError
        there are none that were known.
    """
    found = daily(asof, coin, venue=venue, kind=kind, start_ns=start_ns)
    if found.is_empty():
        raise no_bars(asof, coin, venue=venue, kind=kind, start_ns=start_ns).error()
    return found


def no_bars(
    asof: AsOf, coin: str, *, venue: str = "binance", kind: str = "spot", start_ns: int | None = None
) -> Missing:
    """What is told of a coin without daily bars."""
    what = f"daily bars of {coin} ({kind}) at {venue}"
    return asof.missing("candles", what, start_ns=start_ns, venue=venue, kind=kind, coin=coin)


def source_of(coin: str, venue: str, kind: str) -> str:
    """How a reading names these bars: 'candles: binance spot BTC, 1 d'."""
    return f"candles: {venue} {kind} {coin}, 1 d"


def last_day_note(asof: AsOf, last_ns: int) -> str:
    """What must be said where the newest bar is older than the last closed day; '' where it is that day."""
    behind = (asof.at_ns - last_ns) // DAY_NS - 1
    return (
        f"; the lake's bars end {iso(last_ns)[:10]}, {behind} d before the moment asked for" if behind else ""
    )
