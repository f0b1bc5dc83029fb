"""Which rows of a table of liquidations are the same event, seen twice?

Two collectors, or one that reconnected, write an order down twice; a venue that shows a throttled and a full
feed shows it in both. An event is the same when venue, symbol, time, side, size and order price are; a batch
of equal orders that one source numbers apart stays apart. Of two feeds of a venue the fuller one is counted
on every day on which it shows anything of the symbol.
"""

from __future__ import annotations

import polars as pl

from deleverage.data.feeds import Publishes, feed_at

DAY_NS = 86_400_000_000_000
_FULLNESS = {Publishes.ALL: 0, Publishes.THROTTLED: 1, Publishes.UNKNOWN: 2}


def each_once(events: pl.DataFrame) -> pl.DataFrame:
    """The events of table `liquidations`, each once, by venue, symbol and time.

    A row with a fill price is kept before one without; else the first that was received.
    """
    content = ["venue", "symbol", "feed", "time_ns", "side", "coins", "order_price"]
    # how many there are: as many as the source that numbers most of them says
    numbered = events.unique(["source", *content, "event_id"], maintain_order=True)
    place = numbered.with_columns(
        pl.col("event_id").rank("ordinal").over("source", *content).alias("_number"),
        pl.col("price").is_null().alias("_unfilled"),
    )
    return (
        place.sort("venue", "symbol", "time_ns", "_unfilled", "received_ns", "event_id", nulls_last=True)
        .unique([*content, "_number"], keep="first", maintain_order=True)
        .drop("_number", "_unfilled")
    )


def fullest_feed(events: pl.DataFrame) -> pl.DataFrame:
    """Of several feeds of one venue and symbol, only the rows of the fullest one of each day (UTC)."""
    if events.is_empty():
        return events
    day = (pl.col("time_ns") // DAY_NS * DAY_NS).alias("_day")
    kinds = events.select("venue", "feed", day).unique()
    order = [
        _FULLNESS.get(feed_at(venue, feed, time_ns).publishes, 3)
        for venue, feed, time_ns in kinds.iter_rows()
    ]
    ranked = kinds.with_columns(pl.Series("_order", order, dtype=pl.Int64))
    both = events.with_columns(day).join(ranked, on=["venue", "feed", "_day"])
    stream = ("venue", "symbol", "_day")
    fullest = both.filter(pl.col("_order") == pl.col("_order").min().over(*stream))
    # two feeds that are equally full: the first by name, never their sum
    one = fullest.filter(pl.col("feed") == pl.col("feed").min().over(*stream))
    return one.drop("_day", "_order").sort("venue", "symbol", "time_ns", "event_id")
