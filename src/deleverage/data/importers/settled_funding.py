"""Settled funding of every Binance perpetual, one long CSV."""

from __future__ import annotations

import re

from deleverage.data.importers import checks
from deleverage.data.importers.base import Importer, Loaded, SourceFile, has_columns
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.multi_venue import on_the_hour
from deleverage.errors import UnitError

# Columns of the public fundingRate files, github.com/binance/binance-public-data; times in milliseconds.
_COLUMNS = {
    "symbol": "String",
    "calc_time": "Int64",
    "funding_interval_hours": "Int64",
    "last_funding_rate": "Float64",
}
_QUOTE = r"(USDT|USDC|USD)$"


def recognise(layout: Layout) -> bool:
    """A CSV, packed or not, with Binance's own names of the funding columns."""
    return has_columns(layout, "csv", tuple(_COLUMNS))


def load(source: SourceFile) -> Loaded:
    """Funding file to settled rates, shares per interval, stamped on the full hour."""
    import polars as pl

    frame = read_csv(source, _COLUMNS)
    frame = checks.with_time_ns(frame, source, "calc_time", "milliseconds")
    frame, defects = on_the_hour(frame)
    checks.increasing(frame, source, "calc_time", by=("symbol",))
    checks.funding_rates(frame, source, "last_funding_rate", by="symbol")
    checks.require(
        frame,
        pl.col("funding_interval_hours").is_in([1, 2, 4, 8]),
        source,
        column="funding_interval_hours",
        expected="an interval of 1, 2, 4 or 8 hours",
        todo="give the interval in hours",
        kind=UnitError,
    )
    frame = frame.select(
        "time_ns",
        pl.lit("binance").alias("venue"),
        pl.col("symbol").str.replace(_QUOTE, "").alias("coin"),
        "symbol",
        (pl.col("funding_interval_hours") * 3600).alias("interval_s"),
        pl.col("last_funding_rate").alias("rate"),
        pl.lit(source.label).alias("source"),
    )
    return Loaded([("funding", frame)], defects)


SETTLED_FUNDING = Importer(
    "binance-settled-funding",
    1,
    "settled funding of Binance",
    tuple(_COLUMNS),
    re.compile(r"funding_all\.csv(\.gz)?"),
    recognise,
    load,
)
