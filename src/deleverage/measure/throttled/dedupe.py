"""Which rows of a table of liquidations are the same event, seen twice?

Two collectors, or one that reconnected, write an order down twice; a venue with a throttled and a full feed
shows it in both. An event is the same when venue, symbol, feed, time, side, size and order price are; a batch
of equal orders that one source numbers apart stays apart. Where the venue gives no time (BitMEX), that of
receipt differs between collectors, and the venue's number of the order tells. Of two feeds of a venue the
fuller one is counted in every stretch in which it shows anything of the symbol.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deleverage.data.feeds import Publishes

Stream = tuple[str, str, str]
"""Venue, symbol, feed."""

_FULLNESS = {Publishes.ALL: 0, Publishes.THROTTLED: 1, Publishes.UNKNOWN: 2}


def each_once(events: pl.DataFrame) -> pl.DataFrame:
    """The events of table `liquidations`, each once, by venue, symbol and time.

    A row with a fill price is kept before one without; else the first that was received.
    """
    content = ["venue", "symbol", "feed", "time_ns", "side", "coins", "order_price"]
    timeless = (pl.col("time_ns") == pl.col("received_ns")).fill_null(False) & (pl.col("event_id") != "")
    first = pl.col("time_ns").min().over("venue", "symbol", "feed", "event_id")
    events = events.filter(~timeless | (pl.col("time_ns") == first))
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


def fullest_feeds(streams: Mapping[Stream, Publishes]) -> set[Stream]:
    """Of several feeds of one venue and symbol the fullest one; of equally full ones the first by name.

    streams : what was seen in one stretch, (venue, symbol, feed), and how much each feed publishes.
    """
    best: dict[tuple[str, str], tuple[int, str]] = {}
    for (venue, symbol, feed), publishes in streams.items():
        rank = (_FULLNESS.get(publishes, 3), feed)
        best[venue, symbol] = min(best.get((venue, symbol), rank), rank)
    return {(venue, symbol, feed) for venue, symbol, feed in streams if best[venue, symbol][1] == feed}
