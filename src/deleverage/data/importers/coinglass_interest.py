"""Open interest by venue over five days, as one chart a coin and snapshot."""

from __future__ import annotations

import re

from deleverage.data.importers import checks
from deleverage.data.importers.base import ROW, Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.coinglass_folder import coin_in_name
from deleverage.data.importers.content import read_parquet
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import numbered
from deleverage.errors import SchemaError

_ALWAYS = ("timestamp", "price", "BINANCE")


def recognise(layout: Layout) -> bool:
    """A Parquet file with a time, a price and one column a venue."""
    return has_columns(layout, "parquet", _ALWAYS)


def load(source: SourceFile) -> Loaded:
    """Chart to rows by venue: USD as given, coins = USD over the row's price."""
    import polars as pl

    coin = coin_in_name(source.name)
    if coin is None:
        return Loaded(
            skipped="open interest by venue, and the name does not end with its coin like _BTC.parquet"
        )
    wide = numbered(read_parquet(source))
    venues = [name for name in wide.columns if name not in (ROW, "timestamp", "price")]
    for name in ("timestamp", "price", *venues):
        if not wide.schema[name].is_numeric() and wide[name].null_count() < wide.height:
            raise refusal(
                SchemaError,
                source,
                column=name,
                expected="a column of numbers",
                found=str(wide.schema[name]),
                todo="give the vendor's own file",
            )
    wide = wide.with_columns(
        pl.lit(coin).alias("coin"),
        pl.col("timestamp").cast(pl.Int64),
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in ("price", *venues)),
    )
    wide = checks.with_time_ns(wide, source, "timestamp", "milliseconds")
    checks.increasing(wide, source, "timestamp")
    checks.price(wide, source, "price")
    for venue in venues:
        checks.not_negative(wide, source, venue)
    long = wide.unpivot(
        on=venues, index=["time_ns", "coin", "price"], variable_name="venue", value_name="usd"
    )
    seen = long.filter(pl.col("usd") > 0)
    defects = []
    if zeros := long.filter(pl.col("usd") == 0).height:
        defects.append(
            Defect("zero-open-interest", "an open interest of exactly 0", "left out as not observed", zeros)
        )
    frame = seen.select(
        "time_ns",
        pl.col("venue").str.to_lowercase(),
        "coin",
        pl.lit("all").alias("scope"),
        (pl.col("usd") / pl.col("price")).alias("coins"),
        "usd",
        "price",
        pl.lit(source.label).alias("source"),
    )
    return Loaded([("open_interest", frame)], defects)


INTEREST = Importer(
    "coinglass-open-interest",
    1,
    "open interest by venue",
    _ALWAYS,
    re.compile(r".*openInterest_exchange_history_chart_[A-Z0-9]+\.parquet"),
    recognise,
    load,
)
