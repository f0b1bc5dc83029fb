"""What did a vendor's list of all contracts add up to, moment by moment?

Table `snapshots` holds such lists: every contract of a coin on many venues at one moment. A moment at which
fewer than five venues are seen is no list of the market (a single venue was asked) and is left out.
"""

from __future__ import annotations

import polars as pl

from deleverage.measure.asof import AsOf

FEWEST_VENUES = 5
"""A list of fewer venues is not the market."""

_SUMS = {
    "usd": "open_interest_usd",
    "volume_usd": "volume_usd_24h",
    "long_usd": "long_liquidations_usd_24h",
    "short_usd": "short_liquidations_usd_24h",
}


def contract_sums(
    asof: AsOf, *, coin: str = "ALL", venue: str = "all", start_ns: int | None = None
) -> pl.DataFrame:
    """Sums by moment and coin: time_ns, coin, usd, volume_usd, long_usd, short_usd [USD], price, coins, ...

    coin : one, or 'ALL' for every one; venue : one, or 'all'. price : of the perpetual with the largest open
    interest [USD/coin]; coins : usd ÷ price, so that contracts of all kinds can be added. venues, contracts,
    unseen : how many venues and contracts were added, and how many of these showed no open interest;
    dataset : whose list. A sum of nothing is null, not zero. In order of time and coin; possibly empty.
    """
    rows = (
        asof.table("snapshots", start_ns=start_ns)
        if coin == "ALL"
        else asof.table("snapshots", start_ns=start_ns, coin=coin)
    )
    market = pl.col("venue").n_unique().over("time_ns", "coin") >= FEWEST_VENUES
    rows = rows.filter(market & (pl.col("kind") != "spot"))
    if venue != "all":
        rows = rows.filter(pl.col("venue") == venue)
    largest = pl.col("price").sort_by("open_interest_usd", descending=True, nulls_last=True)
    sums = rows.group_by("time_ns", "coin", maintain_order=True).agg(
        *(
            pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(name)
            for name, column in _SUMS.items()
        ),
        largest.filter(pl.col("kind") == "perp").first().alias("price"),
        pl.col("venue").n_unique().alias("venues"),
        pl.len().alias("contracts"),
        pl.col("open_interest_usd").null_count().alias("unseen"),
        pl.col("source").str.split("/").list.first().first().alias("dataset"),
    )
    return sums.with_columns(coins=pl.col("usd") / pl.col("price")).sort("time_ns", "coin")


def complete_moments(sums: pl.DataFrame, coins: list[str]) -> pl.DataFrame:
    """Rows of those moments at which every one of ``coins`` was seen."""
    rows = sums.filter(pl.col("coin").is_in(coins) & pl.col("usd").is_not_null())
    return rows.filter(pl.col("coin").n_unique().over("time_ns") == len(coins))
