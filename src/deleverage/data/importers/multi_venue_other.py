"""Beside the hourly bars of several venues: open interest, liquidations by day, and a depth without a
moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deleverage.data.importers import checks
from deleverage.data.importers.base import NO_NAME, Defect, Importer, Loaded, SourceFile, only_columns
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.multi_venue import require_type
from deleverage.data.importers.rows import DAY_NS, DAY_S, UNNAMED, holes, indicators, numbered

if TYPE_CHECKING:
    import polars as pl

_INTEREST = ("timestamp", "venue", "coin", "oi_usd")
_LIQUIDATIONS = ("timestamp", "coin", "total_usd", "long_usd", "short_usd", "liq_count")
_DEPTH = ("coin", "venue", "bid_depth_usd", "mid_price")
_ROUNDING = 0.005


def recognise_interest(layout: Layout) -> bool:
    """A Parquet file with time, venue, coin and USD."""
    return only_columns(layout, "parquet", _INTEREST)


def load_interest(source: SourceFile) -> Loaded:
    """Open interest by venue over time, in USD only."""
    import polars as pl

    frame = _timed(source, _INTEREST)
    checks.increasing(frame, source, "timestamp", by=("venue", "coin"))
    checks.not_negative(frame, source, "oi_usd")
    seen = frame.filter(pl.col("oi_usd") > 0)
    rows = seen.select(
        "_row",
        "time_ns",
        "venue",
        "coin",
        pl.lit("all").alias("scope"),
        pl.lit(None, dtype=pl.Float64).alias("coins"),
        pl.col("oi_usd").alias("usd"),
        pl.lit(None, dtype=pl.Float64).alias("price"),
    )
    defects = [
        Defect(
            "open-interest-usd-only",
            "open interest over time is in USD only: it mixes price and contracts",
            "coins left as not observed",
        )
    ]
    if zeros := frame.height - seen.height:
        defects.append(
            Defect("zero-open-interest", "an open interest of exactly 0", "left out as not observed", zeros)
        )
    return Loaded([("open_interest", rows)], defects)


def recognise_liquidations(layout: Layout) -> bool:
    """A Parquet file with three sums and a count by coin."""
    return only_columns(layout, "parquet", _LIQUIDATIONS)


def load_liquidations(source: SourceFile) -> Loaded:
    """Sums by day and side; the total beside them is kept apart where it is not their sum."""
    import polars as pl

    frame = _timed(source, _LIQUIDATIONS)
    checks.increasing(frame, source, "timestamp", by=("coin",))
    for name in _LIQUIDATIONS[2:]:
        checks.not_negative(frame, source, name)
    checks.require(
        frame,
        pl.col("time_ns") % DAY_NS == 0,
        source,
        column="timestamp",
        expected="days that begin at 00:00 UTC",
        todo="give the author's own file",
    )
    rows = [
        frame.select(
            "time_ns",
            pl.lit(UNNAMED).alias("venue"),
            "coin",
            pl.lit(DAY_S, dtype=pl.Int64).alias("interval_s"),
            pl.lit(side).alias("side"),
            pl.col(f"{side}_usd").alias("usd"),
            pl.lit(UNNAMED).alias("publisher"),
        )
        for side in ("long", "short")
    ]
    values = {
        "liquidated_total_usd": (pl.col("total_usd"), "USD"),
        "liquidations": (pl.col("liq_count"), "count"),
    }
    totals = indicators(frame, UNNAMED, values, interval_s=DAY_S, symbol=pl.col("coin"))
    off = frame.with_columns(
        ((pl.col("long_usd") + pl.col("short_usd")) / pl.col("total_usd") - 1).abs().alias("off")
    ).filter(pl.col("off") > _ROUNDING)
    defects = [
        Defect(
            "venue-not-named",
            "series that name no venue",
            f"kept under the venue '{UNNAMED}'",
            frame.height,
        )
    ]
    if off.height:
        defects.append(
            Defect(
                "sides-do-not-sum",
                "longs and shorts that do not sum to the total beside them",
                "the sides kept as they are, the total as an indicator",
                off.height,
                f"up to {float(off['off'].to_numpy().max()):.0%}",
            )
        )
    return Loaded(
        [("liquidation_totals", pl.concat(rows)), totals], [*defects, *holes(frame, DAY_S, by="coin")]
    )


def recognise_depth(layout: Layout) -> bool:
    """A Parquet file with a bid depth and a mid by venue."""
    return only_columns(layout, "parquet", _DEPTH)


def load_depth(_source: SourceFile) -> Loaded:
    """Nothing: no row could say when, within which distance of mid, and what was offered."""
    return Loaded(
        skipped="a depth without a time, a distance from mid or offers: no row could say what it is"
    )


def _timed(source: SourceFile, columns: tuple[str, ...]) -> pl.DataFrame:
    import polars as pl

    frame = numbered(read_parquet(source, list(columns)))
    for name in columns:
        word = "Datetime" if name == "timestamp" else "String" if name in ("venue", "coin") else ""
        if word:
            require_type(source, frame, name, word)
        checks.require(
            frame.with_columns(pl.col(name).is_not_null().alias("_there")),
            pl.col("_there"),
            source,
            column=name,
            expected="a value",
            todo="leave out rows that were not observed",
        )
    frame = frame.with_columns(pl.col("timestamp").dt.epoch("us"))
    keys = [name for name in ("venue", "coin") if name in columns]
    return checks.with_time_ns(frame, source, "timestamp", "microseconds").sort(*keys, "_row")


OTHERS = (
    Importer(
        "multi-venue-interest",
        1,
        "open interest of several venues",
        _INTEREST,
        NO_NAME,
        recognise_interest,
        load_interest,
    ),
    Importer(
        "daily-liquidations",
        1,
        "liquidations by day",
        _LIQUIDATIONS,
        NO_NAME,
        recognise_liquidations,
        load_liquidations,
    ),
    Importer(
        "depth-without-moment", 1, "a depth without a moment", _DEPTH, NO_NAME, recognise_depth, load_depth
    ),
)
