"""Are sizes coins, or does a venue's table count contracts?

A contract is 0.01 coins of one kind and 1,000 of another. So a venue whose contracts are taken for coins
seems large in one coin and small in the next, by powers of ten, while a venue that is truly small is small
in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.quality.findings import Finding, Span

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

SPREAD = 50.0
"""A venue's share in one coin against its median share over coins. True preferences reach 37 (a young venue
that hardly trades DOGE); contracts are wrong by 100 and 1,000 in the large coins."""
BESIDES = 5.0
"""For the other coins of a venue that is wrong in one: contracts of ETH are wrong by 10."""
LARGEST = 12.0
"""With fewer than three coins: a venue so many times the next one may count contracts, or be that large."""
_LEAST_TIMES = 3
_LEAST_COINS = 3

_SIZES = (("candles", "volume_coins"), ("open_interest", "coins"), ("snapshots", "open_interest_coins"))


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Venues whose sizes in a coin are out of line with their sizes in other coins and with other venues."""
    for table, column in _SIZES:
        shares = _shares(lake, span, table, column)
        if shares is not None:
            yield from _out_of_line(shares, table, column)


def _shares(lake: Lake, span: Span, table: str, column: str) -> pl.DataFrame | None:
    """By venue and coin: median over times of ln(size / the geometric mean of the venues at that time)."""
    import polars as pl

    rows = span.rows(lake, table)
    if rows is None:
        return None
    by = ["time_ns", "coin"]
    if table == "candles":
        rows = rows.filter(pl.col("kind") == "perp")
        by.append("interval_s")
    if table == "open_interest":
        rows = rows.filter(pl.col("scope") == "all")
    sizes = (
        rows.filter(pl.col(column) > 0)
        .group_by([*by, "venue"])
        .agg(pl.col(column).sum().log().alias("size"))
        .collect(engine="streaming")
        .filter(pl.len().over(by) > 1)
    )
    if sizes.is_empty():
        return None
    return (
        # Against the other venues, not all of them: else a wrong one pulls the mean towards itself.
        sizes.with_columns(
            ((pl.col("size").sum().over(by) - pl.col("size")) / (pl.len().over(by) - 1)).alias("others"),
            pl.col("size").rank("ordinal", descending=True).over(by).alias("rank"),
            pl.col("size").sort(descending=True).get(1).over(by).alias("second"),
        )
        .group_by("venue", "coin")
        .agg(
            (pl.col("size") - pl.col("others")).median().alias("share"),
            (pl.col("size") - pl.col("second")).median().alias("lead"),
            pl.len().alias("times"),
            pl.col("time_ns").min().alias("first"),
            pl.col("time_ns").max().alias("last"),
        )
        .filter(pl.col("times") >= _LEAST_TIMES)
        .sort("venue", "coin")
    )


def _out_of_line(shares: pl.DataFrame, table: str, column: str) -> Iterator[Finding]:
    import math

    import polars as pl

    usual = shares.with_columns(
        pl.col("share").median().over("venue").alias("usual"), pl.len().over("venue").alias("coins")
    )
    factors = [math.exp(row["share"] - row["usual"]) for row in usual.iter_rows(named=True)]
    wrong = {
        row["venue"]
        for row, factor in zip(usual.iter_rows(named=True), factors, strict=True)
        if row["coins"] >= _LEAST_COINS and not 1 / SPREAD <= factor <= SPREAD
    }
    for row, factor in zip(usual.iter_rows(named=True), factors, strict=True):
        lead, severity = math.exp(row["lead"]), "error"
        if row["venue"] in wrong and not 1 / BESIDES <= factor <= BESIDES:
            said = f"{factor:.3g} times its usual share over {row['coins']} coins: it looks like contracts"
        elif row["coins"] < _LEAST_COINS and lead > LARGEST:
            severity = "warning"
            said = f"{lead:.3g} times the next largest venue: contracts, or a venue that is so large"
        else:
            continue
        yield Finding(
            "units", table, row["venue"], row["coin"], row["first"], row["last"], severity,
            f"{column} in coins: sizes of {row['coin']} in line with other coins and venues",
            said,
            "multiply by the contract size when importing: OKX counts contracts of 0.01 to 1,000 coins",
        )  # fmt: skip
