"""Do our clock and the venues' clocks agree?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.quality.findings import Finding, Span, name_of, whose
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    from deleverage.data.lake import Lake

SECOND_NS = 1_000_000_000
EARLY_NS = SECOND_NS
"""A message may seem to arrive before it happened by as much as clocks in step with NTP differ, and some
room.
"""
LATE_NS = 60 * SECOND_NS
"""Later than that, a live message is no longer live: the clock of one side is wrong, or the reader is
behind.
"""
FUTURE_NS = 86_400 * SECOND_NS
"""Times up to a day ahead may be another date's bar; later ones are another unit or a wrong clock."""

# Their event time is the opening of a window or a date, long before anybody can know the value.
_OF_WINDOWS = frozenset(
    {"candles", "flows", "macro", "liquidation_totals", "adl_totals", "indicators", "gaps", "funding"}
)


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Rows received before they happened or long after, and events of the future."""
    import polars as pl

    for name, table in LAKE_TABLES.items():
        rows = span.rows(lake, name)
        if rows is None:
            continue
        venue, symbol = name_of(name, table.names)
        series = list(dict.fromkeys([venue, symbol]))
        late = pl.col("received_ns") - pl.col("time_ns")
        live = pl.col("stream") != "funding" if name == "payloads" else pl.lit(True)
        asked: list[tuple[str, pl.Expr, str, str, str]] = [
            (
                "error",
                pl.col("time_ns") > span.now_ns + FUTURE_NS,
                "no event more than a day ahead of this machine's clock",
                "rows of the future",
                "the time is in another unit, or a clock is wrong: import again with the right one",
            ),
            (
                "error",
                (late < -EARLY_NS),
                "events received after they happened, up to a second for clocks out of step",
                "rows received before they happened",
                "set the clock of the machine that received (NTP); the venue's times are kept as they are",
            ),
        ]
        if name not in _OF_WINDOWS:
            asked.append(
                (
                    "warning",
                    # What a backfill brings comes late on purpose; so do settled rates, asked every 10 min.
                    (late > LATE_NS) & ~pl.col("source").str.starts_with("backfill/") & live,
                    f"live events received within {LATE_NS // SECOND_NS} s",
                    "rows received later",
                    "the collector was behind, or the venue sent old events again: look for gaps",
                )
            )
        for severity, condition, expected, what, todo in asked:
            found = (
                rows.filter(condition)
                .group_by(series)
                .agg(
                    pl.len().alias("n"),
                    pl.col("time_ns").min().alias("first"),
                    pl.col("time_ns").max().alias("last"),
                    late.abs().max().alias("most"),
                )
                .sort(series)
                .collect(engine="streaming")
            )
            for row in found.iter_rows(named=True):
                most = "" if row["most"] is None else f", by up to {row['most'] / SECOND_NS:,.3f} s"
                yield Finding(
                    "clock", name, *whose(row, venue, symbol), row["first"], row["last"], severity,
                    expected, f"{row['n']:,} {what}{most}", todo,
                )  # fmt: skip
