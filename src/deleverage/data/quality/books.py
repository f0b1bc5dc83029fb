"""Is a book crossed, or are its levels out of order?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.quality.findings import Finding, Span

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

_TODO = "updates were lost: look for a gap at that time, and leave the book out until the next snapshot"


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Best bids at or above the best offer, and levels whose price is not behind that of the level before."""
    import polars as pl

    quotes = span.rows(lake, "best_quotes")
    if quotes is not None:
        yield from _told(
            "best_quotes",
            quotes.filter(pl.col("bid_price") >= pl.col("ask_price")),
            "the best bid below the best offer",
            "quotes",
        )
    books = span.rows(lake, "books")
    if books is None:
        return
    state = ["time_ns", "venue", "kind", "symbol"]
    best = books.group_by(state).agg(
        pl.col("price").filter(pl.col("side") == "bid").max().alias("bid"),
        pl.col("price").filter(pl.col("side") == "ask").min().alias("ask"),
    )
    yield from _told(
        "books", best.filter(pl.col("bid") >= pl.col("ask")), "the best bid below the best offer", "books"
    )
    ordered = books.sort([*state, "side", "level"]).with_columns(
        pl.col("price").shift().over([*state, "side"]).alias("before")
    )
    behind = (
        pl.when(pl.col("side") == "bid")
        .then(pl.col("price") >= pl.col("before"))
        .otherwise(pl.col("price") <= pl.col("before"))
    )
    yield from _told("books", ordered.filter(behind), "each level behind the one before", "levels")


def _told(table: str, rows: pl.LazyFrame, expected: str, what: str) -> Iterator[Finding]:
    import polars as pl

    found = (
        rows.group_by("venue", "symbol")
        .agg(
            pl.len().alias("n"), pl.col("time_ns").min().alias("first"), pl.col("time_ns").max().alias("last")
        )
        .sort("venue", "symbol")
        .collect(engine="streaming")
    )
    for row in found.iter_rows(named=True):
        yield Finding(
            "books", table, row["venue"], row["symbol"], row["first"], row["last"], "error",
            expected, f"{row['n']} {what} otherwise", _TODO,
        )  # fmt: skip
