"""Is a value one that cannot be: a price of nothing, a negative size, a share above one?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deleverage.data.quality.findings import Finding, Span, name_of, whose
from deleverage.schema import LAKE_TABLES

if TYPE_CHECKING:
    import polars as pl

    from deleverage.data.lake import Lake

FIRST_NS = 1_230_768_000_000_000_000
"""2009-01-01 UTC: nothing was traded before. Series of gold and indices are older and not asked."""
PRICE_FACTOR = 5.0
"""A price so far from the day's median over venues has another unit; the widest night differed by 1.5."""
RATE_BOUND = 0.1
"""A funding rate per interval beyond 10 %: venues cap it far below; percent are taken for shares."""
USD_TOLERANCE = 0.02
"""usd against coins × price of the same row; vendors round, and average over a bar."""

_SIGNED = {("holdings", "coins"), ("adl_events", "coins"), ("flows", "usd")}
_OLD = frozenset({"macro", "indicators"})
_TODO = "the source has another unit or a broken row: repair the importer or the parser, and import again"


def check(lake: Lake, span: Span) -> Iterator[Finding]:
    """Values outside what is possible, by table, venue and contract."""
    import polars as pl

    for name in LAKE_TABLES:
        rows = span.rows(lake, name)
        if rows is None:
            continue
        for expected, condition, shown in _impossible(name):
            yield from _told(name, rows.filter(condition), expected, shown)
        if name not in _OLD:
            early = pl.col("time_ns") < FIRST_NS
            yield from _told(name, rows.filter(early), "no event before 2009", "time_ns")
    yield from _far_prices(lake, span)


def _impossible(name: str) -> Iterator[tuple[str, pl.Expr, str]]:
    """What must not be, and the column to show."""
    import polars as pl

    for column in LAKE_TABLES[name].columns:
        if column.dtype != "Float64":
            continue
        value = pl.col(column.name)
        if column.unit == "USD/coin":
            yield f"{column.name} above 0", value <= 0, column.name
        elif (
            column.unit in ("coins", "USD")
            and (name, column.name) not in _SIGNED
            and "pnl" not in column.name
            and (column.name != "account_value_usd")
        ):
            traded = name in ("trades", "liquidations") and column.name in ("coins", "usd")
            yield (
                (f"{column.name} above 0", value <= 0, column.name)
                if traded
                else (f"{column.name} at or above 0", value < 0, column.name)
            )
        elif column.unit == "share per interval":
            yield f"{column.name} within ±{RATE_BOUND:g}", value.abs() > RATE_BOUND, column.name
    if name == "sentiment":
        yield "value within 0 and 100", ~pl.col("value").is_between(0, 100), "value"
    if name in ("trades", "liquidations", "open_interest"):
        price = pl.col("price")
        if name == "liquidations":
            price = pl.when(pl.col("usd_at") == "fill").then(pl.col("price")).otherwise(pl.col("order_price"))
        product = pl.col("coins") * price
        off = (pl.col("usd") - product).abs() > USD_TOLERANCE * product.abs()
        yield "usd equal to coins at the row's price, else coins are contracts", off, "usd"


def _far_prices(lake: Lake, span: Span) -> Iterator[Finding]:
    """Closes that are a factor away from what the other venues have on that day and coin."""
    import polars as pl

    rows = span.rows(lake, "candles")
    if rows is None:
        return
    day = (pl.col("time_ns") // 86_400_000_000_000).alias("day")
    daily = (
        rows.group_by(day, "coin", "venue", "symbol")
        .agg(
            pl.col("close").median(),
            pl.col("time_ns").min().alias("first"),
            pl.col("time_ns").max().alias("last"),
        )
        .collect(engine="streaming")
    )
    far = daily.with_columns(pl.col("close").median().over("day", "coin").alias("others")).filter(
        (pl.col("close") > PRICE_FACTOR * pl.col("others"))
        | (pl.col("close") < pl.col("others") / PRICE_FACTOR)
    )
    for row in far.sort("venue", "symbol", "day").iter_rows(named=True):
        yield Finding(
            "values", "candles", row["venue"], row["symbol"], row["first"], row["last"], "error",
            f"prices of {row['coin']} within a factor of {PRICE_FACTOR:g} of the median of its venues, "
            f"{row['others']:g}",
            f"a median close of {row['close']:g}", _TODO,
        )  # fmt: skip


def _told(name: str, rows: pl.LazyFrame, expected: str, shown: str) -> Iterator[Finding]:
    import polars as pl

    venue, symbol = name_of(name, LAKE_TABLES[name].names)

    series = list(dict.fromkeys([venue, symbol]))
    found = (
        rows.group_by(series)
        .agg(
            pl.len().alias("_n"),
            pl.col("time_ns").min().alias("_first"),
            pl.col("time_ns").max().alias("_last"),
            pl.col(shown).sort_by("time_ns").first().alias("_shown"),
        )
        .sort(series)
        .collect(engine="streaming")
    )
    for row in found.iter_rows(named=True):
        yield Finding(
            "values", name, *whose(row, venue, symbol), row["_first"], row["_last"], "error",
            expected, f"{row['_n']} rows otherwise, the first has {shown} {row['_shown']}", _TODO,
        )  # fmt: skip
