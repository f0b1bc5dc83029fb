"""From when on was a row known to the world?

A bar is known when it has ended, a fund's flow of a day on the day after, a level at its own time. What this
machine collected live was known when it was received. When a row was fetched *afterwards* says nothing about
that: a history that is backfilled today was published then.
"""

from __future__ import annotations

import polars as pl

from deleverage.data.backfill.ledger import FETCHED
from deleverage.schema import LAKE_TABLES

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS

_LATER_NS = {"flows": DAY_NS, "market_caps": DAY_NS}
"""Published for a date after it has ended: fund flows on the evening of New York, capitalisations at the
close."""


def known_from(table: str) -> pl.Expr:
    """The moment [ns UTC] from which a row of the table was known, as a column of Int64.

    A bar is stamped with its opening and known at its end; `adl_totals` are known at the end of their window.
    """
    names = LAKE_TABLES[table].names
    published = pl.col("end_ns") if table == "adl_totals" else pl.col("time_ns") + _LATER_NS.get(table, 0)
    # a funding rate stands at its settlement, and what it will be is a column of another table
    if "interval_s" in names and table != "funding":
        published = published + pl.col("interval_s") * SECOND_NS
    if "received_ns" not in names:
        return published
    live = pl.col("received_ns").is_not_null() & ~pl.col("source").str.starts_with(FETCHED)
    return pl.when(live).then(pl.max_horizontal(published, "received_ns")).otherwise(published)
