"""From when on was a row known to the world?

A bar is known when it has ended, a fund's flow on the morning after, a level at its own time. What this
machine collected live was known when it was received. When a row was fetched *afterwards* says nothing about
that: a history that is backfilled today was published then. Only a revision is news of its fetch: it was not
seen before.

Where a publisher's clock is not known, a row counts as known later rather than earlier.
"""

from __future__ import annotations

import polars as pl

from deleverage.data.backfill.ledger import FETCHED
from deleverage.schema import LAKE_TABLES

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
NEVER_NS = 2**63 - 1

_MORNING_NS = DAY_NS + (14 * 60 + 30) * MINUTE_NS
"""Issuers tell their funds' shares of a date until the next opening in New York: 9:30, which is 14:30 UTC in
winter and 13:30 in summer. The vendor's file that was fetched at 16:11 UTC holds the day before whole."""

_LATER_NS = {
    "flows": _MORNING_NS,
    "market_caps": DAY_NS,
    "sentiment": 5 * MINUTE_NS,
}
"""After the stamp. Capitalisations: some publishers stamp the day whose close it is, CoinGecko the midnight
at which it was taken; the later one holds for both. Sentiment: computed of the days before its date (its
changes go with the return of the day before, r = 0.57, and with that of its own date not at all) and put out
as that date begins: its publisher's countdown ends at 00:00 UTC. The few minutes after are an assumption."""

_OF_A_MOMENT = r"_(running|now|recent|24h|accumulated_\d+d)$"
"""Indicators that a vendor showed at the moment of the stamp, about the stretch *before* it."""

_AFTERWARDS_NS = {
    "HyperReplay": 1_760_131_620 * SECOND_NS,  # 2025-10-10T21:27:00Z, the end of the chain's stretch
    "pluriholonomic": 1_760_131_620 * SECOND_NS,
}
"""Who computed figures of a whole stretch and stamped them inside it, and when the stretch had ended. When
they were printed is not known; later than that in any case."""

_SCORES = r"^day_(mean|std|zscore)$"
_SCORED_NS = 1_765_238_400 * SECOND_NS  # 2025-12-09: the author's list of days reaches to the 8th


def known_from(table: str) -> pl.Expr:
    """The moment [ns UTC] from which a row of the table was known, as a column of Int64.

    A bar is stamped with its opening and known at its end; sums of auto-deleveraging and gaps are known at
    the end of their stretch; a revision when it was received, and never where that was not written down.
    """
    if table == "revisions":
        return pl.col("received_ns").fill_null(NEVER_NS)
    names = LAKE_TABLES[table].names
    published = pl.col("end_ns") if "end_ns" in names else pl.col("time_ns") + _LATER_NS.get(table, 0)
    # a funding rate stands at its settlement, and what it will be is a column of another table
    if "interval_s" in names and table != "funding":
        published = published + pl.col("interval_s") * SECOND_NS
    if table == "indicators":
        published = _of_indicators(published)
    if "received_ns" not in names:
        return published
    live = pl.col("received_ns").is_not_null() & ~pl.col("source").str.starts_with(FETCHED)
    return pl.when(live).then(pl.max_horizontal(published, "received_ns")).otherwise(published)


def _of_indicators(ended: pl.Expr) -> pl.Expr:
    """``ended`` for stretches that begin at the stamp; the other kinds of indicators otherwise."""
    funds = pl.col("name").str.starts_with("etf_") & (pl.col("interval_s") == DAY_NS // SECOND_NS)
    known = (
        pl.when(pl.col("name").str.contains(_OF_A_MOMENT))
        .then(pl.col("time_ns"))
        .when(pl.col("name").str.contains(_SCORES) & (pl.col("publisher") == "Jamster187"))
        .then(_SCORED_NS)
        .when(funds)
        .then(pl.col("time_ns") + _MORNING_NS)
        .otherwise(ended)
    )
    after = pl.col("publisher").replace_strict(_AFTERWARDS_NS, default=0, return_dtype=pl.Int64)
    return pl.max_horizontal(known, after)
