"""Hourly Binance spot bars with a written-out time, one file a coin."""

from __future__ import annotations

import re

from deleverage.data.importers import checks
from deleverage.data.importers.base import ROW, Defect, Importer, Loaded, SourceFile, has_columns, refusal
from deleverage.data.importers.csv_text import read_csv
from deleverage.data.importers.layout import Layout
from deleverage.data.importers.rows import UNNAMED, holes
from deleverage.errors import SchemaError

_COLUMNS = {
    "timestamp": "String",
    "open": "Float64",
    "high": "Float64",
    "low": "Float64",
    "close": "Float64",
    "volume": "Float64",
}
_NAME = re.compile(r"([A-Z0-9]+)_USDT_1h\.csv(\.gz)?")
_FIRST_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:00:00\+00:00,")
_HOUR_S = 3600
_ENOUGH = 24 * 30  # hours from which a median says something about a venue
# USD in the median hour. Binance's own pairs of the coins here trade ten times that and more; a file whose
# path says
# Binance and whose hours are thinner is of a venue that it does not name.
_THIN_USD = 5e6


def recognise(layout: Layout) -> bool:
    """Six columns, and a first time that is written out in UTC on a full hour."""
    if not has_columns(layout, "csv", tuple(_COLUMNS)):
        return False
    lines = layout.head.split("\n")
    return len(lines) < 2 or _FIRST_TIME.match(lines[1]) is not None


def load(source: SourceFile) -> Loaded:
    """Hourly file to candles of kind 'spot'."""
    import polars as pl

    match = _NAME.fullmatch(source.name)
    if match is None or "binance" not in source.label.lower():
        return Loaded(
            skipped="hourly bars, and the path does not say venue and coin like "
            "binance_spot_1h/BTC_USDT_1h.csv"
        )
    coin = match[1]
    frame = read_csv(source, _COLUMNS)
    times = frame["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S%:z", time_unit="us", strict=False)
    bad = times.is_null()
    if bad.any():
        at = int(bad.arg_true()[0])
        raise refusal(
            SchemaError,
            source,
            place=f"line {frame[ROW][at]}",
            column="timestamp",
            expected="a time like 2025-10-10 20:00:00+00:00",
            found=f"'{frame['timestamp'][at]}'",
            todo="correct that line or get the file again",
        )
    frame = frame.with_columns(times.dt.epoch("us").alias("timestamp"))
    frame = checks.with_time_ns(frame, source, "timestamp", "microseconds")
    checks.increasing(frame, source, "timestamp")
    median = (frame["close"] * frame["volume"]).median()
    middle = median if isinstance(median, float) else 0.0
    thin = frame.height >= _ENOUGH and middle < _THIN_USD
    frame = frame.select(
        ROW,
        "time_ns",
        pl.lit(UNNAMED if thin else "binance").alias("venue"),
        pl.lit("spot").alias("kind"),
        pl.lit(coin).alias("coin"),
        pl.lit(f"{coin}USDT").alias("symbol"),
        pl.lit(_HOUR_S, dtype=pl.Int64).alias("interval_s"),
        "open",
        "high",
        "low",
        "close",
        pl.col("volume").alias("volume_coins"),
        pl.lit(None, dtype=pl.Float64).alias("taker_buy_coins"),
        pl.lit(None, dtype=pl.Int64).alias("trades"),
        pl.lit(source.label).alias("source"),
    )
    checks.bars(frame, source)
    defects = holes(frame, _HOUR_S)
    if thin:
        defects.append(
            Defect(
                "venue-doubtful",
                "bars whose path says Binance and whose hours are too thin for it",
                f"kept under the venue '{UNNAMED}'",
                frame.height,
                f"{coin}: {middle:,.0f} USD in the median hour",
            )
        )
    return Loaded([("candles", frame)], defects)


SPOT_HOURLY = Importer(
    "binance-spot-hourly", 2, "hourly Binance spot bars", tuple(_COLUMNS), _NAME, recognise, load
)
