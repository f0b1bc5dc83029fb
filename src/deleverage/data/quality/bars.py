"""Do open, high, low and close of a bar go together?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.quality.findings import Finding, Span, name_of, whose
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    from deleverage.data.lake import Lake


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Bars whose high is not the highest or whose low is not the lowest, and volumes that do not add up."""
    import polars as pl

    for name in ("candles", "macro"):
        rows = span.rows(lake, name)
        if rows is None:
            continue
        high, low = pl.col("high"), pl.col("low")
        wrong = {
            "high at or above open, close and low": (
                (high < pl.col("open")) | (high < pl.col("close")) | (high < low)
            ),
            "low at or below open and close": (low > pl.col("open")) | (low > pl.col("close")),
        }
        if name == "candles":
            wrong["takers buy at most what is traded"] = pl.col("taker_buy_coins") > pl.col(
                "volume_coins"
            ) * (1 + 1e-9)
        venue, symbol = name_of(name, LAKE_TABLES[name].names)
        for expected, condition in wrong.items():
            found = (
                rows.filter(condition)
                .group_by(venue, symbol, "interval_s")
                .agg(
                    pl.len().alias("n"),
                    pl.col("time_ns").min().alias("first"),
                    pl.col("time_ns").max().alias("last"),
                    pl.struct("open", "high", "low", "close").sort_by("time_ns").first().alias("bar"),
                )
                .sort(venue, symbol, "interval_s")
                .collect(engine="streaming")
            )
            for row in found.iter_rows(named=True):
                bar = row["bar"]
                yield Finding(
                    "bars", name, *whose(row, venue, symbol), row["first"], row["last"], "error",
                    expected,
                    f"{row['n']} bars of {row['interval_s']} s otherwise, the first open {bar['open']}, high "
                    f"{bar['high']}, low {bar['low']}, close {bar['close']}",
                    "compare with another source of these bars, and import that one into a new folder",
                )  # fmt: skip
